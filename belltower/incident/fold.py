"""An incident as it stands: the fold of its facts.

`apply` is pure and total. Every step is a maximum, a set or a first-one-wins, so that a fact fed twice (once from the
spool, once from the journal) changes nothing the second time, and facts of two streams may interleave in any order
that keeps each stream's own. What became of a call may even stand before its order: a failing disk can turn them round.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from belltower.clock import Instant
from belltower.ids import CallId, FactId, IncidentId, LinkName, NoticeId, PersonId, PlaceId
from belltower.incident import facts
from belltower.incident.entry import Entry
from belltower.incident.facts import (
    Action,
    AlarmKind,
    Mode,
    ReceiptLevel,
    ResponseStatus,
    RoomStatus,
    UpdateKind,
)

_LEVELS = {None: 0, ReceiptLevel.RADIO: 1, ReceiptLevel.STATION: 2, ReceiptLevel.SYSTEM: 3}
_PROGRESS = {
    None: 0,
    ResponseStatus.ASSIGNED: 1,
    ResponseStatus.ENROUTE: 2,
    ResponseStatus.ONSCENE: 3,
    ResponseStatus.CLOSED: 4,
}

_ACTIONS_KEPT = 64


class BuildingView(Struct, frozen=True, kw_only=True):
    """One building's share of an incident."""

    # How many alarms; the highest number given out.
    alarms: int
    # Where the first one was.
    place: PlaceId | None
    first_at: Instant
    # Whether one of them could place a call; and why one could not, as the latest of those says.
    proven: bool = True
    unproven: str = ""


class LinkView(Struct, frozen=True, kw_only=True):
    """One call on one link."""

    sent_at: Instant | None = None
    # The best machine confirmation of any frame of the call on this link, and when.
    level: ReceiptLevel | None = None
    received_at: Instant | None = None
    rejected_at: Instant | None = None
    withheld: str = ""


class UpdateView(Struct, frozen=True, kw_only=True):
    """A cancellation or correction of one call, over all links. `kind` is None until its order was seen."""

    kind: UpdateKind | None = None
    place: PlaceId | None = None
    ordered_at: Instant | None = None
    links: dict[LinkName, LinkView] = {}
    # When a person at the PSAP read it back; a cancellation counts from here on only.
    read_back_at: Instant | None = None
    read_back_by: str = ""


class CallView(Struct, frozen=True, kw_only=True):
    """One call to the PSAP, over all links. `number` is 0 until its order was seen."""

    id: CallId
    number: int
    building: str
    place: PlaceId | None
    ordered_at: Instant
    links: dict[LinkName, LinkView] = {}
    unanswered_at: Instant | None = None
    acknowledged_at: Instant | None = None
    acknowledged_by: str = ""
    acknowledged_on: LinkName | None = None
    # How far the responders are, as the PSAP's system says, since when, and on which link it said so.
    response: ResponseStatus | None = None
    response_at: Instant | None = None
    response_on: LinkName | None = None
    updates: dict[int, UpdateView] = {}

    @property
    def cancelling(self) -> bool:
        """A cancellation was ordered, whether or not it was read back."""
        return any(update.kind is UpdateKind.CANCEL for update in self.updates.values())

    @property
    def unread(self) -> int:
        """The number of the latest update if nobody has read it back; 0: nothing is to be read back."""
        latest = max(self.updates, default=0)
        return latest if latest and self.updates[latest].read_back_at is None else 0

    @property
    def cancelled(self) -> bool:
        """A person at the PSAP has read a cancellation back."""
        return any(
            update.kind is UpdateKind.CANCEL and update.read_back_at is not None
            for update in self.updates.values()
        )

    @property
    def received(self) -> LinkName | None:
        """The link on which the PSAP's own system confirmed the call, if any did."""
        for name, link in self.links.items():
            if link.level is ReceiptLevel.SYSTEM:
                return name
        return None


