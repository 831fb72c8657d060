"""Renders texts to files, as a process of its own with the lowest priority: `python -m hardware.drivers.speech_render`.

Reads one `speech.Work` as JSON from standard input, and writes a line for each of its jobs: `ok` when its files are
there, else why they are not. Coding wideband sound takes a processor for a quarter of its length; here it disturbs
nobody.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

from belltower.errors import Malformed
from hardware.codecs.sound import Sound, joined, read_wav, silence, tone, trimmed
from hardware.codecs.voice import encode
from hardware.drivers.speech import NOTES, Job, Work

AFTER = 0.12
"""Seconds of silence after each text, so that one may follow another."""


def main() -> int:
    """Do the work of standard input."""
    os.nice(19)
    work = msgspec.json.decode(sys.stdin.buffer.read(), type=Work)
    for job in work.jobs:
        sys.stdout.write(f"{render(job, work)}\n")
        sys.stdout.flush()
    return 0


def render(job: Job, work: Work) -> str:
    """Make the files of one job; "ok", or why not in one line."""
    try:
        sound = _tones(job.text) if job.text.startswith(NOTES) else _spoken(job.text, work)
        if not sound.samples:
            return "the program made no sound"
        sound = joined(sound, silence(AFTER, rate=sound.rate))
        for form, file in job.files.items():
            _keep(Path(file), encode(sound, form))
    except subprocess.CalledProcessError as error:
        return f"the program ended with {error.returncode}"
    except subprocess.TimeoutExpired:
        return "the program did not end"
    except Malformed as error:
        return f"the program's sound: {error}"
    except OSError as error:
        return str(error.strerror)
    return "ok"


def _spoken(text: str, work: Work) -> Sound:
    done = subprocess.run(  # noqa: S603 - the settings name the program; the text goes by its standard input
        work.command, input=text.encode(), capture_output=True, check=True, timeout=work.deadline
    )
    return trimmed(read_wav(done.stdout))


def _tones(text: str) -> Sound:
    parts = (part.split("/") for part in text.removeprefix(NOTES).split())
    return joined(*(tone(float(hertz), float(seconds), rate=16_000, level=0.4) for hertz, seconds in parts))


def _keep(file: Path, octets: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as new:
        new.write(octets)
    Path(new.name).replace(file)


if __name__ == "__main__":
    sys.exit(main())
