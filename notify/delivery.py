"""One notice to one address: what is known of it, and in which order it can become known. Pure.

pending ──> sending ──> accepted ──> delivered ──> read
   │           │  └───> uncertain ─> accepted, delivered, refused
   │           ├──────> refused       accepted ─> refused (the carrier gave up)
   │           └──────> pending       refused ──> delivered (the handset knows better)
   └──> superseded, refused (too late), and whatever a callback proves
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from belltower.clock import Instant
from belltower.ids import DeliveryId, IncidentId, NoticeId, PersonId
from belltower.incident.facts import Outcome


class State(StrEnum):
    """What is known of a delivery. Accepted is not delivered; uncertain is not refused."""

    # An enumeration's own is written in Python, and every row that moves is looked up by its state some times.
    __hash__ = str.__hash__

    # Nothing has left for this address, or what left was surely not taken.
    PENDING = "pending"
    # An attempt has begun; if we die now we do not know.
    SENDING = "sending"
    # The provider took it.
    ACCEPTED = "accepted"
    # The handset, the mailbox's own server or the console has it.
    DELIVERED = "delivered"
    # Somebody opened it. That is neither understood nor safe.
    READ = "read"
    # It will not arrive, and why is known.
    REFUSED = "refused"
    # It may have been taken. Never sent again by this channel.
    UNCERTAIN = "uncertain"
    # A later notice took its place before it left.
    SUPERSEDED = "superseded"


TOO_LATE = "too_late"
"""Why a delivery is refused that had not begun in time. It is held until a person decides."""

LEFT = "left"
"""Why one stays refused that somebody decided not to send so late."""

NEXT: dict[State, frozenset[State]] = {
    State.PENDING: frozenset(
        {State.SENDING, State.ACCEPTED, State.DELIVERED, State.READ, State.REFUSED, State.SUPERSEDED}
    ),
    State.SENDING: frozenset(
        {State.PENDING, State.ACCEPTED, State.DELIVERED, State.READ, State.REFUSED, State.UNCERTAIN}
    ),
    State.UNCERTAIN: frozenset({State.ACCEPTED, State.DELIVERED, State.READ, State.REFUSED}),
    State.ACCEPTED: frozenset({State.DELIVERED, State.READ, State.REFUSED}),
    State.REFUSED: frozenset({State.DELIVERED, State.READ}),
    State.SUPERSEDED: frozenset({State.ACCEPTED, State.DELIVERED, State.READ}),
    State.DELIVERED: frozenset({State.READ}),
    State.READ: frozenset(),
}
"""Where a delivery may go from each state. Only `sending` may return, to `pending`, and only its sender does that.

What was refused as `TOO_LATE` may be `pending` once more, on a person's word alone (held.py).
"""

OUTCOMES: dict[State, Outcome] = {
    State.ACCEPTED: Outcome.ACCEPTED,
    State.DELIVERED: Outcome.DELIVERED,
    State.READ: Outcome.READ,
    State.REFUSED: Outcome.REFUSED,
    State.UNCERTAIN: Outcome.UNCERTAIN,
    State.SUPERSEDED: Outcome.SUPERSEDED,
}
"""The states that are written down as facts."""


class Delivery(Struct, frozen=True, kw_only=True, gc=False):
    """One notice × person × address."""

    id: DeliveryId
    notice: NoticeId
    revision: int
    incident: IncidentId
    person: PersonId
    # sms, email, console: which kind of way out.
    channel: str
    # "" where it was sealed with a key that is lost.
    address: str
    state: State = State.PENDING
    reason: str = ""
    # The provider's own id of the message, once it has one.
    provider_id: str = ""
    # How many attempts have begun.
    attempts: int = 0
    # When the newest attempt began; 0: none has.
    begun_at: Instant = Instant(0)
    # Of the text; "" where it is older than languages are.
    language: str = ""
    # Parts of a short message on the air.
    parts: int = 1


class Evidence(Struct, frozen=True, kw_only=True, gc=False):
    """Something learned about a delivery: an answer, a callback, a list entry, or a decision of our own."""

    delivery: DeliveryId
    state: State
    reason: str = ""
    provider_id: str = ""
    # Of a return to `pending`: the provider that is to try it next; "": whoever's turn it is.
    passed_to: str = ""
    # The last word: nothing more will be asked about an uncertain delivery.
    final: bool = False


def advance(current: State, learned: State) -> State | None:
    """The state after learning `learned`, or None where that changes nothing: it is old, double or impossible."""
    return learned if learned in NEXT[current] else None
