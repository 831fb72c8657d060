"""Notices: ordered by any room; what became of each is written by the desk lane."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from belltower.clock import Instant
from belltower.ids import DeliveryId, IncidentId, NoticeId, PersonId, PlaceId
from belltower.incident.facts.incidents import Mode


class Outcome(StrEnum):
    """What is known of one delivery or attempt. Accepted is not delivered, delivered is not read."""

    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    READ = "read"
    REFUSED = "refused"
    UNCERTAIN = "uncertain"
    SUPERSEDED = "superseded"


class Reply(StrEnum):
    """What a person answered to a notice, or did about being told at all."""

    SAFE = "safe"
    NEED_HELP = "need_help"
    # Heard and understood: a key pressed in a call, a tap, a click.
    ACKNOWLEDGED = "acknowledged"
    TEXT = "text"
    STOP = "stop"
    START = "start"


class NoticeOrdered(Struct, frozen=True, kw_only=True, tag="notice.ordered"):
    """Tell an audience something. Wording and audience are named, never spelt out here."""

    notice: NoticeId
    # Raised when the notice is corrected or superseded.
    revision: int
    # "": it belongs to no incident, as a weather notice does.
    incident: IncidentId
    mode: Mode
    # The template in the wording set: staff-alarm, staff-action, staff-closed ..
    template: str
    # The audience rule of the site package: all-staff ..; "": the rule is kept in the notice room, under `notice`.
    audience: str
    # Typed slots: place id, action, incident number. Never free text.
    slots: dict[str, str]
    # Who had it sent; None: the response plan.
    by: PersonId | None = None
    # It goes to everyone to whom one of these was attempted, by the same channels, besides its audience.
    corrects: tuple[NoticeId, ...] = ()
    # May wait behind whatever is about somebody in danger.
    routine: bool = False


class NoticePlanned(Struct, frozen=True, kw_only=True, tag="notice.planned"):
    """The audience was resolved to a frozen snapshot; every delivery is a row."""

    notice: NoticeId
    revision: int
    people: int
    deliveries: int
    # People of the audience whom no address reaches.
    unreachable: int = 0
    # Of the deliveries: to addresses of a kind that nothing is set up for.
    unsendable: int = 0


class DeliverySettled(Struct, frozen=True, kw_only=True, tag="delivery.settled"):
    """What is known of one delivery changed."""

    delivery: DeliveryId
    notice: NoticeId
    revision: int
    person: PersonId
    channel: str
    outcome: Outcome
    reason: str = ""
    # When the attempt began.
    begun_at: Instant = Instant(0)


class NoticeApproved(Struct, frozen=True, kw_only=True, tag="notice.approved"):
    """What a second person must see was let go: by that person, or by the first one's panic reason."""

    notice: NoticeId
    incident: IncidentId
    by: PersonId
    # None: nobody else was asked, and all administrators were told why.
    second: PersonId | None = None


class HeldDecided(Struct, frozen=True, kw_only=True, tag="notice.held_decided"):
    """What came too late to be sent was sent after all, or left, on a person's word."""

    notice: NoticeId
    revision: int
    incident: IncidentId
    by: PersonId
    sent: bool
    deliveries: int


class DeliveryEscalated(Struct, frozen=True, kw_only=True, tag="delivery.escalated"):
    """Somebody did not acknowledge in time, and the next step was taken."""

    notice: NoticeId
    incident: IncidentId
    person: PersonId
    # The n-th step of the ladder, from 1.
    step: int
    # A channel, "next person" or "runner".
    to: str
    # Who is told instead.
    next_person: PersonId | None = None
    # Where the person should be; None where that is not known.
    place: PlaceId | None = None


class ReplyHeard(Struct, frozen=True, kw_only=True, tag="reply.heard"):
    """A person answered. What they wrote lies in the desk's store, under `text`."""

    person: PersonId
    channel: str
    reply: Reply
    incident: IncidentId | None = None
    # The notice they most likely answer; None where none was sent to this address lately.
    notice: NoticeId | None = None
    text: str = ""


class ChannelTested(Struct, frozen=True, kw_only=True, tag="channel.tested"):
    """A test of one way that notices go out came to something; a later fact about the same notice knows more."""

    # The name in the settings, and the kind of address that it serves.
    provider: str
    channel: str
    notice: NoticeId
    # proven, accepted, unknown, refused, simulated.
    outcome: str
    reason: str
    # Seconds since it was ordered.
    after: float


NoticeFact = NoticeOrdered | NoticePlanned | NoticeApproved | HeldDecided
DeliveryFact = DeliverySettled | DeliveryEscalated | ReplyHeard | ChannelTested
