"""FleetSync and NEXEDGE frames at a Kenwood radio's data port."""

from __future__ import annotations

import re

from belltower.errors import Malformed
from gateway.psap.explain import Explanation
from gateway.psap.explain._building import Lines, printable
from hardware.codecs import fleetsync
from hardware.codecs.fleetsync import Acked, CallerID, Message, NotAcked, Poll, Position, Text

FORMAT = "FleetSync"

_FRAME = re.compile(rb"\x02[^\x02\x03]*\x03?|\$PK[^\r\n]*(?:\r\n?|\n)?", re.DOTALL)


def likely(octets: bytes) -> int:
    """STX and a letter that is known, or a sentence that begins with $PK."""
    if octets[:3] == b"$PK":
        return 95
    if octets[:1] != b"\x02":
        return 0
    return 90 if re.match(rb"\x02(?:[01]\x03?$|g?[IFG][0-9UG]|g?R3|\$PK)", octets) else 30


def split(octets: bytes) -> tuple[bytes, ...]:
    """From STX to ETX, or a line; what stands between belongs to what follows."""
    found: list[bytes] = []
    start = 0
    for match in _FRAME.finditer(octets):
        found.append(octets[start : match.end()])
        start = match.end()
    if start < len(octets):
        found.append(octets[start:])
    return tuple(found)


def explain(octets: bytes) -> Explanation:
    """One frame or sentence."""
    lines = Lines(octets)
    start = next((at for at, octet in enumerate(octets) if octet in b"\x02$"), -1)
    if start < 0:
        lines.fault("octet 0: expected 02 (STX) or a sentence that begins with $PK")
        return _done(lines, "")
    if start:
        lines.add(0, start, "octets of no frame")
    if octets[start] == fleetsync.STX and octets[start + 1 : start + 2] != b"$":
        return _frame(lines, octets, start)
    begin = start + (octets[start] == fleetsync.STX)
    line = octets[begin:].rstrip(b"\r\n\x03")
    summary = ""
    try:
        summary = _told(fleetsync.decode_sentence(line))
        lines.add(begin, begin + len(line), summary)
    except Malformed as error:
        lines.add(begin, begin + len(line), "a sentence that cannot be read")
        lines.fault(f"octet {begin}: {error}")
    return _done(lines, summary)


def _frame(lines: Lines, octets: bytes, start: int) -> Explanation:
    end = octets.find(b"\x03", start)
    body = octets[start + 1 : end if end >= 0 else len(octets)]
    lines.add(start, start + 1, "STX: a frame begins")
    if end < 0:
        lines.fault(f"octet {len(octets)}: the frame ends without 03 (ETX)")
    summary = ""
    try:
        message = fleetsync.decode(body)
    except Malformed as error:
        lines.add(start + 1, start + 1 + len(body), "a frame that cannot be read")
        lines.fault(f"octet {start + 1}: {error}")
    else:
        summary = _told(message)
        _fields(lines, message, body, start + 1)
    if end >= 0:
        lines.add(end, end + 1, "ETX: the frame ends")
    return _done(lines, summary)


def _fields(lines: Lines, message: Message, body: bytes, start: int) -> None:
    prefix = 1 if body[:1] == b"g" else 0
    lines.add(start, start + prefix, "g: a frame of NEXEDGE")
    at = start + prefix
    end = start + len(body)
    match message:
        case Text(nexedge=nexedge, long=long):
            lines.add(at, at + 1, "a long text message" if long else "a text message")
            to = at + 1 + (6 if nexedge else 7)
            lines.add(at + 1, to, f"to {_radio(message.unit, nexedge=nexedge)}")
            lines.add(to, end, f"the text: {printable(message.text.encode(), most=200)}")
        case CallerID(nexedge=nexedge):
            size = 6 if nexedge else 7
            lines.add(at, at + 2, "a transmission begins" if message.start else "a transmission ends")
            lines.add(at + 2, at + 2 + size, f"of {_radio(message.source, nexedge=nexedge)}")
            lines.add(at + 2 + size, at + 2 + 2 * size, f"to {_radio(message.destination, nexedge=nexedge)}")
            lines.add(at + 2 + 2 * size, end, "further digits of this radio's own")
        case Poll(nexedge=nexedge):
            lines.add(at, at + 2, "where are you?")
            lines.add(at + 2, end, f"asked of {_radio(message.unit, nexedge=nexedge)}")
        case _:
            lines.add(at, end, _told(message))


def _told(message: Message) -> str:
    match message:
        case Acked():
            return "The radio that was written to acknowledged."
        case NotAcked():
            return "The radio that was written to did not acknowledge."
        case Text():
            to = _radio(message.unit, nexedge=message.nexedge)
            nobody = "; nobody acknowledges it" if message.broadcast else ""
            return f"A text to {to}{nobody}: {printable(message.text.encode())}."
        case CallerID():
            verb = "begins" if message.start else "ends"
            return f"{_radio(message.source, nexedge=message.nexedge)} {verb} a transmission."
        case Poll():
            return f"Where is {_radio(message.unit, nexedge=message.nexedge)}?"
        case Position(latitude=None):
            return f"Radio {message.unit} has no position."
        case Position():
            return f"Radio {message.unit} is at {message.latitude:.5f}, {message.longitude:.5f}."
        case _:
            return "A frame of a kind that Belltower does nothing with."


def _radio(unit: str, *, nexedge: bool) -> str:
    if not nexedge:
        return "everybody" if unit == fleetsync.BROADCAST else f"fleet {unit[:3]} unit {unit[3:]}"
    if unit.lstrip("UG") == fleetsync.NEXEDGE_BROADCAST:
        return "everybody"
    return f"group {unit[1:]}" if unit.startswith("G") else f"unit {unit.lstrip('U')}"


def _done(lines: Lines, summary: str) -> Explanation:
    return Explanation(
        format=FORMAT,
        summary=summary or "A frame of a Kenwood radio that cannot be read.",
        lines=tuple(lines.found),
        faults=tuple(lines.faults),
    )
