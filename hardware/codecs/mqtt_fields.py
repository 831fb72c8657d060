"""The fields MQTT packets are made of: strings, numbers and properties, read and written.

Standards: MQTT Version 3.1.1 (OASIS, 2014), called MQTT-3.1.1, and MQTT Version 5.0 (OASIS, 2019), called MQTT-5.0.
"""

from __future__ import annotations

from collections.abc import Mapping

from belltower.errors import Malformed

Value = int | str | bytes
"""What a property holds."""

Properties = Mapping[int, Value]
"""Properties of a version 5 packet by identifier (MQTT-5.0 §2.2.2.2); user properties are read and forgotten."""

MALFORMED = 0x81
PROTOCOL_ERROR = 0x82
UNSUPPORTED_VERSION = 0x84
TOPIC_ALIAS_INVALID = 0x94
PACKET_TOO_LARGE = 0x95

SESSION_EXPIRY = 0x11
ASSIGNED_CLIENT_ID = 0x12
SERVER_KEEP_ALIVE = 0x13
AUTHENTICATION_METHOD = 0x15
RECEIVE_MAXIMUM = 0x21
TOPIC_ALIAS_MAXIMUM = 0x22
TOPIC_ALIAS = 0x23
MAXIMUM_QOS = 0x24
RETAIN_AVAILABLE = 0x25
USER_PROPERTY = 0x26
MAXIMUM_PACKET_SIZE = 0x27
WILDCARDS_AVAILABLE = 0x28
SUBSCRIPTION_IDS_AVAILABLE = 0x29
SHARED_AVAILABLE = 0x2A

# MQTT-5.0 §2.2.2.2: 1, 2 and 4 are octets, 0 a variable byte integer
_NUMBERS = {
    0x01: 1, 0x02: 4, 0x0B: 0, 0x11: 4, 0x13: 2, 0x17: 1, 0x18: 4, 0x19: 1, 0x21: 2,
    0x22: 2, 0x23: 2, 0x24: 1, 0x25: 1, 0x27: 4, 0x28: 1, 0x29: 1, 0x2A: 1,
}  # fmt: skip
_STRINGS = frozenset({0x03, 0x08, 0x12, 0x15, 0x1A, 0x1C, 0x1F})
_BINARIES = frozenset({0x09, 0x16})
_NOT_ZERO = frozenset({0x0B, RECEIVE_MAXIMUM, MAXIMUM_PACKET_SIZE})
_FLAGS = frozenset({0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2A})

ALLOWED: dict[str, frozenset[int]] = {
    "CONNECT": frozenset({0x11, 0x15, 0x16, 0x17, 0x19, 0x21, 0x22, 0x26, 0x27}),
    "will": frozenset({0x01, 0x02, 0x03, 0x08, 0x09, 0x18, 0x26}),
    "CONNACK": frozenset(
        {0x11, 0x12, 0x13, 0x15, 0x16, 0x1A, 0x1C, 0x1F, 0x21, 0x22, 0x24, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2A}
    ),
    "PUBLISH": frozenset({0x01, 0x02, 0x03, 0x08, 0x09, 0x0B, 0x23, 0x26}),
    "PUBACK": frozenset({0x1F, 0x26}),
    "SUBSCRIBE": frozenset({0x0B, 0x26}),
    "SUBACK": frozenset({0x1F, 0x26}),
    "UNSUBSCRIBE": frozenset({0x26}),
    "UNSUBACK": frozenset({0x1F, 0x26}),
    "DISCONNECT": frozenset({0x11, 0x1C, 0x1F, 0x26}),
}
"""Which properties each packet may bear."""


class MalformedPacket(Malformed):
    """Bytes that are not MQTT, or not MQTT that may be sent here. The message cites the section of the standard."""

    def __init__(self, message: str, *, reason: int = MALFORMED, sample: bytes = b"") -> None:
        super().__init__(message)
        self.reason = reason
        """The version 5 reason code that says the same."""
        self.sample = sample
        """The first octets of the packet at fault."""


def malformed(version: int, section: str, message: str, reason: int = MALFORMED) -> MalformedPacket:
    """The error for a breach of `section` of the standard of `version`."""
    return MalformedPacket(f"MQTT-{'5.0' if version == 5 else '3.1.1'} §{section}: {message}", reason=reason)


