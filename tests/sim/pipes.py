"""Wires in virtual time: late, lossy, noisy, pulled out and put back."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from random import Random

from msgspec import Struct

from belltower.errors import Uncertain, Unreachable

CAPACITY = 65_536


class Weather(Struct):
    """How a wire is at this moment. Chances are per piece sent."""

    latency: tuple[float, float] = (0.001, 0.02)
    lost: float = 0.0
    spoilt: float = 0.0
    """One bit turned over."""
    split: float = 0.0
    """Cut in two pieces that arrive one after the other."""
    doubled: float = 0.0
    """Arrives a second time, up to `straggle` seconds later. Datagrams only."""
    straggle: float = 0.0
    """Up to so many seconds later than others, so that they change places. Datagrams only."""


def spoil(data: bytes, random: Random) -> bytes:
    """`data` with one bit turned over."""
    where = random.randrange(len(data))
    return data[:where] + bytes((data[where] ^ 1 << random.randrange(8),)) + data[where + 1 :]


class Datagrams:
    """Carries whole frames to whoever listens, in any order, any number of times."""

    def __init__(self, *, random: Random, weather: Weather) -> None:
        self._random = random
        self.weather = weather

    def carry(self, data: bytes, deliver: Callable[[bytes], object]) -> None:
        """Send `data` on its way."""
        random, weather = self._random, self.weather
        copies = 1
        while copies < 5 and random.random() < weather.doubled:
            copies += 1
        call_later = asyncio.get_running_loop().call_later
        for copy in range(copies):
            if random.random() < weather.lost:
                continue
            delay = random.uniform(*weather.latency)
            if weather.straggle and (copy or random.random() < 0.2):
                delay += random.random() * weather.straggle
            arriving = spoil(data, random) if random.random() < weather.spoilt else data
            call_later(delay, deliver, arriving)


class SimCable:
    """A serial line. Its far end is a function; its near end is plugged into one process at a time."""

    def __init__(self, *, random: Random, weather: Weather, at_far_end: Callable[[bytes], object]) -> None:
        self.random = random
        self.weather = weather
        self._at_far_end = at_far_end
        self._near: NearEnd | None = None
        self._next = {"out": 0.0, "back": 0.0}
        self.pulled = False
        self.stalled = False
        """The far end takes nothing: writes wait until their deadline."""

    def near(self) -> NearEnd:
        """The near end, for a new process."""
        self._near = NearEnd(cable=self)
        return self._near

    def pull(self) -> None:
        """Pull the plug: what is under way is lost."""
        self.pulled = True
        if self._near is not None:
            self._near.break_off()

    def plug(self) -> None:
        """Put it back; the near end has to be opened again."""
        self.pulled = False

    def back(self, data: bytes) -> None:
        """The far end sends `data`."""
        near = self._near
        if not self.pulled and near is not None:
            self._carry("back", data, near.arrive)

    def out(self, data: bytes) -> None:
        """The near end sends `data`."""
        self._carry("out", data, self._arrive_far)

    def _arrive_far(self, data: bytes) -> None:
        if not self.pulled:
            self._at_far_end(data)

    def _carry(self, way: str, data: bytes, deliver: Callable[[bytes], object]) -> None:
        random, weather = self.random, self.weather
        loop = asyncio.get_running_loop()
        pieces = [data]
        if len(data) > 1 and random.random() < weather.split:
            cut = random.randrange(1, len(data))
            pieces = [data[:cut], data[cut:]]
        for piece in pieces:
            if random.random() < weather.lost:
                continue
            arriving = spoil(piece, random) if random.random() < weather.spoilt else piece
            # A line keeps the order of what it carries.
            at = self._next[way] = max(loop.time() + random.uniform(*weather.latency), self._next[way] + 1e-5)
            loop.call_at(at, deliver, arriving)


class NearEnd:
    """Satisfies `hardware.transports.Transport`; inert once its process was killed."""

    def __init__(self, *, cable: SimCable) -> None:
        self._cable = cable
        self._arrived: deque[bytes] = deque()
        self._reader: asyncio.Future[None] | None = None
        self._is_open = False
        self._dead = False

    async def open(self) -> None:
        """See `Transport.open`."""
        await asyncio.sleep(0)
        if self._cable.pulled or self._dead:
            raise Unreachable("sim: no such line")
        self._arrived.clear()
        self._is_open = True

    async def read(self) -> bytes:
        """See `Transport.read`."""
        while not self._arrived:
            if not self._is_open:
                raise Unreachable("sim: the line is gone")
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        return self._arrived.popleft()

    async def write(self, data: bytes) -> None:
        """See `Transport.write`."""
        if not self._is_open:
            raise Unreachable("sim: the line is gone")
        if self._cable.stalled:
            await asyncio.sleep(5.0)
            raise Unreachable("sim: full for 5 s")
        await asyncio.sleep(0)
        if not self._is_open:
            sent = self._cable.random.randrange(len(data))
            if sent and not self._dead:
                self._cable.out(data[:sent])
                raise Uncertain(f"sim: cut after {sent} octets")
            raise Unreachable("sim: the line is gone")
        self._cable.out(data)

    async def close(self) -> None:
        """See `Transport.close`."""
        self.break_off()

    def arrive(self, data: bytes) -> None:
        """Octets of the far end."""
        if self._is_open and not self._cable.pulled and sum(map(len, self._arrived)) < CAPACITY:
            self._arrived.append(data)
            self._wake()

    def break_off(self) -> None:
        """Not open any more."""
        self._is_open = False
        self._arrived.clear()
        self._wake()

    def kill(self) -> None:
        """The process is gone; what it still tries has no effect."""
        self._dead = True
        self._is_open = False

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
