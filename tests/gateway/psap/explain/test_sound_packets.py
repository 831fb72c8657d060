"""Packets of pages and of sound, explained."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.psap.explain import polycom, rtp
from hardware.codecs import polycom_page
from hardware.codecs import rtp as packets

ALERT = bytes.fromhex("0f1af21115110d4d656c6f6479204d6573657276")
SOUND = polycom_page.encode(
    polycom_page.PagePacket(
        op=polycom_page.Op.TRANSMIT, channel=50, sender=1, caller="Office", timestamp=160, frames=bytes(320)
    )
)
PACKET = packets.encode(
    packets.RTPPacket(payload_type=0, sequence=7, timestamp=1120, source=9, payload=bytes(160), marker=True)
)


@pytest.mark.parametrize(
    ("octets", "words"),
    [(ALERT, "channel 26, page, from Melody Meserv"), (SOUND, "channel 50, emergency, from Office")],
)
def test_a_page_packet_is_told(octets, words):
    """What it does, on which channel, from whom; every octet stands in a line."""
    said = polycom.explain(octets)
    assert words in said.summary
    assert () == said.faults
    assert octets == b"".join(line.octets for line in said.lines)
    assert polycom.likely(octets) > 80


def test_a_packet_of_sound_is_told():
    """Coding, sequence, source."""
    said = rtp.explain(PACKET)
    assert "160 octets of G.711 u-law, packet 7 of source 00000009" == said.summary
    assert PACKET == b"".join(line.octets for line in said.lines)
    assert "RTP is version 2" in rtp.explain(b"\x40" + PACKET[1:]).faults[0]


@given(st.binary(max_size=60))
def test_lines_never_overlap_and_stay_within_the_packet(octets):
    """Whatever the octets are."""
    for one in (polycom, rtp):
        for given_ in (octets, ALERT[:1] + octets, b"\x80" + octets, b"\x10\x1a" + octets):
            at = 0
            for line in one.explain(given_).lines:
                assert at <= line.at
                at = line.at + len(line.octets)
                assert given_[line.at : at] == line.octets
