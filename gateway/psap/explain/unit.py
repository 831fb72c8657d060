"""The frames of our own units: buttons on the wall, the same over MQTT and over the radio."""

from __future__ import annotations

import hmac
import re
import struct

from belltower.errors import Malformed
from gateway.psap.explain import Explanation
from gateway.psap.explain._building import Lines
from hardware.codecs import unit
from hardware.codecs.unit import Kind, Level, Type

FORMAT = "Belltower unit"

_TYPES = {
    Type.PRESS: "press",
    Type.HEARTBEAT: "heartbeat",
    Type.TAMPER: "its case was opened",
    Type.ANSWER: "it stands by an earlier press",
    Type.ACK: "acknowledgement",
    Type.CHALLENGE: "stand by this press",
    Type.ORDER: "order",
}
_LEVELS = {
    Level.RECORDED: "recorded",
    Level.RELAYED_ONLY: "passed on, but not written down",
    Level.PSAP: "the PSAP's system has it",
    Level.TELECOMMUNICATOR: "a person at the PSAP has it",
}


def likely(octets: bytes) -> int:
    """Version 1, a known type in its direction, and a length that fits."""
    if len(octets) < unit.OVERHEAD or octets[0] != unit.VERSION:
        return 0
    kind, down = octets[1] & 0x3F, octets[1] >> 7
    if kind not in list(Type) or down != (kind >= 32):
        return 0
    return 90 if len(octets) == unit.OVERHEAD + octets[14] else 20


def split(octets: bytes) -> tuple[bytes, ...]:
    """By the length in each head; what fits no frame is left in one piece."""
    found: list[bytes] = []
    start = 0
    while start + unit.OVERHEAD <= len(octets) and octets[start] == unit.VERSION:
        end = start + unit.OVERHEAD + octets[start + 14]
        if end > len(octets):
            break
        found.append(octets[start:end])
        start = end
    if start < len(octets):
        found.append(octets[start:])
    return tuple(found)


def explain(octets: bytes) -> Explanation:
    """One frame; its MAC is not checked."""
    return explain_with(octets, "")


def explain_with(octets: bytes, key: str) -> Explanation:
    """One frame; the key is the unit's 64 hex digits, a space, and the site's id, which the MAC covers too."""
    lines = Lines(octets)
    summary = "a frame that is not in order"
    if len(octets) >= unit.HEAD_SIZE:
        summary = _head(octets, lines)
        body = octets[unit.HEAD_SIZE : max(unit.HEAD_SIZE, len(octets) - unit.MAC_SIZE)]
        _body(octets[1] & 0x3F, body, lines)
    else:
        lines.add(0, len(octets), "the beginning of a head")
    try:
        unit.peek(octets)
    except Malformed as error:
        lines.fault(str(error))
    else:
        lines.add(len(octets) - unit.MAC_SIZE, len(octets), f"MAC, 16 octets: {_mac(octets, key, lines)}")
    return Explanation(format=FORMAT, summary=summary, lines=tuple(lines.found), faults=tuple(lines.faults))


def _head(octets: bytes, lines: Lines) -> str:
    kind, down, exercise = octets[1] & 0x3F, bool(octets[1] & 0x80), bool(octets[1] & 0x40)
    number, epoch, counter = struct.unpack_from(">III", octets, 2)
    words = _TYPES.get(Type(kind), "") if kind in list(Type) else ""
    way = "from the house to the unit" if down else "from the unit to the house"
    lines.add(0, 1, f"version {octets[0]}")
    lines.add(
        1, 2, f"type {kind}, {words or 'unknown'}; {way}; {'EXERCISE' if exercise else 'not an exercise'}"
    )
    lines.add(2, 6, f"unit {number}")
    lines.add(6, 10, f"epoch {epoch}")
    lines.add(10, 14, f"counter {counter}")
    lines.add(14, 15, f"body of {octets[14]} octets")
    if not words:
        lines.fault(f"octet 1: type {kind} is unknown")
    return f"{'EXERCISE, ' if exercise else ''}{words or 'an unknown frame'}, unit {number}, {way}"


def _body(kind: int, body: bytes, lines: Lines) -> None:
    at = unit.HEAD_SIZE
    sizes = {Type.HEARTBEAT: 2, Type.ANSWER: 25, Type.ACK: 9, Type.CHALLENGE: 24}
    wanted = next((size for type_, size in sizes.items() if type_ == kind), 0)
    if len(body) < wanted:
        lines.add(at, at + len(body), "body, cut off")
        lines.fault(f"octet 14: the body has {len(body)} octets, type {kind} has {wanted}")
        return
    used = wanted
    if kind == Type.PRESS and body:
        used = 1
        lines.add(at, at + 1, f"button {body[0]}: {_kind(body[0])}")
    elif kind == Type.HEARTBEAT:
        lines.add(at, at + 1, f"battery {min(body[0], 100)} per cent")
        flags = [word for bit, word in ((1, "case open"), (2, "battery low")) if body[1] & bit]
        lines.add(at + 1, at + 2, f"flags: {', '.join(flags) or 'none'}")
    elif kind == Type.ACK:
        _names(body, 0, lines)
        level = next((words for level, words in _LEVELS.items() if level == body[8]), "")
        lines.add(at + 8, at + 9, f"level {body[8]}: {level or 'unknown'}")
        if not level:
            lines.fault(f"octet {at + 8}: level {body[8]}, expected 1 to 4")
    elif kind in (Type.CHALLENGE, Type.ANSWER):
        lines.add(at, at + 16, "nonce")
        _names(body, 16, lines)
        if kind == Type.ANSWER:
            lines.add(at + 24, at + 25, f"button {body[24]}: {_kind(body[24])}")
    lines.add(at + used, at + len(body), "octets of a newer revision, passed over")


def _names(body: bytes, start: int, lines: Lines) -> None:
    epoch, counter = struct.unpack_from(">II", body, start)
    at = unit.HEAD_SIZE + start
    lines.add(at, at + 8, f"names the frame of epoch {epoch}, counter {counter}")


def _kind(octet: int) -> str:
    return (
        "medical" if octet == Kind.MEDICAL else "panic" if octet == Kind.PANIC else "unknown, read as panic"
    )


def _mac(octets: bytes, key: str, lines: Lines) -> str:
    found = re.fullmatch(r"\s*([0-9a-fA-F]{64})\s+(\S+)\s*", key)
    if found is None:
        return (
            "not checked, no key was given"
            if not key
            else "not checked, the key file is not 64 hex digits and a site id"
        )
    tag = unit.site_tag(found[2])
    expected = hmac.digest(bytes.fromhex(found[1]), tag + octets[: -unit.MAC_SIZE], "sha256")
    if hmac.compare_digest(expected[: unit.MAC_SIZE], octets[-unit.MAC_SIZE :]):
        return "right"
    lines.fault(f"octet {len(octets) - unit.MAC_SIZE}: the MAC is wrong for this key and site")
    return "WRONG for this key and site"