class OutputView(Struct, frozen=True, kw_only=True):
    """The latest order to one output and what came of it."""

    order: int
    on: bool
    ordered_at: Instant
    done_at: Instant | None = None
    # Whether the device itself confirmed it.
    confirmed: bool = False
    failed: str = ""
    # How far it got; None: nothing is known yet.
    level: facts.OutputLevel | None = None
    # What it tells people to do.
    action: facts.Action | None = None


class RoomView(Struct, frozen=True, kw_only=True):
    """What one room said, and whether the ordered action is shown there."""

    # The latest count of each status; `safe` and `need_help` replace each other.
    statuses: dict[RoomStatus, int] = {}
    said_at: Instant | None = None
    # The facts that said so: the wall clock may step, so it orders nothing.
    heard: tuple[FactId, ...] = ()
    # The action that a unit there confirmed to show, and that no unit confirmed in time.
    shown: Action | None = None
    not_reached: Action | None = None
    # The facts that ordered what was confirmed, and what was not in time; a confirmation that came late counts.
    shown_of: tuple[FactId, ...] = ()
    missed_of: tuple[FactId, ...] = ()


class NoticeView(Struct, frozen=True, kw_only=True):
    """One notice; what became of its deliveries is the notice ledger's business."""

    id: NoticeId
    revision: int
    template: str
    audience: str
    ordered_at: Instant
    planned_at: Instant | None = None
    people: int = 0
    deliveries: int = 0
    unreachable: int = 0
    # The notices in whose place it stands.
    corrects: tuple[NoticeId, ...] = ()


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
        at = entry.at
        match entry.fact:
            case facts.AlarmRaised() as fact:
                return self._alarm(fact, at)
            case facts.IncidentOpened(mode=mode, number=number, drill=drill):
                return replace(self, mode=mode, number=number, drill=drill, opened_at=at)
            case facts.ActionOrdered(action=action, places=places):
                if entry.id in self.actions:
                    return self
                return replace(
                    self,
                    action=action,
                    action_places=places,
                    action_at=at,
                    actions=(*self.actions, entry.id)[-_ACTIONS_KEPT:],
                )
            case facts.IncidentClosed(by=by):
                return self if self.closed_at is not None else replace(self, closed_at=at, closed_by=by)
            case facts.CallOrdered() as fact:
                return self._call_ordered(fact, at)
            case (
                facts.CallSent()
                | facts.CallReceipt()
                | facts.CallRejected()
                | facts.CallWithheld()
                | facts.CallUnanswered()
                | facts.TelecommunicatorAcknowledged()
                | facts.UpdateOrdered()
                | facts.UpdateReadBack()
                | facts.ResponseSeen()
            ) as fact:
                call = self.calls.get(fact.call) or CallView(
                    id=fact.call, number=0, building="", place=None, ordered_at=at
                )
                return replace(self, calls={**self.calls, call.id: _call_after(call, fact, at)})
            case facts.NoticeOrdered() as fact:
                if fact.notice in self.notices:
                    return self
                notice = NoticeView(
                    id=fact.notice,
                    revision=fact.revision,
                    template=fact.template,
                    audience=fact.audience,
                    ordered_at=at,
                    corrects=fact.corrects,
                )
                return replace(self, notices={**self.notices, notice.id: notice})
            case facts.NoticePlanned() as fact:
                known = self.notices.get(fact.notice)
                if known is None:
                    return self
                planned = replace(
                    known,
                    planned_at=at,
                    people=fact.people,
                    deliveries=fact.deliveries,
                    unreachable=fact.unreachable,
                )
                return replace(self, notices={**self.notices, planned.id: planned})
            case facts.OutputOrdered() as fact:
                output = self.outputs.get(fact.output)
                if output is not None and output.order >= fact.order:
                    return self
                output = OutputView(order=fact.order, on=fact.on, ordered_at=at, action=fact.action)
                return replace(self, outputs={**self.outputs, fact.output: output})
            case facts.OutputReceipt() | facts.OutputFailed() as fact:
                output = self.outputs.get(fact.output)
                if output is None or output.order != fact.order or output.done_at is not None:
                    return self
                if isinstance(fact, facts.OutputFailed):
                    output = replace(output, failed=fact.reason, level=fact.level)
                elif fact.level is facts.OutputLevel.QUEUED:
                    output = replace(output, level=fact.level)
                else:
                    output = replace(
                        output, done_at=at, confirmed=fact.confirmed, failed="", level=fact.level
                    )
                return replace(self, outputs={**self.outputs, fact.output: output})
            case facts.StatusReported() as fact:
                place = facts.room_of(fact.place, fact.unit)
                room = self.rooms.get(place, RoomView())
                if entry.id in room.heard:
                    return self
                room = _room_after(room, fact, entry)
                return replace(self, rooms={**self.rooms, place: room})
            case facts.OrderShown() | facts.RoomNotReached() as fact:
                unit = fact.unit if isinstance(fact, facts.OrderShown) else None
                place = facts.room_of(fact.place, unit)
                room = _told_after(self.rooms.get(place, RoomView()), fact)
                return replace(self, rooms={**self.rooms, place: room})
            case (
                facts.AlarmJoined()
                | facts.DeviceTrouble()
                | facts.DeviceTroubleOver()
                | facts.DeviceLost()
                | facts.DevicesUnknown()
                | facts.DeviceRestored()
                | facts.JamSuspected()
                | facts.WalkTested()
                | facts.TextHeard()
                | facts.TextOrdered()
                | facts.TextShown()
                | facts.LinkTestOrdered()
                | facts.LinkTestSent()
                | facts.LinkProven()
                | facts.LinkUnproven()
                | facts.AlertSeen()
                | facts.LinkLost()
                | facts.LinkRestored()
                | facts.SignalSuspect()
                | facts.UnitLost()
                | facts.UnitRestored()
                | facts.TamperSeen()
                | facts.PanelTrouble()
                | facts.DrillBegun()
                | facts.DrillEnded()
                | facts.LaneStarted()
                | facts.RecordingFailed()
                | facts.RecordingRestored()
                | facts.DeliverySettled()
                | facts.NoticeApproved()
                | facts.HeldDecided()
                | facts.DeliveryEscalated()
                | facts.ReplyHeard()
                | facts.ChannelTested()
                | facts.RosterTaken()
                | facts.GrantGiven()
                | facts.GrantTaken()
                | facts.AccountClosed()
                | facts.AccountReopened()
                | facts.DisclosureOpened()
                | facts.DisclosureGiven()
                | facts.DisclosureClosed()
                | facts.PersonChanged()
                | facts.UnknownFact()
            ):
                return self
            case other:
                assert_never(other)

    def _alarm(self, fact: facts.AlarmRaised, at: Instant) -> Incident:
        known = self.buildings.get(fact.building)
        if known is None:
            building = BuildingView(
                alarms=fact.number,
                place=fact.place,
                first_at=at,
                proven=not fact.unproven,
                unproven=fact.unproven,
            )
        elif fact.number <= known.alarms and (known.proven or fact.unproven):
            return self
        else:
            building = replace(
                known,
                alarms=max(fact.number, known.alarms),
                proven=known.proven or not fact.unproven,
                unproven=fact.unproven or known.unproven,
            )
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

    def _call_ordered(self, fact: facts.CallOrdered, at: Instant) -> Incident:
        known = self.calls.get(fact.call)
        if known is not None and known.number:
            return self
        call = CallView(
            id=fact.call, number=fact.number, building=fact.building, place=fact.place, ordered_at=at
        )
        if known is not None:
            call = replace(known, number=call.number, building=call.building, place=call.place, ordered_at=at)
        return replace(self, calls={**self.calls, call.id: call})


