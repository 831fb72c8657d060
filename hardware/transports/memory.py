"""Two ends of a cable in memory: for tests, for the simulators, and for seeing what a bad line does.

A cable carries octets through a *pipe*, which may cut, lose or spoil them; the four that every codec and driver
has to bear are `whole`, `byte_at_a_time`, `lossy` and `hang_up`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from random import Random

from belltower.errors import Uncertain, Unreachable

CAPACITY = 65_536
"""Octets under way in one direction, at most."""

Pipe = Callable[[bytes], Iterator[bytes]]
"""What becomes of the octets written at once: the pieces in which they arrive. `ConnectionResetError` hangs up."""


def whole(data: bytes) -> Iterator[bytes]:
    """Everything arrives as it was written."""
    yield data


def byte_at_a_time(data: bytes) -> Iterator[bytes]:
    """Every octet arrives alone."""
    for octet in data:
        yield bytes((octet,))


def lossy(random: Random, *, rate: float = 0.01) -> Pipe:
    """A pipe that drops, doubles or spoils one octet in `1 / rate`."""

    def pipe(data: bytes) -> Iterator[bytes]:
        piece = bytearray()
        for octet in data:
            match random.randrange(3) if random.random() < rate else None:
                case None:
                    piece.append(octet)
                case 0:
                    pass
                case 1:
                    piece += bytes((octet, octet))
                case _:
                    piece.append(octet ^ 1 << random.randrange(8))
        if piece:
            yield bytes(piece)

    return pipe


def hang_up(after: int) -> Pipe:
    """A pipe that breaks once `after` octets went through, in the middle of a write if it falls so."""
    left = after

    def pipe(data: bytes) -> Iterator[bytes]:
        nonlocal left
        passed, left = data[:left], max(0, left - len(data))
        if passed:
            yield passed
        if len(passed) < len(data):
            raise ConnectionResetError

    return pipe


class Cable:
    """Two ends, `near` and `far`. What one writes the other reads, through the pipe of that direction."""

    def __init__(
        self, *, out: Pipe = whole, back: Pipe = whole, capacity: int = CAPACITY, write_deadline: float = 5.0
    ) -> None:
        self.near = MemoryTransport(cable=self, pipe=out, capacity=capacity, write_deadline=write_deadline)
        self.far = MemoryTransport(cable=self, pipe=back, capacity=capacity, write_deadline=write_deadline)
        self.pulled = False
        self._changed = asyncio.Event()

    def pull(self) -> None:
        """Pull the cable: what was under way is lost, both ends get `Unreachable` until it is plugged in again."""
        self.near.forget()
        self.far.forget()
        self.hang_up()

    def hang_up(self) -> None:
        """Break the line at its end: what has arrived may still be read."""
        self.pulled = True
        self.wake()

    def plug(self) -> None:
        """Mend it; each end still has to be opened again."""
        self.near.forget()
        self.far.forget()
        self.pulled = False

    def other(self, end: MemoryTransport) -> MemoryTransport:
        """The end that is not `end`."""
        return self.far if end is self.near else self.near

    async def change(self) -> None:
        """Wait until something about the cable has changed."""
        await self._changed.wait()

    def wake(self) -> None:
        """Tell both ends that something has changed."""
        self._changed.set()
        self._changed = asyncio.Event()


class MemoryTransport:
    """One end of a `Cable`. Like a pseudo-terminal it takes octets although the far end is not open yet."""

    def __init__(self, *, cable: Cable, pipe: Pipe, capacity: int, write_deadline: float) -> None:
        self._cable = cable
        self._pipe = pipe
        self._capacity = capacity
        self._write_deadline = write_deadline
        self._arrived: deque[bytes] = deque()
        self._size = 0
        self._is_open = False

    async def open(self) -> None:
        """Open this end. `Unreachable` while the cable is pulled."""
        if self._cable.pulled:
            raise Unreachable("memory: the cable is pulled")
        self._is_open = True

    async def read(self) -> bytes:
        """The next piece that arrived."""
        while not self._arrived:
            self._require_line()
            await self._cable.change()
        data = self._arrived.popleft()
        self._size -= len(data)
        self._cable.wake()
        return data

    async def write(self, data: bytes) -> None:
        """Send `data` through the pipe, waiting while the far end is full."""
        other = self._cable.other(self)
        sent = 0
        try:
            self._require_line()
            async with asyncio.timeout(self._write_deadline):
                for piece in self._pipe(data):
                    while other.full:
                        await self._cable.change()
                        self._require_line()
                    other.arrive(piece)
                    sent += len(piece)
        except TimeoutError:
            raise _failure(f"full for {self._write_deadline:g} s", sent) from None
        except ConnectionResetError:
            self._cable.hang_up()
            raise _failure("hung up", sent) from None
        except Unreachable as error:
            raise _failure(str(error), sent) from None

    async def close(self) -> None:
        """Close this end, forgetting what has arrived."""
        self._is_open = False
        self.forget()

    @property
    def full(self) -> bool:
        """Whether no more octets may be under way to this end."""
        return self._size >= self._capacity

    def arrive(self, piece: bytes) -> None:
        """Take a piece that came through the pipe."""
        self._arrived.append(piece)
        self._size += len(piece)
        self._cable.wake()

    def forget(self) -> None:
        """Lose what has arrived and was not read."""
        self._arrived.clear()
        self._size = 0
        self._cable.wake()

    def _require_line(self) -> None:
        if self._cable.pulled:
            self._is_open = False
        if not self._is_open:
            raise Unreachable("the line is gone" if self._cable.pulled else "not open")


def _failure(reason: str, sent: int) -> Unreachable | Uncertain:
    if sent:
        return Uncertain(f"memory: {reason} after {sent} octets")
    return Unreachable(f"memory: {reason}")
