"""All that is known of one call, folded from its facts, and what is to be done about it: pure.

Times are the loop's, in seconds. A fact is folded in at the moment it comes to pass and again when the journal tells of
it; what a case has had already changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from belltower.clock import Instant
from belltower.ids import CallId, IncidentId, LinkName
from belltower.incident.facts import (
    CallReceipt,
    CallRejected,
    CallSent,
    CallUnanswered,
    ReceiptLevel,
    ResponseSeen,
    ResponseStatus,
    TelecommunicatorAcknowledged,
    UpdateKind,
    UpdateOrdered,
    UpdateReadBack,
)
from belltower.incident.facts.calls import TELEPHONE
from gateway.psap.link import FIRST_PRESS, Call, ExerciseCall
from gateway.psap.ranges import NONE, Ranges, union, without

UNANSWERED_AFTER = 10.0
"""Seconds without a system's receipt until NOT ACKNOWLEDGED, CALL 911."""

KEPT_AFTER_CLOSE = 90.0
"""Seconds for which an unreceipted call goes on after its incident was closed."""

UPDATE_KEPT_FOR = 900.0
"""Seconds for which an update is repeated to a link that does not confirm it."""

_PEOPLE = 100
_NEARNESS = {status: place for place, status in enumerate(ResponseStatus)}

Told = (
    CallSent
    | CallReceipt
    | CallRejected
    | CallUnanswered
    | TelecommunicatorAcknowledged
    | UpdateReadBack
    | ResponseSeen
)
"""What becomes of a call once it was ordered, and is written down here."""


class Road(Struct, frozen=True, kw_only=True):
    """What a call must know of a link."""

    link: LinkName
    # The centre that it leads to: one centre's read-back speaks for all of its links.
    centre: str = ""
    # Seconds after the order at which it is called, if no PSAP's system has the call by then.
    after: float = 0.0
    # The levels of receipt that say so.
    settling: frozenset[ReceiptLevel] = frozenset()
    # Whether there is an agreed form for an exercise.
    exercise: bool = False


class UpdateCase(Struct, frozen=True, kw_only=True):
    """One cancellation or correction: where it left, and which centres have read it back."""

    order: UpdateOrdered
    at: Instant
    # From when on it is repeated.
    since: float
    left: frozenset[LinkName] = frozenset()
    read_by: frozenset[str] = frozenset()

    @property
    def cancels(self) -> bool:
        """Whether it calls the responders off."""
        return self.order.kind is UpdateKind.CANCEL


