"""How texts are written, and how much of one goes into a message."""

from __future__ import annotations

from enum import IntEnum

from belltower.errors import Malformed
from hardware.codecs import gsm7

SEPTETS = 160
UNITS = 70
PART_SEPTETS = 153
PART_UNITS = 67


class Alphabet(IntEnum):
    """How the user data are written, by bits 3 and 2 of the data coding scheme."""

    GSM7 = 0
    DATA = 1
    UCS2 = 2


def coding_of(text: str) -> int:
    """The data coding scheme that can write `text`: 0x00 GSM 7-bit, 0x08 UCS-2."""
    return 0x00 if gsm7.ALPHABET.issuperset(text) else 0x08


def alphabet_of(coding: int) -> Alphabet:
    """The alphabet of a data coding scheme; reserved ones read as GSM 7-bit, as 23.038 asks.

    Raises:
        Malformed: the text is compressed, which nobody sends.
    """
    group = coding >> 4
    if group < 8:
        if coding & 0x20:
            raise Malformed(f"SMS: data coding scheme {coding:02X} is compressed text")
        return Alphabet(coding >> 2 & 3) if coding >> 2 & 3 < 3 else Alphabet.GSM7
    if group == 0xE:
        return Alphabet.UCS2
    return Alphabet.DATA if group == 0xF and coding & 4 else Alphabet.GSM7


def fits(text: str) -> bool:
    """Whether `text` goes into one message."""
    if coding_of(text) == 0:
        return gsm7.width(text) <= SEPTETS
    return _units(text) <= UNITS


def pieces(text: str) -> tuple[str, ...]:
    """`text` as one message, or cut so that each piece fits beside its header; no character is cut in two."""
    if fits(text):
        return (text,)
    seven = coding_of(text) == 0
    room = PART_SEPTETS if seven else PART_UNITS
    cut, size, start = [], 0, 0
    for at, char in enumerate(text):
        wide = gsm7.width(char) if seven else _units(char)
        if size + wide > room:
            cut.append(text[start:at])
            start, size = at, 0
        size += wide
    return (*cut, text[start:])


def _units(text: str) -> int:
    return len(text) + sum(char > "\uffff" for char in text)
