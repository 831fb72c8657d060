"""Which units are alive. A unit is lost when it has been silent for almost three of its heartbeats."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from belltower.clock import Clock
from belltower.incident import facts
from belltower.incident.facts import Fact
from gateway.intake.units import KnownUnit

LOST_AFTER = 2.8
"""Heartbeats of silence: with one every 30 s, and a look every 3 s, a lost unit is known within 90 s."""

_LOOKS_PER_HEARTBEAT = 10


class Supervision:
    """When each unit was last heard, on the monotonic clock: a stepped wall clock loses no unit."""

    def __init__(
        self, *, units: Mapping[int, KnownUnit], clock: Clock, record: Callable[[Fact], object]
    ) -> None:
        self._units = units
        self._clock = clock
        self._record = record
        self._heard: dict[int, float] = {}
        self._lost: set[int] = set()
        self._began = clock.monotonic()

    @property
    def lost(self) -> frozenset[int]:
        """Numbers of the units that are silent now."""
        return frozenset(self._lost)

    def heard(self, number: int) -> None:
        """An authentic frame of this unit came in."""
        self._heard[number] = self._clock.monotonic()
        if number in self._lost:
            self._lost.discard(number)
            self._record(facts.UnitRestored(unit=self._units[number].record.id))

    async def watch(self) -> None:
        """Look for silent units for ever."""
        self._began = self._clock.monotonic()
        while True:
            shortest = min((unit.record.heartbeat for unit in self._units.values()), default=30.0)
            await asyncio.sleep(shortest / _LOOKS_PER_HEARTBEAT)
            self.look()

    def look(self) -> None:
        """Write down every unit that has just become lost."""
        now = self._clock.monotonic()
        for number, unit in self._units.items():
            if number in self._lost:
                continue
            last = self._heard.get(number)
            silent = now - (last if last is not None else self._began)
            if silent > unit.record.heartbeat * LOST_AFTER:
                self._lost.add(number)
                since = round(silent, 1) if last is not None else -1.0
                self._record(facts.UnitLost(unit=unit.record.id, silent_for=since))
