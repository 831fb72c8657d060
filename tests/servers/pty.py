"""Pseudo-terminal pairs: one of the kernel's, and one of socat's that can be killed like a pulled cable."""

import os
import signal
import subprocess
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.servers.binaries import require


class Pty:
    """One pair: `path` is the end to open by name, `far` the raw descriptor of the other."""

    def __init__(self, *, path: str, far: int) -> None:
        self.path = path
        self.far = far


@contextmanager
def pty_pair() -> Iterator[Pty]:
    """A pair of the kernel's; the end called `path` may be opened and closed at will."""
    far, near = os.openpty()
    tty.setraw(near)
    try:
        yield Pty(path=os.ttyname(near), far=far)
    finally:
        os.close(near)
        os.close(far)


class SocatCable:
    """Two named ends, `near` and `far`, joined by a socat process."""

    def __init__(self, *, folder: Path) -> None:
        self.near = folder / "near"
        self.far = folder / "far"
        self._process: subprocess.Popen[bytes] | None = None

    def plug(self) -> None:
        """Join the ends, and return once both can be opened."""
        ends = [f"pty,raw,echo=0,link={end}" for end in (self.near, self.far)]
        process = subprocess.Popen(["socat", "-d", "-d", *ends], stderr=subprocess.PIPE)
        self._process = process
        assert process.stderr is not None
        for line in process.stderr:
            if b"starting data transfer loop" in line:
                return
        raise AssertionError("socat ended")

    def pull(self) -> None:
        """Kill socat: both ends see the line go."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            assert process.stderr is not None
            process.stderr.close()

    def freeze(self) -> None:
        """Stop socat: the line stays, but nothing moves."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)


@contextmanager
def socat_cable(folder: Path) -> Iterator[SocatCable]:
    """A cable of socat's, plugged in."""
    require("socat")
    cable = SocatCable(folder=folder)
    cable.plug()
    try:
        yield cable
    finally:
        cable.pull()


@pytest.fixture
def pty() -> Iterator[Pty]:
    """A fresh pair of the kernel's."""
    with pty_pair() as pair:
        yield pair


@pytest.fixture
def cable(tmp_path: Path) -> Iterator[SocatCable]:
    """A fresh cable of socat's."""
    with socat_cable(tmp_path) as cable:
        yield cable
