"""MQTT packets as records, and their way to bytes.

Section numbers are those of MQTT 3.1.1 and 5.0 alike, where both have them.
"""

from __future__ import annotations

from typing import assert_never

from msgspec import Struct

from hardware.codecs.mqtt_fields import Properties, packed_binary, packed_properties, packed_varint


class Will(Struct, frozen=True, kw_only=True):
    """What the server publishes when the client ends without a word (MQTT-3.1.1 §3.1.2.5)."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    properties: Properties = {}


class Connect(Struct, frozen=True, kw_only=True):
    """A client asks to be let in (§3.1). `version` is 4 for MQTT 3.1.1 and 5 for MQTT 5.0."""

    version: int
    client_id: str
    clean: bool = True
    keepalive: int = 0
    username: str | None = None
    password: bytes | None = None
    will: Will | None = None
    properties: Properties = {}


class ConnAck(Struct, frozen=True, kw_only=True):
    """The server's answer to CONNECT (§3.2); reason 0 lets in."""

    reason: int = 0
    session_present: bool = False
    properties: Properties = {}


class Publish(Struct, frozen=True, kw_only=True):
    """A message (§3.3). `mid` is 0 with QoS 0."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    dup: bool = False
    mid: int = 0


class PubAck(Struct, frozen=True, kw_only=True):
    """A QoS 1 message was taken over, or refused with a reason of 0x80 or more (§3.4)."""

    mid: int
    reason: int = 0


class Subscribe(Struct, frozen=True, kw_only=True):
    """Topic filters, each with its options octet, whose two lowest bits are the QoS (§3.8)."""

    mid: int
    filters: tuple[tuple[str, int], ...]


class SubAck(Struct, frozen=True, kw_only=True):
    """One granted QoS or refusal per filter (§3.9)."""

    mid: int
    reasons: tuple[int, ...]


class Unsubscribe(Struct, frozen=True, kw_only=True):
    """Topic filters no longer wanted (§3.10)."""

    mid: int
    filters: tuple[str, ...]


class UnsubAck(Struct, frozen=True, kw_only=True):
    """The answer to UNSUBSCRIBE (§3.11); reasons only in version 5."""

    mid: int
    reasons: tuple[int, ...] = ()


class PingReq(Struct, frozen=True):
    """Are you there? (§3.12)."""


class PingResp(Struct, frozen=True):
    """I am (§3.13)."""


class Disconnect(Struct, frozen=True, kw_only=True):
    """The last packet; a reason only in version 5 (§3.14)."""

    reason: int = 0


Packet = (
    Connect
    | ConnAck
    | Publish
    | PubAck
    | Subscribe
    | SubAck
    | Unsubscribe
    | UnsubAck
    | PingReq
    | PingResp
    | Disconnect
)


def puback(mid: int, reason: int = 0) -> bytes:
    """PUBACK; a reason other than 0 only in version 5 (§3.4)."""
    if reason:
        return b"\x40\x03" + mid.to_bytes(2, "big") + bytes((reason,))
    return b"\x40\x02" + mid.to_bytes(2, "big")


def publish(packet: Publish, version: int) -> bytes:
    """PUBLISH (§3.3)."""
    first = 0x30 | (packet.dup << 3) | (packet.qos << 1) | packet.retain
    mid = packet.mid.to_bytes(2, "big") if packet.qos else b""
    return _framed(
        first, packed_binary(packet.topic) + mid + (b"\0" if version == 5 else b"") + packet.payload
    )


def encode(packet: Packet, version: int) -> bytes:
    """Return `packet` as the octets of `version` (4 or 5)."""
    five = version == 5
    match packet:
        case Publish():
            return publish(packet, version)
        case PubAck(mid=mid, reason=reason):
            return puback(mid, reason if five else 0)
        case Connect():
            return _framed(0x10, _packed_connect(packet))
        case ConnAck(reason=reason, session_present=present, properties=properties):
            return _framed(0x20, bytes((present, reason)) + packed_properties(properties, version))
        case Subscribe(mid=mid, filters=wanted):
            asked = b"".join(packed_binary(name) + bytes((options,)) for name, options in wanted)
            return _framed(0x82, mid.to_bytes(2, "big") + packed_properties({}, version) + asked)
        case Unsubscribe(mid=mid, filters=names):
            asked = b"".join(packed_binary(name) for name in names)
            return _framed(0xA2, mid.to_bytes(2, "big") + packed_properties({}, version) + asked)
        case SubAck(mid=mid, reasons=reasons):
            return _framed(0x90, mid.to_bytes(2, "big") + packed_properties({}, version) + bytes(reasons))
        case UnsubAck(mid=mid, reasons=reasons):
            answers = packed_properties({}, version) + bytes(reasons) if five else b""
            return _framed(0xB0, mid.to_bytes(2, "big") + answers)
        case PingReq():
            return b"\xc0\0"
        case PingResp():
            return b"\xd0\0"
        case Disconnect(reason=reason):
            return _framed(0xE0, bytes((reason,)) if five and reason else b"")
        case other:
            assert_never(other)


def _framed(first: int, body: bytes) -> bytes:
    return bytes((first,)) + packed_varint(len(body)) + body


def _packed_connect(packet: Connect) -> bytes:
    will = packet.will
    flags = packet.clean << 1
    tail = packed_binary(packet.client_id)
    if will is not None:
        flags |= 0x04 | (will.qos << 3) | (will.retain << 5)
        tail += packed_properties(will.properties, packet.version)
        tail += packed_binary(will.topic) + packed_binary(will.payload)
    if packet.username is not None:
        flags |= 0x80
        tail += packed_binary(packet.username)
    if packet.password is not None:
        flags |= 0x40
        tail += packed_binary(packet.password)
    head = b"\0\4MQTT" + bytes((packet.version, flags)) + packet.keepalive.to_bytes(2, "big")
    return head + packed_properties(packet.properties, packet.version) + tail
