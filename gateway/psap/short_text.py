"""What is said where there is room for a text message and no more: SMS, TETRA, FleetSync, Meshtastic; pure.

In full, for whoever reads it on a telephone:

    PANIC B 204 at Lincoln High, 12 Elm Street, Linden. CALL 12 INC 3 BLDG B KEY 0A1B2C3D. Reply ACK 12

and in brief, where a radio shows 48 characters:

    PANIC B 204 C12 I3 K0A1B2C3D

A person answers `ACK 12`, or `READBACK 12-2` to update 2 of that call, perhaps with a code of their own: `ACK 12 T7`.
A bare `READBACK 12` names no update. Nothing else counts as an answer: carriers and centres send texts of their own by machine, and quote what they answer.
"""

from __future__ import annotations

import re
import unicodedata

from msgspec import Struct

from belltower.errors import Malformed
from belltower.incident.facts import AlarmKind, UpdateKind
from floorplans.campus import Campus
from gateway.psap.link import Call, ExerciseCall, ExerciseMore, ExerciseUpdate, LinkTest, More, Spot, Update
from gateway.psap.radio_text import (
    EXERCISE,
    CallText,
    CancelText,
    CorrectText,
    LinkTestText,
    MoreText,
    key_of,
    plain,
    short,
)
from gateway.psap.ranges import Ranges, spelt

IN_FULL = 140
"""Characters from which on the full form is used."""

_MOST_PLACE = 32
"""Characters of a place, as the grammar has it."""

_N = r"([0-9]{1,19})"
_KEY = r"([0-9A-Z]{8})"
_KIND = "(" + "|".join(kind.upper() for kind in AlarmKind) + ")"
_PLACE = rf"([A-Za-z0-9 .'&+?-]{{1,{_MOST_PLACE}}}?)"
_BUILDING = r"([A-Za-z0-9.-]{1,10})"
_RANGES = rf"({_N[1:-1]}(?:-{_N[1:-1]})?(?:,{_N[1:-1]}(?:-{_N[1:-1]})?)*)"
_CALL = re.compile(
    rf"{_KIND} {_PLACE}(?: at [ -~]{{1,100}}?)?\. CALL {_N} INC {_N} BLDG {_BUILDING} KEY {_KEY}\."
    rf"(?: Reply ACK {_N})?"
)
_BRIEF_CALL = re.compile(rf"{_KIND} {_PLACE} C{_N} I{_N} K{_KEY}")
_MORE = re.compile(rf"MORE CALL {_N} presses {_RANGES}\. INC {_N} BLDG {_BUILDING} KEY {_KEY}\.")
_BRIEF_MORE = re.compile(rf"MORE C{_N} {_RANGES} I{_N} K{_KEY}")
_CANCEL = re.compile(
    rf"CANCEL CALL {_N} UPDATE {_N}: {_KIND} {_PLACE} was a false alarm\. INC {_N} BLDG {_BUILDING} KEY {_KEY}\."
    rf"(?: Reply READBACK {_N[1:-1]}-{_N[1:-1]})?"
)
_BRIEF_CANCEL = re.compile(rf"CANCEL {_PLACE} C{_N} U{_N} I{_N} K{_KEY}")
_CORRECT = re.compile(
    rf"CORRECT CALL {_N} UPDATE {_N}: {_KIND} is at {_PLACE}, not {_PLACE}\. INC {_N} BLDG {_BUILDING} KEY {_KEY}\."
    rf"(?: Reply READBACK {_N[1:-1]}-{_N[1:-1]})?"
)
_BRIEF_CORRECT = re.compile(rf"CORRECT {_PLACE} C{_N} U{_N} I{_N} K{_KEY}")
_TEST = re.compile(rf"TEST {_N} KEY {_KEY}(?: from [ -~]{{1,100}})?\. Nobody needs help\.")
_BRIEF_TEST = re.compile(rf"TEST T{_N} K{_KEY} NOBODY NEEDS HELP")
_UNSPEAKABLE = re.compile(r"[^A-Za-z0-9 .,'&+?-]")
_REPLY = re.compile(
    r"(ACK|READBACK) ?#?([0-9]{1,9})(?:-([0-9]{1,9}))?(?: (?:by )?([A-Za-z0-9-]{1,16}))?\.?", re.IGNORECASE
)

Said = CallText | MoreText | CancelText | CorrectText | LinkTestText


class Reply(Struct, frozen=True, kw_only=True):
    """What a person answered."""

    number: int
    # Whether an update was read back, or the call taken.
    read_back: bool
    # Which update was read back; 0 where none was named.
    update: int = 0
    # The person's code; "" where none was given.
    by: str


