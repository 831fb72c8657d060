"""Frames that may be replays: a valid MAC with a counter too old to tell, or one that a broker had retained.

The unit is challenged with a nonce. Answered in time, the press counts; unanswered, it is written down as suspect for
a human to look at. It is never dropped in silence, and never places a call by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from msgspec import Struct

from belltower.ids import RandomBytes
from belltower.incident import facts
from belltower.incident.facts import Fact
from gateway.intake.paths import Path
from gateway.intake.units import KnownUnit
from hardware.codecs import unit as codec
from hardware.codecs.unit import Answer, UnitFrame
from hardware.codecs.window import ReplayWindow

ANSWER_WITHIN = 3.0
"""Seconds a unit has to answer a challenge."""

AT_A_TIME = 4
"""Challenges that one unit may have out; further frames wait until one is done with."""

SHOWN_EVERY = 60.0
"""Seconds between two suspects of one unit that are written down: whoever replays frames fills no journal."""


class _Challenge(Struct, frozen=True, kw_only=True):
    nonce: bytes
    epoch: int
    counter: int
    timer: asyncio.TimerHandle


class Suspects:
    """The challenges that are out, a few for each unit."""

    def __init__(
        self, *, random_bytes: RandomBytes, site_tag: bytes, record: Callable[[Fact], object]
    ) -> None:
        self._random_bytes = random_bytes
        self._site_tag = site_tag
        self._record = record
        self._out: dict[int, list[_Challenge]] = {}
        self._shown: dict[int, float] = {}

    def challenge(self, unit: KnownUnit, frame: UnitFrame, window: ReplayWindow, path: Path) -> None:
        """Ask the unit to stand by `frame`. The same frame again gets the same nonce, not a new deadline."""
        out = self._out.setdefault(frame.number, [])
        for challenge in out:
            if (challenge.epoch, challenge.counter) == (frame.epoch, frame.counter):
                break
        else:
            if len(out) >= AT_A_TIME:
                return
            challenge = _Challenge(
                nonce=self._random_bytes(codec.NONCE_SIZE),
                epoch=frame.epoch,
                counter=frame.counter,
                timer=asyncio.get_running_loop().call_later(
                    ANSWER_WITHIN, self._unanswered, unit, frame.epoch, frame.counter, path
                ),
            )
            out.append(challenge)
        sealed = codec.seal(codec.challenge(frame, challenge.nonce, window), unit.key, self._site_tag)
        path.send(frame.number, sealed)

    def ask(self, unit: KnownUnit, frame: UnitFrame, window: ReplayWindow, path: Path) -> None:
        """Ask the unit to say `frame` anew, and remember nothing: a status or text stands for no press."""
        nonce = self._random_bytes(codec.NONCE_SIZE)
        sealed = codec.seal(codec.challenge(frame, nonce, window), unit.key, self._site_tag)
        path.send(frame.number, sealed)

    def answered(self, number: int, answer: Answer) -> bool:
        """Whether `answer` answers a challenge that is out; if so the challenge is done with."""
        for challenge in self._out.get(number, ()):
            if (challenge.nonce, challenge.epoch, challenge.counter) == (
                answer.nonce,
                answer.epoch,
                answer.counter,
            ):
                challenge.timer.cancel()
                self._out[number].remove(challenge)
                return True
        return False

    def _unanswered(self, unit: KnownUnit, epoch: int, counter: int, path: Path) -> None:
        number = unit.record.number
        self._out[number] = [
            challenge
            for challenge in self._out[number]
            if (challenge.epoch, challenge.counter) != (epoch, counter)
        ]
        now = asyncio.get_running_loop().time()
        shown = self._shown.get(number)
        if shown is not None and now - shown < SHOWN_EVERY:
            return
        self._shown[number] = now
        self._record(facts.SignalSuspect(unit=unit.record.id, epoch=epoch, counter=counter, path=path.name))
