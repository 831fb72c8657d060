"""Data of Kenwood radios, octet for octet as published recordings have it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belltower.errors import Malformed
from hardware.codecs import fleetsync
from hardware.codecs.fleetsync import (
    Acked,
    CallerID,
    Decoder,
    Garbled,
    NotAcked,
    Poll,
    Position,
    Text,
    Unknown,
)
from tests.hardware import fuzzing

VECTORS = [
    ("024931313030343030323130303430303203", CallerID(start=True, source="1004002", destination="1004002")),
    ("0246303030303030307465737403", Text(unit="0000000", text="test")),
    ("0246313030313030327465737403", Text(unit="1001002", text="test")),
    ("023003", Acked()),
    ("023103", NotAcked()),
    ("0252333130303130303203", Poll(unit="1001002")),
    (
        "0267493155303330303155303330303103",
        CallerID(start=True, source="U03001", destination="U03001", nexedge=True),
    ),
    ("0267465530333030317465737403", Text(unit="03001", text="test", nexedge=True)),
]
POSITIONS = [
    (
        b"$PKLSH,4954.1474,N,11923.6044,W,122434,A,100,1001,*3F\r\n",
        Position(unit="1001001", latitude=49 + 54.1474 / 60, longitude=-119 - 23.6044 / 60, time="122434"),
    ),
    (
        b"$PKLSH,3851.3330,N,09447.9417,W,012212,V,100,1202,*24\r\n",
        Position(unit="1001202", latitude=None, longitude=None, time="012212"),
    ),
    (
        b"$PKLDS,122434,A,4954.1474,N,11923.6044,W,001.1,194.9,130223,19.20,W00,100,1001,80,00,*60\r\n",
        Position(
            unit="1001001",
            latitude=49 + 54.1474 / 60,
            longitude=-119 - 23.6044 / 60,
            time="122434",
            status="80",
        ),
    ),
    (
        b"$PKNSH,4954.1450,N,11923.6043,W,114400,A,U00002,*44\r\n",
        Position(unit="U00002", latitude=49 + 54.1450 / 60, longitude=-119 - 23.6043 / 60, time="114400"),
    ),
]
seven = st.text("0123456789", min_size=7, max_size=7)
five = st.text("0123456789", min_size=5, max_size=5)
names = st.builds(str.__add__, st.sampled_from("UG"), five)
printable = st.characters(min_codepoint=32, max_codepoint=126)
short = st.text(printable, max_size=48)
messages = (
    st.builds(
        CallerID,
        start=st.booleans(),
        source=seven,
        destination=seven,
        tail=st.text("0123456789", max_size=16),
    )
    | st.builds(CallerID, start=st.booleans(), source=names, destination=names, nexedge=st.just(True))
    | st.builds(Text, unit=seven, text=short)
    | st.builds(Text, unit=seven, text=st.text(printable, max_size=200), long=st.just(True))
    | st.builds(Text, unit=five, text=short, nexedge=st.just(True), group=st.booleans())
    | st.builds(Poll, unit=seven)
    | st.builds(Poll, unit=five, nexedge=st.just(True))
    | st.sampled_from([Acked(), NotAcked()])
)


@pytest.mark.parametrize(("octets", "message"), VECTORS)
def test_the_vectors_are_exact_in_both_directions(octets, message):
    """Frames to and from the radio."""
    assert [message] == Decoder().feed(bytes.fromhex(octets))
    assert bytes.fromhex(octets) == fleetsync.encode(message)


@pytest.mark.parametrize(("line", "position"), POSITIONS)
def test_recorded_positions(line, position):
    """FleetSync short and long, NEXEDGE, without a fix."""
    assert [position] == Decoder().feed(line)


def test_a_radio_mixes_frames_and_sentences():
    """As recorded: an ID, a position, an ID, some of it within STX."""
    line, position = POSITIONS[0]
    stream = b"\x02I110040021004002\x03" + line + b"noise\x02" + line + b"\x030\x02I010040021004002\x03"

    found = Decoder().feed(stream)

    assert [CallerID, Position, Position, Garbled, CallerID] == [type(each) for each in found] or [
        CallerID,
        Position,
        Position,
        CallerID,
    ] == [type(each) for each in found]
    assert position == found[1] == found[2]


@given(messages)
def test_what_is_encoded_is_decoded(message):
    """Every kind of frame."""
    assert [message] == Decoder().feed(fleetsync.encode(message))


@given(st.lists(messages, max_size=5), st.binary(max_size=10), st.data())
def test_any_split_gives_the_same(sent, noise, data):
    """Noise in front included."""
    stream = noise + b"".join(map(fleetsync.encode, sent)) + noise
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    decoder = Decoder()

    found = [
        each
        for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)
        for each in decoder.feed(stream[a:b])
    ]

    assert Decoder().feed(stream) == found


@given(st.binary(max_size=100))
def test_after_noise_frames_are_whole(noise):
    """STX begins anew, whatever went before."""
    assert Text(unit="1001002", text="x") == Decoder().feed(noise + b"\x02F1001002x\x03")[-1]


def test_a_broadcast_is_known_as_one():
    """Nobody acknowledges it."""
    assert Text(unit="0000000", text="").broadcast
    assert Text(unit="00000", text="", nexedge=True, group=True).broadcast
    assert not Text(unit="1001002", text="").broadcast


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "empty"),
        (b"I2", "type 'I2'"),
        (b"F100100", "type 'F10'"),
        (b"F1001002" + b"x" * 49, "49 characters, 48"),
        (b"\xff", "octet 0: FF"),
        (b"gFX03001", "type 'gFX'"),
    ],
)
def test_what_is_wrong_with_a_frame_is_said(body, says):
    """With type and length."""
    with pytest.raises(Malformed, match=says):
        fleetsync.decode(body)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"$PKLSH,4954.1474,N,11923.6044,W,122434,A,100,1001,*3E", "checksum is 3E, the octets give 3F"),
        (b"$PKLSH,1", "expected"),
        (fleetsync.sentence("PKLSH,1,2").strip(), "2 fields are too few"),
        (fleetsync.sentence("PKLSH,9954.1474,N,11923.6044,W,122434,A,100,1001").strip(), "90 degrees"),
        (fleetsync.sentence("PKLSH,4954.1474,N,11923.6044,W,122434,A,100,10x1").strip(), "no number"),
    ],
)
def test_what_is_wrong_with_a_sentence_is_said(line, says):
    """Checksum, fields, angles."""
    with pytest.raises(Malformed, match=says):
        fleetsync.decode_sentence(line)


def test_a_frame_without_end_is_bounded():
    """A million octets of it cost one frame's room."""
    decoder = Decoder()
    decoder.feed(b"\x02")
    for _ in range(1000):
        assert [] == decoder.feed(b"x" * 1000)

    assert len(decoder._pending) <= fleetsync.MAX_FRAME + 1


