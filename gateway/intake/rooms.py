"""Rooms with two-way units: what is ordered is shown there, what they say becomes facts, texts go both ways.

It has no tables of its own: after a restart the facts of the incidents that are to be attended to are its memory. What
was confirmed is not asked again; what was not, is told again under a new number.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial

from msgspec import Struct

from belltower import log
from belltower.clock import SECOND, Clock, Instant
from belltower.ids import FactId, IncidentId, PlaceId, UnitId
from belltower.incident import facts
from belltower.incident.entry import Entry
from belltower.incident.facts import Action, Fact, Mode, RoomStatus
from belltower.incident.verbs import Verbs
from belltower.journal import Durability, Journal
from belltower.store import Transaction
from belltower.tasks import together
from gateway.intake.paths import Path
from gateway.intake.telling import Tellings
from gateway.intake.units import KnownUnit
from gateway.intake.windows import Windows
from hardware.codecs.unit import Type, UnitFrame
from hardware.codecs.unit_room import Order, Say, Shown, Status, Text, Told, Word, clean

_log = log.get("rooms")

PAGED_AFTER = 10.0
"""Seconds after an order at which a silent place is paged."""
LOST_AFTER = 15.0
"""Seconds after an order at which a silent place is written down as not reached."""
CLEAR_FOR = 600.0
"""Seconds for which an all-clear is told."""
TEXT_FOR = 600.0
"""Seconds for which a text is told."""

_STATUS = {
    Word.SAFE: RoomStatus.SAFE,
    Word.NEED_HELP: RoomStatus.NEED_HELP,
    Word.INJURED: RoomStatus.INJURED,
    Word.MISSING: RoomStatus.MISSING,
    Word.EXTRA: RoomStatus.EXTRA,
}
_TOLD = {
    Action.HOLD: Told.HOLD,
    Action.SECURE: Told.SECURE,
    Action.LOCKDOWN: Told.LOCKDOWN,
    Action.EVACUATE: Told.EVACUATE,
    Action.SHELTER: Told.SHELTER,
}
_KEPT = 64
_TEXTS_WAITING = 20
_TEXTS_KEPT = 4_096
_FORGET_EVERY = 3600.0


class _Ordered(Struct, frozen=True, kw_only=True):
    """An action that stands."""

    fact: FactId
    nth: int
    incident: IncidentId
    action: Action
    places: frozenset[PlaceId]


class RoomUnits:
    """What the units of this campus are told, and what they say. `run` it in the alarm lane's crew."""

    def __init__(
        self,
        *,
        verbs: Verbs,
        journal: Journal[Fact],
        units: Mapping[int, KnownUnit],
        tellings: Tellings,
        windows: Windows,
        paging: Callable[[PlaceId], str],
        clock: Clock,
    ) -> None:
        self._verbs = verbs
        self._journal = journal
        self._after = journal.head
        self._units = {unit.record.id: unit for unit in units.values()}
        self._tellings = tellings
        self._windows = windows
        self._paging = paging
        self._clock = clock
        self._orders: dict[IncidentId, list[_Ordered]] = {}
        self._modes: dict[IncidentId, tuple[Mode, int]] = {}
        self._nth = 0
        # What each unit was told last; None: an all-clear.
        self._told: dict[UnitId, _Ordered | None] = {}
        self._shown: dict[FactId, set[UnitId]] = {}
        self._missed: set[tuple[FactId, PlaceId]] = set()
        self._seen: dict[FactId, None] = {}
        self._texts: dict[UnitId, deque[tuple[str, IncidentId | None, Instant]]] = {}
        self._texts_shown: dict[str, None] = {}
        self._numbers: dict[UnitId, int] = {}

    # ---- what is ordered

    def resume(self, entry: Entry) -> None:
        """Take in a fact of an earlier process, about an incident that is still attended to."""
        self._take(entry)

    async def run(self) -> None:
        """Tell what stands, then follow the journal for ever."""
        self._reconcile()
        for unit in list(self._texts):
            self._next_text(unit)
        await together(
            rooms_follow=self._follow(), rooms_tell=self._tellings.run(), rooms_texts=self._forget_old()
        )

    async def _follow(self) -> None:
        async for entry in self._journal.follow(after=self._after):
            if self._take(entry):
                self._reconcile()
            if isinstance(entry.fact, facts.TextOrdered):
                self._next_text(entry.fact.unit)

    async def _forget_old(self) -> None:
        while True:
            await self._verbs.forget_old()
            await asyncio.sleep(_FORGET_EVERY)

    def _take(self, entry: Entry) -> bool:
        """Take in a fact once; True when it may change what units are to show."""
        match entry.fact:
            case facts.IncidentOpened(incident=incident, mode=mode, number=number):
                self._modes[incident] = (mode, number)
            case facts.ActionOrdered(action=action, places=places):
                if entry.id in self._seen:
                    return False
                self._remember(entry.id)
                self._nth += 1
                incident = IncidentId(entry.subject)
                ordered = _Ordered(
                    fact=entry.id, nth=self._nth, incident=incident, action=action, places=places
                )
                orders = self._orders.setdefault(incident, [])
                orders.append(ordered)
                del orders[:-_KEPT]
                return True
            case facts.IncidentClosed(incident=incident):
                for closed in self._orders.pop(incident, ()):
                    for unit in self._meant(closed):
                        self._told.setdefault(unit.record.id, closed)
                    self._shown.pop(closed.fact, None)
                    self._missed = {each for each in self._missed if each[0] != closed.fact}
                for old in [each for each in self._modes if each not in self._orders][:-_KEPT]:
                    del self._modes[old]
                return True
            case facts.OrderShown(unit=unit_id, ordered=fact):
                self._shown.setdefault(fact, set()).add(unit_id)
            case facts.RoomNotReached(ordered=fact, place=place):
                self._missed.add((fact, place))
            case facts.TextOrdered(unit=unit_id, text=text, incident=about):
                waiting = self._texts.setdefault(unit_id, deque())
                if text not in self._texts_shown and all(text != known for known, _, _ in waiting):
                    waiting.append((text, about, entry.at))
                    if len(waiting) > _TEXTS_WAITING:  # the first is being told: it stays
                        self._unsaid(unit_id, waiting[1][0])
                        del waiting[1]
            case facts.TextShown(text=text):
                self._text_is_shown(text)
            case _:
                pass
        return False

    def _remember(self, fact: FactId) -> None:
        self._seen[fact] = None
        while len(self._seen) > 4 * _KEPT:
            del self._seen[next(iter(self._seen))]

    def _meant(self, ordered: _Ordered) -> list[KnownUnit]:
        """The units that an order is for; a unit of no known place is meant by orders for everybody alone."""
        return [
            unit
            for unit in self._units.values()
            if unit.record.display and (not ordered.places or unit.place in ordered.places)
        ]

    def _wanted(self) -> dict[UnitId, _Ordered]:
        """What each unit is to show: the latest that stands, and a real one rather than an exercise."""
        standing = [ordered for orders in self._orders.values() for ordered in orders]
        standing.sort(key=lambda each: (not self._exercise(each.incident), each.nth))
        return {unit.record.id: ordered for ordered in standing for unit in self._meant(ordered)}

    def _exercise(self, incident: IncidentId) -> bool:
        return self._modes.get(incident, (Mode.ACTUAL, 0))[0] is Mode.EXERCISE

    def _reconcile(self) -> None:
        """Tell every unit that shows something else than it should."""
        wanted = self._wanted()
        numbers: dict[FactId | IncidentId, tuple[int, int]] = {}
        for unit_id, unit in self._units.items():
            ordered, told = wanted.get(unit_id), self._told.get(unit_id)
            if ordered is told or (ordered and told and ordered.fact == told.fact):
                continue
            if ordered is None:
                if told is not None:
                    self._told[unit_id] = None
                    self._clear(unit, told, numbers)
                continue
            first = unit_id not in self._told
            self._told[unit_id] = ordered
            if first and unit_id in self._shown.get(ordered.fact, ()):
                continue  # it was confirmed to an earlier process
            self._order(unit, ordered, self._number(ordered.fact, numbers))

    def _number(
        self, what: FactId | IncidentId, numbers: dict[FactId | IncidentId, tuple[int, int]]
    ) -> tuple[int, int]:
        if what not in numbers:
            numbers[what] = self._windows.next_told(self._clock.now())
        return numbers[what]

    def _order(self, unit: KnownUnit, ordered: _Ordered, named: tuple[int, int]) -> None:
        body = Order(
            told=_TOLD[ordered.action],
            incident=self._modes.get(ordered.incident, (Mode.ACTUAL, 0))[1],
            everywhere=not ordered.places,
        )
        self._tellings.tell(
            unit,
            body,
            named,
            exercise=self._exercise(ordered.incident),
            shown=partial(self._is_shown, unit, ordered),
            step=partial(self._silent, unit, ordered),
        )

    def _clear(
        self, unit: KnownUnit, told: _Ordered, numbers: dict[FactId | IncidentId, tuple[int, int]]
    ) -> None:
        body = Order(told=Told.ALL_CLEAR, incident=self._modes.get(told.incident, (Mode.ACTUAL, 0))[1])
        self._tellings.tell(
            unit,
            body,
            self._number(told.incident, numbers),
            exercise=self._exercise(told.incident),
            shown=lambda _: None,
            until=CLEAR_FOR,
        )

    def _is_shown(self, unit: KnownUnit, ordered: _Ordered, path: str) -> None:
        shown = self._shown.setdefault(ordered.fact, set())
        if unit.record.id in shown:
            return
        shown.add(unit.record.id)
        fact = facts.OrderShown(
            incident=ordered.incident,
            unit=unit.record.id,
            action=ordered.action,
            ordered=ordered.fact,
            path=path,
            place=unit.place,
        )
        self._verbs.record(fact, incident=ordered.incident)

    def _silent(self, unit: KnownUnit, ordered: _Ordered, seconds: float) -> None:
        """The unit has not confirmed for so long: page its place, then write it down."""
        place = facts.room_of(unit.place, unit.record.id)
        shown = self._shown.get(ordered.fact, ())
        if seconds < PAGED_AFTER or any(self._place_of(each) == place for each in shown):
            return
        incident = self._verbs.incidents.get(ordered.incident)
        if incident is None:
            return
        if unit.place is not None and (output := self._paging(unit.place)):
            self._verbs.page_room(incident, output, unit.place)
        if seconds >= LOST_AFTER and (ordered.fact, place) not in self._missed:
            self._missed.add((ordered.fact, place))
            fact = facts.RoomNotReached(
                incident=ordered.incident, place=place, action=ordered.action, ordered=ordered.fact
            )
            self._verbs.record(fact, incident=ordered.incident)

    def _place_of(self, unit: UnitId) -> PlaceId:
        known = self._units.get(unit)
        return facts.room_of(known.place if known is not None else None, unit)

    # ---- what rooms say

    def heard(self, number: int, path: Path) -> None:
        """An authentic frame of this unit came this way."""
        self._tellings.heard(number, path)

    def shown(self, number: int, shown: Shown, path: Path) -> bool:
        """The unit shows what was sent under this number; False if nothing is told so."""
        return self._tellings.shown(number, (shown.epoch, shown.counter), path)

    def calls_for_help(self, frame: UnitFrame, said: Status | Text) -> bool:
        """Whether this status is an alarm: nobody else would be told of it."""
        urgent = isinstance(said, Status) and (
            said.word is Word.NEED_HELP or (said.word is Word.INJURED and said.count > 0)
        )
        return urgent and self._about(frame, same_class=True) is None

    def status(self, unit: KnownUnit, said: Status, incident: IncidentId | None) -> facts.StatusReported:
        """The status as a fact."""
        return facts.StatusReported(
            incident=incident,
            place=unit.place,
            status=_STATUS[said.word],
            count=said.count,
            unit=unit.record.id,
        )

    def said(
        self, unit: KnownUnit, frame: UnitFrame, said: Status | Text, tx: Transaction
    ) -> asyncio.Future[Durability]:
        """Write down what the room says, with the rows in `tx`."""
        incident = self._about(frame, same_class=False)
        if isinstance(said, Text):
            return self._verbs.texts.hear(unit.record.id, clean(said.words), incident=incident, tx=tx)
        return self._verbs.record(self.status(unit, said, incident), incident=incident, tx=tx)

    def _about(self, frame: UnitFrame, *, same_class: bool) -> IncidentId | None:
        """The open incident that a room speaks about: the latest of its class, else the latest."""
        mode = Mode.EXERCISE if frame.exercise else Mode.ACTUAL
        open_ones = list(self._verbs.incidents.values())
        same = [incident.id for incident in open_ones if incident.mode is mode]
        if same or same_class:
            return same[-1] if same else None
        return open_ones[-1].id if open_ones else None

    # ---- texts to rooms

    def _next_text(self, unit_id: UnitId) -> None:
        """Tell the unit its next text; the ones after it wait until it is shown or given up."""
        waiting = self._texts.get(unit_id)
        unit = self._units.get(unit_id)
        if unit is not None and self._tellings.telling(unit, Type.SAY):
            return  # the first that waits is being told
        while waiting:
            text, incident, at = waiting[0]
            if text in self._texts_shown or unit is None:
                waiting.popleft()
                continue
            if self._clock.now() - at > TEXT_FOR * SECOND:
                self._unsaid(unit_id, text)
                waiting.popleft()
                continue
            self._tell_text(unit, text, incident)
            return

    def _tell_text(self, unit: KnownUnit, text: str, incident: IncidentId | None) -> None:
        kept = self._verbs.texts.at_hand(text)
        number = self._numbers[unit.record.id] = self._numbers.get(unit.record.id, 0) % 0xFFFF + 1
        if kept is None:
            self._texts[unit.record.id].popleft()
            return
        self._tellings.tell(
            unit,
            Say(number=number, words=clean(kept.words)),
            self._windows.next_told(self._clock.now()),
            exercise=incident is not None and self._exercise(incident),
            shown=partial(self._text_shown, unit, text, incident),
            over=partial(self._text_over, unit, text),
            until=TEXT_FOR,
        )

    def _text_over(self, unit: KnownUnit, text: str) -> None:
        self._unsaid(unit.record.id, text)
        waiting = self._texts[unit.record.id]
        if waiting and waiting[0][0] == text:
            waiting.popleft()
        self._next_text(unit.record.id)

    def _unsaid(self, unit: UnitId, text: str) -> None:
        """A text is given up; that it was never shown is what its missing `TextShown` says."""
        _log.warning("text_given_up", unit=unit, text=text)

    def _text_is_shown(self, text: str) -> None:
        self._texts_shown[text] = None
        while len(self._texts_shown) > _TEXTS_KEPT:
            del self._texts_shown[next(iter(self._texts_shown))]

    def _text_shown(self, unit: KnownUnit, text: str, incident: IncidentId | None, path: str) -> None:
        del path
        self._text_is_shown(text)
        fact = facts.TextShown(unit=unit.record.id, text=text, incident=incident)
        self._verbs.record(fact, incident=incident)
        self._next_text(unit.record.id)
