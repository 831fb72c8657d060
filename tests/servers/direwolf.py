"""Two real direwolf software modems that hear each other through fifos, without a sound card."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from random import Random

import pytest

from tests.servers.binaries import require

CONFIG = """\
ADEVICE stdin {device}
ARATE 44100
ACHANNELS 1
CHANNEL 0
MYCALL {call}
MODEM 1200
AGWPORT 0
KISSPORT {kiss}
TXDELAY 30
TXTAIL 10
FULLDUP ON
"""


class Direwolves:
    """Two stations on one channel; each offers KISS on a TCP port."""

    def __init__(self, *, school: int, psap: int, folder: Path) -> None:
        self.school = school
        self.psap = psap
        self._folder = folder

    def log(self) -> str:
        """What both have printed."""
        return "".join(
            f"--- {path.name}\n{path.read_text(errors='replace')}"
            for path in sorted(self._folder.glob("*.log"))
        )


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on just now, below 32768: direwolf takes none above 49151, nor do others come here."""
    random = Random()
    with ExitStack() as stack:
        ports: list[int] = []
        while len(ports) < count:
            each = stack.enter_context(socket.socket())
            with suppress(OSError):
                each.bind(("127.0.0.1", random.randrange(15_000, 32_000)))
                ports.append(each.getsockname()[1])
        return ports


@contextmanager
def direwolves(folder: Path) -> Iterator[Direwolves]:
    """Two running stations; a failure inside prints what they said."""
    program = require("direwolf")
    names = {"ab": folder / "ab.fifo", "ba": folder / "ba.fifo"}
    for path in names.values():
        os.mkfifo(path)
    (folder / ".asoundrc").write_text(
        "".join(
            f'pcm.air_{name} {{ type file slave.pcm null file "{path}" format "raw" }}\n'
            for name, path in names.items()
        )
    )
    school, psap = free_ports(2)
    stations = [("SCHOOL", "ab", "ba", school), ("PSAP", "ba", "ab", psap)]
    with ExitStack() as stack:
        started = []
        for call, out, heard, kiss in stations:
            config = folder / f"{call}.conf"
            config.write_text(CONFIG.format(device=f"air_{out}", call=call, kiss=kiss))
            ear = os.open(names[heard], os.O_RDWR)  # both ways, so that silence is no end of file
            stack.callback(os.close, ear)
            log = stack.enter_context((folder / f"{call}.log").open("wb"))
            process = subprocess.Popen(
                [program, "-t", "0", "-d", "n", "-c", str(config)],
                cwd=folder,
                env={**os.environ, "HOME": str(folder)},
                stdin=ear,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            stack.callback(_end, process)
            started.append((process, kiss))
        pair = Direwolves(school=school, psap=psap, folder=folder)
        try:
            for process, port in started:
                _wait_for(process, port)
            yield pair
        except BaseException:
            print(pair.log())
            raise


@pytest.fixture(scope="module")
def radios(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Direwolves]:
    """Two stations for the tests of one file."""
    with direwolves(tmp_path_factory.mktemp("direwolf")) as pair:
        yield pair


def _wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.perf_counter() + 15
    while time.perf_counter() < deadline:
        assert process.poll() is None, "direwolf ended"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError("direwolf does not listen")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
