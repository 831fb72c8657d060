"""Calls to the PSAP: ordered, updated, and what the other side is known to have done."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from belltower.ids import CallId, IncidentId, LinkName, PersonId, PlaceId
from belltower.incident.facts.incidents import AlarmKind, Mode

TELEPHONE = LinkName("telephone")
"""Where one of us noted a read-back: it speaks for every centre."""


class ReceiptLevel(StrEnum):
    """Which machine confirmed: the far modem, a monitoring station, or the PSAP's own system. Never a person."""

    RADIO = "radio"
    STATION = "station"
    SYSTEM = "system"


class UpdateKind(StrEnum):
    """What the PSAP is told about a call it was given."""

    # Help is not needed: a false alarm. It counts only once a telecommunicator has read it back.
    CANCEL = "cancel"
    # Help is needed at another place than was said.
    PLACE = "place"


class ResponseStatus(StrEnum):
    """What the PSAP's system says of the responders."""

    ASSIGNED = "assigned"
    ENROUTE = "enroute"
    ONSCENE = "onscene"
    CLOSED = "closed"


class CallOrdered(Struct, frozen=True, kw_only=True, tag="call.ordered"):
    """Ask the PSAP for help, on every link at once: the first alarm of one building in one incident."""

    call: CallId
    incident: IncidentId
    # Site-unique, counted from 1, the same on all links and after every restart.
    number: int
    # The incident's number.
    incident_number: int
    kind: AlarmKind
    mode: Mode
    place: PlaceId | None
    building: str
    # Only for an exercise: the centre agreed to take it in this window.
    exercise_accepted: bool = False


class UpdateOrdered(Struct, frozen=True, kw_only=True, tag="call.update_ordered"):
    """Tell everyone who was given the call that it is cancelled or is for another place."""

    call: CallId
    incident: IncidentId
    # The n-th update of this call, from 1.
    update: int
    kind: UpdateKind
    # Where help is needed instead; for `PLACE` only.
    place: PlaceId | None = None
    building: str = ""
    by: PersonId | None = None


class CallSent(Struct, frozen=True, kw_only=True, tag="call.sent"):
    """The first octet of a frame for this call left on this link. Sent is not received."""

    call: CallId
    link: LinkName
    # The frame's id on that link.
    frame: str
    # The alarm numbers of the building that the frame names, first and last of each range.
    covers: tuple[tuple[int, int], ...]
    # The update that the frame tells of; 0: the call itself.
    update: int = 0


class CallReceipt(Struct, frozen=True, kw_only=True, tag="call.receipt"):
    """A machine confirmed exactly this frame."""

    call: CallId
    link: LinkName
    frame: str
    covers: tuple[tuple[int, int], ...]
    level: ReceiptLevel
    # The update that the frame tells of; 0: the call itself.
    update: int = 0


class CallRejected(Struct, frozen=True, kw_only=True, tag="call.rejected"):
    """The other side understood the frame and said no."""

    call: CallId
    link: LinkName
    frame: str
    reason: str = ""
    # The update that the frame tells of; 0: the call itself.
    update: int = 0


class CallWithheld(Struct, frozen=True, kw_only=True, tag="call.withheld"):
    """The link did not open for this call, an exercise that the centre has not agreed to take."""

    call: CallId
    link: LinkName
    reason: str


class CallUnanswered(Struct, frozen=True, kw_only=True, tag="call.unanswered"):
    """No PSAP system has confirmed the call in time: NOT ACKNOWLEDGED, CALL 911."""

    call: CallId
    # Seconds since the call was ordered.
    after: float


class TelecommunicatorAcknowledged(Struct, frozen=True, kw_only=True, tag="telecommunicator.acknowledged"):
    """A person at the PSAP has the call."""

    call: CallId
    incident: IncidentId
    link: LinkName
    # What the centre calls the person or position, as it was sent: an operator's code, never a name.
    by: str


class UpdateReadBack(Struct, frozen=True, kw_only=True, tag="call.update_read_back"):
    """A person at the PSAP has read the update back: only now does a cancellation count."""

    call: CallId
    incident: IncidentId
    update: int
    # `TELEPHONE` where it was read back to one of our people, who is `noted_by`.
    link: LinkName
    # The operator's code or position, never a name; "" where it was not said.
    by: str = ""
    noted_by: PersonId | None = None
    # Other centres that were given the call and have not read this back yet: until they have, it does not count.
    awaiting: tuple[str, ...] = ()


class ResponseSeen(Struct, frozen=True, kw_only=True, tag="response.seen"):
    """The PSAP's system says how far the responders are."""

    call: CallId
    incident: IncidentId
    link: LinkName
    status: ResponseStatus


CallFact = (
    CallOrdered
    | UpdateOrdered
    | CallSent
    | CallReceipt
    | CallRejected
    | CallWithheld
    | CallUnanswered
    | TelecommunicatorAcknowledged
    | UpdateReadBack
    | ResponseSeen
)