class CallCase(Struct, frozen=True, kw_only=True):
    """One call as its facts tell it."""

    call: Call
    roads: Mapping[LinkName, Road]
    # When it was ordered.
    ordered: float
    presses: Ranges = FIRST_PRESS
    # What a PSAP's system or a person has confirmed, on any link.
    confirmed: Ranges = NONE
    # The links that were given it, here or in an earlier process that sent it.
    called: frozenset[LinkName] = frozenset()
    # Those on which it, or some of its presses, has left.
    told: frozenset[LinkName] = frozenset()
    # Those whose far end has said no.
    refused: frozenset[LinkName] = frozenset()
    # The telecommunicators who have it.
    people: frozenset[str] = frozenset()
    # Whether NOT ACKNOWLEDGED was said.
    unanswered: bool = False
    # How far the responders are.
    response: ResponseStatus | None = None
    # By number.
    updates: tuple[UpdateCase, ...] = ()
    # When its incident was closed.
    closed: float | None = None

    @property
    def id(self) -> CallId:
        """The call's id."""
        return self.call.order.call

    @property
    def incident(self) -> IncidentId:
        """Its incident's id."""
        return self.call.order.incident

    # ---- folding

    def apply(self, fact: Told) -> CallCase:
        """The case after something more has become of it."""
        match fact:
            case CallSent(link=link, update=0):
                return replace(self, called=self.called | {link}, told=self.told | {link})
            case CallSent(link=link, update=number):
                return self._updated(number, left=frozenset({link}))
            case CallReceipt(link=link, level=level, covers=covers):
                road = self.roads.get(link)
                settles = road is not None and level in road.settling
                return replace(self, confirmed=union(self.confirmed, covers)) if settles else self
            case CallRejected(link=link, update=0):
                return replace(self, refused=self.refused | {link})
            case CallRejected():
                return self
            case CallUnanswered():
                return replace(self, unanswered=True)
            case TelecommunicatorAcknowledged(by=by):
                if not self.is_news(by):
                    return self
                return replace(self, people=self.people | {by}, confirmed=union(self.confirmed, FIRST_PRESS))
            case UpdateReadBack(update=number, link=link):
                return self._updated(
                    number, read_by=self._centres() if link == TELEPHONE else {self._centre(link)}
                )
            case ResponseSeen(status=status):
                return replace(self, response=status) if self.brings_nearer(status) else self

    def joined(self, presses: Ranges) -> CallCase:
        """The case after further presses of its building."""
        return replace(self, presses=union(self.presses, presses))

    def closing(self, at: float) -> CallCase:
        """The case once its incident was closed."""
        return replace(self, closed=at) if self.closed is None else self

    def ordered_update(self, order: UpdateOrdered, *, at: Instant, since: float) -> CallCase:
        """The case once it is to be told that it is cancelled or for another place."""
        if any(update.order.update == order.update for update in self.updates):
            return self
        updates = (*self.updates, UpdateCase(order=order, at=at, since=since))
        return replace(self, updates=tuple(sorted(updates, key=lambda update: update.order.update)))

    def calling(self, links: frozenset[LinkName]) -> CallCase:
        """The case once these links were given the call."""
        return self if links <= self.called else replace(self, called=self.called | links)

    def _updated(
        self,
        number: int,
        *,
        left: frozenset[LinkName] = frozenset(),
        read_by: frozenset[str] | set[str] = frozenset(),
    ) -> CallCase:
        return replace(
            self,
            updates=tuple(
                replace(update, left=update.left | left, read_by=update.read_by | read_by)
                if update.order.update == number
                else update
                for update in self.updates
            ),
        )

    # ---- the links that carry it

    @property
    def unfit(self) -> tuple[LinkName, ...]:
        """The links that have no agreed form for such a call."""
        return tuple(road.link for road in self.roads.values() if not self._fits(road))

    @property
    def acknowledged(self) -> bool:
        """Whether a person has it."""
        return bool(self.people)

    def carrying(self, now: float) -> frozenset[LinkName]:
        """The links on which it is owed at this moment.

        A link whose turn comes later is called when no PSAP has the call by then, or as soon as every link that was
        called has refused. Nobody new is given a call that was cancelled, and a centre that has read the
        cancellation back wants no more of it.
        """
        if self.over(now):
            return frozenset()
        given = self._given()
        if waiting := self._waiting():
            all_refused = bool(given) and given <= self.refused
            soonest = min(road.after for road in waiting)
            given |= {
                road.link
                for road in waiting
                if self.ordered + road.after <= now or (all_refused and road.after == soonest)
            }
        return given - {road.link for road in self.roads.values() if self._called_off_at(road.centre)}

    def over(self, now: float) -> bool:
        """Whether nothing of it may be sent any more but its updates."""
        return self.closed is not None and self.closed + KEPT_AFTER_CLOSE <= now

    def loud(self, now: float) -> bool:
        """Whether it is to be said now that nobody has acknowledged it."""
        return self.ordered + UNANSWERED_AFTER <= now and self._may_be_loud()

    def wake_at(self, now: float) -> float | None:
        """When, by time alone, anything else is to be done; None: never."""
        times = [self.ordered + road.after for road in self._waiting()]
        if self._may_be_loud():
            times.append(self.ordered + UNANSWERED_AFTER)
        if self.closed is not None:
            times.append(self.closed + KEPT_AFTER_CLOSE)
        if self.updates:
            times.append(self.updates[-1].since + UPDATE_KEPT_FOR)
        return min((time for time in times if time > now), default=None)

    def _fits(self, road: Road) -> bool:
        return road.exercise or not isinstance(self.call, ExerciseCall)

    def _given(self) -> frozenset[LinkName]:
        return frozenset(
            road.link
            for road in self.roads.values()
            if self._fits(road) and (not road.after or road.link in self.called)
        )

    def _waiting(self) -> list[Road]:
        """The links whose turn may still come."""
        if self.acknowledged or not without(FIRST_PRESS, self.confirmed) or self._cancelled():
            return []
        return [
            road
            for road in self.roads.values()
            if self._fits(road) and road.after and road.link not in self.called
        ]

    def _may_be_loud(self) -> bool:
        if self.confirmed or self.acknowledged or self.unanswered:
            return False
        if isinstance(self.call, ExerciseCall) and not any(map(self._fits, self.roads.values())):
            return False
        return not any(update.cancels and update.read_by for update in self.updates)

    # ---- its updates

    def owes(self, update: UpdateCase, link: LinkName, now: float) -> bool:
        """Whether the link is to be told of this update: the latest one only, until its centre has read it back."""
        return (
            update.order.update == self.updates[-1].order.update
            and now < update.since + UPDATE_KEPT_FOR
            and link in self.called
            and self._centre(link) not in update.read_by
        )

    def place_said(self, update: UpdateCase) -> UpdateOrdered | None:
        """What said last where help is needed, up to this update; None: the call itself."""
        said = [
            each.order
            for each in self.updates
            if each.order.update <= update.order.update and each.order.kind is UpdateKind.PLACE
        ]
        return said[-1] if said else None

    def meant(self, number: int, link: LinkName) -> UpdateCase | None:
        """The update that a person has read back; None: there is none that they can have heard.

        Where the wire has no room for the number, 0, it is meant only if there was never another, and it left there.
        """
        if number:
            return next((each for each in self.updates if each.order.update == number and each.left), None)
        if len(self.updates) == 1 and link in self.updates[0].left:
            return self.updates[0]
        return None

    def read_back(self, update: UpdateCase, link: LinkName) -> bool:
        """Whether the link's centre has read this update back already."""
        return self._centre(link) in update.read_by

    def awaiting(self, update: UpdateCase, link: LinkName) -> tuple[str, ...]:
        """The centres that were told of the call and will not have read this back once `link`'s has."""
        told = {road.centre for road in self.roads.values() if road.link in self.told}
        return tuple(sorted(told - update.read_by - {self._centre(link)}))

    def _cancelled(self) -> bool:
        return any(update.cancels for update in self.updates)

    def _called_off_at(self, centre: str) -> bool:
        return any(update.cancels and centre in update.read_by for update in self.updates)

    def _centre(self, link: LinkName) -> str:
        road = self.roads.get(link)
        return road.centre if road is not None else ""

    def _centres(self) -> frozenset[str]:
        return frozenset(road.centre for road in self.roads.values())

    # ---- what people say of it

    def is_news(self, by: str) -> bool:
        """Whether this person's acknowledgement is one that we have not had."""
        return by not in self.people and len(self.people) < _PEOPLE

    def brings_nearer(self, status: ResponseStatus) -> bool:
        """Whether responders have come farther by this; they never come less far."""
        return self.response is None or _NEARNESS[status] > _NEARNESS[self.response]
