"""How far each press has come, told to the unit that pressed: recorded, at the PSAP, acknowledged by a person."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from msgspec import Struct

from belltower.ids import CallId, IncidentId, UnitId
from belltower.incident import facts
from belltower.incident.entry import Entry
from belltower.incident.facts import Fact, ReceiptLevel
from belltower.journal import Journal
from gateway.intake.paths import Path
from gateway.intake.units import KnownUnit
from hardware.codecs import unit as codec
from hardware.codecs.unit import Level, UnitFrame

_PATIENCE = 40
_AT_ONCE = 100
"""Acknowledgements sent before other work gets its turn."""


class _Press(Struct):
    unit: KnownUnit
    frame: UnitFrame
    path: Path
    level: Level
    building: str
    number: int = 0


class Progress:
    """The last press of every unit that has a part in an open incident."""

    def __init__(
        self,
        *,
        units: Mapping[int, KnownUnit],
        paths: Mapping[str, Path],
        site_tag: bytes,
        journal: Journal[Fact],
    ) -> None:
        self._by_id: dict[UnitId, KnownUnit] = {unit.record.id: unit for unit in units.values()}
        self._paths = paths
        self._site_tag = site_tag
        self._journal = journal
        self._attended = journal.head
        self.crowded: Callable[[], bool] = lambda: False
        """Whether many presses wait for their first acknowledgement; the intake says so."""
        self._presses: dict[IncidentId, dict[UnitId, _Press]] = {}
        self._last: dict[UnitId, _Press] = {}
        self._calls: dict[CallId, tuple[IncidentId, str]] = {}

    def pressed(
        self, incident: IncidentId, unit: KnownUnit, frame: UnitFrame, path: Path, level: Level
    ) -> None:
        """Remember the press; facts about it may have come before."""
        press = self._press_of(incident, unit.record.id)
        if press is None or (press.frame.epoch, press.frame.counter) != (frame.epoch, frame.counter):
            press = _Press(unit=unit, frame=frame, path=path, level=level, building=unit.building)
        else:
            press.path = path
            press.level = max(press.level, level)
        self._presses.setdefault(incident, {})[unit.record.id] = press
        self._last[unit.record.id] = press

    def resume(self, entry: Entry) -> None:
        """Take in a fact of an earlier process, about an incident that is still open."""
        match entry.fact:
            case facts.AlarmRaised() as fact:
                self._raised(fact)
            case facts.CallOrdered() as fact:
                self._call_ordered(fact)
            case facts.CallReceipt(level=ReceiptLevel.SYSTEM) as receipt:
                self._reached(receipt.call, Level.PSAP, receipt.covers)
            case facts.TelecommunicatorAcknowledged(call=call):
                self._reached(call, Level.TELECOMMUNICATOR, None)
            case facts.IncidentClosed(incident=incident):
                self._forget(incident)
            case _:
                pass

    def level(self, unit: KnownUnit, frame: UnitFrame) -> Level:
        """How far this frame's press has come; a press that is in no open incident is recorded."""
        press = self._last.get(unit.record.id)
        if press is None or (press.frame.epoch, press.frame.counter) != (frame.epoch, frame.counter):
            return Level.RECORDED
        return press.level

    def remind(self, unit: KnownUnit) -> None:
        """Tell the unit again how far its press has come: the last word may have been lost, on air or in a restart."""
        press = self._last.get(unit.record.id)
        if press is not None and press.level >= Level.PSAP:
            self._say(press)

    async def attend(self) -> None:
        """Follow the journal for ever and tell the units."""
        async for entry in self._journal.follow(after=self._attended):
            match entry.fact:
                case facts.CallReceipt(level=ReceiptLevel.SYSTEM) as receipt:
                    await self._tell(self._reached(receipt.call, Level.PSAP, receipt.covers))
                case facts.TelecommunicatorAcknowledged(call=call):
                    await self._tell(self._reached(call, Level.TELECOMMUNICATOR, None))
                case _:
                    self.resume(entry)

    def _call_ordered(self, fact: facts.CallOrdered) -> None:
        self._calls[fact.call] = (fact.incident, fact.building)

    def _raised(self, fact: facts.AlarmRaised) -> None:
        if fact.unit is None or (unit := self._by_id.get(fact.unit)) is None:
            return
        press = self._press_of(fact.incident, fact.unit)
        if press is None or (press.frame.epoch, press.frame.counter) != (fact.epoch, fact.counter):
            path = self._paths.get(fact.path)
            if path is None:
                return
            frame = UnitFrame(
                number=unit.record.number, epoch=fact.epoch, counter=fact.counter, type=codec.Type.PRESS
            )
            press = _Press(unit=unit, frame=frame, path=path, level=Level.RECORDED, building=fact.building)
            self._presses.setdefault(fact.incident, {})[fact.unit] = press
            self._last[fact.unit] = press
        press.building = fact.building
        press.number = fact.number

    def _press_of(self, incident: IncidentId, unit: UnitId) -> _Press | None:
        return self._presses.get(incident, {}).get(unit)

    def _reached(
        self, call: CallId, level: Level, covers: tuple[tuple[int, int], ...] | None
    ) -> list[_Press]:
        """Raise the level of the presses that the call speaks for; those that moved."""
        incident, building = self._calls.get(call, (None, ""))
        moved: list[_Press] = []
        for press in self._presses.get(incident, {}).values() if incident is not None else ():
            if press.building != building or press.level >= level:
                continue
            if covers is not None and not any(low <= press.number <= high for low, high in covers):
                continue
            press.level = level
            moved.append(press)
        return moved

    async def _unless_crowded(self) -> None:
        """Let first acknowledgements go before second ones, for two seconds at most."""
        for _ in range(_PATIENCE):
            if not self.crowded():
                return
            await asyncio.sleep(0.05)

    async def _tell(self, presses: list[_Press]) -> None:
        await self._unless_crowded()
        for told, press in enumerate(presses, start=1):
            self._say(press)
            if told % _AT_ONCE == 0:
                await asyncio.sleep(0)
                await self._unless_crowded()

    def _say(self, press: _Press) -> None:
        ack = codec.seal(codec.acknowledge(press.frame, press.level), press.unit.key, self._site_tag)
        press.path.send(press.frame.number, ack)

    def _forget(self, incident: IncidentId) -> None:
        for unit, press in self._presses.pop(incident, {}).items():
            if self._last.get(unit) is press:
                del self._last[unit]
        self._calls = {call: at for call, at in self._calls.items() if at[0] != incident}