# ---- writing


def where(campus: Campus) -> str:
    """The school and its street, in the characters every wire can write."""
    address = campus.address
    street = f"{address.number} {address.road}".strip()
    named = ", ".join(part for part in (campus.name, street, address.city) if part)
    ascii_only = unicodedata.normalize("NFKD", named).encode("ascii", "ignore").decode()
    return " ".join(_UNSPEAKABLE.sub("-", ascii_only).split())


def call_text(call: Call, *, room: int, campus: str = "") -> str:
    """The call in at most `room` characters, 48 or more."""
    order = call.order
    prefix = EXERCISE if isinstance(call, ExerciseCall) else ""
    head = f"{prefix}{order.kind.upper()} "
    if room < IN_FULL:
        tail = f" C{order.number} I{order.incident_number} K{key_of(order.call)}"
        return head + _fit(call.place, room - len(head) - len(tail)) + tail
    tail = f". CALL {order.number} INC {order.incident_number} BLDG {short(order.building)} KEY {key_of(order.call)}."
    head += plain(call.place, room=_MOST_PLACE)
    reply = f" Reply ACK {order.number}"
    left = room - len(head) - len(tail) - len(reply)
    at = f" at {campus[: left - 4].rstrip(' ,.')}" if campus and left > 12 else ""
    return head + at + tail + (reply if left >= 0 else "")


def more_text(more: More, *, room: int) -> tuple[str, tuple[tuple[Call, Ranges], ...]]:
    """Further presses of the first of these calls, as many as find room, and what was told."""
    call, ranges = more.items[0]
    order = call.order
    prefix = EXERCISE if isinstance(more, ExerciseMore) else ""
    if room < IN_FULL:
        head, tail = f"{prefix}MORE C{order.number} ", f" I{order.incident_number} K{key_of(order.call)}"
    else:
        head = f"{prefix}MORE CALL {order.number} presses "
        tail = f". INC {order.incident_number} BLDG {short(order.building)} KEY {key_of(order.call)}."
    fitting = _fitting(ranges, room - len(head) - len(tail))
    return head + spelt(fitting) + tail, ((call, fitting),)


