"""Meshtastic frames, octet for octet as the `meshtastic` 2.7.11 package writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belltower.errors import Malformed
from hardware.codecs import meshtastic
from hardware.codecs.meshtastic import (
    BROADCAST,
    ConfigComplete,
    Decoder,
    Disconnect,
    Frame,
    Garbled,
    Heartbeat,
    Other,
    Packet,
    Port,
    Rebooted,
    WantConfig,
)
from tests.hardware import fuzzing

TEXT = Packet(to=BROADCAST, id=0x12345678, want_ack=True, port=Port.TEXT, payload=b"PANIC 013 RM204")
VECTORS = [
    ("94c300021801", WantConfig(id=1)),
    ("94c300023a00", Heartbeat()),
    ("94c300230a2115ffffffff22130801120f50414e49432030313320524d32303435785634125001", TEXT),
]
u32 = st.integers(0, 2**32 - 1)
packets = st.builds(
    Packet,
    to=u32,
    source=u32,
    id=u32,
    want_ack=st.booleans(),
    port=st.integers(0, 511),
    payload=st.binary(max_size=233),
    request=u32,
)
ids = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize(("octets", "message"), VECTORS)
def test_the_vectors_are_exact_in_both_directions(octets, message):
    """Framing and protobuf."""
    [frame] = Decoder().feed(bytes.fromhex(octets))

    assert message == meshtastic.decode_to_radio(frame.body)
    assert bytes.fromhex(octets) == meshtastic.frame(meshtastic.encode_to_radio(message))


@given(packets | st.builds(WantConfig, id=ids) | st.sampled_from([Heartbeat(), Disconnect()]))
def test_what_goes_to_the_node_is_read_back(message):
    """Every field."""
    assert message == meshtastic.decode_to_radio(meshtastic.encode_to_radio(message))


@given(packets | st.builds(ConfigComplete, id=ids) | st.just(Rebooted()))
def test_what_comes_from_the_node_is_read_back(message):
    """Every field."""
    assert message == meshtastic.decode_from_radio(meshtastic.encode_from_radio(message))


def test_fields_nobody_asked_for_are_passed_over():
    """A running number, a signal strength, a field of tomorrow."""
    packet = meshtastic.encode_from_radio(TEXT)
    more = packet[:1] + bytes([packet[1] + 7]) + packet[2:] + b"\x60\x05\xfa\x7f\x02ab"

    assert TEXT == meshtastic.decode_from_radio(b"\x08\x07" + more)
    assert Other(field=5) == meshtastic.decode_from_radio(b"\x08\x07\x2a\x00")


def test_a_routing_packet_acks_or_fails():
    """Error 0 is an ack, also as an empty payload; 5 gave up; a route is neither."""
    assert 0 == meshtastic.routing_error(meshtastic.routing(0))
    assert 0 == meshtastic.routing_error(b"")
    assert 5 == meshtastic.routing_error(meshtastic.routing(5))
    assert meshtastic.routing_error(b"\x0a\x00") is None


@given(
    st.lists(st.binary(max_size=60) | st.just(b"\x94") | st.just(b"\x94\xc3\xff\xff"), max_size=5), st.data()
)
def test_any_split_gives_the_same(noise, data):
    """Frames among the node's log."""
    stream = b"".join(piece + bytes.fromhex(VECTORS[2][0]) for piece in noise)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    decoder = Decoder()

    found = [
        frame
        for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)
        for frame in decoder.feed(stream[a:b])
    ]

    assert Decoder().feed(stream) == found


def test_log_text_between_frames_is_passed_over():
    """As nodes print it."""
    decoder = Decoder()

    found = decoder.feed(b"INFO | boot\r\n" + meshtastic.frame(b"\x40\x01") + b"\xc3" * 32)

    assert [Frame(body=b"\x40\x01")] == found
    assert 13 + 32 == decoder.noise


def test_a_frame_that_claims_too_much_is_garbled():
    """The next one is read."""
    found = Decoder().feed(b"\x94\xc3\x02\x01" + meshtastic.frame(b"\x40\x01"))

    assert [Garbled, Frame] == [type(each) for each in found]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("", "empty"),
        ("08", "octet 1 at depth 0: a number is cut short"),
        ("1205", "octet 2 at depth 0: 5 octets are stated, 0 are there"),
        ("0b", "wire type 3"),
        ("00", "field number 0"),
        ("3a" + "ff" * 10, "more than 64 bits"),
        ("12022208", "octet 2 at depth 1: 8 octets are stated"),
    ],
)
def test_what_is_wrong_is_said_with_its_octet(body, says):
    """And how deep it lies."""
    with pytest.raises(Malformed, match=says):
        meshtastic.decode_from_radio(bytes.fromhex(body))


SAMPLES = [meshtastic.encode_from_radio(TEXT), meshtastic.encode_from_radio(ConfigComplete(id=1))]
STREAM = [bytes.fromhex(octets) for octets, _ in VECTORS]


def all_of(octets):
    """Each decoder there is."""
    for frame in Decoder().feed(octets):
        if isinstance(frame, Frame):
            meshtastic.decode_to_radio(frame.body)
    packet = meshtastic.decode_from_radio(octets)
    if isinstance(packet, Packet):
        meshtastic.routing_error(packet.payload)


def test_mutated_frames_are_read_or_malformed():
    """Nothing else comes out."""
    fuzzing.bear(all_of, SAMPLES + STREAM, fuzzing.USUAL)


@pytest.mark.soak
def test_a_million_mutated_frames_are_read_or_malformed():
    """The same, longer."""
    fuzzing.bear(all_of, SAMPLES + STREAM, fuzzing.LONG)


def test_it_is_quick_enough():
    """Both ways."""
    octets = meshtastic.encode_to_radio(TEXT)

    assert fuzzing.per_second(lambda: meshtastic.encode_to_radio(TEXT)) > 5_000
    assert fuzzing.per_second(lambda: meshtastic.decode_to_radio(octets)) > 5_000
