"""One step of a story, and how far it is known to have come."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from belltower.clock import Instant


class Stage(StrEnum):
    """How far a step is known to have come."""

    RECORDED = "recorded"
    SENT = "sent"
    MACHINE = "machine"
    HUMAN = "human"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Step(Struct, frozen=True):
    """What a fact has to say; what bears the same key is the same step."""

    key: str
    stage: Stage
    title: str
    detail: str = ""


class Moment(Struct, frozen=True, kw_only=True):
    """One step of the story, with its time."""

    key: str
    at: Instant
    # Where it stands in the story: its time, yet never before what its own stream said earlier.
    order: Instant
    # Since the first alarm of the incident; None where no alarm is known.
    seconds: float | None
    stage: Stage
    title: str
    detail: str = ""


def stamp(seconds: float | None) -> str:
    """Seconds since the press as they are written: "+0.412", "+75.0", "−0.300" after the clock was set back."""
    if seconds is None:
        return "–"
    digits = 3 if abs(seconds) < 10 else 1
    return f"{'−' if seconds < 0 else '+'}{abs(seconds):.{digits}f}"
