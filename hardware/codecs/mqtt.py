"""MQTT packets, from bytes and to bytes: the subset of MQTT 3.1.1 and 5.0 that our units and bridges speak.

In: CONNECT, PUBLISH, PUBACK, SUBSCRIBE, UNSUBSCRIBE, PINGREQ, DISCONNECT, and as a client the answers to them.
QoS 2 is read so that it can be refused by name; PUBREC, PUBREL, PUBCOMP and AUTH are refused as protocol errors.
"""

from __future__ import annotations

from hardware.codecs.mqtt_fields import (
    PACKET_TOO_LARGE,
    PROTOCOL_ERROR,
    TOPIC_ALIAS,
    TOPIC_ALIAS_INVALID,
    UNSUPPORTED_VERSION,
    Fields,
    MalformedPacket,
    malformed,
    text,
)
from hardware.codecs.mqtt_packets import (
    ConnAck,
    Connect,
    Disconnect,
    Packet,
    PingReq,
    PingResp,
    PubAck,
    Publish,
    SubAck,
    Subscribe,
    UnsubAck,
    Unsubscribe,
    Will,
)

MAX_PACKET = 65_536
"""Remaining length, in octets, that is read unless the caller says otherwise."""


_NAMES = (
    "reserved", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP",
    "SUBSCRIBE", "SUBACK", "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH",
)  # fmt: skip
_FROM_CLIENT = frozenset({3, 4, 8, 10, 12, 14})
_FROM_SERVER = frozenset({2, 3, 4, 9, 11, 13, 14})
_PINGREQ, _PINGRESP = PingReq(), PingResp()


