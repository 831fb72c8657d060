"""RTP, RFC 3550 section 5.1: the header before each piece of sound. Pure."""

from __future__ import annotations

from struct import Struct as Layout
from struct import pack_into

from msgspec import Struct

from belltower.errors import Malformed

PCMU = 0
PCMA = 8
G722 = 9
"""Payload types of RFC 3551; G.722 counts 8,000 a second though it samples 16,000 times."""

_HEADER = Layout("!BBHII")
LARGEST = 1_500
"""Octets of a packet; more does not pass an Ethernet whole."""


class RTPPacket(Struct, frozen=True, kw_only=True):
    """One packet."""

    payload_type: int
    # Modulo 65,536.
    sequence: int
    # Modulo 2^32, in units of the payload's clock.
    timestamp: int
    # The synchronisation source.
    source: int
    payload: bytes
    # The first packet of a talk.
    marker: bool = False


def encode(packet: RTPPacket) -> bytes:
    """The packet's octets."""
    return (
        _HEADER.pack(
            0x80,
            (packet.marker << 7) | (packet.payload_type & 0x7F),
            packet.sequence & 0xFFFF,
            packet.timestamp & 0xFFFF_FFFF,
            packet.source & 0xFFFF_FFFF,
        )
        + packet.payload
    )


def decode(octets: bytes) -> RTPPacket:
    """The packet in `octets`, extensions and padding passed over. `Malformed` says what is wrong and where."""
    if len(octets) < _HEADER.size:
        raise Malformed(f"octet {len(octets)}: the header ends; it has {_HEADER.size} octets")
    if len(octets) > LARGEST:
        raise Malformed(f"octet {LARGEST}: the packet has {len(octets)} octets, more than {LARGEST}")
    first, second, sequence, timestamp, source = _HEADER.unpack_from(octets)
    if first >> 6 != 2:
        raise Malformed(f"octet 0: version {first >> 6}; RTP is version 2")
    begin, end = _HEADER.size + 4 * (first & 0x0F), len(octets)
    if begin > end:
        raise Malformed(f"octet 0: {first & 0x0F} contributors are named, and the packet ends at octet {end}")
    if first & 0x10:
        if begin + 4 > end:
            raise Malformed(f"octet {begin}: an extension is announced, and the packet ends at octet {end}")
        words = int.from_bytes(octets[begin + 2 : begin + 4], "big")
        begin += 4 + 4 * words
        if begin > end:
            raise Malformed(
                f"octet {begin - 4 * words - 2}: the extension of {words} words ends after octet {end}"
            )
    if first & 0x20:
        padding = octets[-1] if end > begin else 0
        if not 0 < padding <= end - begin:
            raise Malformed(f"octet {end - 1}: {padding} octets of padding in {end - begin} octets")
        end -= padding
    return RTPPacket(
        payload_type=second & 0x7F,
        marker=bool(second & 0x80),
        sequence=sequence,
        timestamp=timestamp,
        source=source,
        payload=bytes(octets[begin:end]),
    )


class Talk:
    """The packets of one source, one after another; a talk begins with the marker."""

    def __init__(self, *, payload_type: int, source: int, sequence: int = 0, timestamp: int = 0) -> None:
        """Begin at any sequence and timestamp; random ones are usual."""
        self._packet = bytearray(_HEADER.size)
        self._type = payload_type & 0x7F
        self._source = source & 0xFFFF_FFFF
        self._sequence = sequence
        self._timestamp = timestamp

    def packet(self, payload: bytes, *, marker: bool = False) -> bytes:
        """The next packet; its sound lasts as long as its octets are many, as for all three payload types."""
        pack_into(
            "!BBHII",
            self._packet,
            0,
            0x80,
            (marker << 7) | self._type,
            self._sequence,
            self._timestamp,
            self._source,
        )
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._timestamp = (self._timestamp + len(payload)) & 0xFFFF_FFFF
        return bytes(self._packet) + payload

    def skip(self, octets: int) -> None:
        """Let time pass without a packet."""
        self._timestamp = (self._timestamp + octets) & 0xFFFF_FFFF
