"""Meshtastic nodes by serial line or TCP: framing, and the few protobuf fields that a text and its ack need.

    94 C3 <length, 2 octets> <protobuf, at most 512 octets>       ToRadio to the node, FromRadio from it

All other octets on the line are the node's log. 32 x C3 wakes a sleeping node. Checked against the field numbers of
Meshtastic 2.7; no radio was at hand.
"""

from __future__ import annotations

from enum import IntEnum

from msgspec import Struct

from belltower.errors import Malformed

MAGIC = b"\x94\xc3"
MAX_BODY = 512
MAX_PAYLOAD = 233
BROADCAST = 0xFFFF_FFFF
WAKE = b"\xc3" * 32

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MOST = 1 << 64


class Port(IntEnum):
    """The applications this house speaks with."""

    TEXT = 1
    ROUTING = 5
    ALERT = 11


class Packet(Struct, frozen=True, kw_only=True):
    """MeshPacket with its decoded Data. `decoded` False: it is encrypted, and nothing is known of its inside."""

    to: int = 0
    source: int = 0
    id: int = 0
    want_ack: bool = False
    decoded: bool = True
    port: int = 0
    payload: bytes = b""
    # What a ROUTING packet answers.
    request: int = 0


class WantConfig(Struct, frozen=True, kw_only=True):
    """Tell me all, then `ConfigComplete` with this id."""

    id: int


class Heartbeat(Struct, frozen=True):
    """Keeps the connection open."""


class Disconnect(Struct, frozen=True):
    """We go."""


class ConfigComplete(Struct, frozen=True, kw_only=True):
    """The node has told all that `WantConfig` asked for."""

    id: int


class Rebooted(Struct, frozen=True):
    """The node has started anew."""


class Other(Struct, frozen=True, kw_only=True):
    """A message with a field this house does nothing with: its number."""

    field: int


ToRadio = Packet | WantConfig | Heartbeat | Disconnect | Other
FromRadio = Packet | ConfigComplete | Rebooted | Other


class Garbled(Struct, frozen=True, kw_only=True):
    """A frame that was dropped: why, and its first octets."""

    reason: str
    sample: bytes


class Frame(Struct, frozen=True, kw_only=True):
    """The body of one frame."""

    body: bytes


class Decoder:
    """Finds frames between the log's lines. Keeps at most one frame."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self.noise = 0
        """Octets that belonged to no frame: the node's log."""
        self.garbled = 0
        """Frames that claimed to be too long."""

    def feed(self, data: bytes) -> list[Frame | Garbled]:
        """The frames that end in `data`, in order."""
        found: list[Frame | Garbled] = []
        self._pending += data
        buffer = self._pending
        at = 0
        while True:
            start = buffer.find(MAGIC, at)
            if start < 0:
                kept = 1 if buffer[at:][-1:] == MAGIC[:1] else 0
                self.noise += len(buffer) - at - kept
                at = len(buffer) - kept
                break
            self.noise += start - at
            at = start
            if len(buffer) < at + 4:
                break
            length = int.from_bytes(buffer[at + 2 : at + 4])
            if length > MAX_BODY:
                self.garbled += 1
                reason = f"Meshtastic: a frame of {length} octets; {MAX_BODY} is the longest"
                found.append(Garbled(reason=reason, sample=bytes(buffer[at : at + 4])))
                at += 2
                continue
            if len(buffer) < at + 4 + length:
                break
            found.append(Frame(body=bytes(buffer[at + 4 : at + 4 + length])))
            at += 4 + length
        del buffer[:at]
        return found


def frame(body: bytes) -> bytes:
    """The octets of a body on the line; ValueError when it is too long."""
    if len(body) > MAX_BODY:
        raise ValueError(f"a body of {len(body)} octets; {MAX_BODY} is the longest")
    return MAGIC + len(body).to_bytes(2) + body


# ---- writing


def encode_to_radio(message: ToRadio) -> bytes:
    """The protobuf of a message to the node."""
    match message:
        case Packet():
            return _bytes(1, _packet(message))
        case WantConfig(id=id_):
            return _varint(3, id_)
        case Heartbeat():
            return _bytes(7, b"")
        case Disconnect():
            return _varint(4, 1)
        case Other():
            raise ValueError("only messages this house knows are written")


def encode_from_radio(message: FromRadio) -> bytes:
    """The protobuf of a message from the node, as a simulator writes it."""
    match message:
        case Packet():
            return _bytes(2, _packet(message))
        case ConfigComplete(id=id_):
            return _varint(7, id_)
        case Rebooted():
            return _varint(8, 1)
        case Other():
            raise ValueError("only messages this house knows are written")


def routing(error: int) -> bytes:
    """The payload of a ROUTING packet: 0 is an ack, 5 MAX_RETRANSMIT."""
    return _varint(3, error)


# ---- reading


def decode_to_radio(body: bytes) -> ToRadio:
    """What a message to the node says; `Malformed` says at which octet it is wrong."""
    message: ToRadio | None = None
    for number, kind, value in _fields(body, 0):
        match number, kind:
            case 1, 2:
                message = _read_packet(_octets(value))
            case 3, 0:
                message = WantConfig(id=_number(value) & 0xFFFF_FFFF)
            case 4, 0:
                message = Disconnect()
            case 7, 2:
                message = Heartbeat()
            case _:
                message = message or Other(field=number)
    if message is None:
        raise Malformed("Meshtastic: an empty message to the radio")
    return message


