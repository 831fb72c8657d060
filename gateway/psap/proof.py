"""The monthly proof: a marked test down every link, what came back, and which link was not proven for too long.

The journal is the memory: all facts of tests have the subject `verbs.PROOF`, and are read again at the start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from belltower.clock import SECOND, Clock, Instant
from belltower.ids import LinkName
from belltower.incident.facts import (
    Fact,
    LinkProven,
    LinkTestOrdered,
    LinkTestSent,
    LinkUnproven,
    ReceiptLevel,
)
from belltower.journal import Entry
from belltower.tasks import unless_mistaken
from gateway.psap.lane import Lane
from gateway.psap.link import Frame, LinkTest

PROVEN_FOR = 31 * 86_400 * SECOND
"""A link that was not proven for so long is shown."""

CONCLUDED_AFTER = 60.0
"""Seconds until what came back of a test is all that comes."""

_ORDER = (ReceiptLevel.RADIO, ReceiptLevel.STATION, ReceiptLevel.SYSTEM)


class _Running:
    def __init__(self, *, test: int, lane: Lane, frame: Frame, begun: float) -> None:
        self.test = test
        self.lane = lane
        self.frame = frame
        self.sent_at: float | None = None
        self.begun = begun
        self.best: ReceiptLevel | None = None
        self.best_at = begun


class Proving:
    """Carries out `LinkTestOrdered` on every link, and remembers when each was last proven."""

    def __init__(
        self,
        *,
        lanes: Mapping[LinkName, Lane],
        clock: Clock,
        write: Callable[[Sequence[Fact]], object],
        concluded_after: float = CONCLUDED_AFTER,
    ) -> None:
        self._lanes = lanes
        self._clock = clock
        self._write = write
        self._concluded_after = concluded_after
        self._running: dict[tuple[LinkName, str], _Running] = {}
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._seen = 0
        self.proven: dict[LinkName, Instant] = {}
        """When each link was last proven."""

    def recall(self, history: Sequence[Entry[Fact]]) -> None:
        """Take in what an earlier process wrote; a test that ended with it is said to be unproven."""
        owed: dict[LinkName, int] = {}
        for entry in history:
            match entry.fact:
                case LinkTestOrdered(test=test):
                    self._seen = max(self._seen, test)
                    owed = dict.fromkeys(self._lanes, test)
                case LinkProven(link=link):
                    self.proven[link] = max(entry.at, self.proven.get(link, Instant(0)))
                    owed.pop(link, None)
                case LinkUnproven(link=link):
                    owed.pop(link, None)
                case _:
                    pass
        self._write(
            [
                LinkUnproven(test=test, link=link, reason="the lane ended before anything came back")
                for link, test in owed.items()
            ]
        )

    def unproven(self, now: Instant) -> tuple[LinkName, ...]:
        """The links that were not proven for 31 days, or never."""
        return tuple(name for name in self._lanes if now - self.proven.get(name, Instant(0)) > PROVEN_FOR)

    def close(self) -> None:
        """Drop the timers."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def order(self, order: LinkTestOrdered, at: Instant) -> None:
        """Send the test down every link; asked twice, it is sent once."""
        if order.test <= self._seen:
            return
        self._seen = order.test
        loop = asyncio.get_running_loop()
        test = LinkTest(number=order.test, key=order.key, at=at)
        failed: list[Fact] = []
        for name, lane in self._lanes.items():
            frame = unless_mistaken(lane.link.test, test) or "the link could not make the test"
            if isinstance(frame, str):
                failed.append(LinkUnproven(test=order.test, link=name, reason=frame))
                continue
            running = _Running(test=order.test, lane=lane, frame=frame, begun=loop.time())
            self._running[name, frame.id] = running
            lane.notes[frame.id] = order.test
            lane.ledger.note(frame, after=None, now=loop.time())
            lane.bell.set()
        if failed:
            self._write(failed)
        self._timers[order.test] = loop.call_later(self._concluded_after, self._conclude_all, order.test)

    def sent(self, lane: Lane, frame: Frame) -> None:
        """The test's first octet left."""
        running = self._running.get((lane.link.name, frame.id))
        if running is not None and running.sent_at is None:
            running.sent_at = asyncio.get_running_loop().time()
            self._write([LinkTestSent(test=running.test, link=lane.link.name, frame=frame.id)])

    def receipt(self, lane: Lane, frame_id: str, level: ReceiptLevel) -> None:
        """A machine confirmed it."""
        running = self._running.get((lane.link.name, frame_id))
        if running is None:
            return
        if running.best is None or _ORDER.index(level) > _ORDER.index(running.best):
            running.best, running.best_at = level, asyncio.get_running_loop().time()
        traits = lane.link.traits
        if level is traits.best or level in traits.settling | traits.ending:
            self._conclude(running, "")

    def refused(self, lane: Lane, frame_id: str, reason: str) -> None:
        """The other side said no."""
        running = self._running.get((lane.link.name, frame_id))
        if running is not None:
            self._conclude(running, f"refused: {reason}")

    def _conclude_all(self, test: int) -> None:
        self._timers.pop(test, None)
        for running in [each for each in self._running.values() if each.test == test]:
            if running.sent_at is None:
                self._conclude(running, "it could not be sent")
            else:
                self._conclude(running, f"nothing came back in {self._concluded_after:g} s")

    def _conclude(self, running: _Running, reason: str) -> None:
        name = running.lane.link.name
        del self._running[name, running.frame.id]
        running.lane.notes.pop(running.frame.id, None)
        running.lane.ledger.drop_note(running.frame.id)
        if running.best is None or reason.startswith("refused"):
            self._write([LinkUnproven(test=running.test, link=name, reason=reason)])
            return
        began = running.sent_at if running.sent_at is not None else running.begun
        self.proven[name] = self._clock.now()
        after = round(max(running.best_at - began, 0.0), 3)
        self._write([LinkProven(test=running.test, link=name, level=running.best, after=after)])
