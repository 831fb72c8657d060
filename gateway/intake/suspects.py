"""Frames that may be replays: a valid MAC with a counter too old to tell, or one that a broker had retained.

The unit is challenged with a nonce. Answered in time, the press counts; unanswered, it is written down as suspect for
a human to look at. It is never dropped in silence, and never places a call by itself.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable

from msgspec import Struct

from belltower.ids import RandomBytes
from belltower.incident import facts
from belltower.incident.facts import Fact
from gateway.intake.paths import Path
from gateway.intake.units import KnownUnit
from hardware.codecs import unit as codec
from hardware.codecs.unit import Answer, Kind, UnitFrame
from hardware.codecs.window import ReplayWindow

ANSWER_WITHIN = 3.0
"""Seconds a unit has to answer a challenge."""

_REMEMBERED = 4096


class _Challenge(Struct, frozen=True, kw_only=True):
    nonce: bytes
    epoch: int
    counter: int
    timer: asyncio.TimerHandle


class Suspects:
    """The challenges that are out, at most one a unit."""

    def __init__(
        self, *, random_bytes: RandomBytes, site_tag: bytes, record: Callable[[Fact], object]
    ) -> None:
        self._random_bytes = random_bytes
        self._site_tag = site_tag
        self._record = record
        self._out: dict[int, _Challenge] = {}
        self._cleared: OrderedDict[tuple[int, int, int], None] = OrderedDict()

    def challenge(
        self, unit: KnownUnit, frame: UnitFrame, kind: Kind, window: ReplayWindow, path: Path
    ) -> None:
        """Ask the unit to stand by `frame`. The same frame again gets the same nonce, not a new deadline."""
        del kind
        out = self._out.get(frame.number)
        if out is None or (out.epoch, out.counter) != (frame.epoch, frame.counter):
            if out is not None:
                out.timer.cancel()
                self._suspect(unit, out, path)
            out = _Challenge(
                nonce=self._random_bytes(codec.NONCE_SIZE),
                epoch=frame.epoch,
                counter=frame.counter,
                timer=asyncio.get_running_loop().call_later(ANSWER_WITHIN, self._unanswered, unit, path),
            )
            self._out[frame.number] = out
        path.send(
            frame.number, codec.seal(codec.challenge(frame, out.nonce, window), unit.key, self._site_tag)
        )

    def answered(self, number: int, answer: Answer) -> bool:
        """Whether `answer` answers the challenge that is out; if so the challenge is done with."""
        out = self._out.get(number)
        if out is None or (out.nonce, out.epoch, out.counter) != (answer.nonce, answer.epoch, answer.counter):
            return False
        out.timer.cancel()
        del self._out[number]
        self._cleared[(number, out.epoch, out.counter)] = None
        while len(self._cleared) > _REMEMBERED:
            self._cleared.popitem(last=False)
        return True

    def cleared(self, number: int, epoch: int, counter: int) -> bool:
        """Whether this frame was stood by before: it is then a repetition, not a suspect."""
        return (number, epoch, counter) in self._cleared

    def _unanswered(self, unit: KnownUnit, path: Path) -> None:
        out = self._out.pop(unit.record.number, None)
        if out is not None:
            self._suspect(unit, out, path)

    def _suspect(self, unit: KnownUnit, out: _Challenge, path: Path) -> None:
        self._record(
            facts.SignalSuspect(unit=unit.record.id, epoch=out.epoch, counter=out.counter, path=path.name)
        )
