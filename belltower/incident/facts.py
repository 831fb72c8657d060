"""The shared language: what can be written down about an incident, and the orders that rooms carry out.

A fact is past tense and never changed. A tag (`alarm.raised`) is never renamed, a new field has a default, and an
unknown tag decodes to `UnknownFact`, so that an old reader survives a newer writer. No fact holds a name, a number or
a text of a person: ids only. Rooms meet only here: any room may order a notice without knowing `notify`.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from belltower.clock import Instant
from belltower.ids import (
    AlarmId,
    CallId,
    DeliveryId,
    FactId,
    IncidentId,
    LinkName,
    NoticeId,
    PersonId,
    PlaceId,
    UnitId,
)


class Mode(StrEnum):
    """Whether it is real. Without a valid drill token everything is `ACTUAL`."""

    ACTUAL = "actual"
    EXERCISE = "exercise"


class Action(StrEnum):
    """What people are told to do; what they read comes from the wording set."""

    HOLD = "hold"
    SECURE = "secure"
    LOCKDOWN = "lockdown"
    EVACUATE = "evacuate"
    SHELTER = "shelter"


class AlarmKind(StrEnum):
    """What the alarm asks for."""

    PANIC = "panic"
    MEDICAL = "medical"


class ReceiptLevel(StrEnum):
    """Which machine confirmed: the far modem, a monitoring station, or the PSAP's own system. Never a person."""

    RADIO = "radio"
    STATION = "station"
    SYSTEM = "system"


class OutputLevel(StrEnum):
    """How far an order to an output got. Only the last is the device's own word; none is a person's."""

    # On purpose it was not switched: a drill whose live form is withheld, or another incident keeps it as it is.
    WITHHELD = "withheld"
    # It was taken in, by us or by a broker; nothing says that it left.
    QUEUED = "queued"
    # It left for the device.
    SENT = "sent"
    # The device itself answered exactly this order.
    DEVICE = "device"


class UpdateKind(StrEnum):
    """What the PSAP is told about a call it was given."""

    # Help is not needed: a false alarm. It counts only once a telecommunicator has read it back.
    CANCEL = "cancel"
    # Help is needed at another place than was said.
    PLACE = "place"


class RoomStatus(StrEnum):
    """How a room says that it is."""

    SAFE = "safe"
    NEED_HELP = "need_help"
    INJURED = "injured"
    MISSING = "missing"
    EXTRA = "extra"


class ResponseStatus(StrEnum):
    """What the PSAP's system says of the responders."""

    ASSIGNED = "assigned"
    ENROUTE = "enroute"
    ONSCENE = "onscene"
    CLOSED = "closed"


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


# ---- alarms and incidents


class AlarmRaised(Struct, frozen=True, kw_only=True, tag="alarm.raised"):
    """Somebody called for help. The entry's subject is the incident it belongs to."""

    alarm: AlarmId
    incident: IncidentId
    kind: AlarmKind
    mode: Mode
    # The spot on the plan; None where the unit has no place bound: it alarms all the same.
    place: PlaceId | None
    # The building of `place`, "" where unknown: what calls are grouped by.
    building: str
    # This is the n-th alarm of this building in this incident, from 1.
    number: int
    # A unit's press names itself by (unit, epoch, counter); a person's act by the person.
    unit: UnitId | None = None
    epoch: int = 0
    counter: int = 0
    person: PersonId | None = None
    # The way it came: mqtt, radio, desk, command.
    path: str = ""
    # A foreign device, and the hash of the profile that judged its message.
    device: str = ""
    profile: str = ""
    # Why it places no call by itself, "" where it does: what sent it cannot prove itself. A person who raises the alarm
    # for the place calls.
    unproven: str = ""


class IncidentOpened(Struct, frozen=True, kw_only=True, tag="incident.opened"):
    """The alarm began a new incident."""

    incident: IncidentId
    alarm: AlarmId
    mode: Mode
    # Site-unique, counted from 1: what people say on the telephone.
    number: int
    # The authorisation of the drill that it belongs to; "" for what is real.
    drill: str = ""


