"""Packets of sound by RTP (RFC 3550)."""

from __future__ import annotations

from belltower.errors import Malformed
from gateway.psap.explain import Explanation
from gateway.psap.explain._building import Lines
from hardware.codecs import rtp

FORMAT = "RTP"

_TYPES = {0: "G.711 u-law", 8: "G.711 A-law", 9: "G.722", 101: "telephone events, mostly"}
_HEAD = 12


def likely(octets: bytes) -> int:
    """Version 2, a payload type of sound, and about 20 ms of it."""
    if not _HEAD < len(octets) <= rtp.LARGEST or octets[0] & 0xC0 != 0x80 or octets[1] & 0x7F not in _TYPES:
        return 0
    return 70 if octets[0] == 0x80 and (len(octets) - _HEAD) % 80 == 0 else 30


def explain(octets: bytes) -> Explanation:
    """One packet."""
    lines = Lines(octets)
    summary = "an RTP packet that is not in order"
    try:
        packet = rtp.decode(octets)
    except Malformed as error:
        lines.add(0, len(octets), "the packet")
        lines.fault(str(error))
        return Explanation(
            format=FORMAT, summary=summary, lines=tuple(lines.found), faults=tuple(lines.faults)
        )
    coding = _TYPES.get(packet.payload_type, "another coding")
    first = octets[0]
    lines.add(
        0,
        1,
        f"version 2; {first & 15} contributors{', padding' if first & 32 else ''}{', extension' if first & 16 else ''}",
    )
    lines.add(
        1,
        2,
        f"payload type {packet.payload_type}: {coding}{'; marker, a talk begins' if packet.marker else ''}",
    )
    lines.add(2, 4, f"sequence {packet.sequence}")
    lines.add(4, 8, f"timestamp {packet.timestamp}")
    lines.add(8, _HEAD, f"source {packet.source:08x}")
    end = len(octets) - (octets[-1] if first & 0x20 else 0)
    begin = end - len(packet.payload)
    lines.add(_HEAD, begin, "contributors and extension")
    lines.add(begin, end, f"{len(packet.payload)} octets of sound")
    lines.add(end, len(octets), "padding")
    return Explanation(
        format=FORMAT,
        summary=f"{len(packet.payload)} octets of {coding}, packet {packet.sequence} of source {packet.source:08x}",
        lines=tuple(lines.found),
        faults=tuple(lines.faults),
    )
