"""How many parts a short message takes on the air: 3GPP TS 23.038 (alphabets) and TS 23.040 (concatenation)."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

# TS 23.038, 6.2.1: the GSM 7 bit default alphabet, without the escape code.
_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
# TS 23.038, 6.2.1.1: these are sent as an escape code and a letter.
_EXTENDED = frozenset("\f^{}\\[~]|€")

_ALL = _BASIC | _EXTENDED

_GSM7_ALONE, _GSM7_PART = 160, 153
_UCS2_ALONE, _UCS2_PART = 70, 67


class Alphabet(StrEnum):
    """What each character costs: 7 bits, or 16."""

    GSM7 = "gsm7"
    UCS2 = "ucs2"


class Segments(Struct, frozen=True, kw_only=True):
    """A text as the network will carry it."""

    alphabet: Alphabet
    # Septets of GSM 7, or 16 bit units of UCS-2.
    units: int
    parts: int


def segments(text: str) -> Segments:
    """Measure `text`. One character outside the GSM alphabet makes the whole text UCS-2."""
    letters = set(text)
    if letters <= _BASIC:
        return _plain(Alphabet.GSM7, len(text), _GSM7_ALONE, _GSM7_PART)
    if letters <= _ALL:
        sizes = [2 if letter in _EXTENDED else 1 for letter in text]
        return _measure(Alphabet.GSM7, sizes, _GSM7_ALONE, _GSM7_PART)
    if max(letters) <= "\uffff":
        return _plain(Alphabet.UCS2, len(text), _UCS2_ALONE, _UCS2_PART)
    sizes = [2 if ord(letter) > 0xFFFF else 1 for letter in text]
    return _measure(Alphabet.UCS2, sizes, _UCS2_ALONE, _UCS2_PART)


def dear(text: str) -> list[str]:
    """The characters that are not of the GSM alphabet, each once, as they come: without them the text would cost half."""
    return [letter for letter in dict.fromkeys(text) if letter not in _ALL]


def _plain(alphabet: Alphabet, units: int, alone: int, part: int) -> Segments:
    """Where every character is one unit."""
    return Segments(alphabet=alphabet, units=units, parts=1 if units <= alone else -(-units // part))


def _measure(alphabet: Alphabet, sizes: list[int], alone: int, part: int) -> Segments:
    units = sum(sizes)
    if units <= alone:
        return Segments(alphabet=alphabet, units=units, parts=1)
    parts, room = 1, part
    for size in sizes:  # neither an escape nor a surrogate pair is split between parts
        if size > room:
            parts, room = parts + 1, part
        room -= size
    return Segments(alphabet=alphabet, units=units, parts=parts)