SAMPLES = [bytes.fromhex(octets) for octets, _ in VECTORS] + [line for line, _ in POSITIONS]


def both(octets):
    """The frame, and the stream."""
    Decoder().feed(octets * 2)
    if octets[:1] == b"$":
        return fleetsync.decode_sentence(octets)
    return fleetsync.decode(octets)


def test_mutated_frames_are_read_or_malformed():
    """Nothing else comes out."""
    fuzzing.bear(both, [*SAMPLES, *(octets[1:-1] for octets in SAMPLES[:8])], fuzzing.USUAL)


@pytest.mark.parametrize(("line", "position"), POSITIONS)
def test_a_position_never_survives_a_changed_bit(line, position):
    """Its checksum says so."""
    body = line.strip()
    for at in range(len(body)):
        for bit in range(8):
            found = Decoder().feed(body[:at] + bytes([body[at] ^ 1 << bit]) + body[at + 1 :] + b"\r\n")
            assert [each for each in found if isinstance(each, Position)] in ([], [position])


@pytest.mark.soak
def test_a_million_mutated_frames_are_read_or_malformed():
    """The same, longer."""
    fuzzing.bear(both, [*SAMPLES, *(octets[1:-1] for octets in SAMPLES[:8])], fuzzing.LONG)


def test_it_is_quick_enough():
    """Both ways."""
    message = Text(unit="1001002", text="PANIC B 204 (call 12)")
    octets = fleetsync.encode(message)

    assert fuzzing.per_second(lambda: fleetsync.encode(message)) > 5_000
    assert fuzzing.per_second(lambda: Decoder().feed(octets)) > 5_000


def test_an_unknown_frame_is_kept_as_it_is():
    """A status of some radio."""
    assert [Unknown(body="xE0000001010000009990002")] == Decoder().feed(b"\x02xE0000001010000009990002\x03")