class AlarmJoined(Struct, frozen=True, kw_only=True, tag="alarm.joined"):
    """The alarm belongs to an incident that is open already."""

    incident: IncidentId
    alarm: AlarmId
    building: str
    number: int


class IncidentClosed(Struct, frozen=True, kw_only=True, tag="incident.closed"):
    """A person closed it."""

    incident: IncidentId
    by: PersonId
    reason: str = ""


# ---- orders


class ActionOrdered(Struct, frozen=True, kw_only=True, tag="action.ordered"):
    """Everyone at `places` is to do `action` from now on. No places: the whole campus."""

    action: Action
    places: frozenset[PlaceId] = frozenset()
    by: PersonId | None = None


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


class OutputOrdered(Struct, frozen=True, kw_only=True, tag="output.ordered"):
    """Switch an output (siren, strobe, lock)."""

    output: str
    incident: IncidentId
    mode: Mode
    on: bool
    # What it is for: the alarm's kind, or the action that was ordered.
    kind: AlarmKind | None = None
    action: Action | None = None
    place: PlaceId | None = None
    # This is the n-th order to this output in this incident, from 1; a later one replaces the earlier.
    order: int = 1


class OutputReceipt(Struct, frozen=True, kw_only=True, tag="output.receipt"):
    """An output has done what it was ordered, as far as its kind can tell."""

    output: str
    incident: IncidentId
    order: int
    on: bool
    # Whether the device itself said so; False: it was sent, and nothing confirms it.
    confirmed: bool
    # `QUEUED`: it is about to be sent, once and never again; what became of it follows.
    level: OutputLevel = OutputLevel.SENT


class OutputFailed(Struct, frozen=True, kw_only=True, tag="output.failed"):
    """An output could not be switched."""

    output: str
    incident: IncidentId
    order: int
    on: bool
    reason: str
    # How far it got all the same.
    level: OutputLevel = OutputLevel.QUEUED


# ---- the PSAP's side


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
    # "telephone" where it was read back to one of our people, who is `noted_by`.
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


class LinkTestOrdered(Struct, frozen=True, kw_only=True, tag="link.test_ordered"):
    """Send a marked test down every link, to prove the whole road. Never a call."""

    # Site-unique, counted from 1.
    test: int
    # Ties answers to this very test.
    key: str
    by: PersonId | None = None


class LinkTestSent(Struct, frozen=True, kw_only=True, tag="link.test_sent"):
    """The first octet of the test left on this link."""

    test: int
    link: LinkName
    frame: str


class LinkProven(Struct, frozen=True, kw_only=True, tag="link.proven"):
    """The far end confirmed exactly this test."""

    test: int
    link: LinkName
    level: ReceiptLevel
    # Seconds since it was first sent.
    after: float


class LinkUnproven(Struct, frozen=True, kw_only=True, tag="link.unproven"):
    """The test was not confirmed on this link in time, was refused, or the link has no form for one."""

    test: int
    link: LinkName
    reason: str


class LinkLost(Struct, frozen=True, kw_only=True, tag="link.lost"):
    """A PSAP link or an intake path does not answer, or cannot be opened."""

    link: LinkName
    reason: str


class LinkRestored(Struct, frozen=True, kw_only=True, tag="link.restored"):
    """It answers again."""

    link: LinkName


# ---- units


class SignalSuspect(Struct, frozen=True, kw_only=True, tag="signal.suspect"):
    """A frame with a valid MAC and a stale counter; its challenge was not answered. A human must look."""

    unit: UnitId
    epoch: int
    counter: int
    path: str


class UnitLost(Struct, frozen=True, kw_only=True, tag="unit.lost"):
    """A unit has not been heard for longer than its interval allows."""

    unit: UnitId
    # Seconds since it was last heard; -1: never since this lane started.
    silent_for: float


