"""Our own units: when each was last heard, how its battery is, and who has fallen silent. In time, for a silent unit calls nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container, Mapping

from msgspec import Struct

from belltower.clock import Clock, Instant
from belltower.ids import UnitId
from belltower.incident import facts
from belltower.incident.facts import Fact
from gateway.intake.jamming import Jamming
from gateway.intake.units import KnownUnit
from hardware.codecs.unit import Heartbeat

LOST_AFTER = 2.8
"""Heartbeats of silence: with one every 30 s, and a look every 3 s, a lost unit is known within 90 s."""
LOW = 20
"""Percent of battery, in two reports running, that are too few."""
FULL_AGAIN = 25
"""Percent at which a low battery is over."""

_LOOKS_PER_HEARTBEAT = 10


class UnitState(Struct):
    """What one unit last said of itself."""

    heard: Instant = Instant(0)
    path: str = ""
    # Percent; -1: not known.
    battery: int = -1
    # How many reports running said that it is low.
    low: int = 0
    tampered: bool = False


class Supervision:
    """When each unit was last heard, on the monotonic clock: a stepped wall clock loses no unit."""

    def __init__(
        self,
        *,
        units: Mapping[int, KnownUnit],
        clock: Clock,
        record: Callable[[Fact], object],
        jamming: Jamming | None = None,
        silent: Callable[[UnitId, bool], object] = lambda _unit, _lost: None,
    ) -> None:
        """Watch over `units`; `silent` keeps which are lost, for the next process to `resume`."""
        self._units = units
        self._clock = clock
        self._record = record
        self._silent = silent
        self.jamming = jamming or Jamming(clock=clock, record=record)
        self._heard: dict[int, float] = {}
        self._states: dict[int, UnitState] = {}
        self._lost: set[int] = set()
        self._began = clock.monotonic()

    @property
    def lost(self) -> frozenset[int]:
        """Numbers of the units that are silent now."""
        return frozenset(self._lost)

    def resume(self, lost: Container[str]) -> None:
        """What the process before knew to be lost is lost until it is heard."""
        self._lost.update(number for number, unit in self._units.items() if unit.record.id in lost)

    def of(self, number: int) -> UnitState:
        """What the unit last said of itself; it is not to be changed."""
        return self._states.get(number) or UnitState()

    def heard(self, number: int, path: str = "") -> None:
        """An authentic frame of this unit came in by this path."""
        self._heard[number] = self._clock.monotonic()
        state = self._states.setdefault(number, UnitState())
        state.heard, state.path = self._clock.now(), path
        if number in self._lost:
            self._lost.discard(number)
            self._silent(self._units[number].record.id, False)
            self._record(facts.UnitRestored(unit=self._units[number].record.id))

    def reported(self, number: int, said: Heartbeat) -> None:
        """The unit says how its battery and its case are. Low in two reports running, or empty, is a trouble."""
        state = self._states.setdefault(number, UnitState())
        unit = self._units[number].record.id
        state.battery, state.tampered = said.battery, said.tamper
        if said.low_battery or said.battery <= LOW:
            before, state.low = state.low, 2 if state.low or not said.battery else 1
            if before < state.low == 2:
                self._record(facts.DeviceTrouble(device=unit, kind="low battery", why=f"{said.battery} %"))
        elif state.low and said.battery >= FULL_AGAIN:
            if state.low == 2:
                self._record(facts.DeviceTroubleOver(device=unit, kind="low battery"))
            state.low = 0

    def tampered(self, number: int) -> None:
        """Its case was opened."""
        self._states.setdefault(number, UnitState()).tampered = True

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
                self._silent(unit.record.id, True)
                since = round(silent, 1) if last is not None else -1.0
                self._record(facts.UnitLost(unit=unit.record.id, silent_for=since))
                if path := self.of(number).path:
                    self.jamming.lost(path, unit.record.id)
