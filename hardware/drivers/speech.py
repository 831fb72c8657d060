"""Speech, rendered ahead of time: nothing is synthesised while somebody waits for help.

A text is spoken once by a local program, coded, and kept as a file named by the hash of program, voice, text and form.
A process of its own with the lowest priority does the work; this one only ever hands out what is there. What is not
there yet is spelt by its letters and digits, which are rendered first; where no speech program is installed, `fault`
says so, `ready` has nothing, and whoever asks plays tones alone.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import ParamSpec, Protocol, TypeVar

import msgspec
from msgspec import Struct

from belltower import log
from belltower.errors import SettingsError
from hardware.codecs.voice import PayloadFormat

_log = log.get("speech")

Process = subprocess.Popen[bytes]
P = ParamSpec("P")
T = TypeVar("T")

LONGEST = 240
"""Characters of one text."""
MOST = 4_000
"""Texts at once; more are not rendered."""
DEADLINE = 30.0
"""Seconds for one text, rendered and coded; then the program is taken for hung."""
AGAIN = 60.0
"""Seconds after which a program that failed, or a text that could not be rendered, is tried again."""
IN_A_ROW = 3
"""Texts that fail one after the other; then it is the program that fails."""
_MAX_FILE = 2_000_000
_VERSION = 1

LETTERS = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
"""What every place's short name can be spelt with."""


class Speaker(Protocol):
    """A program that speaks: a text in UTF-8 on its standard input becomes a WAV file on its standard output."""

    @property
    def command(self) -> tuple[str, ...]:
        """How it is started."""
        ...

    def fault(self) -> str:
        """Why it cannot be used on this machine, with the mend; "" when it can."""
        ...


class CommandSpeaker(Struct, frozen=True, kw_only=True):
    """Any program of the machine; espeak-ng is the embedded default."""

    command: tuple[str, ...]

    def fault(self) -> str:
        """Whether the program is there."""
        program = self.command[0]
        if shutil.which(program) is not None:
            return ""
        mend = (
            "install the package espeak-ng"
            if program == "espeak-ng"
            else "install it, or give another command"
        )
        return f"{program} is not installed: announcements are tones without words; {mend}"


def espeak(*, voice: str = "en-us", words: int = 150) -> CommandSpeaker:
    """espeak-ng with a voice, at `words` a minute."""
    if not re.fullmatch(r"[A-Za-z0-9+_-]{1,40}", voice):
        raise SettingsError(f'"{voice}" is no voice of espeak-ng; "en-us" is usual')
    return CommandSpeaker(
        command=("espeak-ng", "--stdout", "-v", voice, "-s", str(words), "-b", "1", "--stdin")
    )


class Words(Struct, frozen=True, kw_only=True):
    """Something to be said: a text, or, until that is rendered, other texts that are."""

    text: str
    instead: tuple[str, ...] = ()


def said(text: str) -> Words:
    """A text without another form."""
    return Words(text=text)


def spelt(name: str) -> Words:
    """A short name such as "B 204", letter by letter and digit by digit, as it is read on the radio."""
    letters = tuple(letter for letter in name.upper() if letter in LETTERS)
    return Words(text=", ".join(letters), instead=letters)


NOTES = "♪ "
"""What a text of tones begins with: pairs of hertz and seconds follow."""


def notes(*tones: tuple[int, float]) -> Words:
    """A row of tones, 0 hertz for a pause: rendered like speech, also where nobody can speak."""
    return Words(text=NOTES + " ".join(f"{hertz}/{seconds:g}" for hertz, seconds in tones))


def named(name: str) -> Words:
    """A name that is read as it is written; spelt while it is not rendered."""
    return Words(text=name[:LONGEST], instead=spelt(name).instead)


class Job(Struct, frozen=True, kw_only=True):
    """One text to render, and the file of each form."""

    text: str
    files: dict[PayloadFormat, str]


