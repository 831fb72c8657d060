"""What an output is for, and what becomes of an order to it: pure.

A drill's order is of another type than a live one, looked at last: only here is it decided what a drill may switch.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from belltower.incident.facts import Mode, OutputOrdered


class Does(StrEnum):
    """What an output is for."""

    SIREN = "siren"
    STROBE = "strobe"
    # A contact of somebody else's: the lockdown input of a door controller, a fire panel's or a paging amplifier's.
    RELAY = "relay"
    # A screen, a sign, a notice on desktops: it is given a text.
    SIGN = "sign"


class DrillVariant(StrEnum):
    """What a drill switches."""

    # Nothing.
    WITHHELD = "withheld"
    # A pulse of one second, so that it is known to work and not taken for real.
    CHIRP = "chirp"
    # The same as live; a sign's text begins with the mark of drills.
    SAME = "same"


class FailSafe(StrEnum):
    """The state it is put into when it is reached and nothing orders it."""

    OFF = "off"
    ON = "on"
    # It is left as it is found.
    HOLD = "hold"


CHIRP = 1.0
"""Seconds."""

USUAL = {
    Does.SIREN: DrillVariant.WITHHELD,
    Does.STROBE: DrillVariant.WITHHELD,
    Does.RELAY: DrillVariant.WITHHELD,
    Does.SIGN: DrillVariant.SAME,
}
"""What a drill switches where the settings do not say."""


class Rule(Struct, frozen=True, kw_only=True):
    """What the settings say of one output, whatever it hangs on."""

    does: Does
    exercise: DrillVariant
    fail_safe: FailSafe = FailSafe.OFF
    # Seconds for which it is on; 0: until it is ordered off.
    pulse: float = 0.0
    # Seconds within which an answer counts.
    within: float = 2.0
    # The same order twice does the same as once. Otherwise it is sent once, whatever happens.
    idempotent: bool = True
    # Whether an answer of the device itself is asked for; without, it is shown as "not confirmed".
    confirmed: bool = True
    # Seconds after which it is told again what it was told, for it ends by itself; 0: it does not.
    refresh: float = 0.0
    # Seconds between two attempts at most.
    slowest: float = 10.0


class LiveSwitching(Struct, frozen=True, kw_only=True):
    """Something that is so. It cannot be made from a drill's order."""

    order: OutputOrdered

    def __post_init__(self) -> None:
        if self.order.mode is not Mode.ACTUAL:
            raise ValueError("a drill cannot switch as live")


class DrillSwitching(Struct, frozen=True, kw_only=True):
    """Something of a drill. It cannot be made from a live order."""

    order: OutputOrdered

    def __post_init__(self) -> None:
        if self.order.mode is not Mode.EXERCISE:
            raise ValueError("what is live cannot switch as a drill")


Switching = LiveSwitching | DrillSwitching


def switching(order: OutputOrdered) -> Switching:
    """The switching that an order asks for. The only place that decides between the two types."""
    if order.mode is Mode.EXERCISE:
        return DrillSwitching(order=order)
    return LiveSwitching(order=order)


def pulse_of(what: Switching, rule: Rule) -> float | None:
    """Seconds for which it is on, 0: until it is ordered off; None: nothing is switched."""
    if isinstance(what, LiveSwitching):
        return rule.pulse
    match rule.exercise:
        case DrillVariant.WITHHELD:
            return None
        case DrillVariant.CHIRP:
            return min(CHIRP, rule.pulse or CHIRP)
        case DrillVariant.SAME:
            return rule.pulse