def decode_from_radio(body: bytes) -> FromRadio:
    """What a message from the node says; `Malformed` says at which octet it is wrong."""
    message: FromRadio | None = None
    for number, kind, value in _fields(body, 0):
        match number, kind:
            case 1, 0:  # a running number of the node's own
                pass
            case 2, 2:
                message = _read_packet(_octets(value))
            case 7, 0:
                message = ConfigComplete(id=_number(value) & 0xFFFF_FFFF)
            case 8, 0:
                message = Rebooted()
            case _:
                message = message or Other(field=number)
    if message is None:
        raise Malformed("Meshtastic: an empty message from the radio")
    return message


def routing_error(payload: bytes) -> int | None:
    """The error a ROUTING payload tells, 0 for an ack; None when it is a route instead."""
    error: int | None = 0 if not payload else None
    for number, kind, value in _fields(payload, 0):
        if (number, kind) == (3, _VARINT):
            error = _number(value)
    return error


def _packet(packet: Packet) -> bytes:
    body = bytearray()
    if packet.source:
        body += _fixed(1, packet.source)
    if packet.to:
        body += _fixed(2, packet.to)
    if packet.decoded:
        data = (_varint(1, packet.port) if packet.port else b"") + (
            _bytes(2, packet.payload) if packet.payload else b""
        )
        if packet.request:
            data += _fixed(6, packet.request)
        body += _bytes(4, data)
    if packet.id:
        body += _fixed(6, packet.id)
    if packet.want_ack:
        body += _varint(10, 1)
    return bytes(body)


def _read_packet(body: bytes) -> Packet:
    to = source = id_ = port = request = 0
    want_ack = decoded = False
    payload = b""
    for number, kind, value in _fields(body, 1):
        match number, kind:
            case 1, 5:
                source = _number(value)
            case 2, 5:
                to = _number(value)
            case 4, 2:
                decoded = True
                for inner, inner_kind, inside in _fields(_octets(value), 2):
                    match inner, inner_kind:
                        case 1, 0:
                            port = _number(inside) & 0xFFFF_FFFF
                        case 2, 2:
                            payload = _octets(inside)
                        case 6, 5:
                            request = _number(inside)
                        case _:
                            pass
            case 6, 5:
                id_ = _number(value)
            case 10, 0:
                want_ack = bool(value)
            case _:
                pass
    return Packet(
        to=to,
        source=source,
        id=id_,
        want_ack=want_ack,
        decoded=decoded,
        port=port,
        payload=payload,
        request=request,
    )


# ---- protobuf


def _varint_octets(value: int) -> bytes:
    octets = bytearray()
    while value > 0x7F:
        octets.append(value & 0x7F | 0x80)
        value >>= 7
    octets.append(value)
    return bytes(octets)


def _varint(number: int, value: int) -> bytes:
    return _varint_octets(number << 3 | _VARINT) + _varint_octets(value)


def _fixed(number: int, value: int) -> bytes:
    return _varint_octets(number << 3 | _FIXED32) + value.to_bytes(4, "little")


def _bytes(number: int, value: bytes) -> bytes:
    return _varint_octets(number << 3 | _BYTES) + _varint_octets(len(value)) + value


def _fields(body: bytes, depth: int) -> list[tuple[int, int, int | bytes]]:
    found: list[tuple[int, int, int | bytes]] = []
    at = 0
    while at < len(body):
        key, at = _read_varint(body, at, depth)
        number, kind = key >> 3, key & 7
        if not number:
            raise Malformed(f"Meshtastic octet {at - 1} at depth {depth}: field number 0")
        match kind:
            case 0:
                value, at = _read_varint(body, at, depth)
                found.append((number, kind, value))
            case 1 | 5:
                size = 8 if kind == _FIXED64 else 4
                found.append((number, kind, int.from_bytes(_cut(body, at, size, depth), "little")))
                at += size
            case 2:
                size, at = _read_varint(body, at, depth)
                found.append((number, kind, _cut(body, at, size, depth)))
                at += size
            case _:
                raise Malformed(f"Meshtastic octet {at - 1} at depth {depth}: wire type {kind} is not used")
    return found


def _read_varint(body: bytes, at: int, depth: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(body):
            raise Malformed(f"Meshtastic octet {at} at depth {depth}: a number is cut short")
        octet = body[at]
        at += 1
        value |= (octet & 0x7F) << shift
        if octet < 0x80:
            if value >= _MOST:
                break
            return value, at
    raise Malformed(f"Meshtastic octet {at - 1} at depth {depth}: a number of more than 64 bits")


def _cut(body: bytes, at: int, size: int, depth: int) -> bytes:
    if size > len(body) - at:
        raise Malformed(
            f"Meshtastic octet {at} at depth {depth}: {size} octets are stated, {len(body) - at} are there"
        )
    return body[at : at + size]


def _number(value: int | bytes) -> int:
    return value if isinstance(value, int) else 0


def _octets(value: int | bytes) -> bytes:
    return value if isinstance(value, bytes) else b""
