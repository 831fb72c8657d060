"""MQTT packets as our own units and brokers send them, with the unit's frame inside a message."""

from __future__ import annotations

from gateway.psap.explain import Explanation, unit
from gateway.psap.explain._building import Lines, printable

FORMAT = "MQTT"

_TYPES = {
    1: "CONNECT: a client asks to be let in",
    2: "CONNACK: the server's answer to CONNECT",
    3: "PUBLISH: a message",
    4: "PUBACK: a message was taken over",
    5: "PUBREC",
    6: "PUBREL",
    7: "PUBCOMP",
    8: "SUBSCRIBE: topics are wanted",
    9: "SUBACK: the answer to SUBSCRIBE",
    10: "UNSUBSCRIBE: topics are wanted no longer",
    11: "UNSUBACK: the answer to UNSUBSCRIBE",
    12: "PINGREQ: are you there?",
    13: "PINGRESP: I am here",
    14: "DISCONNECT: the client or the server goes",
    15: "AUTH",
}
_FLAGS = {6: 2, 8: 2, 10: 2}
_VERSIONS = {3: "3.1", 4: "3.1.1", 5: "5.0"}
_SURE = 80


def likely(octets: bytes) -> int:
    """A known type with its flags, and a length that ends with the octets or before them."""
    if len(octets) < 2 or not _fits(octets[0]):
        return 0
    found = _length(octets, 1)
    if found is None or found[0] + found[1] > len(octets):
        return 0
    if octets[0] == 0x10 and octets[found[1] : found[1] + 6] == b"\x00\x04MQTT":
        return 98
    if found[0] + found[1] < len(octets):
        return 15 if all(_sound(packet) for packet in split(octets[:4096])[:-1]) else 0
    return 45 if _sound(octets) else 0


def _sound(octets: bytes) -> bool:
    """Whether what stands behind the length is of the packet's kind: octets that mean nothing of ours often fit a head."""
    found = _length(octets, 1)
    if found is None or not _fits(octets[0]):
        return False
    length, at = found
    match octets[0] >> 4:
        case 1:
            return length >= 10
        case 2:
            return length >= 2 and octets[at] <= 1
        case 3:
            topic, end = _text(octets, at)
            return bool(topic) and len(topic) == end - at - 2 and topic.isascii() and b"\0" not in topic
        case 8 | 10:
            size = int.from_bytes(octets[at + 2 : at + 4])
            return length > 4 and 0 < size <= length - 4
        case 12 | 13:
            return length == 0
        case 14:
            return length <= 2
        case _:
            return length >= 2


def split(octets: bytes) -> tuple[bytes, ...]:
    """By the length in each head; what fits no packet is left in one piece."""
    found: list[bytes] = []
    start = 0
    while start < len(octets):
        length = _length(octets, start + 1)
        if length is None or not _fits(octets[start]) or length[0] + length[1] > len(octets):
            found.append(octets[start:])
            break
        end = length[0] + length[1]
        found.append(octets[start:end])
        start = end
    return tuple(found)


def explain(octets: bytes) -> Explanation:
    """One packet; the MAC of a unit's frame inside is not checked."""
    return explain_with(octets, "")


def explain_with(octets: bytes, key: str) -> Explanation:
    """One packet; the key is that of the unit's frame inside, see `unit.explain_with`."""
    lines = Lines(octets)
    kind = octets[0] >> 4 if octets else 0
    words = _TYPES.get(kind, "")
    summary = words or "no MQTT packet"
    lines.add(0, 1, f"type {kind}, {words or 'unknown'}; flags {octets[0] & 0x0F:04b}" if octets else "")
    found = _length(octets, 1)
    if not octets:
        lines.fault("octet 0: there is nothing")
    elif not words:
        lines.fault(f"octet 0: type {kind} is unknown")
    elif not _fits(octets[0]):
        lines.fault(f"octet 0: flags {octets[0] & 0x0F:04b} do not go with {words.partition(':')[0]}")
    elif found is None:
        lines.fault("octet 1: the length is cut off, or longer than four octets")
    else:
        length, start = found
        lines.add(1, start, f"length {length}")
        if start + length != len(octets):
            lines.fault(f"octet 1: the length says {length}, {len(octets) - start} octets follow")
        match kind:
            case 1:
                summary = _connect(octets, start, lines)
            case 3:
                summary = _publish(octets, start, lines, key)
            case 4 | 8 | 9 | 10 | 11 if len(octets) >= start + 2:
                number = int.from_bytes(octets[start : start + 2])
                lines.add(start, start + 2, f"packet {number}")
                lines.add(start + 2, len(octets), "the rest: reasons, or topics with their options")
                summary = f"{words}, packet {number}"
            case _:
                lines.add(start, len(octets), "the rest")
    return Explanation(format=FORMAT, summary=summary, lines=tuple(lines.found), faults=tuple(lines.faults))