class UnitRestored(Struct, frozen=True, kw_only=True, tag="unit.restored"):
    """It is heard again."""

    unit: UnitId


class TamperSeen(Struct, frozen=True, kw_only=True, tag="unit.tamper"):
    """A unit reports that it was opened or moved."""

    unit: UnitId


class PanelTrouble(Struct, frozen=True, kw_only=True, tag="panel.trouble"):
    """An alarm panel reports what a person must look at; it is no call for help that Belltower acts on."""

    # The panel's settings table, and its account.
    panel: LinkName
    account: str
    # The event's code as the panel wrote it, "?" where its report was not understood; and its zone.
    code: str
    zone: str
    # trouble, cancel, alarm (fire, burglary ..), unknown, malformed; panic, medical: said again while the journal was ill
    means: str


class DeviceTrouble(Struct, frozen=True, kw_only=True, tag="device.trouble"):
    """A device said something that is no alarm and must not be passed over: a person must look."""

    device: str
    # What it is: not understood, tamper, found active, late press, wrong keys, left, low battery ..
    kind: str
    # What was not understood, in the words of the profile; never a text of a person.
    why: str = ""
    # The hash of the profile that judged it.
    profile: str = ""


class DeviceTroubleOver(Struct, frozen=True, kw_only=True, tag="device.trouble_over"):
    """A trouble that stood is past: the case closed, the network closed to joining, nobody takes the name any more."""

    device: str
    kind: str


class DeviceLost(Struct, frozen=True, kw_only=True, tag="device.lost"):
    """A device, or the gateway it hangs on, has not been heard for longer than it may be silent."""

    device: str
    # Seconds since it was last heard; -1: never since this lane started.
    silent_for: float
    # The gateway or bridge that is the reason; "" where it is the device itself.
    parent: str = ""


class DevicesUnknown(Struct, frozen=True, kw_only=True, tag="devices.unknown"):
    """What they hang on is lost: how they are is not known, until each is heard again or lost by its own silence."""

    # The gateway, bridge or path that is lost.
    because: str
    devices: tuple[str, ...]


class DeviceRestored(Struct, frozen=True, kw_only=True, tag="device.restored"):
    """It is heard again."""

    device: str


class JamSuspected(Struct, frozen=True, kw_only=True, tag="jam.suspected"):
    """Several devices of one path fell silent within a minute."""

    path: str
    devices: tuple[str, ...]
    # How often something came by this path lately that nobody could read; 0 too where a path cannot tell.
    noise: int = 0


class WalkTested(Struct, frozen=True, kw_only=True, tag="device.walk_tested"):
    """A person pressed the device at its place, and it was heard: the proof that binds the two."""

    device: str
    place: PlaceId
    by: PersonId | None = None


# ---- rooms with two-way units


def room_of(place: PlaceId | None, unit: UnitId | None) -> PlaceId:
    """The place that stands for the unit's room: its own, or one that bears the unit's name where it has none."""
    return place if place is not None else PlaceId(f"?{unit or ''}")


class StatusReported(Struct, frozen=True, kw_only=True, tag="status.reported"):
    """A room said how it is. The later one of a place stands."""

    # None: no incident was open.
    incident: IncidentId | None
    # None: the unit hangs at no place that is known.
    place: PlaceId | None
    status: RoomStatus
    # How many: injured, missing or extra people; 0 where the status counts none.
    count: int = 0
    unit: UnitId | None = None


class OrderShown(Struct, frozen=True, kw_only=True, tag="order.shown"):
    """A unit has confirmed that it shows an ordered action. Shown is not read."""

    incident: IncidentId
    unit: UnitId
    action: Action
    # The fact that ordered the action.
    ordered: FactId
    path: str
    place: PlaceId | None = None


class RoomNotReached(Struct, frozen=True, kw_only=True, tag="room.not_reached"):
    """No unit of the place has confirmed the ordered action on any way: somebody must go or call."""

    incident: IncidentId
    # `room_of` the unit, where it hangs at no place that is known.
    place: PlaceId
    action: Action
    ordered: FactId