class Parser:
    """Cuts a stream of bytes into packets.

    A server's parser learns the version from CONNECT, which must come first and only once; a client's is told it.
    A packet whose remaining length exceeds `limit` is refused when its header is read, before it is gathered, so
    that at most `limit` octets and one read of the transport are held.
    """

    __slots__ = (
        "_at",
        "_buffer",
        "_chunks",
        "_have",
        "_need",
        "_raw_topic",
        "_topic",
        "client",
        "limit",
        "version",
    )

    def __init__(self, *, limit: int = MAX_PACKET, version: int = 0, client: bool = False) -> None:
        self.limit = limit
        self.version = version
        self.client = client
        self._buffer = b""
        self._at = 0
        self._chunks: list[bytes] = []
        self._have = 0
        self._need = 0
        self._raw_topic = b""
        self._topic = ""

    def feed(self, data: bytes) -> list[Packet]:
        """All packets that `data` completes. Raises MalformedPacket; what stood before the fault is then lost."""
        self.push(data)
        packets: list[Packet] = []
        while (packet := self.next()) is not None:
            packets.append(packet)
        return packets

    def push(self, data: bytes) -> None:
        """Take bytes in, to be read with `next`."""
        if self._chunks:
            self._chunks.append(data)
            self._have += len(data)
            if self._have >= self._need:
                self._buffer = b"".join(self._chunks)
                self._at = 0
                self._chunks = []
        elif self._at < len(self._buffer):
            self._buffer = self._buffer[self._at :] + data
            self._at = 0
        else:
            self._buffer = data
            self._at = 0

    def next(self) -> Packet | None:
        """The next whole packet, or None until more has been pushed. Raises MalformedPacket, then useless."""
        buffer, at = self._buffer, self._at
        have = len(buffer) - at
        if not have:
            return None
        try:
            if have < 2:
                self._wait(2)
                return None
            length = buffer[at + 1]
            start = at + 2
            if length > 127:
                octets, length = self._length(buffer, at)
                if not octets:
                    self._wait(have + 1)
                    return None
                start = at + 1 + octets
            if length > self.limit:
                raise malformed(
                    self.version, "2.2.3", f"{length} octets, {self.limit} allowed", PACKET_TOO_LARGE
                )
            end = start + length
            if end > len(buffer):
                self._wait(end - at)
                return None
            self._at = end
            first = buffer[at]
            if first & 0xF0 == 0x30 and self.version:
                return self._publish(first, buffer[start:end])
            return self._decode(self._kind(first), Fields(buffer[start:end], self.version))
        except MalformedPacket as error:
            error.sample = buffer[at : at + 256]
            raise

    def _wait(self, need: int) -> None:
        self._kind(self._buffer[self._at])
        self._chunks = [self._buffer[self._at :]]
        self._have = len(self._chunks[0])
        self._need = need
        self._buffer = b""
        self._at = 0

    def _length(self, buffer: bytes, at: int) -> tuple[int, int]:
        """Octets and value of a remaining length; (0, 0) when it is not yet whole."""
        value = 0
        for octets in range(1, 5):
            if at + octets >= len(buffer):
                return 0, 0
            octet = buffer[at + octets]
            value |= (octet & 0x7F) << 7 * (octets - 1)
            if octet < 0x80:
                return octets, value
        raise malformed(self.version, "2.2.3", "the remaining length has more than four octets")

    def _kind(self, first: int) -> int:
        kind, flags = first >> 4, first & 0x0F
        if not self.version and kind != 1:
            raise malformed(0, "3.1", f"{_NAMES[kind]} before CONNECT", PROTOCOL_ERROR)
        if self.version and kind not in (_FROM_SERVER if self.client else _FROM_CLIENT):
            raise malformed(self.version, "2.2.1", f"{_NAMES[kind]} may not be sent here", PROTOCOL_ERROR)
        if kind != 3 and flags != (2 if kind in {8, 10} else 0):
            raise malformed(self.version, "2.2.2", f"{_NAMES[kind]} with flags {flags:04b}")
        return kind

    def _publish(self, first: int, body: bytes) -> Publish:
        """PUBLISH (§3.3), the way that must be quick."""
        version = self.version
        qos = (first >> 1) & 3
        if qos == 3 or (qos == 0 and first & 8):
            raise malformed(version, "3.3.1", f"PUBLISH with flags {first & 15:04b}")
        at = 2 + ((body[0] << 8) | body[1]) if len(body) > 2 else 0
        mid = 0
        if qos and len(body) >= at + 2:
            mid = (body[at] << 8) | body[at + 1]
        after = at + 2 if qos else at
        if not at or after > len(body):
            raise malformed(version, "3.3.2", "PUBLISH without a whole topic and packet identifier")
        if qos and not mid:
            raise malformed(version, "2.3.1", "packet identifier 0", PROTOCOL_ERROR)
        raw = body[2:at]
        if raw != self._raw_topic or not raw:
            self._topic = self._checked(raw)
            self._raw_topic = raw
        if version == 5:
            if after >= len(body) or body[after]:
                fields = Fields(body[after:], 5)
                if TOPIC_ALIAS in fields.properties("PUBLISH"):
                    raise malformed(
                        5, "3.3.2.3.4", "a topic alias where none is allowed", TOPIC_ALIAS_INVALID
                    )
                after = len(body) - fields.left
            else:
                after += 1
        return Publish(
            topic=self._topic,
            payload=body[after:],
            qos=qos,
            retain=bool(first & 1),
            dup=bool(first & 8),
            mid=mid,
        )

    def _checked(self, raw: bytes) -> str:
        topic = text(raw, self.version)
        if not topic:
            raise malformed(self.version, "4.7.3", "an empty topic", PROTOCOL_ERROR)
        if "+" in topic or "#" in topic:
            raise malformed(self.version, "3.3.2.1", "a wildcard in a topic name")
        return topic

    def _decode(self, kind: int, fields: Fields) -> Packet:
        match kind:
            case 1:
                connect = _connect(fields)
                self.version = connect.version
                return connect
            case 2:
                flags, reason = fields.number(1), fields.number(1)
                return ConnAck(
                    reason=reason, session_present=bool(flags & 1), properties=fields.properties("CONNACK")
                )
            case 4:
                mid = _mid(fields)
                reason = fields.number(1) if self.version == 5 and fields.left else 0
                _optional_properties(fields, "PUBACK")
                return PubAck(mid=mid, reason=reason)
            case 8:
                return _subscribe(fields)
            case 10:
                return _unsubscribe(fields)
            case 9 | 11:
                mid = _mid(fields)
                fields.properties("SUBACK" if kind == 9 else "UNSUBACK")
                reasons = tuple(fields.rest())
                return SubAck(mid=mid, reasons=reasons) if kind == 9 else UnsubAck(mid=mid, reasons=reasons)
            case 12 | 13:
                fields.end()
                return _PINGREQ if kind == 12 else _PINGRESP
            case _:
                reason = fields.number(1) if self.version == 5 and fields.left else 0
                _optional_properties(fields, "DISCONNECT")
                return Disconnect(reason=reason)