_CallFact = (
    facts.CallSent
    | facts.CallReceipt
    | facts.CallRejected
    | facts.CallWithheld
    | facts.CallUnanswered
    | facts.TelecommunicatorAcknowledged
    | facts.UpdateOrdered
    | facts.UpdateReadBack
    | facts.ResponseSeen
)


def _call_after(call: CallView, fact: _CallFact, at: Instant) -> CallView:
    match fact:
        case facts.CallUnanswered():
            return call if call.unanswered_at is not None else replace(call, unanswered_at=at)
        case facts.TelecommunicatorAcknowledged():
            if call.acknowledged_at is not None:
                return call
            return replace(call, acknowledged_at=at, acknowledged_by=fact.by, acknowledged_on=fact.link)
        case facts.UpdateOrdered() | facts.UpdateReadBack():
            update = _update_after(call.updates.get(fact.update, UpdateView()), fact, at)
            return replace(call, updates={**call.updates, fact.update: update})
        case facts.ResponseSeen(status=status):
            if _PROGRESS[status] <= _PROGRESS[call.response]:
                return call
            return replace(call, response=status, response_at=at, response_on=fact.link)
        case (
            facts.CallSent(update=number)
            | facts.CallReceipt(update=number)
            | facts.CallRejected(update=number)
        ) if number:
            update = call.updates.get(number, UpdateView())
            link = _link_after(update.links.get(fact.link, LinkView()), fact, at)
            update = replace(update, links={**update.links, fact.link: link})
            return replace(call, updates={**call.updates, number: update})
        case facts.CallSent() | facts.CallReceipt() | facts.CallRejected() | facts.CallWithheld():
            link = _link_after(call.links.get(fact.link, LinkView()), fact, at)
            return replace(call, links={**call.links, fact.link: link})
        case other:
            assert_never(other)