class TextHeard(Struct, frozen=True, kw_only=True, tag="text.heard"):
    """A unit sent a short text. The text itself is a row of the lane, since it may name people."""

    unit: UnitId
    text: str
    incident: IncidentId | None = None


class TextOrdered(Struct, frozen=True, kw_only=True, tag="text.ordered"):
    """Show a short text on a unit. The text itself is a row of the lane."""

    unit: UnitId
    text: str
    incident: IncidentId | None = None
    by: PersonId | None = None


class TextShown(Struct, frozen=True, kw_only=True, tag="text.shown"):
    """The unit has confirmed that it shows a text. Shown is not read."""

    unit: UnitId
    text: str
    incident: IncidentId | None = None


# ---- the lane itself


class LaneStarted(Struct, frozen=True, kw_only=True, tag="lane.started"):
    """A lane began to run under this revision of the site package."""

    lane: str
    revision: str
    version: str


class RecordingFailed(Struct, frozen=True, kw_only=True, tag="recording.failed"):
    """The journal could not keep what happened; alarms go out all the same."""

    reason: str


class RecordingRestored(Struct, frozen=True, kw_only=True, tag="recording.restored"):
    """The journal keeps what happens again."""


# ---- drills


class DrillBegun(Struct, frozen=True, kw_only=True, tag="drill.begun"):
    """A valid drill token opened a window in which exercise-class presses are exercises."""

    # The token's own id; a token opens one drill only.
    authorisation: str
    until: Instant
    # The centre agreed to take exercise traffic in this window.
    psap_accepted: bool = False
    # The only action that may be told in it; None: none.
    action: Action | None = None
    # Where presses may be exercises: places, buildings, or the campus.
    places: tuple[str, ...] = ()
    authorisers: tuple[str, ...] = ()


class DrillEnded(Struct, frozen=True, kw_only=True, tag="drill.ended"):
    """From here on everything is live: the window closed, a person ended it, or a live press aborted it."""

    authorisation: str
    # over, ended, aborted_real
    reason: str


# ---- notices (written by the desk lane)


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


class RosterTaken(Struct, frozen=True, kw_only=True, tag="roster.taken"):
    """A roster is in force from now on; the entry bears no incident."""

    revision: int
    # The one whose place it takes; 0: there was none.
    before: int
    # The district's own name of the feed, and what its files were.
    source: str
    format: str
    # How many students, guardians, links .. the load held.
    counts: dict[str, int]
    # Of each table added, changed, removed.
    changes: dict[str, tuple[int, int, int]]
    # Who let it through, where it would not have gone by itself.
    approved_by: PersonId | None = None
    # Of how many persons and links something stays as it was changed by hand, though the load says otherwise.
    kept_by_hand: int = 0
    # How many contacts of the load wait for a person to say who they are.
    to_review: int = 0


class PersonChanged(Struct, frozen=True, kw_only=True, tag="person.changed"):
    """Somebody changed by hand what is known of a person; the entry bears no incident, and no value."""

    person: PersonId
    by: PersonId
    # "set", "unset", "collecting", "collecting ended" or "reviewed".
    what: str
    # The other of a link or of a word on who may collect.
    adult: PersonId | None = None
    # Names of fields.
    fields: tuple[str, ...] = ()
    # The id of the word on collecting, or of what was reviewed.
    record: str = ""


class GrantGiven(Struct, frozen=True, kw_only=True, tag="grant.given"):
    """Somebody has a role from now on, in the place of what this role of theirs was; the entry bears no incident."""

    person: PersonId
    role: str
    # Keys of the roster's schools; none: everywhere.
    schools: tuple[str, ...] = ()
    # None: at the command line.
    by: PersonId | None = None


class GrantTaken(Struct, frozen=True, kw_only=True, tag="grant.taken"):
    """Somebody has a role no more."""

    person: PersonId
    role: str
    by: PersonId | None = None