def _connect(fields: Fields) -> Connect:
    """CONNECT (§3.1)."""
    name, version = fields.binary(), fields.number(1)
    if name not in {b"MQTT", b"MQIsdp"}:
        raise malformed(0, "3.1.2.1", "the protocol is not called MQTT", UNSUPPORTED_VERSION)
    if name != b"MQTT" or version not in {4, 5}:
        raise malformed(0, "3.1.2.2", f"protocol level {version}; 4 and 5 are spoken", UNSUPPORTED_VERSION)
    fields.version = version
    flags, keepalive = fields.number(1), fields.number(2)
    has_will, will_qos, will_retain = bool(flags & 0x04), (flags >> 3) & 3, bool(flags & 0x20)
    if flags & 1 or will_qos == 3 or (not has_will and (will_qos or will_retain)):
        raise malformed(version, "3.1.2.3", f"CONNECT with flags {flags:08b}")
    if version == 4 and flags & 0xC0 == 0x40:
        raise malformed(version, "3.1.2.9", "a password without a user name")
    properties = fields.properties("CONNECT")
    client_id = fields.string()
    will = None
    if has_will:
        will_properties = fields.properties("will")
        topic, payload = fields.string(), fields.binary()
        if not topic or "+" in topic or "#" in topic:
            raise malformed(version, "3.1.3.2", "the will's topic is empty or has a wildcard")
        will = Will(
            topic=topic, payload=payload, qos=will_qos, retain=will_retain, properties=will_properties
        )
    username = fields.string() if flags & 0x80 else None
    password = fields.binary() if flags & 0x40 else None
    fields.end()
    return Connect(
        version=version,
        client_id=client_id,
        clean=bool(flags & 2),
        keepalive=keepalive,
        username=username,
        password=password,
        will=will,
        properties=properties,
    )


def _mid(fields: Fields) -> int:
    mid = fields.number(2)
    if not mid:
        raise malformed(fields.version, "2.3.1", "packet identifier 0", PROTOCOL_ERROR)
    return mid


def _optional_properties(fields: Fields, packet: str) -> None:
    if fields.version == 5 and fields.left:
        fields.properties(packet)
    fields.end()


def _subscribe(fields: Fields) -> Subscribe:
    """SUBSCRIBE (§3.8)."""
    mid = _mid(fields)
    fields.properties("SUBSCRIBE")
    filters: list[tuple[str, int]] = []
    while fields.left or not filters:
        name, options = fields.string(), fields.number(1)
        reserved = 0xC0 if fields.version == 5 else 0xFC
        if not name or options & reserved or options & 3 == 3 or options & 0x30 == 0x30:
            raise malformed(fields.version, "3.8.3", f"an empty filter or options {options:08b}")
        filters.append((name, options))
    return Subscribe(mid=mid, filters=tuple(filters))


def _unsubscribe(fields: Fields) -> Unsubscribe:
    """UNSUBSCRIBE (§3.10)."""
    mid = _mid(fields)
    fields.properties("UNSUBSCRIBE")
    filters = [fields.string()]
    while fields.left:
        filters.append(fields.string())
    return Unsubscribe(mid=mid, filters=tuple(filters))