_EITHER = {RoomStatus.SAFE: RoomStatus.NEED_HELP, RoomStatus.NEED_HELP: RoomStatus.SAFE}


def _room_after(room: RoomView, fact: facts.StatusReported, entry: Entry) -> RoomView:
    statuses = {
        status: count for status, count in room.statuses.items() if status is not _EITHER.get(fact.status)
    }
    heard = (*room.heard, entry.id)[-_ACTIONS_KEPT:]
    return replace(room, statuses={**statuses, fact.status: fact.count}, said_at=entry.at, heard=heard)


def _told_after(room: RoomView, fact: facts.OrderShown | facts.RoomNotReached) -> RoomView:
    if isinstance(fact, facts.RoomNotReached):
        if fact.ordered in room.missed_of:
            return room
        missed = (*room.missed_of, fact.ordered)[-_ACTIONS_KEPT:]
        reached = fact.ordered in room.shown_of
        return replace(room, missed_of=missed, not_reached=room.not_reached if reached else fact.action)
    if fact.ordered in room.shown_of:
        return room
    shown = (*room.shown_of, fact.ordered)[-_ACTIONS_KEPT:]
    still = None if room.missed_of[-1:] == (fact.ordered,) else room.not_reached
    return replace(room, shown_of=shown, shown=fact.action, not_reached=still)


def _update_after(
    update: UpdateView, fact: facts.UpdateOrdered | facts.UpdateReadBack, at: Instant
) -> UpdateView:
    if isinstance(fact, facts.UpdateReadBack):
        if update.read_back_at is not None or fact.awaiting:
            return update
        return replace(update, read_back_at=at, read_back_by=fact.by)
    if update.ordered_at is not None:
        return update
    return replace(update, kind=fact.kind, place=fact.place, ordered_at=at)


def _link_after(
    link: LinkView,
    fact: facts.CallSent | facts.CallReceipt | facts.CallRejected | facts.CallWithheld,
    at: Instant,
) -> LinkView:
    match fact:
        case facts.CallSent():
            return link if link.sent_at is not None else replace(link, sent_at=at)
        case facts.CallReceipt(level=level):
            better = _LEVELS[level] > _LEVELS[link.level]
            return replace(link, level=level, received_at=at) if better else link
        case facts.CallRejected():
            return link if link.rejected_at is not None else replace(link, rejected_at=at)
        case facts.CallWithheld(reason=reason):
            return replace(link, withheld=reason)
        case other:
            assert_never(other)


def fold(incident: IncidentId, entries: Iterable[Entry]) -> Incident:
    """The incident after all `entries`, which must be about it and in order."""
    folded = Incident(id=incident)
    for entry in entries:
        folded = folded.apply(entry)
    return folded
