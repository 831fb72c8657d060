"""What a device meant: one message may carry several signals."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from msgspec import Struct

from belltower.clock import Instant

Scalar = str | int | float | bool | None
"""What a signal's value or one of its data may be."""


class SignalKind(StrEnum):
    """What a signal says."""

    PRESS = "press"
    LONG_PRESS = "long_press"
    DOUBLE_PRESS = "double_press"
    HOLD = "hold"
    RELEASE = "release"
    BUTTON_DOWN = "button_down"
    CLEAR = "clear"
    HEARTBEAT = "heartbeat"
    BATTERY_LOW = "battery_low"
    TAMPER = "tamper"
    TAMPER_CLEAR = "tamper_clear"
    ONLINE = "online"
    OFFLINE = "offline"
    JOIN = "join"
    LEAVE = "leave"
    ACK = "ack"
    NACK = "nack"
    TX_ACK = "tx_ack"
    COMMAND = "command"
    STATE = "state"
    CONTACT_OPEN = "contact_open"
    CONTACT_CLOSED = "contact_closed"
    FIRE = "fire"
    AUX_ALARM = "aux_alarm"
    LOCATION = "location"
    TEXT = "text"
    DISCOVERY = "discovery"
    RAW_UPLINK = "raw_uplink"
    ERROR = "error"
    IGNORE = "ignore"
    TROUBLE = "trouble"


PRESSES = frozenset(
    {
        SignalKind.PRESS,
        SignalKind.LONG_PRESS,
        SignalKind.DOUBLE_PRESS,
        SignalKind.HOLD,
        SignalKind.BUTTON_DOWN,
    }
)
"""Somebody pressed something."""

ALARMING = PRESSES | {SignalKind.FIRE}
"""Kinds that call for help when they are live."""


class Flag(StrEnum):
    """How far a signal is to be trusted as news."""

    RETAINED = "retained"
    """The broker kept it: it may be of last week."""
    HISTORIC = "historic"
    """The device kept it: its own flag says so, or its proven clock does."""
    DUPLICATE = "duplicate"
    """The same press by another way, or again."""
    REFRESH = "refresh"
    """Still active, and said to be so before."""
    FOUND = "found"
    """Active when it was first looked at: nobody saw it become so."""
    SUSPECT = "suspect"
    """A counter went back, or the battery says 0."""
    TEST = "test"
    """The device says that it is a test. That alone makes no exercise."""


NOT_NEWS = frozenset({Flag.RETAINED, Flag.HISTORIC, Flag.DUPLICATE, Flag.REFRESH, Flag.FOUND})
"""Flags with which nothing alarms."""

_LONGEST = 512
_SCALARS = frozenset({bool, int, float})

NO_FLAGS: frozenset[Flag] = frozenset()


class Signal(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that one device said."""

    kind: SignalKind
    # The wire's name of the device: the captured part of the topic, an EUI, what the bearer bound.
    device: str
    # Which of the device's buttons or inputs; "" where it has one.
    channel: str = ""
    value: Scalar = None
    flags: frozenset[Flag] = NO_FLAGS
    # Percent.
    battery: float | None = None
    volts: float | None = None
    # The device's own clock: recorded, never trusted for ordering.
    at: Instant | None = None
    # Of a trouble or an error: what was not understood.
    why: str = ""
    # The message counter of the device, as it stands in the message.
    counter: int | None = None
    data: dict[str, Scalar] = {}
    # An input's level as of this message; None: an event, not a level.
    level: bool | None = None
    # What it means that the level rose or fell; memory says whether it did.
    rises: SignalKind | None = None
    falls: SignalKind | None = None
    # The device begins anew: its counters may start again.
    epoch: bool = False

    @property
    def live(self) -> bool:
        """It is news: not retained, buffered, repeated, refreshed or found so."""
        return not self.flags & NOT_NEWS

    @property
    def alarms(self) -> bool:
        """It calls for help, now."""
        return self.kind in ALARMING and self.live


def scalar(value: Any) -> Scalar:
    """`value` where it is a scalar of bounded size, else None."""
    kind = type(value)
    if kind is str:
        return value if len(value) <= _LONGEST else str(value[:_LONGEST])
    return value if kind in _SCALARS else None
