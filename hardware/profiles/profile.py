"""What stands in a profile's file, as records; `compiled` makes matchers of them."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any

from msgspec import Struct

from belltower.values import Seconds
from hardware.profiles.binary import DecodeTable, check_mask
from hardware.profiles.signal import SignalKind


class ProfileClass(StrEnum):
    """What a device is for; panic is judged hardest."""

    PANIC = "panic"
    CONTACT = "contact"
    SIREN = "siren"
    RELAY = "relay"
    BADGE = "badge"
    GATEWAY = "gateway"
    INFO = "info"


CALLS = frozenset({ProfileClass.PANIC, ProfileClass.BADGE})
"""Classes whose presses are calls for help: whatever they say that is not understood is trouble, never silence."""

LONGEST_WINDOW = 60.0
"""Seconds of a `[dedupe]` window where no number tells two presses apart."""


class Authenticity(StrEnum):
    """How sure it is that the device itself spoke."""

    NONE = "none"
    LINK = "link"
    DEVICE = "device"


class Retained(StrEnum):
    """What a retained message is good for. It never alarms."""

    IGNORE = "ignore"
    STATE = "state"


class Head(Struct, frozen=True, kw_only=True, rename={"cls": "class"}):
    """`[profile]`."""

    id: str
    cls: ProfileClass
    version: int = 1
    title: str = ""
    # What people call the devices: model names, the maker, the bridge.
    models: tuple[str, ...] = ()
    retained: Retained = Retained.IGNORE
    authenticity: Authenticity = Authenticity.NONE
    # The driver that alone brings its messages (modbus, osdp, inovonics); "": any way in may.
    wire: str = ""
    # A model behind another wire: the profile whose [bearer] carries it may be any, so nothing is said here.
    note: str = ""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,63}", self.id):
            raise ValueError("id: 1 to 64 small letters, digits, dots and dashes")


class RuleTable(Struct, frozen=True, kw_only=True, rename={"else_": "else", "as_": "as"}):
    """`[[rule]]`: which messages it is about, what must hold, what it means."""

    topic: str | None = None
    # auto, json, text, xml.
    as_: str = "auto"
    # A regular expression; its named groups are the document.
    line: str | None = None
    # Groups of `line` that are numbers, and their base.
    numbers: dict[str, int] = {}
    # A port, and the name of a layout of [decode].
    port: int | None = None
    layout: str | None = None
    each: str | None = None
    # `each` over a table: the keys that are items, { key, value }.
    keys: str | None = None
    when: dict[str, Any] = {}
    path: str | None = None
    mask: int | None = None
    map: dict[str, SignalKind] = {}
    of: str = "text"
    else_: SignalKind | None = None
    kind: SignalKind | None = None
    device: Any = None
    channel: Any = None
    value: Any = None
    battery: Any = None
    volts: Any = None
    at: Any = None
    counter: Any = None
    data: dict[str, Any] = {}
    edge: str | None = None
    level: str | None = None
    rises: SignalKind | None = None
    falls: SignalKind | None = None
    # { historic = { buffered = true } }.
    flags: dict[str, Any] = {}
    why: str = ""
    epoch: bool = False
    stop: bool = False

    def __post_init__(self) -> None:
        check_mask(self.mask)


class DedupeTable(Struct, frozen=True, kw_only=True):
    """`[dedupe]`: what makes two signals the same, and for how long."""

    key: tuple[str, ...] = ("device", "channel", "kind")
    window: Seconds = 1.0

    def __post_init__(self) -> None:
        known = {"device", "channel", "kind", "counter", "value"}
        for name in self.key:
            if name not in known and not name.startswith("data."):
                raise ValueError(f'key: "{name}" is not known; one of: {", ".join(sorted(known))}, data.NAME')
        if not self.key:
            raise ValueError("key: at least one")
        if self.window > LONGEST_WINDOW and "counter" not in self.key:
            raise ValueError(
                f"window: at most {LONGEST_WINDOW:g} s where the key has no counter: a second press would be lost"
            )


class OnlineTable(Struct, frozen=True, kw_only=True, rename={"as_": "as"}):
    """`online = { topic = "{device}/online", map = { true = "online", false = "offline" } }`."""

    topic: str
    map: dict[str, SignalKind]
    path: str | None = None
    as_: str | None = None
    of: str = "text"


class SupervisionTable(Struct, frozen=True, kw_only=True):
    """`[supervision]`: how often it is heard, and through whom."""

    parent: str = ""
    online: OnlineTable | None = None
    expect_every: Seconds | None = None
    late_after: Seconds | None = None
    # Too seldom for alarm practice: shown as weak, never as strong.
    weak: bool = False

    def __post_init__(self) -> None:
        if self.expect_every is not None and self.expect_every <= 0:
            raise ValueError('expect_every: longer than nothing; write "10m" for instance')
        if self.late_after is not None and (
            self.expect_every is None or self.late_after <= self.expect_every
        ):
            raise ValueError("late_after: must be longer than expect_every, which must be there")


class ReceiptTable(Struct, frozen=True, kw_only=True, rename={"as_": "as"}):
    """`receipt = {..}`: the answer that proves an output, and how far it proves it."""

    match: dict[str, Any] = {}
    topic: str | None = None
    port: int | None = None
    as_: str = "auto"
    fail: dict[str, Any] = {}
    within: Seconds = 5.0
    # queued, sent, device: nothing but `device` is shown as done.
    level: str = "device"

    def __post_init__(self) -> None:
        if self.level not in {"queued", "sent", "device"}:
            raise ValueError('level: "queued", "sent" or "device"')


class OutputTable(Struct, frozen=True, kw_only=True, rename={"octets": "bytes"}):
    """`[[output]]`: what the device can be told to do."""

    does: str
    receipt: Any
    topic: str = ""
    # A table is sent as JSON; `{name}` in texts is filled in.
    payload: Any = None
    # In hexadecimal digits, `{name:2}` being a number of two octets; goes through the bearer.
    octets: str | None = None
    port: int | None = None
    confirmed: bool = False
    # Harmless when done twice; where it is not, it is never retried blindly.
    idempotent: bool = False
    # For how long it is held, and what it is when nobody says anything.
    pulse: Seconds | None = None
    fail_safe: str = ""
    # What is sent in an exercise instead.
    exercise: Any = None
    # What `{name}` stands for unless the order says otherwise.
    defaults: dict[str, Any] = {}

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", self.does):
            raise ValueError("does: small letters, digits and underscores, siren_on for instance")
        if (self.payload is None) == (self.octets is None):
            raise ValueError("payload: either payload or bytes, one of the two")


class DownTable(Struct, frozen=True, kw_only=True):
    """`[bearer.down]`: how bytes are sent to a device behind the bearer."""

    topic: str
    payload: Any
    # Where it says that it has sent them, or could not, naming the request somewhere; "": it says neither.
    sent: str = ""
    failed: str = ""
    # How those name the request.
    request: str = "{request}"


class BearerTable(Struct, frozen=True, kw_only=True, rename={"octets": "bytes"}):
    """`[bearer]`: where device, port and bytes stand in the messages of a network server."""

    topic: str
    octets: str
    port: str
    device: Any = None
    # base64 or hex.
    encoding: str = "base64"
    counter: str | None = None
    gateway: str | None = None
    duplicate: str | None = None
    down: DownTable | None = None

    def __post_init__(self) -> None:
        if self.encoding not in {"base64", "hex"}:
            raise ValueError('encoding: "base64" or "hex"')


class ExampleTable(Struct, frozen=True, kw_only=True, rename={"octets": "bytes"}):
    """`[[example]]`: a message, and what it must mean. They are run whenever the profile is loaded."""

    expect: tuple[dict[str, Any], ...]
    topic: str = ""
    payload: Any = None
    octets: str | None = None
    port: int | None = None
    device: str = ""
    counter: int | None = None
    retained: bool = False
    note: str = ""
    # Where the message was seen, and its licence.
    source: str = ""


class Document(Struct, frozen=True, kw_only=True):
    """The whole file."""

    profile: Head
    # Names that topics may use, with what they stand for unless the site says otherwise.
    settings: dict[str, str] = {}
    decode: tuple[DecodeTable, ...] = ()
    bearer: BearerTable | None = None
    rule: tuple[RuleTable, ...] = ()
    # Flags of every rule.
    flags: dict[str, Any] = {}
    dedupe: DedupeTable = DedupeTable()
    supervision: SupervisionTable = SupervisionTable()
    output: tuple[OutputTable, ...] = ()
    example: tuple[ExampleTable, ...] = ()
