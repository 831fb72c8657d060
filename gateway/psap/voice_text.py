"""What is spoken to the PSAP or to responders over a radio: plain words, pure.

A text is a row of `Words`, each rendered ahead by itself, so that a call of any place and number is there at once.
Exercises and tests say so first and last; the words for it never occur in a live text.
"""

from __future__ import annotations

import re

from belltower.incident.facts import AlarmKind, UpdateKind
from floorplans.campus import Campus
from gateway.psap.link import Call, ExerciseCall, ExerciseMore, ExerciseUpdate, LinkTest, More, Spot, Update
from gateway.psap.ranges import Ranges
from hardware.drivers.speech import LETTERS, Words, named, notes, said, spelt

ATTENTION = notes((1050, 0.4), (0, 0.2))
"""What every saying begins with."""

EXERCISE = said("Exercise, exercise, exercise.")
TEST = said("Test, test, test.")

_ALARMS = {
    AlarmKind.PANIC: said("School alarm."),
    AlarmKind.MEDICAL: said("School alarm. Medical emergency."),
}
_BUILDING = said("building")
_LEVEL = said("level")
_ROOM = said("room")
_UNKNOWN = said("place unknown.")
_CALL = said("Call number")
_CANCELLED = said("is cancelled. It was a false alarm.")
_CORRECTION = said("Correction of call number")
_NEEDED = said("Help is needed at")
_FURTHER = said("Further alarms.")
_ALARM_NUMBERS = said("alarms")
_TO = said("to")
_PROVING = said("This is a test of the school's radio.")
_TEST_NUMBER = said("Test number")
_NOBODY = said("Nobody needs help.")

SPOKEN = (
    *_ALARMS.values(),
    *(
        _BUILDING,
        _LEVEL,
        _ROOM,
        _UNKNOWN,
        _CALL,
        _CANCELLED,
        _CORRECTION,
        _NEEDED,
        _FURTHER,
        _ALARM_NUMBERS,
        _TO,
    ),
    *(said(letter) for letter in LETTERS),
    *(EXERCISE, TEST, _PROVING, _TEST_NUMBER, _NOBODY),
)
"""Every text that does not depend on the call, the most wanted first: with these every call can be said."""
FIXED = (ATTENTION, *SPOKEN)
"""The same, and the tone."""

_MOST_RANGES = 3
_MOST_BUILDINGS = 3
_MARKS = re.compile(r"\b(exercises?|drills?|tests?|testing)\b", re.IGNORECASE)


def call_text(call: Call, *, campus: Campus) -> tuple[Words, ...]:
    """A call: what, where, its number."""
    order = call.order
    text = (_ALARMS[order.kind], *campus_text(campus), *place_text(call.spot), _CALL, digits(order.number))
    return _marked(text, exercise=isinstance(call, ExerciseCall))


def more_text(more: More, *, campus: Campus) -> tuple[tuple[Words, ...], tuple[tuple[Call, Ranges], ...]]:
    """Further presses, and which of them the text names: a few buildings with a few ranges at a time."""
    told = tuple((call, ranges[:_MOST_RANGES]) for call, ranges in more.items[:_MOST_BUILDINGS])
    text: list[Words] = [_FURTHER, *campus_text(campus)]
    for call, ranges in told:
        text += (_CALL, digits(call.order.number), _ALARM_NUMBERS)
        for first, last in ranges:
            text += (digits(first),) if first == last else (digits(first), _TO, digits(last))
    return _marked(tuple(text), exercise=isinstance(more, ExerciseMore)), told


def update_text(update: Update, *, campus: Campus) -> tuple[Words, ...]:
    """A cancellation or correction."""
    number = digits(update.call.order.number)
    text: tuple[Words, ...]
    match update.order.kind:
        case UpdateKind.CANCEL:
            text = (*campus_text(campus), _CALL, number, _CANCELLED)
        case UpdateKind.PLACE:
            spot = update.spot or Spot(spoken="")
            text = (_CORRECTION, number, *campus_text(campus), _NEEDED, *place_text(spot))
    return _marked(text, exercise=isinstance(update, ExerciseUpdate))


def test_text(test: LinkTest, *, campus: Campus) -> tuple[Words, ...]:
    """A marked test."""
    return (TEST, _PROVING, *campus_text(campus), _TEST_NUMBER, digits(test.number), _NOBODY, TEST)


def place_text(spot: Spot) -> tuple[Words, ...]:
    """The place as it stands on the doors."""
    parts: list[Words] = []
    if spot.building_name and spot.building_name != spot.building:
        parts.append(_name(spot.building_name))
    if spot.building:
        parts += (_BUILDING, _short(spot.building))
    if spot.level:
        parts += (_LEVEL, _short(spot.level))
    if spot.room:
        parts += (_ROOM, _short(spot.room))
    elif spot.spoken and spot.spoken not in {"place unknown", spot.building}:
        parts.append(_short(spot.spoken.removeprefix(spot.building).strip() or spot.spoken))
    return tuple(parts) or (_UNKNOWN,)


def digits(number: int) -> Words:
    """A number digit by digit, as it is read on the radio."""
    return spelt(str(number))


def sentence(text: tuple[Words, ...]) -> str:
    """The text as one line, for people who read it."""
    return " ".join(words.text for words in text)


def campus_text(campus: Campus) -> tuple[Words, ...]:
    """The school's name."""
    return (_name(campus.name),) if campus.name else ()


def _name(name: str) -> Words:
    """A name as it is written, without words that mark exercises and tests."""
    return named(" ".join(_MARKS.sub(" ", name).split()))


def _short(name: str) -> Words:
    """A word is read as such, a number or a single letter is spelt."""
    return _name(name) if re.search(r"[A-Za-z]{3}", name) else spelt(name)


def _marked(text: tuple[Words, ...], *, exercise: bool) -> tuple[Words, ...]:
    return (EXERCISE, *text, EXERCISE) if exercise else text
