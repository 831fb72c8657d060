"""What a room and the house say to each other over a unit: orders, statuses, short texts and their confirmations.

The bodies of frames of docs/unit-protocol.md; `unit` seals them. Numbers are big-endian.
"""

from __future__ import annotations

import struct
import unicodedata
from enum import IntEnum

from msgspec import Struct

from belltower.errors import Malformed

MAX_TEXT = 160
"""Octets of a text, in UTF-8."""

_STATUS = struct.Struct(">BB")
_SHOWN = struct.Struct(">II")
_ORDER = struct.Struct(">BBI")
_TEXT = struct.Struct(">HB")


class Word(IntEnum):
    """How a room says that it is."""

    SAFE = 1
    NEED_HELP = 2
    INJURED = 3
    MISSING = 4
    EXTRA = 5


class Told(IntEnum):
    """What a unit is to show."""

    ALL_CLEAR = 0
    HOLD = 1
    SECURE = 2
    LOCKDOWN = 3
    EVACUATE = 4
    SHELTER = 5


class Status(Struct, frozen=True, kw_only=True):
    """A room says how it is; `count` people are injured, missing or extra."""

    word: Word
    count: int = 0


class Text(Struct, frozen=True, kw_only=True):
    """A room says something in its own words; `number` counts the texts of this unit."""

    number: int
    words: str


class Shown(Struct, frozen=True, kw_only=True):
    """The unit shows the order or text whose frame bore this epoch and counter."""

    epoch: int
    counter: int


class Order(Struct, frozen=True, kw_only=True):
    """Show this. `everywhere`: the whole campus is told so, not these places alone."""

    told: Told
    incident: int
    everywhere: bool = True


class Say(Struct, frozen=True, kw_only=True):
    """Show this text; `number` counts the texts to this unit."""

    number: int
    words: str


RoomBody = Status | Text | Shown | Order | Say


def encode_room(body: RoomBody) -> bytes:
    """The octets of a body; `ValueError` for a text that is too long."""
    match body:
        case Status(word=word, count=count):
            return _STATUS.pack(word, count)
        case Shown(epoch=epoch, counter=counter):
            return _SHOWN.pack(epoch, counter)
        case Order(told=told, incident=incident, everywhere=everywhere):
            return _ORDER.pack(told, 0 if everywhere else 1, incident)
        case Text(number=number, words=words) | Say(number=number, words=words):
            octets = words.encode()
            if len(octets) > MAX_TEXT:
                raise ValueError(f"a text of {len(octets)} octets, at most {MAX_TEXT}")
            return _TEXT.pack(number, len(octets)) + octets


def status_of(body: bytes) -> Status:
    """Never raises: an authentic status of an unknown word, or of none, is read as a need of help."""
    word = body[0] if body else 0
    known = Word(word) if word in Word.__members__.values() else Word.NEED_HELP
    return Status(word=known, count=body[1] if len(body) > 1 else 0)


def shown_of(body: bytes) -> Shown:
    """`Malformed` when it is too short."""
    epoch, counter = _taken(_SHOWN, body)
    return Shown(epoch=epoch, counter=counter)


def order_of(body: bytes) -> Order:
    """`Malformed` when it is too short, or of an unknown action: what cannot be shown is not confirmed."""
    told, scope, incident = _taken(_ORDER, body)
    if told not in Told.__members__.values():
        raise Malformed(f"body octet 0: action {told}, expected 0 to 5")
    return Order(told=Told(told), incident=incident, everywhere=scope == 0)


def text_of(body: bytes) -> Text:
    """`Malformed` when it is too short or too long."""
    number, words = _words(body)
    return Text(number=number, words=words)


def say_of(body: bytes) -> Say:
    """`Malformed` when it is too short or too long."""
    number, words = _words(body)
    return Say(number=number, words=words)


def clean(words: str) -> str:
    """One line of text that can be shown anywhere and fits a frame; "" when nothing is left of it.

    Control and formatting characters become blanks: they may turn a line round or hide it. What is too long is cut
    at a character.
    """
    plain = "".join(" " if unicodedata.category(each) in _UNSEEN else each for each in words)
    octets = " ".join(plain.split()).encode("utf-8", "replace")[:MAX_TEXT]
    return octets.decode("utf-8", "ignore").strip()


_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))


def _words(body: bytes) -> tuple[int, str]:
    number, length = _taken(_TEXT, body)
    octets = body[_TEXT.size : _TEXT.size + length]
    if len(octets) < length or length > MAX_TEXT:
        raise Malformed(f"body octet 2: a text of {length} octets, but {len(octets)} are there")
    # An authentic text is never lost to a wrong octet in it.
    return number, octets.decode("utf-8", "replace")


def _taken(layout: struct.Struct, body: bytes) -> tuple[int, ...]:
    if len(body) < layout.size:
        raise Malformed(f"body octet {len(body)}: expected {layout.size} octets")
    return layout.unpack_from(body)
