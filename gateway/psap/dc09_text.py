"""What an alarm report of ours says in words, pure: the grammar of docs/psap-dc09.md.

    [EXERCISE ]C12 I3 K7Q2M9XWA B 204           call, incident, key, place
    [EXERCISE ]C12 I3 K7Q2M9XWA presses 2-14,16
    [EXERCISE ]C12 I3 K7Q2M9XWA cancelled
    [EXERCISE ]C12 I3 K7Q2M9XWA now B 305
    TEST 5 K7Q2M9XWA

It stands in the text of an SIA event, in the alarm text block of a Contact ID one, and names the same call as every
other link does.
"""

from __future__ import annotations

import re

from msgspec import Struct

from gateway.psap.link import Call, ExerciseCall, LinkTest, More, Update
from gateway.psap.radio_text import key_of, plain
from gateway.psap.ranges import Ranges, spelt

ROOM = 63
"""The longest text, in characters."""

_PLACE = 24
_EXERCISE = "EXERCISE "
_PRESSES = " presses "
_CANCELLED = " cancelled"
_NOW = " now "
_TOLD = re.compile(
    r"(EXERCISE )?C([0-9]{1,9}) I([0-9]{1,9}) K([0-9A-Z]{8})"
    r"(?: presses ([0-9][0-9,-]*)| (cancelled)| now (.+)| (.+))"
)
_TEST = re.compile(r"TEST ([0-9]{1,9}) K([0-9A-Z]{8})")
_RANGE = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")


class Told(Struct, frozen=True, kw_only=True):
    """What a text tells of a call: its place, more presses, its end, or its new place."""

    number: int
    incident: int
    key: str
    exercise: bool = False
    place: str = ""
    presses: Ranges = ()
    cancelled: bool = False
    now: str = ""


class Tested(Struct, frozen=True, kw_only=True):
    """A marked test of the link."""

    number: int
    key: str


def call_text(call: Call) -> str:
    """The call itself."""
    return f"{_head(call)} {plain(call.place, room=_PLACE)}"


def more_text(more: More) -> tuple[str, Call, Ranges]:
    """Further presses of the first call, as many ranges as there is room for: the text, the call, what it tells."""
    call, ranges = more.items[0]
    head = _head(call) + _PRESSES
    told = ranges[:1]
    for count in range(2, len(ranges) + 1):
        if len(head) + len(spelt(ranges[:count])) > ROOM:
            break
        told = ranges[:count]
    return head + spelt(told), call, told


def update_text(update: Update) -> str:
    """The cancellation or correction."""
    if update.spot is None:
        return _head(update.call) + _CANCELLED
    return _head(update.call) + _NOW + plain(update.spot.spoken, room=_PLACE)


def test_text(test: LinkTest) -> str:
    """The marked test."""
    return f"TEST {test.number} K{key_of(test.key)}"


def parse(text: str) -> Told | Tested | None:
    """What a text says; None: it is none of ours."""
    if (test := _TEST.fullmatch(text)) is not None:
        return Tested(number=int(test[1]), key=test[2])
    found = _TOLD.fullmatch(text)
    if found is None:
        return None
    exercise, number, incident, key, presses, cancelled, now, place = found.groups()
    ranges = _ranges(presses) if presses else ()
    if ranges is None:
        return None
    return Told(
        number=int(number),
        incident=int(incident),
        key=key,
        exercise=exercise is not None,
        place=place or "",
        presses=ranges,
        cancelled=cancelled is not None,
        now=now or "",
    )


def _head(call: Call) -> str:
    order = call.order
    mark = _EXERCISE if isinstance(call, ExerciseCall) else ""
    return f"{mark}C{order.number} I{order.incident_number} K{key_of(order.call)}"


def _ranges(text: str) -> Ranges | None:
    ranges: list[tuple[int, int]] = []
    for part in text.split(","):
        found = _RANGE.fullmatch(part)
        if found is None:
            return None
        first, last = int(found[1]), int(found[2] or found[1])
        if first > last or (ranges and first <= ranges[-1][1] + 1):
            return None
        ranges.append((first, last))
    return tuple(ranges)