def _connect(octets: bytes, start: int, lines: Lines) -> str:
    name, at = _text(octets, start)
    lines.add(start, at, f"protocol {printable(name)}")
    if name not in (b"MQTT", b"MQIsdp") or len(octets) < at + 4:
        lines.fault(f"octet {start}: expected the protocol MQTT, its level, flags and keep-alive")
        lines.add(at, len(octets), "the rest")
        return "CONNECT that is not in order"
    level, flags, keep = octets[at], octets[at + 1], int.from_bytes(octets[at + 2 : at + 4])
    version = _VERSIONS.get(level, f"level {level}")
    lines.add(at, at + 1, f"MQTT {version}")
    said = [
        word
        for bit, word in ((2, "clean"), (4, "with a will"), (0x40, "password"), (0x80, "user name"))
        if flags & bit
    ]
    lines.add(at + 1, at + 2, f"flags: {', '.join(said) or 'none'}")
    lines.add(at + 2, at + 4, f"keep-alive {keep} s")
    at += 4
    if level == 5:
        properties = _length(octets, at)
        end = min(sum(properties), len(octets)) if properties else at
        lines.add(at, end, "properties")
        at = end
    client, end = _text(octets, at)
    lines.add(at, end, f"client {printable(client)}")
    hidden = f"; its last {len(octets) - end} octets, where the password is, are not shown"
    return (
        f"{printable(client) or 'a client'} asks to be let in, MQTT {version}{hidden if octets[end:] else ''}"
    )


def _publish(octets: bytes, start: int, lines: Lines, key: str) -> str:
    topic, at = _text(octets, start)
    lines.add(start, at, f"topic {printable(topic)}")
    qos = octets[0] >> 1 & 3
    if len(topic) != at - start - 2:
        lines.fault(f"octet {start}: the topic is cut off")
        return "PUBLISH that is not in order"
    if qos:
        lines.add(at, at + 2, f"packet {int.from_bytes(octets[at : at + 2])}, quality {qos}")
        at += 2
    if octets[at : at + 1] == b"\0" and unit.likely(octets[at + 1 :]) > _SURE:
        lines.add(at, at + 1, "no properties (MQTT 5.0)")
        at += 1
    payload = octets[at:]
    if unit.likely(payload) <= _SURE:
        lines.add(at, len(octets), f"message: {printable(payload)}")
        return f"a message on {printable(topic)}"
    inside = unit.explain_with(payload, key)
    for line in inside.lines:
        lines.add(at + line.at, at + line.at + len(line.octets), line.says)
    lines.faults.extend(f"in the message at octet {at}: {fault}" for fault in inside.faults)
    return f"on {printable(topic)}: {inside.summary}"


def _fits(first: int) -> bool:
    kind, flags = first >> 4, first & 0x0F
    if kind == 3:
        return flags & 6 != 6
    return kind in _TYPES and flags == _FLAGS.get(kind, 0)


def _length(octets: bytes, at: int) -> tuple[int, int] | None:
    """The number at `at` and where it ends; None when it is cut off or too long."""
    value = 0
    for index in range(4):
        if at + index >= len(octets):
            return None
        octet = octets[at + index]
        value |= (octet & 0x7F) << 7 * index
        if not octet & 0x80:
            return value, at + index + 1
    return None


def _text(octets: bytes, at: int) -> tuple[bytes, int]:
    """The text at `at` and where it ends, cut off where the octets are."""
    size = int.from_bytes(octets[at : at + 2])
    end = min(at + 2 + size, len(octets))
    return octets[at + 2 : end], max(end, min(at + 2, len(octets)))
