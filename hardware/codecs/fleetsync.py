"""The PC port of Kenwood radios: FleetSync (analog) and NEXEDGE (digital) data frames, 9600 8N1.

    02 <letter> .. 03           a frame; NEXEDGE puts a `g` before the letter
    $PKLSH,..*cs CR LF          a position: $PKLSH and $PKLDS of FleetSync, $PKNSH of NEXEDGE

Kenwood publishes no specification. The octets are those of published recordings and of other people's programs; no
radio was at hand. Texts that come *in* are taken in the form in which they go out, which no recording confirms.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import reduce
from operator import xor

from msgspec import Struct

from belltower.errors import Malformed

STX = 0x02
ETX = 0x03
MAX_FRAME = 4_200
"""Octets of the longest frame or sentence taken: 4,096 of text and its head."""
SAMPLE = 64
SHORT_TEXT = 48
"""Characters of a short message."""
LONG_TEXT = 1_024
"""Characters of a long message that every radio with long messages takes."""
MAX_TEXT = 4_096
BROADCAST = "0000000"
"""Fleet 000, unit 0000: everybody, and nobody answers."""
NEXEDGE_BROADCAST = "00000"

_FLEET = re.compile(r"[0-9]{7}")
_UNIT = re.compile(r"[0-9]{5}")
_TEXT = re.compile(r"[ -~]*")
_ID = re.compile(r"I([01])([0-9]{7})([0-9]{7})([0-9]{0,16})")
_NEXEDGE_ID = re.compile(r"gI([01])([UG][0-9]{5})([UG][0-9]{5})([0-9]{0,16})")
_MESSAGE = re.compile(r"([FG])([0-9]{7})([ -~]*)")
_NEXEDGE_MESSAGE = re.compile(r"g([FG])([UG])([0-9]{5})([ -~]*)")
_POLL = re.compile(r"R3([0-9]{7})")
_NEXEDGE_POLL = re.compile(r"gR3U([0-9]{5})")
_SENTENCE = re.compile(r"\$(PK[A-Z]{3}),([ -)+-~]*)\*([0-9A-Fa-f]{2})")
_LATITUDE = re.compile(r"([0-9]{2})([0-9]{2}\.[0-9]{1,6})")
_LONGITUDE = re.compile(r"([0-9]{3})([0-9]{2}\.[0-9]{1,6})")
_MARKS = re.compile(rb"[\x02\x03$\r\n]")


class CallerID(Struct, frozen=True, kw_only=True):
    """Who begins or ends a transmission. Numbers are fleet and unit in 7 digits; of NEXEDGE, U or G and 5 digits."""

    start: bool
    source: str
    destination: str
    nexedge: bool = False
    # Digits that some radios append.
    tail: str = ""


class Acked(Struct, frozen=True):
    """The radio that was written to has it."""


class NotAcked(Struct, frozen=True):
    """It did not answer."""


class Text(Struct, frozen=True, kw_only=True):
    """A text message to a radio, or from one."""

    # Fleet and unit, 7 digits; of NEXEDGE, 5 digits.
    unit: str
    text: str
    # The long form, to LONG_TEXT characters and more.
    long: bool = False
    nexedge: bool = False
    # NEXEDGE: to a group, 00000 being everybody.
    group: bool = False

    @property
    def broadcast(self) -> bool:
        """Whether nobody will acknowledge it: it is to everybody, or to a group."""
        return self.group or self.unit == (NEXEDGE_BROADCAST if self.nexedge else BROADCAST)


class Poll(Struct, frozen=True, kw_only=True):
    """Where is this radio?"""

    unit: str
    nexedge: bool = False


class Position(Struct, frozen=True, kw_only=True):
    """Where a radio says it is."""

    # Fleet and unit, 7 digits; of NEXEDGE as it stands, U and 5 digits.
    unit: str
    # WGS 84 degrees; None while the radio has no fix.
    latitude: float | None
    longitude: float | None
    # hhmmss UTC, as it stands.
    time: str = ""
    status: str = ""


class Unknown(Struct, frozen=True, kw_only=True):
    """A frame of a kind this house does nothing with."""

    body: str


Message = CallerID | Acked | NotAcked | Text | Poll | Position | Unknown


class Garbled(Struct, frozen=True, kw_only=True):
    """What was dropped: why, and its first octets."""

    reason: str
    sample: bytes


class Decoder:
    """Finds frames and sentences in a stream. Keeps at most MAX_FRAME octets."""

    def __init__(self) -> None:
        self._pending = bytearray()
        # What is being read: STX a frame, "$" a sentence, 0 nothing.
        self._inside = 0
        self.garbled = 0
        """Frames and sentences dropped."""

    def feed(self, data: bytes) -> list[Message | Garbled]:
        """The messages that end in `data`, in order."""
        found: list[Message | Garbled] = []
        start = 0
        while start < len(data):
            mark = _MARKS.search(data, start)
            stop = mark.start() if mark else len(data)
            if self._inside:
                self._pending += data[start : min(stop, start + MAX_FRAME + 1 - len(self._pending))]
            if mark:
                self._mark(mark[0][0], found)
            start = stop + 1
        return found

    def _mark(self, octet: int, found: list[Message | Garbled]) -> None:
        inside = self._inside
        if octet == ETX and inside == STX:
            self._close(found, decode)
        elif octet in b"\r\n":
            if inside == ord("$"):
                self._close(found, decode_sentence)
            elif inside == STX:
                self._keep(octet)
        elif octet == STX:
            if inside and self._pending:
                self._drop("a frame began in the middle of another", found)
            self._pending.clear()
            self._inside = STX
        elif octet == ord("$"):
            if inside == STX and self._pending:
                self._keep(octet)
            else:
                if inside and self._pending:
                    self._drop("a sentence began in the middle of another", found)
                self._pending[:] = b"$"
                self._inside = octet
        elif inside:
            self._drop("ETX without STX", found)

    def _keep(self, octet: int) -> None:
        if len(self._pending) <= MAX_FRAME:
            self._pending.append(octet)

    def _close(self, found: list[Message | Garbled], reading: Callable[[bytes], Message]) -> None:
        raw = bytes(self._pending)
        self._pending.clear()
        self._inside = 0
        try:
            found.append(reading(raw))
        except Malformed as error:
            self.garbled += 1
            found.append(Garbled(reason=str(error), sample=raw[:SAMPLE]))

    def _drop(self, reason: str, found: list[Message | Garbled]) -> None:
        self.garbled += 1
        found.append(Garbled(reason=f"FleetSync: {reason}", sample=bytes(self._pending[:SAMPLE])))
        self._pending.clear()
        self._inside = 0


# ---- writing


def encode(message: Message) -> bytes:
    """The octets of a message, its frame or line end included.

    Raises:
        ValueError: it is too long or holds what cannot be written.
    """
    match message:
        case Position():
            raise ValueError("positions are only read")
        case CallerID():
            body = f"{'g' if message.nexedge else ''}I{int(message.start)}{message.source}{message.destination}{message.tail}"
        case Acked():
            body = "0"
        case NotAcked():
            body = "1"
        case Text():
            body = _text(message)
        case Poll(unit=unit, nexedge=nexedge):
            body = f"gR3U{unit}" if nexedge else f"R3{unit}"
        case Unknown(body=body):
            pass
    if decode(body.encode("ascii")) != message:
        raise ValueError("FleetSync: the message is not one that reads back the same")
    return b"\x02" + body.encode("ascii") + b"\x03"


def sentence(body: str) -> bytes:
    """`PKLSH,..` between `$` and its checksum, with a line end."""
    return f"${body}*{_checksum(body):02X}\r\n".encode("ascii")


# ---- reading


def decode(body: bytes) -> Message:
    """What a frame says, its STX and ETX taken off."""
    if len(body) > MAX_FRAME:
        raise Malformed(f"FleetSync: longer than {MAX_FRAME} octets")
    try:
        text = body.decode("ascii")
    except UnicodeDecodeError as error:
        raise Malformed(f"FleetSync octet {error.start}: {body[error.start]:02X} is no ASCII") from None
    if not text:
        raise Malformed("FleetSync: an empty frame")
    if text == "0":
        return Acked()
    if text == "1":
        return NotAcked()
    for pattern, reading in _READINGS:
        if found := pattern.fullmatch(text):
            return reading(found)
    if text[0] in "IFG0123456789" or text.startswith(("gI", "gF", "gG", "gR3", "R3")):
        raise Malformed(f"FleetSync: a frame of type {text[:3]!r} with {len(text)} octets is not of its form")
    if not _TEXT.fullmatch(text):
        raise Malformed("FleetSync: a control character in the frame")
    return Unknown(body=text)


def decode_sentence(line: bytes) -> Position | Unknown:
    """What a `$PK` sentence says; another NMEA sentence is `Unknown`."""
    if len(line) > MAX_FRAME:
        raise Malformed(f"FleetSync: a sentence longer than {MAX_FRAME} octets")
    try:
        text = line.decode("ascii").strip()
    except UnicodeDecodeError as error:
        raise Malformed(f"FleetSync sentence octet {error.start}: no ASCII") from None
    found = _SENTENCE.fullmatch(text)
    if found is None:
        if text.startswith("$PK") or not _TEXT.fullmatch(text):
            raise Malformed("FleetSync sentence: expected $PKxxx, fields, * and two hex digits")
        return Unknown(body=text)
    name, body, stated = found.groups()
    needed = _checksum(f"{name},{body}")
    if needed != int(stated, 16):
        raise Malformed(f"FleetSync {name}: checksum is {stated}, the octets give {needed:02X}")
    fields = body.split(",")
    match name, fields:
        case "PKLSH", [lat, ns, lon, ew, time, valid, fleet, unit, *_]:
            return _position(fleet + unit, _FLEET, (lat, ns, lon, ew), valid, time, "")
        case "PKNSH", [lat, ns, lon, ew, time, valid, unit, *_]:
            return _position(unit, _NEXEDGE_UNIT, (lat, ns, lon, ew), valid, time, "")
        case (
            "PKLDS",
            [
                time,
                valid,
                lat,
                ns,
                lon,
                ew,
                _speed,
                _course,
                _date,
                _variation,
                _side,
                fleet,
                unit,
                status,
                *_,
            ],
        ):
            return _position(fleet + unit, _FLEET, (lat, ns, lon, ew), valid, time, status)
        case (("PKLSH" | "PKNSH" | "PKLDS"), _):
            raise Malformed(f"FleetSync {name}: {len(fields)} fields are too few")
        case _:
            return Unknown(body=text)


_NEXEDGE_UNIT = re.compile(r"U[0-9]{5}|[0-9]{5,9}")


def _position(
    unit: str, form: re.Pattern[str], place: tuple[str, str, str, str], valid: str, time: str, status: str
) -> Position:
    if not form.fullmatch(unit):
        raise Malformed("FleetSync sentence: the unit is no number of its form")
    if valid != "A":
        return Position(unit=unit, latitude=None, longitude=None, time=time[:10], status=status[:8])
    lat, ns, lon, ew = place
    return Position(
        unit=unit,
        latitude=_degrees(_LATITUDE, lat, ns, "NS", 90),
        longitude=_degrees(_LONGITUDE, lon, ew, "EW", 180),
        time=time[:10],
        status=status[:8],
    )


def _degrees(form: re.Pattern[str], text: str, side: str, sides: str, most: int) -> float:
    found = form.fullmatch(text)
    if found is None or side not in tuple(sides):
        raise Malformed(f"FleetSync sentence: expected degrees, minutes and one of {sides}")
    value = int(found[1]) + float(found[2]) / 60
    if value > most or float(found[2]) >= 60:
        raise Malformed(f"FleetSync sentence: no angle of at most {most} degrees")
    return value if side == sides[0] else -value


def _caller(found: re.Match[str]) -> Message:
    return CallerID(
        start=found[1] == "1",
        source=found[2],
        destination=found[3],
        nexedge=found[0][0] == "g",
        tail=found[4],
    )


def _read_text(found: re.Match[str]) -> Message:
    long, unit, text = found[1] == "G", found[2], found[3]
    return Text(unit=unit, text=_bounded(text, long=long), long=long)


def _read_nexedge_text(found: re.Match[str]) -> Message:
    long, group, unit, text = found[1] == "G", found[2] == "G", found[3], found[4]
    return Text(unit=unit, text=_bounded(text, long=long), long=long, nexedge=True, group=group)


def _bounded(text: str, *, long: bool) -> str:
    room = MAX_TEXT if long else SHORT_TEXT
    if len(text) > room:
        raise Malformed(f"FleetSync: a text of {len(text)} characters, {room} are allowed")
    return text


def _poll(found: re.Match[str]) -> Message:
    return Poll(unit=found[1], nexedge=found[0][0] == "g")


def _text(message: Text) -> str:
    letter = "G" if message.long else "F"
    if message.nexedge:
        return f"g{letter}{'G' if message.group else 'U'}{message.unit}{message.text}"
    return f"{letter}{message.unit}{message.text}"


def _checksum(body: str) -> int:
    return reduce(xor, body.encode("ascii"), 0)


_READINGS = (
    (_ID, _caller),
    (_NEXEDGE_ID, _caller),
    (_MESSAGE, _read_text),
    (_NEXEDGE_MESSAGE, _read_nexedge_text),
    (_POLL, _poll),
    (_NEXEDGE_POLL, _poll),
)
