"""The incident, and its fold."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from belltower.clock import Instant
from belltower.ids import CallId, FactId, IncidentId, NoticeId, PersonId, PlaceId
from belltower.incident import facts
from belltower.incident.entry import Entry
from belltower.incident.facts import Action, AlarmKind, Mode
from belltower.incident.fold.buildings import BuildingView
from belltower.incident.fold.calls import CallView, calls_after
from belltower.incident.fold.notices import NoticeView, notices_after
from belltower.incident.fold.outputs import OutputView, outputs_after
from belltower.incident.fold.rooms import RoomView, rooms_after

_ACTIONS_KEPT = 64


class Incident(Struct, frozen=True, kw_only=True):
    """The thing handled. `number` is 0 until its opening fact was seen."""

    id: IncidentId
    number: int = 0
    mode: Mode = Mode.ACTUAL
    kind: AlarmKind = AlarmKind.PANIC
    # The authorisation of the drill that it belongs to; "" for what is real.
    drill: str = ""
    opened_at: Instant = Instant(0)
    last_alarm_at: Instant = Instant(0)
    alarms: int = 0
    buildings: dict[str, BuildingView] = {}
    places: frozenset[PlaceId] = frozenset()
    action: Action | None = None
    action_places: frozenset[PlaceId] = frozenset()
    action_at: Instant | None = None
    # The facts that ordered the latest actions: the wall clock may step, so it orders nothing.
    actions: tuple[FactId, ...] = ()
    calls: dict[CallId, CallView] = {}
    notices: dict[NoticeId, NoticeView] = {}
    outputs: dict[str, OutputView] = {}
    rooms: dict[PlaceId, RoomView] = {}
    closed_at: Instant | None = None
    closed_by: PersonId | None = None

    @property
    def open(self) -> bool:
        """Nobody has closed it yet."""
        return self.closed_at is None

    @property
    def acknowledged(self) -> bool:
        """A person at the PSAP has acknowledged at least one of its calls."""
        return any(call.acknowledged_at is not None for call in self.calls.values())

    @property
    def withdrawn(self) -> bool:
        """One of its calls is cancelled or being cancelled."""
        return any(call.cancelling for call in self.calls.values())

    def apply(self, entry: Entry) -> Incident:
        """Return the incident as it stands after `entry`, which must be about this incident."""
        fact, at = entry.fact, entry.at
        match fact:
            case facts.AlarmRaised():
                return self._alarm(fact, at)
            case facts.IncidentOpened(mode=mode, number=number, drill=drill):
                return replace(self, mode=mode, number=number, drill=drill, opened_at=at)
            case facts.ActionOrdered():
                return self._action(fact, entry)
            case facts.IncidentClosed(by=by):
                return self if self.closed_at is not None else replace(self, closed_at=at, closed_by=by)
            case facts.NoticeOrdered() | facts.NoticePlanned():
                return replace(self, notices=notices_after(self.notices, fact, at))
            case other:
                if isinstance(other, facts.CallFact):
                    return replace(self, calls=calls_after(self.calls, other, at))
                if isinstance(other, facts.RoomFact):
                    return replace(self, rooms=rooms_after(self.rooms, other, entry))
                if isinstance(other, facts.OutputFact):
                    return replace(self, outputs=outputs_after(self.outputs, other, at))
                return self._unmoved(other)

    def _alarm(self, fact: facts.AlarmRaised, at: Instant) -> Incident:
        known = self.buildings.get(fact.building)
        building = BuildingView.of_first(fact, at) if known is None else known.after(fact)
        if building is known:
            return self
        places = self.places
        if fact.place is not None and fact.place not in places:
            places = places | {fact.place}
        return replace(
            self,
            kind=fact.kind,
            alarms=self.alarms + building.alarms - (known.alarms if known else 0),
            buildings={**self.buildings, fact.building: building},
            places=places,
            last_alarm_at=max(at, self.last_alarm_at),
        )

    def _action(self, fact: facts.ActionOrdered, entry: Entry) -> Incident:
        if entry.id in self.actions:
            return self
        return replace(
            self,
            action=fact.action,
            action_places=fact.places,
            action_at=entry.at,
            actions=(*self.actions, entry.id)[-_ACTIONS_KEPT:],
        )

    def _unmoved(
        self,
        _: facts.AlarmJoined
        | facts.LinkFact
        | facts.DeviceFact
        | facts.TextFact
        | facts.NoticeApproved
        | facts.HeldDecided
        | facts.DeliveryFact
        | facts.DrillFact
        | facts.PeopleFact
        | facts.DisclosureFact
        | facts.AlertSeen
        | facts.LaneFact
        | facts.UnknownFact,
    ) -> Incident:
        """Facts that say nothing of how an incident stands. A new kind of fact is placed here, or above."""
        return self


def fold(incident: IncidentId, entries: Iterable[Entry]) -> Incident:
    """The incident after all `entries`, which must be about it and in order."""
    folded = Incident(id=incident)
    for entry in entries:
        folded = folded.apply(entry)
    return folded
