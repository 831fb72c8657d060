"""RTP headers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belltower.errors import Malformed
from hardware.codecs import rtp
from hardware.codecs.rtp import RTPPacket, Talk
from tests.hardware import fuzzing

PLAIN = bytes.fromhex("8080 0001 000000a0 deadbeef") + b"\xff" * 160
EXTENDED = bytes.fromhex("b109 ffff 00000000 00000001 00000002 beef0001 01020304") + b"abc\0\2"

packets = st.builds(
    RTPPacket,
    payload_type=st.integers(0, 127),
    marker=st.booleans(),
    sequence=st.integers(0, 0xFFFF),
    timestamp=st.integers(0, 0xFFFF_FFFF),
    source=st.integers(0, 0xFFFF_FFFF),
    payload=st.binary(max_size=400),
)


@given(packets)
def test_a_packet_survives_the_wire(packet):
    """There and back."""
    assert packet == rtp.decode(rtp.encode(packet))


def test_what_is_not_sound_is_passed_over():
    """A contributor, an extension of one word, two octets of padding."""
    assert RTPPacket(payload_type=9, sequence=0xFFFF, timestamp=0, source=1, payload=b"abc") == rtp.decode(
        EXTENDED
    )


@pytest.mark.parametrize(
    ("octets", "says"),
    [
        (b"\x80" * 11, "octet 11: the header ends"),
        (b"\x40" + PLAIN[1:], "octet 0: version 1"),
        (b"\x8f" + bytes(11), "octet 0: 15 contributors"),
        (b"\x90" + bytes(11), "octet 12: an extension"),
        (b"\x90" + bytes(13) + b"\0\1", "octet 14: the extension of 1 words ends after octet 16"),
        (b"\xa0" + bytes(11), "octet 11: 0 octets of padding"),
        (b"\xa0" + bytes(11) + b"\2", "octet 12: 2 octets of padding in 1"),
        (bytes(1501), "octet 1500"),
    ],
)
def test_what_is_wrong_is_said(octets, says):
    """By octet."""
    with pytest.raises(Malformed, match=says):
        rtp.decode(octets)


def test_a_talk_counts_packets_and_samples_round_the_end():
    """Sequence and timestamp wrap; the marker is on the packet that begins a talk; a pause moves time only."""
    talk = Talk(payload_type=0, source=7, sequence=0xFFFF, timestamp=0xFFFF_FFFF)
    first = rtp.decode(talk.packet(bytes(160), marker=True))
    talk.skip(160)
    second = rtp.decode(talk.packet(bytes(160)))

    assert (True, 0xFFFF, 0xFFFF_FFFF) == (first.marker, first.sequence, first.timestamp)
    assert (False, 0, 319) == (second.marker, second.sequence, second.timestamp)


def test_mutated_packets_are_understood_or_malformed():
    """Nothing else."""
    fuzzing.bear(rtp.decode, [PLAIN, EXTENDED], fuzzing.USUAL)


@pytest.mark.soak
def test_a_million_mutated_packets_are_understood_or_malformed():
    """Nothing else."""
    fuzzing.bear(rtp.decode, [PLAIN, EXTENDED], fuzzing.LONG)
