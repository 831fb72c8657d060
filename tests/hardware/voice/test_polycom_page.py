"""The group page of Polycom telephones, octet for octet as published recordings have it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belltower.errors import Malformed
from hardware.codecs import polycom_page
from hardware.codecs.polycom_page import Codec, Op, PagePacket, PageTalk
from tests.hardware import fuzzing

ALERT = bytes.fromhex("0f1af21115110d4d656c6f6479204d6573657276")
END = bytes.fromhex("ff1af21115110d4d656c6f6479204d6573657276")
TRANSMIT = bytes.fromhex("101af21115110d4d656c6f6479204d657365727609000000012c") + b"a" * 160 + b"b" * 160


def talk():
    """The page of the recordings."""
    return PageTalk(channel=26, sender=0xF2111511, caller="Melody Meserv", codec=Codec.G722, timestamp=140)


def test_the_recorded_packets_are_ours():
    """An alert and an end, both directions."""
    assert ALERT == talk().alert()
    assert END == talk().end()
    for octets in (ALERT, END, TRANSMIT):
        assert octets == polycom_page.encode(polycom_page.decode(octets))


def test_each_transmit_bears_the_previous_frame_too():
    """The first the current one only; the timestamp is the current frame's."""
    made = talk()
    first, second = (polycom_page.decode(made.transmit(frame)) for frame in (b"a" * 160, b"b" * 160))

    assert (b"a" * 160, 140) == (first.frames, first.timestamp)
    assert (b"a" * 160 + b"b" * 160, 300) == (second.frames, second.timestamp)
    assert polycom_page.decode(TRANSMIT) == second


def test_a_page_has_the_timing_that_telephones_want():
    """31 alerts 30 ms apart, a transmit every 20 ms, a pause of 50 ms, 12 ends 30 ms apart."""
    packets = list(polycom_page.page(talk(), [bytes([n]) * 160 for n in range(50)]))
    times = {op: [at for at, octets in packets if octets[0] == op] for op in Op}

    assert [31, 50, 12] == [len(times[op]) for op in Op]
    assert [n * 0.030 for n in range(31)] == pytest.approx(times[Op.ALERT])
    assert [0.93 + n * 0.020 for n in range(50)] == pytest.approx(times[Op.TRANSMIT])
    assert [times[Op.TRANSMIT][-1] + 0.050 + n * 0.030 for n in range(12)] == pytest.approx(times[Op.END])


@given(
    st.builds(
        PagePacket,
        op=st.just(Op.TRANSMIT),
        channel=st.integers(1, 50),
        sender=st.integers(0, 0xFFFF_FFFF),
        caller=st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=13),
        codec=st.sampled_from(Codec),
        timestamp=st.integers(0, 0xFFFF_FFFF),
        frames=st.binary(min_size=1, max_size=480),
    )
)
def test_a_packet_survives_the_wire(packet):
    """There and back."""
    assert packet == polycom_page.decode(polycom_page.encode(packet))


@pytest.mark.parametrize(
    ("octets", "says"),
    [
        (ALERT[:19], "octet 19: the header ends"),
        (bytes(1501), "octet 1500"),
        (b"\x11" + ALERT[1:], "octet 0: 11 is no operation"),
        (b"\x0f\x33" + ALERT[2:], "octet 1: channel 51"),
        (ALERT[:6] + b"\x0c" + ALERT[7:], "octet 6: the caller's name has 12"),
        (ALERT[:7] + b"\0a" + ALERT[9:], "octet 7: the caller's name"),
        (ALERT + b"x", "octet 20: 1 octets follow"),
        (TRANSMIT[:26], "octet 26: a transmit ends"),
        (TRANSMIT[:20] + b"\x01" + TRANSMIT[21:], "octet 20: coding 01"),
        (TRANSMIT[:21] + b"\x01" + TRANSMIT[22:], "octet 21: flags 01"),
    ],
)
def test_what_is_wrong_is_said(octets, says):
    """By octet."""
    with pytest.raises(Malformed, match=says):
        polycom_page.decode(octets)


def test_mutated_packets_are_understood_or_malformed():
    """Nothing else."""
    fuzzing.bear(polycom_page.decode, [ALERT, END, TRANSMIT], fuzzing.USUAL)


@pytest.mark.soak
def test_a_million_mutated_packets_are_understood_or_malformed():
    """Nothing else."""
    fuzzing.bear(polycom_page.decode, [ALERT, END, TRANSMIT], fuzzing.LONG)
