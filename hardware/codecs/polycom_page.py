"""The group page of Polycom and compatible telephones: UDP multicast, usually 224.0.1.116 port 5001. Pure.

A page is 31 alerts 30 ms apart, transmits of 20 or 30 ms of sound each with the previous sound before the current one,
50 ms of pause, and 12 ends 30 ms apart. Telephones are particular about the timing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import IntEnum
from struct import Struct as Layout

from msgspec import Struct

from belltower.errors import Malformed

ALERTS = 31
ENDS = 12
STEP = 0.030
"""Seconds from one alert, or end, to the next."""
PAUSE = 0.050
"""Seconds between the last transmit and the first end."""

_HEADER = Layout("!BBIB13s")
_AUDIO = Layout("!BBI")
_CALLER = 13
LARGEST = 1_500


class Op(IntEnum):
    """What a packet does."""

    ALERT = 0x0F
    TRANSMIT = 0x10
    END = 0xFF


class Codec(IntEnum):
    """How the sound is coded."""

    PCMU = 0x00
    G722 = 0x09
    G726QI = 0xFD


class PagePacket(Struct, frozen=True, kw_only=True):
    """One packet. `codec`, `timestamp` and `frames` only belong to a transmit."""

    op: Op
    # 1 to 25 push to talk, 26 to 50 page; 24 and 49 priority, 25 and 50 emergency.
    channel: int
    # Four octets; of two senders the lower is heard.
    sender: int
    # At most 13 characters of ASCII, as telephones show it.
    caller: str
    codec: Codec = Codec.PCMU
    # Of the last frame.
    timestamp: int = 0
    # The previous and the current frame, one after the other; the first transmit has the current only.
    frames: bytes = b""


def encode(packet: PagePacket) -> bytes:
    """The packet's octets."""
    caller = packet.caller.encode("ascii", "replace")[:_CALLER]
    head = _HEADER.pack(packet.op, packet.channel, packet.sender, _CALLER, caller)
    if packet.op is not Op.TRANSMIT:
        return head
    return head + _AUDIO.pack(packet.codec, 0, packet.timestamp) + packet.frames


def decode(octets: bytes) -> PagePacket:
    """The packet in `octets`. `Malformed` says what is wrong and where."""
    if len(octets) < _HEADER.size:
        raise Malformed(f"octet {len(octets)}: the header ends; it has {_HEADER.size} octets")
    if len(octets) > LARGEST:
        raise Malformed(f"octet {LARGEST}: the packet has {len(octets)} octets, more than {LARGEST}")
    op, channel, sender, length, caller = _HEADER.unpack_from(octets)
    if op not in set(Op):
        raise Malformed(f"octet 0: {op:02X} is no operation; 0F alerts, 10 transmits, FF ends")
    if not 1 <= channel <= 50:
        raise Malformed(f"octet 1: channel {channel}; there are 1 to 50")
    if length != _CALLER:
        raise Malformed(f"octet 6: the caller's name has {length} octets; it has {_CALLER}")
    name, _, rest = caller.partition(b"\0")
    if rest.strip(b"\0") or not all(0x20 <= octet < 0x7F for octet in name):
        raise Malformed("octet 7: the caller's name is not ASCII padded with NUL")
    packet = PagePacket(op=Op(op), channel=channel, sender=sender, caller=name.decode("ascii"))
    if packet.op is not Op.TRANSMIT:
        if len(octets) > _HEADER.size:
            raise Malformed(
                f"octet {_HEADER.size}: {len(octets) - _HEADER.size} octets follow, and none belong there"
            )
        return packet
    return _transmit(packet, octets)


def _transmit(packet: PagePacket, octets: bytes) -> PagePacket:
    begin = _HEADER.size + _AUDIO.size
    if len(octets) <= begin:
        raise Malformed(
            f"octet {len(octets)}: a transmit ends before its sound, which begins at octet {begin}"
        )
    codec, flags, timestamp = _AUDIO.unpack_from(octets, _HEADER.size)
    if codec not in set(Codec):
        raise Malformed(f"octet {_HEADER.size}: coding {codec:02X}; 00 is G.711, 09 G.722, FD G.726")
    if flags:
        raise Malformed(f"octet {_HEADER.size + 1}: flags {flags:02X}; they are 00")
    return PagePacket(
        op=packet.op,
        channel=packet.channel,
        sender=packet.sender,
        caller=packet.caller,
        codec=Codec(codec),
        timestamp=timestamp,
        frames=bytes(octets[begin:]),
    )


class PageTalk:
    """The packets of one page."""

    def __init__(self, *, channel: int, sender: int, caller: str, codec: Codec, timestamp: int = 0) -> None:
        """A page on `channel`; the same sender id and caller in every packet."""
        self._base = PagePacket(op=Op.ALERT, channel=channel, sender=sender, caller=caller, codec=codec)
        self._timestamp = timestamp
        self._previous = b""

    def alert(self) -> bytes:
        """One of the alerts before the sound."""
        return encode(self._base)

    def transmit(self, frame: bytes) -> bytes:
        """The packet of the next frame, the previous one before it."""
        base = self._base
        packet = PagePacket(
            op=Op.TRANSMIT,
            channel=base.channel,
            sender=base.sender,
            caller=base.caller,
            codec=base.codec,
            timestamp=self._timestamp,
            frames=self._previous + frame,
        )
        self._previous = frame
        self._timestamp = (self._timestamp + len(frame)) & 0xFFFF_FFFF
        return encode(packet)

    def end(self) -> bytes:
        """One of the ends after the sound."""
        base = self._base
        return encode(
            PagePacket(
                op=Op.END, channel=base.channel, sender=base.sender, caller=base.caller, codec=base.codec
            )
        )


def page(talk: PageTalk, frames: Sequence[bytes], *, frame: float = 0.020) -> Iterator[tuple[float, bytes]]:
    """Every packet of a whole page with its time in seconds from the first; `frame` is how long one sounds."""
    for n in range(ALERTS):
        yield n * STEP, talk.alert()
    begin = ALERTS * STEP
    for n, sound in enumerate(frames):
        yield begin + n * frame, talk.transmit(sound)
    begin += max(len(frames) - 1, 0) * frame + PAUSE
    for n in range(ENDS):
        yield begin + n * STEP, talk.end()
