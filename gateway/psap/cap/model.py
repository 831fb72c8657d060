"""The records of CAP 1.2, all of it, with the enumerations in CAP's own words.

The field comments name the element where our name differs. A record holds what a document can say, right or wrong:
`gateway.psap.cap.rules.check` says what is wrong with it.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from belltower.clock import SECOND, Instant


class Status(StrEnum):
    """Whether the message is meant in earnest. CAP 1.2, 3.2.1 status."""

    ACTUAL = "Actual"
    EXERCISE = "Exercise"
    SYSTEM = "System"
    TEST = "Test"
    DRAFT = "Draft"


class MessageType(StrEnum):
    """What the message does to earlier ones. CAP 1.2, 3.2.1 msgType."""

    ALERT = "Alert"
    UPDATE = "Update"
    CANCEL = "Cancel"
    ACK = "Ack"
    ERROR = "Error"


class Scope(StrEnum):
    """Who may read it. CAP 1.2, 3.2.1 scope."""

    PUBLIC = "Public"
    RESTRICTED = "Restricted"
    PRIVATE = "Private"


class Category(StrEnum):
    """What kind of trouble. CAP 1.2, 3.2.2 category."""

    GEO = "Geo"
    MET = "Met"
    SAFETY = "Safety"
    SECURITY = "Security"
    RESCUE = "Rescue"
    FIRE = "Fire"
    HEALTH = "Health"
    ENV = "Env"
    TRANSPORT = "Transport"
    INFRA = "Infra"
    CBRNE = "CBRNE"
    OTHER = "Other"


class ResponseType(StrEnum):
    """What to do. CAP 1.2, 3.2.2 responseType."""

    SHELTER = "Shelter"
    EVACUATE = "Evacuate"
    PREPARE = "Prepare"
    EXECUTE = "Execute"
    AVOID = "Avoid"
    MONITOR = "Monitor"
    ASSESS = "Assess"
    ALL_CLEAR = "AllClear"
    NONE = "None"


class Urgency(StrEnum):
    """How soon to act. CAP 1.2, 3.2.2 urgency."""

    IMMEDIATE = "Immediate"
    EXPECTED = "Expected"
    FUTURE = "Future"
    PAST = "Past"
    UNKNOWN = "Unknown"


class Severity(StrEnum):
    """How bad. CAP 1.2, 3.2.2 severity."""

    EXTREME = "Extreme"
    SEVERE = "Severe"
    MODERATE = "Moderate"
    MINOR = "Minor"
    UNKNOWN = "Unknown"


class Certainty(StrEnum):
    """How sure. CAP 1.2, 3.2.2 certainty."""

    OBSERVED = "Observed"
    LIKELY = "Likely"
    POSSIBLE = "Possible"
    UNLIKELY = "Unlikely"
    UNKNOWN = "Unknown"


class Time(Struct, frozen=True):
    """A time as CAP writes it: a whole second, and how far the sender's clock is from UTC."""

    at: Instant
    # Minutes east of UTC; UTC itself is written -00:00.
    offset: int = 0


def moment(at: Instant, offset: int = 0) -> Time:
    """The second in which `at` lies, as a clock `offset` minutes east of UTC shows it."""
    return Time(Instant(at - at % SECOND), offset)


class Reference(Struct, frozen=True, kw_only=True):
    """Names one earlier message."""

    sender: str
    identifier: str
    sent: Time


class Named(Struct, frozen=True):
    """A value of some system of codes: valueName and value of an eventCode, parameter or geocode."""

    name: str
    value: str


Point = tuple[float, float]
"""WGS 84 latitude and longitude in degrees."""


class Circle(Struct, frozen=True):
    """Everywhere within `radius` kilometres of `centre`."""

    centre: Point
    radius: float


class Area(Struct, frozen=True, kw_only=True):
    """Where. CAP 1.2, 3.2.4."""

    # areaDesc
    description: str
    # Each closed: the first point again at the end.
    polygons: tuple[tuple[Point, ...], ...] = ()
    circles: tuple[Circle, ...] = ()
    geocodes: tuple[Named, ...] = ()
    # Feet above mean sea level.
    altitude: float | None = None
    ceiling: float | None = None


class Resource(Struct, frozen=True, kw_only=True):
    """A file that goes with it. CAP 1.2, 3.2.3."""

    # resourceDesc
    description: str
    # mimeType: CAP 1.1 had it optional; in 1.2 `check` finds it missing.
    mime_type: str = ""
    size: int | None = None
    uri: str = ""
    # derefUri: the file itself in base 64.
    content: str = ""
    # SHA-1 in hex.
    digest: str = ""


class Info(Struct, frozen=True, kw_only=True):
    """What is the matter, in one language. CAP 1.2, 3.2.2."""

    # category
    categories: tuple[Category, ...]
    event: str
    urgency: Urgency
    severity: Severity
    certainty: Certainty
    language: str = "en-US"
    # responseType
    responses: tuple[ResponseType, ...] = ()
    audience: str = ""
    # eventCode
    event_codes: tuple[Named, ...] = ()
    effective: Time | None = None
    onset: Time | None = None
    expires: Time | None = None
    # senderName
    sender_name: str = ""
    headline: str = ""
    description: str = ""
    instruction: str = ""
    web: str = ""
    contact: str = ""
    # parameter
    parameters: tuple[Named, ...] = ()
    resources: tuple[Resource, ...] = ()
    areas: tuple[Area, ...] = ()


class Alert(Struct, frozen=True, kw_only=True):
    """One CAP message. CAP 1.2, 3.2.1."""

    identifier: str
    sender: str
    sent: Time
    status: Status
    # msgType
    type: MessageType
    scope: Scope
    source: str = ""
    restriction: str = ""
    addresses: tuple[str, ...] = ()
    # code
    codes: tuple[str, ...] = ()
    note: str = ""
    references: tuple[Reference, ...] = ()
    incidents: tuple[str, ...] = ()
    infos: tuple[Info, ...] = ()

    @property
    def key(self) -> tuple[str, str, Instant]:
        """What makes two messages the same one: sender, identifier, sent."""
        return self.sender, self.identifier, self.sent.at