class AccountClosed(Struct, frozen=True, kw_only=True, tag="account.closed"):
    """Somebody may sign in no more."""

    person: PersonId
    by: PersonId | None = None


class AccountReopened(Struct, frozen=True, kw_only=True, tag="account.reopened"):
    """Somebody may sign in again, with the roles of before."""

    person: PersonId
    by: PersonId | None = None


class DisclosureOpened(Struct, frozen=True, kw_only=True, tag="disclosure.opened"):
    """Records of students may be given to somebody outside, for one emergency and for a time."""

    disclosure: str
    incident: IncidentId
    by: PersonId
    # How many students, and which groups of fields.
    students: int
    fields: tuple[str, ...]
    basis: str
    # When it ends by itself.
    until: Instant
    # In an exercise nothing of anybody leaves.
    mode: Mode = Mode.ACTUAL


class DisclosureGiven(Struct, frozen=True, kw_only=True, tag="disclosure.given"):
    """Records left; the register says of whom, row by row."""

    disclosure: str
    incident: IncidentId
    by: PersonId
    students: int
    fields: tuple[str, ...]
    # shown or exported
    way: str


class DisclosureClosed(Struct, frozen=True, kw_only=True, tag="disclosure.closed"):
    """Nothing leaves by it any more."""

    disclosure: str
    incident: IncidentId
    # deadline, by-hand or incident-closed
    why: str
    # None: nobody, it ended by itself.
    by: PersonId | None = None


class AlertSeen(Struct, frozen=True, kw_only=True, tag="alert.seen"):
    """A public alert of the weather service or a neighbour that concerns this campus: for a person to judge."""

    # The watched feed's name in the settings.
    feed: str
    # What identifies the alert: CAP 1.2 sender, identifier, sent.
    sender: str
    identifier: str
    sent: Instant
    event: str
    headline: str = ""
    severity: str = ""
    urgency: str = ""
    certainty: str = ""
    expires: Instant = Instant(0)
    # CAP's status: Actual, Exercise, System, Test or Draft.
    status: str = "Actual"
    cancelled: bool = False


class UnknownFact(Struct, frozen=True, kw_only=True, tag="unknown"):
    """Written by a newer version; kept as it is."""

    unknown_tag: str
    raw: bytes


Fact = (
    AlarmRaised
    | IncidentOpened
    | AlarmJoined
    | IncidentClosed
    | ActionOrdered
    | CallOrdered
    | NoticeOrdered
    | OutputOrdered
    | OutputReceipt
    | OutputFailed
    | UpdateOrdered
    | CallSent
    | CallReceipt
    | CallRejected
    | CallWithheld
    | CallUnanswered
    | TelecommunicatorAcknowledged
    | UpdateReadBack
    | ResponseSeen
    | LinkTestOrdered
    | LinkTestSent
    | LinkProven
    | LinkUnproven
    | LinkLost
    | LinkRestored
    | SignalSuspect
    | UnitLost
    | UnitRestored
    | TamperSeen
    | DeviceTrouble
    | DeviceTroubleOver
    | DeviceLost
    | DevicesUnknown
    | DeviceRestored
    | JamSuspected
    | WalkTested
    | StatusReported
    | OrderShown
    | RoomNotReached
    | TextHeard
    | TextOrdered
    | TextShown
    | PanelTrouble
    | DrillBegun
    | DrillEnded
    | LaneStarted
    | RecordingFailed
    | RecordingRestored
    | NoticePlanned
    | DeliverySettled
    | NoticeApproved
    | HeldDecided
    | DeliveryEscalated
    | ReplyHeard
    | ChannelTested
    | RosterTaken
    | GrantGiven
    | GrantTaken
    | AccountClosed
    | AccountReopened
    | DisclosureOpened
    | DisclosureGiven
    | DisclosureClosed
    | PersonChanged
    | AlertSeen
    | UnknownFact
)
"""Every fact there is; `match` over it ends in `assert_never`."""
