"""Pseudo-terminal pairs: one of the kernel's, and one of socat's that can be killed like a pulled cable."""

import asyncio
import os
import signal
import subprocess
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from hardware.transports.memory import Pipe, whole
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
            _forget(self.near, self.far)
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


def _forget(*names: Path) -> None:
    """The names go before their terminals do: the kernel gives a freed terminal to the next who asks for one."""
    for name in names:
        name.unlink(missing_ok=True)


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


class WildCable:
    """Two named ends, `near` and `far`, joined by the test itself: what goes through can be spoilt or cut anywhere.

    It has what `SocatCable` has. `out` is the pipe from near to far, `back` the other way.
    """

    def __init__(self, *, folder: Path) -> None:
        self.near = folder / "near"
        self.far = folder / "far"
        self.out: Pipe = whole
        self.back: Pipe = whole
        self._left: int | None = None
        self._open: list[int] = []

    def plug(self) -> None:
        """Join the ends; from now on both can be opened."""
        (near, near_end), (far, far_end) = os.openpty(), os.openpty()
        self._open = [near, far, near_end, far_end]
        for end, name in ((near_end, self.near), (far_end, self.far)):
            tty.setraw(end)
            name.symlink_to(os.ttyname(end))
        loop = asyncio.get_running_loop()
        for number in (near, far):
            os.set_blocking(number, False)
        loop.add_reader(near, self._carry, near, far, True)
        loop.add_reader(far, self._carry, far, near, False)

    def pull(self) -> None:
        """Take it away: both ends see the line go."""
        _forget(self.near, self.far)
        loop = asyncio.get_running_loop()
        for number in self._open[:2]:
            loop.remove_reader(number)
        for number in self._open:
            os.close(number)
        self._open = []
        self._left = None

    def cut_after(self, octets: int) -> None:
        """Pull it once so many more octets have gone from near to far, in the middle of whatever that is."""
        self._left = octets

    def say(self, octets: bytes) -> None:
        """Let near hear this, as if far had said it; what finds no room is lost."""
        with suppress(BlockingIOError):
            os.write(self._open[0], octets)

    def _carry(self, source: int, sink: int, out: bool) -> None:
        with suppress(BlockingIOError, OSError):
            data = os.read(source, 4096)
            cut = out and self._left is not None and self._left <= len(data)
            if out and self._left is not None:
                data = data[: self._left]
                self._left -= len(data)
            for piece in (self.out if out else self.back)(data):
                os.write(sink, piece)
            if cut:
                asyncio.get_running_loop().call_later(0.05, self.pull)
