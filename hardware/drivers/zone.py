"""One paging zone: what is heard there now, by priority, repeated until it is stopped.

A higher priority takes the zone over at the next 20 ms; equal ones take turns, one round each; a lower one goes on
where nothing else is wanted any more. The wire stays open from the first frame to the last, as receivers stop after
200 to 500 ms without a packet.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Protocol

from msgspec import Struct

from belltower.errors import LinkError
from hardware.codecs.voice import FRAME, PayloadFormat, frames, silent

BETWEEN = 0.8
"""Seconds of silence after each round."""
AGAIN = 2.0
"""Seconds until a wire that failed is tried again."""
LATE = 0.1
"""Seconds by which frames may be late and still catch up; later than that the clock begins anew."""
ENDING = 5.0
"""Seconds within which a wire must have ended."""
MOST = 64
"""Programmes of a zone at once."""

Began = Callable[[str], None]
"""Told once: "" when the first packet left, else why none could. Of failures each new reason is told."""


class PageWire(Protocol):
    """What carries the sound to loudspeakers. Whatever it raises is a `LinkError`; every wait is bounded."""

    @property
    def form(self) -> PayloadFormat:
        """How its frames are coded."""
        ...

    async def begin(self) -> None:
        """Open it and announce the page, where the wire has such a thing."""
        ...

    def send(self, frame: bytes, *, first: bool) -> None:
        """Send one frame of 20 ms, at once; `first` after a pause."""
        ...

    async def end(self) -> None:
        """End the page and close; again does nothing. Never raises."""
        ...


class Programme(Struct, frozen=True, kw_only=True, eq=False):
    """Something to be heard until it is stopped."""

    key: str
    # Higher takes over.
    priority: int
    # The coded pieces of one round in this form, each asked for when it is its turn: what is rendered by then is heard.
    round: Callable[[PayloadFormat], Iterable[bytes]]
    began: Began
    # How often it is heard; 0: until it is stopped.
    rounds: int = 0


class _Playing:
    def __init__(self, programme: Programme, turn: int) -> None:
        self.programme = programme
        self.turn = turn
        self.heard = 0
        self.told: str | None = None

    def tell(self, what: str) -> None:
        if self.told not in {what, ""}:
            self.told = what
            self.programme.began(what)


class Zone:
    """Serves one wire. `run` it; mendable."""

    def __init__(self, *, wire: PageWire, between: float = BETWEEN, again: float = AGAIN) -> None:
        """A zone on `wire`, with `between` seconds of silence after each round."""
        self._wire = wire
        self._between = round(between / FRAME)
        self._again = again
        self._wanted: dict[str, _Playing] = {}
        self._turns = 0
        self._bell = asyncio.Event()

    @property
    def form(self) -> PayloadFormat:
        """How its wire's frames are coded."""
        return self._wire.form

    def play(self, programme: Programme) -> None:
        """Let it be heard; one of the same key is replaced."""
        self._turns += 1
        if programme.key not in self._wanted and len(self._wanted) >= MOST:
            programme.began(f"{MOST} announcements wait for this zone already")
            return
        self._wanted[programme.key] = _Playing(programme, self._turns)
        self._bell.set()

    def stop(self, key: str) -> None:
        """Let it not be heard any more, from the next 20 ms on."""
        self._wanted.pop(key, None)

    async def run(self) -> None:
        """Serve for ever; whatever ended it, what is still wanted is heard when it runs again."""
        if self._wanted:
            self._bell.set()
        while True:
            await self._bell.wait()
            self._bell.clear()
            while self._top() is not None:
                try:
                    await self._serve()
                except LinkError as error:
                    if (playing := self._top()) is not None:
                        playing.tell(str(error) or type(error).__name__)
                    await asyncio.sleep(self._again)

    def _top(self) -> _Playing | None:
        if not self._wanted:
            return None
        return min(self._wanted.values(), key=lambda playing: (-playing.programme.priority, playing.turn))

    async def _serve(self) -> None:
        """Play until nothing is wanted any more."""
        try:
            await self._wire.begin()
            pace = Pace()
            quiet = silent(self._wire.form)
            while (playing := self._top()) is not None:
                if await self._round(playing, pace, quiet):
                    self._turns += 1
                    playing.turn = self._turns
                    playing.heard += 1
                    if playing.heard == playing.programme.rounds:
                        self._drop(playing)
        finally:
            # Whatever happens the far end must not be left waiting; being cancelled counts as well.
            with suppress(TimeoutError):
                async with asyncio.timeout(ENDING):
                    await self._wire.end()

    def _drop(self, playing: _Playing) -> None:
        if self._wanted.get(playing.programme.key) is playing:
            del self._wanted[playing.programme.key]

    async def _round(self, playing: _Playing, pace: Pace, quiet: bytes) -> bool:
        """One round of it. False: something else has taken the zone, or it was stopped."""
        first = True
        for piece in playing.programme.round(self._wire.form):
            for frame in frames(piece):
                await pace.next()
                if self._top() is not playing:
                    return False
                self._wire.send(frame, first=first)
                first = False
                playing.tell("")
        for _ in range(max(self._between, 1)):
            await pace.next()
            if self._top() is not playing:
                return False
            self._wire.send(quiet, first=first)
            first = False
        return True


class Pace:
    """20 ms by the loop's clock, without drift: each frame is due by its number, not by the frame before it."""

    def __init__(self) -> None:
        """Begin with the first frame."""
        self._begin = 0.0
        self._count = 0

    async def next(self) -> None:
        """Return when the next frame is due."""
        now = asyncio.get_running_loop().time()
        due = self._begin + self._count * FRAME
        if self._count == 0 or now - due > LATE:
            self._begin, self._count, due = now, 0, now
        self._count += 1
        # Also when it is due already: a burst must not hold the loop.
        await asyncio.sleep(max(due - now, 0))
