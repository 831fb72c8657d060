"""The shared language: what can be written down about an incident, and the orders that rooms carry out.

A fact is past tense and never changed. A tag (`alarm.raised`) is never renamed, a new field has a default, and an
unknown tag decodes to `UnknownFact`, so that an old reader survives a newer writer. No fact holds a name, a number or
a text of a person: ids only. Rooms meet only here: any room may order a notice without knowing `notify`.

    incidents.py    alarms, what is told to do, the end; the words that everybody uses: Mode, Action, AlarmKind
    calls.py        calls to the PSAP and what is said of them later; links.py: the roads there, and their tests
    outputs.py      sirens, strobes, locks, paging
    rooms.py        rooms with two-way units: how they are, what is shown there, short texts
    notices.py      notices, their deliveries, what people answered
    drills.py       the window in which presses may be exercises
    devices.py      units, panels and foreign devices: unheard, in trouble, tried
    people.py       rosters, changes by hand, roles, accounts; disclosures.py: records for somebody outside
    alerts.py       public alerts of others
    lane.py         the lane itself

Each ends in the union of its facts, so that whoever handles one subject can name it whole. Everybody else takes every
name from here.
"""

from __future__ import annotations

from msgspec import Struct

from belltower.incident.facts.alerts import (
    AlertSeen,
)
from belltower.incident.facts.calls import (
    CallFact,
    CallOrdered,
    CallReceipt,
    CallRejected,
    CallSent,
    CallUnanswered,
    CallWithheld,
    ReceiptLevel,
    ResponseSeen,
    ResponseStatus,
    TelecommunicatorAcknowledged,
    UpdateKind,
    UpdateOrdered,
    UpdateReadBack,
)
from belltower.incident.facts.devices import (
    DeviceFact,
    DeviceLost,
    DeviceRestored,
    DevicesUnknown,
    DeviceTrouble,
    DeviceTroubleOver,
    JamSuspected,
    PanelTrouble,
    SignalSuspect,
    TamperSeen,
    UnitLost,
    UnitRestored,
    WalkTested,
)
from belltower.incident.facts.disclosures import (
    DisclosureClosed,
    DisclosureFact,
    DisclosureGiven,
    DisclosureOpened,
)
from belltower.incident.facts.drills import (
    DrillBegun,
    DrillEnded,
    DrillFact,
)
from belltower.incident.facts.incidents import (
    Action,
    ActionOrdered,
    AlarmJoined,
    AlarmKind,
    AlarmRaised,
    IncidentClosed,
    IncidentFact,
    IncidentOpened,
    Mode,
)
from belltower.incident.facts.lane import (
    LaneFact,
    LaneStarted,
    RecordingFailed,
    RecordingRestored,
)
from belltower.incident.facts.links import (
    LinkFact,
    LinkLost,
    LinkProven,
    LinkRestored,
    LinkTestOrdered,
    LinkTestSent,
    LinkUnproven,
)
from belltower.incident.facts.notices import (
    ChannelTested,
    DeliveryEscalated,
    DeliveryFact,
    DeliverySettled,
    HeldDecided,
    NoticeApproved,
    NoticeFact,
    NoticeOrdered,
    NoticePlanned,
    Outcome,
    Reply,
    ReplyHeard,
)
from belltower.incident.facts.outputs import (
    OutputFact,
    OutputFailed,
    OutputLevel,
    OutputOrdered,
    OutputReceipt,
)
from belltower.incident.facts.people import (
    AccountClosed,
    AccountReopened,
    GrantGiven,
    GrantTaken,
    PeopleFact,
    PersonChanged,
    RosterTaken,
)
from belltower.incident.facts.rooms import (
    OrderShown,
    RoomFact,
    RoomNotReached,
    RoomStatus,
    StatusReported,
    TextFact,
    TextHeard,
    TextOrdered,
    TextShown,
    room_of,
)

__all__ = [
    "AccountClosed",
    "AccountReopened",
    "Action",
    "ActionOrdered",
    "AlarmJoined",
    "AlarmKind",
    "AlarmRaised",
    "AlertSeen",
    "CallFact",
    "CallOrdered",
    "CallReceipt",
    "CallRejected",
    "CallSent",
    "CallUnanswered",
    "CallWithheld",
    "ChannelTested",
    "DeliveryEscalated",
    "DeliveryFact",
    "DeliverySettled",
    "DeviceFact",
    "DeviceLost",
    "DeviceRestored",
    "DeviceTrouble",
    "DeviceTroubleOver",
    "DevicesUnknown",
    "DisclosureClosed",
    "DisclosureFact",
    "DisclosureGiven",
    "DisclosureOpened",
    "DrillBegun",
    "DrillEnded",
    "DrillFact",
    "Fact",
    "GrantGiven",
    "GrantTaken",
    "HeldDecided",
    "IncidentClosed",
    "IncidentFact",
    "IncidentOpened",
    "JamSuspected",
    "LaneFact",
    "LaneStarted",
    "LinkFact",
    "LinkLost",
    "LinkProven",
    "LinkRestored",
    "LinkTestOrdered",
    "LinkTestSent",
    "LinkUnproven",
    "Mode",
    "NoticeApproved",
    "NoticeFact",
    "NoticeOrdered",
    "NoticePlanned",
    "OrderShown",
    "Outcome",
    "OutputFact",
    "OutputFailed",
    "OutputLevel",
    "OutputOrdered",
    "OutputReceipt",
    "PanelTrouble",
    "PeopleFact",
    "PersonChanged",
    "ReceiptLevel",
    "RecordingFailed",
    "RecordingRestored",
    "Reply",
    "ReplyHeard",
    "ResponseSeen",
    "ResponseStatus",
    "RoomFact",
    "RoomNotReached",
    "RoomStatus",
    "RosterTaken",
    "SignalSuspect",
    "StatusReported",
    "TamperSeen",
    "TelecommunicatorAcknowledged",
    "TextFact",
    "TextHeard",
    "TextOrdered",
    "TextShown",
    "UnitLost",
    "UnitRestored",
    "UnknownFact",
    "UpdateKind",
    "UpdateOrdered",
    "UpdateReadBack",
    "WalkTested",
    "room_of",
]


class UnknownFact(Struct, frozen=True, kw_only=True, tag="unknown"):
    """Written by a newer version; kept as it is."""

    unknown_tag: str
    raw: bytes


Fact = (
    IncidentFact
    | CallFact
    | LinkFact
    | OutputFact
    | DeviceFact
    | RoomFact
    | TextFact
    | LaneFact
    | DrillFact
    | NoticeFact
    | DeliveryFact
    | PeopleFact
    | DisclosureFact
    | AlertSeen
    | UnknownFact
)
"""Every fact there is; `match` over it ends in `assert_never`."""
