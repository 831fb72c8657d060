"""Calls to the PSAP, each over all links."""

from __future__ import annotations

from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from belltower.clock import Instant
from belltower.ids import CallId, LinkName, PlaceId
from belltower.incident import facts
from belltower.incident.facts import ReceiptLevel, ResponseStatus, UpdateKind

_LEVELS = {None: 0, ReceiptLevel.RADIO: 1, ReceiptLevel.STATION: 2, ReceiptLevel.SYSTEM: 3}
_PROGRESS = {
    None: 0,
    ResponseStatus.ASSIGNED: 1,
    ResponseStatus.ENROUTE: 2,
    ResponseStatus.ONSCENE: 3,
    ResponseStatus.CLOSED: 4,
}

_FrameFact = facts.CallSent | facts.CallReceipt | facts.CallRejected
_UpdateFact = _FrameFact | facts.UpdateOrdered | facts.UpdateReadBack


class LinkView(Struct, frozen=True, kw_only=True):
    """One call on one link."""

    sent_at: Instant | None = None
    # The best machine confirmation of any frame of the call on this link, and when.
    level: ReceiptLevel | None = None
    received_at: Instant | None = None
    rejected_at: Instant | None = None
    withheld: str = ""

    def after(self, fact: _FrameFact | facts.CallWithheld, at: Instant) -> LinkView:
        """The link after something became of a frame on it."""
        match fact:
            case facts.CallSent():
                return self if self.sent_at is not None else replace(self, sent_at=at)
            case facts.CallReceipt(level=level):
                better = _LEVELS[level] > _LEVELS[self.level]
                return replace(self, level=level, received_at=at) if better else self
            case facts.CallRejected():
                return self if self.rejected_at is not None else replace(self, rejected_at=at)
            case facts.CallWithheld(reason=reason):
                return replace(self, withheld=reason)
            case other:
                assert_never(other)


class UpdateView(Struct, frozen=True, kw_only=True):
    """A cancellation or correction of one call, over all links. `kind` is None until its order was seen."""

    kind: UpdateKind | None = None
    place: PlaceId | None = None
    ordered_at: Instant | None = None
    links: dict[LinkName, LinkView] = {}
    # When a person at the PSAP read it back; a cancellation counts from here on only.
    read_back_at: Instant | None = None
    read_back_by: str = ""

    def after(self, fact: _UpdateFact, at: Instant) -> UpdateView:
        """The update after it was ordered, something became of its frames, or a person read it back."""
        match fact:
            case facts.UpdateOrdered():
                if self.ordered_at is not None:
                    return self
                return replace(self, kind=fact.kind, place=fact.place, ordered_at=at)
            case facts.UpdateReadBack():
                if self.read_back_at is not None or fact.awaiting:
                    return self
                return replace(self, read_back_at=at, read_back_by=fact.by)
            case facts.CallSent() | facts.CallReceipt() | facts.CallRejected():
                link = self.links.get(fact.link, LinkView()).after(fact, at)
                return replace(self, links={**self.links, fact.link: link})
            case other:
                assert_never(other)


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
    def corrected(self) -> PlaceId | None:
        """Where help is needed instead of `place`, as the latest correction says; None: it was not corrected."""
        corrections = [n for n, update in self.updates.items() if update.kind is UpdateKind.PLACE]
        return self.updates[max(corrections)].place if corrections else None

    @property
    def received(self) -> LinkName | None:
        """The link on which the PSAP's own system confirmed the call, if any did."""
        for name, link in self.links.items():
            if link.level is ReceiptLevel.SYSTEM:
                return name
        return None

    def after(self, fact: facts.CallFact, at: Instant) -> CallView:
        """The call after one of its facts."""
        match fact:
            case facts.CallOrdered():
                if self.number:
                    return self
                return replace(
                    self, number=fact.number, building=fact.building, place=fact.place, ordered_at=at
                )
            case facts.CallUnanswered():
                return self if self.unanswered_at is not None else replace(self, unanswered_at=at)
            case facts.TelecommunicatorAcknowledged():
                if self.acknowledged_at is not None:
                    return self
                return replace(self, acknowledged_at=at, acknowledged_by=fact.by, acknowledged_on=fact.link)
            case facts.ResponseSeen(status=status):
                if _PROGRESS[status] <= _PROGRESS[self.response]:
                    return self
                return replace(self, response=status, response_at=at, response_on=fact.link)
            case facts.UpdateOrdered() | facts.UpdateReadBack():
                return self._updated(fact, at)
            case facts.CallSent() | facts.CallReceipt() | facts.CallRejected() if fact.update:
                return self._updated(fact, at)
            case facts.CallSent() | facts.CallReceipt() | facts.CallRejected() | facts.CallWithheld():
                link = self.links.get(fact.link, LinkView()).after(fact, at)
                return replace(self, links={**self.links, fact.link: link})
            case other:
                assert_never(other)

    def _updated(self, fact: _UpdateFact, at: Instant) -> CallView:
        update = self.updates.get(fact.update, UpdateView()).after(fact, at)
        return replace(self, updates={**self.updates, fact.update: update})


def calls_after(calls: dict[CallId, CallView], fact: facts.CallFact, at: Instant) -> dict[CallId, CallView]:
    """The calls after a fact of one of them, which may come before that call's order."""
    call = calls.get(fact.call) or CallView(id=fact.call, number=0, building="", place=None, ordered_at=at)
    return {**calls, fact.call: call.after(fact, at)}