class Fields:
    """Reads one packet's body from left to right; whatever is missing or false is a `MalformedPacket`."""

    __slots__ = ("_at", "_body", "_end", "version")

    def __init__(self, body: bytes, version: int) -> None:
        self._body = body
        self._at = 0
        self._end = len(body)
        self.version = version

    @property
    def left(self) -> int:
        """Octets not yet read."""
        return self._end - self._at

    def number(self, octets: int) -> int:
        """An unsigned big-endian number."""
        return int.from_bytes(self.take(octets), "big")

    def varint(self) -> int:
        """A variable byte integer (MQTT-5.0 §1.5.5)."""
        value = 0
        for shift in (0, 7, 14, 21):
            octet = self.number(1)
            value |= (octet & 0x7F) << shift
            if octet < 0x80:
                return value
        raise malformed(self.version, "1.5.5", "a variable byte integer has more than four octets")

    def binary(self) -> bytes:
        """Octets behind a length of two octets (MQTT-5.0 §1.5.6)."""
        return self.take(self.number(2))

    def string(self) -> str:
        """A UTF-8 string behind its length (MQTT-3.1.1 §1.5.3)."""
        return text(self.binary(), self.version)

    def take(self, octets: int) -> bytes:
        """The next `octets` octets."""
        at = self._at
        if octets > self._end - at:
            raise malformed(self.version, "2.1", f"the packet ends {octets - self.left} octets too early")
        self._at = at + octets
        return self._body[at : at + octets]

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(self.left)

    def properties(self, packet: str) -> dict[int, Value]:
        """The properties of `packet`, none before version 5 (MQTT-5.0 §2.2.2)."""
        if self.version != 5:
            return {}
        length = self.varint()
        inner = Fields(self.take(length), 5)
        found: dict[int, Value] = {}
        allowed = ALLOWED[packet]
        while inner.left:
            name = inner.varint()
            if name not in allowed:
                raise malformed(5, "2.2.2.2", f"{packet} may not bear property 0x{name:02x}")
            if name == USER_PROPERTY:
                inner.string()
                inner.string()
                continue
            if name in found and not (name == 0x0B and packet == "PUBLISH"):
                raise malformed(5, "2.2.2.2", f"{packet} bears property 0x{name:02x} twice", PROTOCOL_ERROR)
            found[name] = inner._value(name)
        return found

    def end(self) -> None:
        """Nothing may be left."""
        if self.left:
            raise malformed(self.version, "2.1", f"{self.left} octets too many")

    def _value(self, name: int) -> Value:
        if name in _STRINGS:
            return self.string()
        if name in _BINARIES:
            return self.binary()
        octets = _NUMBERS[name]
        value = self.number(octets) if octets else self.varint()
        if (value == 0 and name in _NOT_ZERO) or (value > 1 and name in _FLAGS):
            raise malformed(5, "2.2.2.2", f"property 0x{name:02x} is {value}", PROTOCOL_ERROR)
        return value


def text(raw: bytes, version: int) -> str:
    """`raw` as a string: UTF-8 without surrogates (Python's decoder refuses those) and without U+0000."""
    try:
        found = raw.decode()
    except UnicodeDecodeError as error:
        raise malformed(version, "1.5.3", f"not UTF-8 at octet {error.start}") from error
    if "\0" in found:
        raise malformed(version, "1.5.3", "U+0000 in a string")
    return found


def packed_varint(value: int) -> bytes:
    """`value` as a variable byte integer; `value` < 2^28."""
    packed = bytearray()
    while True:
        value, octet = value >> 7, value & 0x7F
        packed.append(octet | 0x80 if value else octet)
        if not value:
            return bytes(packed)


def packed_binary(value: bytes | str) -> bytes:
    """`value` behind its length; at most 65,535 octets."""
    raw = value.encode() if isinstance(value, str) else value
    return len(raw).to_bytes(2, "big") + raw


def packed_properties(properties: Properties, version: int) -> bytes:
    """`properties` behind their length; nothing before version 5."""
    if version != 5:
        return b""
    packed = bytearray()
    for name, value in properties.items():
        packed.append(name)
        if isinstance(value, int):
            octets = _NUMBERS[name]
            packed += value.to_bytes(octets, "big") if octets else packed_varint(value)
        else:
            packed += packed_binary(value)
    return packed_varint(len(packed)) + bytes(packed)
