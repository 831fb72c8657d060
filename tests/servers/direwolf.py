"""Two real direwolf software modems that hear each other through fifos, without a sound card."""

import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

import pytest

from tests.peers.waiting import PATIENCE
from tests.servers.binaries import require
from tests.servers.ports import free_port

CONFIG = """\
ADEVICE stdin {device}
ARATE 44100
ACHANNELS 1
CHANNEL 0
{key}MYCALL {call}
MODEM 1200
AGWPORT 0
KISSPORT {kiss}
TXDELAY 30
TXTAIL 10
FULLDUP ON
"""


class Direwolves:
    """Two stations on one channel; each offers KISS on a TCP port.

    The school's keys its transmitter through a rigctld, where `rig` is given: its port.
    """

    def __init__(self, *, school: int, psap: int, folder: Path, rig: int | None = None) -> None:
        self.school = school
        self.psap = psap
        self.rig = rig
        self._folder = folder

    def log(self) -> str:
        """What both have printed."""
        return "".join(
            f"--- {path.name}\n{path.read_text(errors='replace')}"
            for path in sorted(self._folder.glob("*.log"))
        )


class KeyWatch:
    """Asks a rigctld again and again whether the transmitter is keyed, as an outsider. Use as `with KeyWatch(port)`."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, name="key watch", daemon=True)
        self.changes: list[tuple[float, bool]] = []
        """When the key was found up or down, whenever that changed."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(PATIENCE)

    def states(self) -> list[bool]:
        """Up and down in the order seen."""
        return [keyed for _, keyed in self.changes]

    def _look(self) -> None:
        with socket.create_connection(("127.0.0.1", self._port), timeout=PATIENCE) as line:
            while not self._stop.wait(0.02):
                line.sendall(b"t\n")
                keyed = line.recv(64).strip() == b"1"
                if not self.changes or self.changes[-1][1] is not keyed:
                    self.changes.append((time.perf_counter(), keyed))


@contextmanager
def rigctld(folder: Path) -> Iterator[int]:
    """Hamlib's dummy radio with a key that can be set and asked for; its port."""
    port = free_port()
    with (folder / "rigctld.log").open("wb") as log:
        process = subprocess.Popen(
            [require("rigctld"), "-m", "1", "-P", "RIG", "-T", "127.0.0.1", "-t", str(port)],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_for(process, port)
            yield port
        finally:
            _end(process)


@contextmanager
def direwolves(folder: Path, *, rig: int | None = None) -> Iterator[Direwolves]:
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
    school, psap = free_port(), free_port()
    stations = [("SCHOOL", "ab", "ba", school), ("PSAP", "ba", "ab", psap)]
    with ExitStack() as stack:
        started = []
        for call, out, heard, kiss in stations:
            config = folder / f"{call}.conf"
            key = f"PTT RIG 2 127.0.0.1:{rig}\n" if rig and call == "SCHOOL" else ""
            config.write_text(CONFIG.format(device=f"air_{out}", call=call, kiss=kiss, key=key))
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
        pair = Direwolves(school=school, psap=psap, folder=folder, rig=rig)
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


@pytest.fixture(scope="module")
def keyed_radios(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Direwolves]:
    """Two stations, the school's with a key line that others can look at."""
    folder = tmp_path_factory.mktemp("direwolf-ptt")
    with rigctld(folder) as rig, direwolves(folder, rig=rig) as pair:
        yield pair


def _wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.perf_counter() + PATIENCE
    while time.perf_counter() < deadline:
        assert process.poll() is None, "it ended"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError("it does not listen")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
