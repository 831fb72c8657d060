"""What loudspeakers say, and the tones before it: pure, our own neutral wording.

A drill's announcement is of another type than a live one; only its sound begins and ends with the mark.
"""

from __future__ import annotations

import re

from msgspec import Struct

from belltower.incident.facts import Action, AlarmKind, Mode, OutputOrdered
from floorplans.place import Place
from hardware.drivers.speech import LETTERS, Words, named, notes, said, spelt

EXERCISE = said("Exercise, exercise, exercise.")

_ACTIONS = {
    Action.HOLD: said("Stay in your room. Keep the hallways clear. Carry on inside."),
    Action.SECURE: said("Come inside now. All outside doors are being locked. Carry on inside."),
    Action.LOCKDOWN: said("Lockdown. Go into a room. Lock the door. Stay out of sight. Be silent."),
    Action.EVACUATE: said("Leave the building now. Go to your assembly place."),
    Action.SHELTER: said("Take shelter now. Go to your shelter area."),
}
_KINDS = {
    AlarmKind.PANIC: said("Emergency alarm. Help has been called."),
    AlarmKind.MEDICAL: said("Medical emergency. The response team is needed."),
}
_STOPPED = said("This announcement has ended. Follow the directions of the staff.")
_TEST = said("This is a test of the paging system.")
_PLACE = said("Place")
_BUILDING = said("building")
_ROOM = said("room")

# Apart by ear: pitch and rhythm differ for every action.
_TONES = {
    Action.HOLD: notes((520, 0.8)),
    Action.SECURE: notes((440, 0.35), (0, 0.1), (587, 0.35), (0, 0.1), (440, 0.35)),
    Action.LOCKDOWN: notes(*((988, 0.12), (740, 0.12)) * 5),
    Action.EVACUATE: notes(*((500, 0.12), (650, 0.12), (850, 0.12), (1100, 0.12)) * 3),
    Action.SHELTER: notes(*((350, 0.5), (0, 0.2)) * 2),
}
_CALLING = notes((1050, 0.3), (0, 0.15), (1050, 0.3))
_GONG = notes((660, 0.4), (520, 0.5))

FIXED = (
    *(_TONES[action] for action in Action),
    *(_CALLING, _GONG),
    *_ACTIONS.values(),
    *_KINDS.values(),
    *(EXERCISE, _STOPPED, _TEST, _PLACE, _BUILDING, _ROOM),
    *(said(letter) for letter in LETTERS),
)
"""Every sound that does not depend on the place, the most wanted first."""

_PRIORITIES = {
    Action.LOCKDOWN: 90,
    Action.EVACUATE: 80,
    Action.SHELTER: 80,
    Action.SECURE: 60,
    Action.HOLD: 50,
}
_ALARM = 70
_STOP = 40
_LIVE = 1_000
TEST_PRIORITY = 1


class LiveAnnouncement(Struct, frozen=True, kw_only=True):
    """Something that is so. It cannot be made from a drill's order."""

    order: OutputOrdered
    place: Place | None = None

    def __post_init__(self) -> None:
        if self.order.mode is not Mode.ACTUAL:
            raise ValueError("a drill cannot be announced as live")


class ExerciseAnnouncement(Struct, frozen=True, kw_only=True):
    """Something of a drill. It cannot be made from a live order."""

    order: OutputOrdered
    place: Place | None = None

    def __post_init__(self) -> None:
        if self.order.mode is not Mode.EXERCISE:
            raise ValueError("what is live cannot be announced as a drill")


Announcement = LiveAnnouncement | ExerciseAnnouncement


def announcement(order: OutputOrdered, place: Place | None) -> Announcement:
    """The announcement of an order. The only place that decides between the two types."""
    if order.mode is Mode.EXERCISE:
        return ExerciseAnnouncement(order=order, place=place)
    return LiveAnnouncement(order=order, place=place)


def text(what: Announcement) -> tuple[Words, ...]:
    """One round of it: tones, then the words twice; a drill's begins and ends with the mark."""
    words = (*_text(what.order), *place_text(what.place)) if what.order.on else (_STOPPED,)
    said_twice = (_tones(what.order), *words, *words)
    return (EXERCISE, *said_twice, EXERCISE) if isinstance(what, ExerciseAnnouncement) else said_twice


def sign(order: OutputOrdered) -> str:
    """What a sign or a desktop shows; a drill's begins and ends with the mark. "" when it is ordered off."""
    what = announcement(order, None)
    if not order.on:
        return ""
    (words,) = _text(order)
    if isinstance(what, ExerciseAnnouncement):
        return f"{EXERCISE.text} {words.text} {EXERCISE.text}"
    return words.text


def priority(what: Announcement) -> int:
    """Higher takes a zone over: anything live before any drill, a lockdown before all."""
    order = what.order
    level = _STOP if not order.on else _PRIORITIES[order.action] if order.action is not None else _ALARM
    return level + (_LIVE if isinstance(what, LiveAnnouncement) else 0)


def test_text() -> tuple[Words, ...]:
    """A marked test of the loudspeakers."""
    return (_GONG, _TEST, _TEST)


def place_text(place: Place | None) -> tuple[Words, ...]:
    """The place as it stands on the doors; nothing where it is not known."""
    if place is None:
        return ()
    parts: list[Words] = [_PLACE]
    if place.building:
        parts += (_BUILDING, _short(place.building))
    if place.label:
        parts += (_ROOM, _short(place.label)) if re.search(r"[0-9]", place.label) else (_short(place.label),)
    return tuple(parts)


def _text(order: OutputOrdered) -> tuple[Words, ...]:
    if order.action is not None:
        return (_ACTIONS[order.action],)
    return (_KINDS[order.kind or AlarmKind.PANIC],)


def _tones(order: OutputOrdered) -> Words:
    if not order.on:
        return _GONG
    return _TONES[order.action] if order.action is not None else _CALLING


def _short(name: str) -> Words:
    """A word is read as such, a number or a single letter is spelt; what marks drills is never said by a name."""
    plain = " ".join(re.sub(r"\b(exercises?|drills?)\b", " ", name, flags=re.IGNORECASE).split())
    return named(plain) if re.search(r"[A-Za-z]{3}", plain) else spelt(plain)