class Work(Struct, frozen=True, kw_only=True):
    """What the rendering process reads."""

    command: tuple[str, ...]
    deadline: float
    jobs: tuple[Job, ...]


class Speech:
    """The rendered texts of one lane. `run` it, mendable; `ready` answers from memory."""

    def __init__(self, *, folder: Path, speaker: Speaker, forms: Iterable[PayloadFormat]) -> None:
        """Keep files in `folder`; render every text in each of `forms`."""
        self._folder = folder
        self._speaker = speaker
        self._forms = tuple(dict.fromkeys(forms))
        self._have: dict[tuple[str, PayloadFormat], bytes] = {}
        # In the order in which they are to be rendered; values are of no use.
        self._wanted: dict[str, None] = {}
        self._bell = asyncio.Event()
        self._rest = asyncio.Event()
        self._failed = ""
        # Texts that could not be rendered although others could, and when they are tried again.
        self._refused: dict[str, None] = {}
        self._refused_until = 0.0
        self._reason = ""
        # Whoever reads from a process that hangs waits here, and holds up nobody else's work.
        self._thread = ThreadPoolExecutor(1, "speech")

    def fault(self) -> str:
        """What keeps it from speaking, with the mend; "" when nothing does."""
        if fault := self._speaker.fault() or self._failed:
            return fault
        return f"not every announcement can be rendered ({self._reason})" if self._refused else ""

    def want(self, texts: Iterable[str]) -> None:
        """Render these as well, if they are not yet; the first wanted come first."""
        for text in texts:
            self._rest.clear()
            known = len(self._wanted) + len(self._refused) + len(self._have)
            if text and text[:LONGEST] not in self._refused and known < MOST * len(self._forms):
                self._wanted.setdefault(text[:LONGEST])
        self._bell.set()

    def want_words(self, words: Iterable[Words]) -> None:
        """Render both forms of each, what it is spelt with first."""
        for each in words:
            self.want((*each.instead, each.text))

    def ready(self, words: Words, form: PayloadFormat) -> bytes:
        """The coded sound of it: whole, else by all of its parts, else b"", and then it is rendered for the next time.

        Half of a number would be another number, so that part of it is nothing.
        """
        whole = self._have.get((words.text[:LONGEST], form))
        if whole is not None:
            return whole
        self.want_words([words])
        parts = [self._have.get((part, form), b"") for part in words.instead]
        return b"".join(parts) if all(parts) else b""

    def complete(self, words: Sequence[Words], form: PayloadFormat) -> bool:
        """Whether all of it can be said, whole or by parts."""
        return all(
            (each.text[:LONGEST], form) in self._have
            or (each.instead and all((part, form) in self._have for part in each.instead))
            for each in words
        )

    async def rested(self) -> None:
        """Return once nothing is left that can be rendered."""
        await self._rest.wait()

    @property
    def idle(self) -> bool:
        """Whether nothing is waiting to be rendered."""
        return not self._wanted

    async def run(self) -> None:
        """Load and render what is wanted, for ever."""
        while True:
            await self._rung()
            while self._wanted:
                await self._load()
                if not self._wanted:
                    break
                mute = bool(self._speaker.fault())
                texts = [text for text in self._wanted if not mute or text.startswith(NOTES)]
                if (texts and not await self._render(texts)) or mute:
                    _log.warning("speech_not_rendered", texts=len(self._wanted))
                    self._rest.set()
                    await self._pause()
            self._rest.set()

    async def _rung(self) -> None:
        """Wait until something is wanted, or it is time for what failed."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._refused_until if self._refused else None):
                await self._bell.wait()
        self._bell.clear()
        if self._refused and asyncio.get_running_loop().time() >= self._refused_until:
            self._wanted |= self._refused
            self._refused.clear()

    def _file(self, text: str, form: PayloadFormat) -> Path:
        identity = "\0".join((str(_VERSION), *self._speaker.command, form.value, text))
        return self._folder / f"{hashlib.sha256(identity.encode()).hexdigest()[:40]}.{form.value}"

    async def _load(self) -> None:
        """Take what an earlier run has rendered."""
        files = {
            (text, form): self._file(text, form)
            for text in self._wanted
            for form in self._forms
            if (text, form) not in self._have
        }
        self._have |= await self._aside(_read, files)
        for text in list(self._wanted):
            if all((text, form) in self._have for form in self._forms):
                self._wanted.pop(text, None)

    async def _pause(self) -> None:
        """Wait until it may work again; where tones are newly wanted, no longer."""
        with suppress(TimeoutError):
            async with asyncio.timeout(AGAIN):
                while not any(text.startswith(NOTES) for text in self._wanted):
                    self._bell.clear()
                    await self._bell.wait()

    async def _render(self, texts: Sequence[str]) -> bool:
        """Have the other process render these. False: it could not."""
        jobs = tuple(
            Job(
                text=text,
                files={
                    form: str(self._file(text, form))
                    for form in self._forms
                    if (text, form) not in self._have
                },
            )
            for text in texts
        )
        work = Work(command=self._speaker.command, deadline=DEADLINE, jobs=jobs)
        starting = asyncio.get_running_loop().run_in_executor(self._thread, _start)
        try:
            process = await asyncio.shield(starting)
        except OSError as error:
            return self._fail(str(error.strerror))
        except asyncio.CancelledError:
            starting.add_done_callback(_discard)
            raise
        try:
            return await self._collect(process, work)
        except (TimeoutError, OSError):
            return self._fail("no answer in time")
        finally:
            _end(process)

    async def _collect(self, process: Process, work: Work) -> bool:
        async with asyncio.timeout(DEADLINE):
            await self._aside(_hand, process, msgspec.json.encode(work))
        in_a_row = 0
        for job in work.jobs:
            async with asyncio.timeout(2 * DEADLINE):
                line = (await self._aside(_answer, process)).strip()
            if line != b"ok":
                in_a_row += 1
                if not line or in_a_row == IN_A_ROW:
                    return self._fail(line.decode(errors="replace")[:200] or "the process ended")
                self._refuse(job.text, line.decode(errors="replace")[:200])
                continue
            in_a_row = 0
            files = {(job.text, form): Path(file) for form, file in job.files.items()}
            self._have |= await self._aside(_read, files)
            self._wanted.pop(job.text, None)
        self._failed = ""
        return True

    def _refuse(self, text: str, reason: str) -> None:
        """Go on without this text for a while: the others can be said."""
        if not self._refused:
            self._refused_until = asyncio.get_running_loop().time() + AGAIN
            _log.warning("text_not_rendered", reason=reason)
        self._reason = reason
        self._refused[text] = None
        self._wanted.pop(text, None)

    async def _aside(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(work, *args, **kwargs))

    def _fail(self, reason: str) -> bool:
        self._failed = f"speech cannot be rendered ({reason}): announcements are tones without words"
        return False


def _start() -> Process:
    command = [sys.executable, "-m", "hardware.drivers.speech_render"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - our own module


def _hand(process: Process, work: bytes) -> None:
    if process.stdin is not None:
        with process.stdin:
            process.stdin.write(work)


def _answer(process: Process) -> bytes:
    return process.stdout.readline(1_000) if process.stdout is not None else b""


def _end(process: Process) -> None:
    """End it at once; whoever still reads from it reads its end."""
    process.kill()
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _discard(starting: asyncio.Future[Process]) -> None:
    if not starting.cancelled() and starting.exception() is None:
        process = starting.result()
        if process.stdin is not None:
            process.stdin.close()
        _end(process)


def _read(files: dict[tuple[str, PayloadFormat], Path]) -> dict[tuple[str, PayloadFormat], bytes]:
    found = {}
    for key, file in files.items():
        with suppress(OSError), file.open("rb") as opened:
            found[key] = opened.read(_MAX_FILE)
    return found