def update_text(update: Update, *, room: int) -> str:
    """A cancellation or correction in at most `room` characters, 48 or more."""
    order, call = update.order, update.call.order
    prefix = EXERCISE if isinstance(update, ExerciseUpdate) else ""
    spot = update.spot or Spot(spoken="place unknown")
    cancel = order.kind is UpdateKind.CANCEL
    if room < IN_FULL:
        head = f"{prefix}CANCEL " if cancel else f"{prefix}CORRECT "
        tail = f" C{call.number} U{order.update} I{call.incident_number} K{key_of(call.call)}"
        place = update.call.place if cancel else spot.spoken
        return head + _fit(place, room - len(head) - len(tail)) + tail
    building = order.building or call.building
    tail = f" INC {call.incident_number} BLDG {short(building)} KEY {key_of(call.call)}."
    reply = f" Reply READBACK {call.number}-{order.update}"
    kind, was = call.kind.upper(), plain(update.call.place, room=_MOST_PLACE)
    verb = "CANCEL" if cancel else "CORRECT"
    head = f"{prefix}{verb} CALL {call.number} UPDATE {order.update}: {kind} "
    if cancel:
        text = f"{head}{was} was a false alarm.{tail}"
    else:
        left = room - len(head) - len(tail) - len("is at , not .")
        now = plain(spot.spoken, room=min(_MOST_PLACE, max(8, left // 2)))
        text = f"{head}is at {now}, not {_fit(update.call.place, max(8, left - len(now)))}.{tail}"
    return text + reply if len(text) + len(reply) <= room else text


def test_text(test: LinkTest, *, room: int, campus: str) -> str:
    """A marked test, which says that it is none of the things it could be taken for."""
    if room < IN_FULL:
        return f"TEST T{test.number} K{key_of(test.key)} NOBODY NEEDS HELP"
    head, tail = f"TEST {test.number} KEY {key_of(test.key)}", ". Nobody needs help."
    left = room - len(head) - len(tail) - 6
    source = f" from {campus[:left].rstrip(' ,.')}" if campus and left > 8 else ""
    return head + source + tail


# ---- reading


def parse(text: str) -> Said:
    """What the school says; `Malformed` when it follows no rule of the grammar."""
    exercise = text.startswith(EXERCISE)
    rest = text.removeprefix(EXERCISE)
    for pattern, reading in _READINGS:
        if found := pattern.fullmatch(rest):
            return reading(found, exercise)
    raise Malformed("short text: expected PANIC, MEDICAL, MORE, CANCEL, CORRECT or TEST and its fields")


def parse_reply(text: str) -> Reply | None:
    """The answer of a person; None when the text is none, whatever else it says."""
    found = _REPLY.fullmatch(" ".join(text.split()))
    if found is None:
        return None
    read_back = found[1].upper() == "READBACK"
    if found[3] and not read_back:
        return None
    return Reply(number=int(found[2]), read_back=read_back, update=int(found[3] or 0), by=found[4] or "")


def _call(found: re.Match[str], exercise: bool) -> Said:
    kind, place, number, incident, building, key, *_ = found.groups()
    return CallText(
        exercise=exercise,
        kind=AlarmKind(kind.lower()),
        place=place,
        number=int(number),
        incident=int(incident),
        building=building,
        key=key,
    )


def _brief_call(found: re.Match[str], exercise: bool) -> Said:
    kind, place, number, incident, key = found.groups()
    return CallText(
        exercise=exercise,
        kind=AlarmKind(kind.lower()),
        place=place,
        number=int(number),
        incident=int(incident),
        building="",
        key=key,
    )


def _more(found: re.Match[str], exercise: bool) -> Said:
    number, ranges, incident, building, key = found.groups()
    item = (building, int(number), _ranges(ranges))
    return MoreText(exercise=exercise, incident=int(incident), key=key, items=(item,))


def _brief_more(found: re.Match[str], exercise: bool) -> Said:
    number, ranges, incident, key = found.groups()
    return MoreText(
        exercise=exercise, incident=int(incident), key=key, items=(("", int(number), _ranges(ranges)),)
    )


def _cancel(found: re.Match[str], exercise: bool) -> Said:
    number, update, kind, place, incident, building, key = found.groups()
    return CancelText(
        exercise=exercise,
        kind=AlarmKind(kind.lower()),
        place=place,
        number=int(number),
        incident=int(incident),
        building=building,
        update=int(update),
        key=key,
    )


def _brief_cancel(found: re.Match[str], exercise: bool) -> Said:
    place, number, update, incident, key = found.groups()
    return CancelText(
        exercise=exercise,
        kind=AlarmKind.PANIC,
        place=place,
        number=int(number),
        incident=int(incident),
        building="",
        update=int(update),
        key=key,
    )


def _correct(found: re.Match[str], exercise: bool) -> Said:
    number, update, kind, place, was, incident, building, key = found.groups()
    return CorrectText(
        exercise=exercise,
        kind=AlarmKind(kind.lower()),
        place=place,
        was=was,
        number=int(number),
        incident=int(incident),
        building=building,
        update=int(update),
        key=key,
    )


def _brief_correct(found: re.Match[str], exercise: bool) -> Said:
    place, number, update, incident, key = found.groups()
    return CorrectText(
        exercise=exercise,
        kind=AlarmKind.PANIC,
        place=place,
        was="",
        number=int(number),
        incident=int(incident),
        building="",
        update=int(update),
        key=key,
    )


def _test(found: re.Match[str], exercise: bool) -> Said:
    if exercise:
        raise Malformed("short text: a test is no exercise")
    return LinkTestText(number=int(found[1]), key=found[2])


_READINGS = (
    (_CALL, _call),
    (_BRIEF_CALL, _brief_call),
    (_MORE, _more),
    (_BRIEF_MORE, _brief_more),
    (_CANCEL, _cancel),
    (_BRIEF_CANCEL, _brief_cancel),
    (_CORRECT, _correct),
    (_BRIEF_CORRECT, _brief_correct),
    (_TEST, _test),
    (_BRIEF_TEST, _test),
)


def _ranges(text: str) -> Ranges:
    ranges: list[tuple[int, int]] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        pair = int(first), int(last or first)
        if pair[1] < pair[0] or (ranges and pair[0] <= ranges[-1][1]):
            raise Malformed(f"short text: ranges must ascend, got {text!r}")
        ranges.append(pair)
    return tuple(ranges)


def _fit(place: str, room: int) -> str:
    return plain(place, room=max(1, min(room, _MOST_PLACE)))


def _fitting(ranges: Ranges, room: int) -> Ranges:
    taken, used = 0, -1
    for pair in ranges:
        used += 1 + len(spelt((pair,)))
        if used > room and taken:
            break
        taken += 1
    return ranges[:taken]
