"""KISS frames of a radio modem, with the AX.25, APRS and radio link text inside."""

from __future__ import annotations

from gateway.psap.explain import Explanation
from gateway.psap.explain._ax25 import explain_ax25
from gateway.psap.explain._building import Lines
from hardware.codecs import kiss

FORMAT = "KISS with AX.25"

_COMMANDS = {
    0: "data",
    1: "TXDELAY, in 10 ms",
    2: "P, persistence",
    3: "slot time, in 10 ms",
    4: "TXTAIL, in 10 ms",
    5: "full duplex",
    6: "the modem's own hardware setting",
}


def likely(octets: bytes) -> int:
    """A delimiter first, and a type that KISS knows."""
    if octets[:1] != b"\xc0":
        return 0
    head = octets.lstrip(b"\xc0")[:1]
    if not head:
        return 60 if len(octets) > 1 else 20
    known = head[0] & 0x0F in _COMMANDS or head == b"\xff"
    return 95 if known else 40


def split(octets: bytes) -> tuple[bytes, ...]:
    """From delimiter to delimiter; a delimiter between two frames belongs to the first."""
    found: list[bytes] = []
    start = 0
    while start < len(octets):
        body = start
        while body < len(octets) and octets[body] == kiss.FEND:
            body += 1
        end = octets.find(kiss.FEND, body)
        end = len(octets) if end < 0 else end + 1
        if body >= len(octets):
            end = len(octets)
        found.append(octets[start:end])
        start = end
    return tuple(found)


def explain(octets: bytes) -> Explanation:
    """One KISS frame; a MAC in it is not checked."""
    return explain_with(octets, "")


def explain_with(octets: bytes, key: str) -> Explanation:
    """One KISS frame, a MAC in it checked with the link's key of 64 hex digits."""
    start = len(octets) - len(octets.lstrip(b"\xc0"))
    if start == len(octets) > 1:
        start -= 1  # C0 C0 is an empty frame, and the last one ends it
    end = octets.find(kiss.FEND, start)
    whole = end >= 0
    end = end if whole else len(octets)
    body, places, bad = _unescaped(octets, start, end)
    lines = Lines(octets, places=[*places, end])
    outer = Lines(octets)
    outer.add(0, start, "frame delimiter" if start == 1 else f"{start} frame delimiters")
    summary = "an empty KISS frame, which means nothing"
    if not start:
        outer.fault("octet 0: expected the delimiter C0")
    if body:
        port, command = body[0] >> 4, body[0] & 0x0F
        words = (
            "leave KISS mode" if body[0] == 0xFF else _COMMANDS.get(command, f"command {command}, unknown")
        )
        lines.add(0, 1, f"type: {words}, modem port {port}")
        if len(body) > kiss.MAX_FRAME:
            outer.fault(f"the frame has {len(body)} octets after unescaping, at most {kiss.MAX_FRAME}")
        if command == kiss.DATA and body[0] != 0xFF:
            summary = explain_ax25(body, 1, lines, key)
        elif command in _COMMANDS or body[0] == 0xFF:
            lines.add(1, len(body), f"value {', '.join(str(octet) for octet in body[1:9])}")
            summary = f"a word to the modem: {words}"
        else:
            summary = "a word to the modem that is unknown"
            outer.fault(f"octet {start}: command {command} is unknown")
    if not whole and octets:
        outer.fault(f"octet {len(octets)}: ends without the delimiter C0")
    for at in bad:
        outer.fault(f"octet {at}: DB is followed by neither DC nor DD")
    escaped = end - start - len(body)
    tail = Lines(octets)
    if whole:
        tail.add(end, len(octets), "frame delimiter")
    if not octets:
        outer.fault("octet 0: there is nothing")
    note = f" ({escaped} escaped octet{'s' if escaped > 1 else ''})" if escaped else ""
    return Explanation(
        format=FORMAT,
        summary=summary + note,
        lines=(*outer.found, *lines.found, *tail.found),
        faults=(*outer.faults, *lines.faults),
    )


def _unescaped(octets: bytes, start: int, end: int) -> tuple[bytes, list[int], list[int]]:
    """What is meant, where each of its octets stands, and where an escape is none."""
    body = bytearray()
    places: list[int] = []
    bad: list[int] = []
    at = start
    while at < end:
        places.append(at)
        if octets[at] == 0xDB:
            meant = {0xDC: 0xC0, 0xDD: 0xDB}.get(octets[at + 1] if at + 1 < end else -1)
            if meant is None:
                bad.append(at)
                body.append(0xDB)
                at += 1
            else:
                body.append(meant)
                at += 2
            continue
        body.append(octets[at])
        at += 1
    return bytes(body), places, bad
