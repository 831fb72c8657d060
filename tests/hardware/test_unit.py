"""Our own units' frames: sealed, and refused at the first wrong bit."""

from random import Random

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from belltower.errors import Malformed
from hardware.codecs import unit
from hardware.codecs.unit import (
    Ack,
    Answer,
    Body,
    Challenge,
    Heartbeat,
    Kind,
    Level,
    Press,
    Tamper,
    Type,
    UnitFrame,
)
from hardware.codecs.unit_room import MAX_TEXT, Order, Say, Shown, Status, Text, Told, Word, clean
from hardware.codecs.window import ReplayWindow

KEY = bytes(range(32))
TAG = unit.site_tag("oak")
u32 = st.integers(0, 0xFFFF_FFFF)
nonces = st.binary(min_size=16, max_size=16)
frames = st.builds(
    UnitFrame,
    number=u32,
    epoch=u32,
    counter=u32,
    type=st.integers(0, 63),
    body=st.binary(max_size=200),
    exercise=st.booleans(),
)
bodies = st.one_of(
    st.builds(Press, kind=st.sampled_from(Kind)),
    st.builds(Heartbeat, battery=st.integers(0, 100), tamper=st.booleans(), low_battery=st.booleans()),
    st.builds(Tamper),
    st.builds(Answer, nonce=nonces, epoch=u32, counter=u32, kind=st.sampled_from(Kind)),
    st.builds(Ack, epoch=u32, counter=u32, level=st.sampled_from([level for level in Level if level])),
    st.builds(Challenge, nonce=nonces, epoch=u32, counter=u32),
    st.builds(Status, word=st.sampled_from(Word), count=st.integers(0, 255)),
    st.builds(Text, number=st.integers(0, 65_535), words=st.text(max_size=40)),
    st.builds(Shown, epoch=u32, counter=u32),
    st.builds(Order, told=st.sampled_from(Told), incident=u32, everywhere=st.booleans()),
    st.builds(Say, number=st.integers(0, 65_535), words=st.text(max_size=40)),
)
PRESS = UnitFrame(number=17, epoch=1, counter=65, type=Type.PRESS, body=b"\x01")


@given(frames, st.binary(min_size=32, max_size=32))
def test_what_is_sealed_is_opened(frame: UnitFrame, key: bytes) -> None:
    """Every frame comes back, and its head can be read without the key."""
    sealed = unit.seal(frame, key, TAG)

    assert frame == unit.open_sealed(sealed, key, TAG)
    head = unit.peek(sealed)
    assert (frame.number, frame.epoch, frame.counter, frame.type) == head[:4]
    assert (frame.down, frame.exercise) == (head.down, head.exercise)


@given(bodies)
def test_every_body_comes_back(body: Body) -> None:
    """Typed bodies are written and read the same."""
    frame = unit.with_body(PRESS, body)

    assert unit.type_of(body) == frame.type
    assert body == unit.body_of(frame)


@given(bodies)
def test_a_longer_body_of_a_newer_unit_is_understood(body: Body) -> None:
    """What we do not know yet is passed over."""
    frame = unit.with_body(PRESS, body)
    longer = UnitFrame(number=1, epoch=0, counter=0, type=frame.type, body=frame.body + b"new")

    assert body == unit.body_of(longer) or isinstance(body, Tamper)


@given(st.integers(0, 63), st.binary(max_size=40))
def test_any_body_of_any_type_is_malformed_at_worst(type_: int, body: bytes) -> None:
    """An authentic frame with a strange body raises nothing else."""
    try:
        unit.body_of(UnitFrame(number=1, epoch=0, counter=0, type=type_, body=body))
    except Malformed as error:
        assert "octet" in str(error)


@pytest.mark.parametrize("body", [b"", b"\x00", b"\x63", b"\xff\xff"])
def test_a_press_of_an_unknown_kind_is_panic(body: bytes) -> None:
    """An authentic press is never lost to its body."""
    frame = UnitFrame(number=17, epoch=1, counter=65, type=Type.PRESS, body=body)

    assert Press(kind=Kind.PANIC) == unit.body_of(frame)


def test_every_flipped_bit_is_refused() -> None:
    """Direction, class, counter, body and MAC are all inside the MAC."""
    sealed = unit.seal(PRESS, KEY, TAG)
    for bit in range(8 * len(sealed)):
        bad = bytearray(sealed)
        bad[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Malformed):
            unit.open_sealed(bytes(bad), KEY, TAG)


def test_another_key_or_another_site_is_refused() -> None:
    """A frame is good for one unit of one site."""
    sealed = unit.seal(PRESS, KEY, TAG)

    for key, tag in ((bytes(32), TAG), (KEY, unit.site_tag("elm"))):
        with pytest.raises(Malformed, match="octet 16: the MAC is wrong"):
            unit.open_sealed(sealed, key, tag)


def test_a_hundred_thousand_mutated_frames_are_refused() -> None:
    """No frame that was changed is ever opened."""
    random = Random(11)
    sealed = unit.seal(PRESS, KEY, TAG)
    for _ in range(100_000):
        bad = bytearray(sealed)
        bad[random.randrange(len(bad))] ^= random.randint(1, 255)
        if random.getrandbits(2) == 0:
            bad = bad[: random.randrange(len(bad))] + random.randbytes(random.randint(0, 40))
        try:
            frame = unit.open_sealed(bytes(bad), KEY, TAG)
        except Malformed:
            continue
        raise AssertionError(frame)


@pytest.mark.parametrize(
    ("octets", "message"),
    [
        (b"\x01" * 30, "octet 30: a frame has at least 31 octets"),
        (b"\x02" + bytes(30), "octet 0: version 02, expected 01"),
        (b"\x01\x01" + bytes(12) + b"\xff" + bytes(16), "octet 14: body of 255 octets, at most 200"),
        (b"\x01\x01" + bytes(12) + b"\x02" + bytes(17), "octet 14: body of 2 octets, but 1 are there"),
        (b"\x01\x21" + bytes(29), "octet 1: type 33 does not go in this direction"),
        (b"\x01\x81" + bytes(29), "octet 1: type 1 does not go in this direction"),
    ],
)
def test_a_refusal_names_the_octet(octets: bytes, message: str) -> None:
    """Whoever reads the sample finds the fault."""
    with pytest.raises(Malformed) as refusal:
        unit.peek(octets)
    assert message == str(refusal.value)


def test_the_same_frame_gets_the_same_acknowledgement() -> None:
    """A repeat is answered octet for octet, and an exercise stays one."""
    heard = UnitFrame(number=17, epoch=1, counter=65, type=Type.PRESS, body=b"\x01", exercise=True)

    ack = unit.acknowledge(heard, Level.RECORDED)

    assert ack == unit.acknowledge(heard, Level.RECORDED)
    assert (ack.exercise, ack.down) == (True, True)
    assert Ack(epoch=1, counter=65, level=Level.RECORDED) == unit.body_of(ack)


def test_a_challenge_tells_what_was_last_heard() -> None:
    """Its head carries our window's top, its body the frame in question."""
    frame = unit.challenge(PRESS, bytes(16), ReplayWindow(epoch=4, highest=900, bitmap=1))

    assert (frame.epoch, frame.counter) == (4, 900)
    assert Challenge(nonce=bytes(16), epoch=1, counter=65) == unit.body_of(frame)


@pytest.mark.parametrize("level", [0, 5, 255])
def test_an_acknowledgement_of_no_level_is_malformed(level: int) -> None:
    """A level we do not know is not shown as one that we do."""
    frame = UnitFrame(number=17, epoch=1, counter=65, type=Type.ACK, body=bytes(8) + bytes([level]))

    with pytest.raises(Malformed, match="body octet 8"):
        unit.body_of(frame)


def test_what_the_format_cannot_carry_is_not_sealed() -> None:
    """Our own mistakes do not reach the wire."""
    for bad in (
        {"type": 64},
        {"number": 1 << 32},
        {"epoch": -1},
        {"counter": 1 << 32},
        {"body": bytes(201)},
    ):
        good = {"number": 1, "epoch": 0, "counter": 0, "type": 1}
        with pytest.raises(ValueError, match="too large"):
            unit.seal(UnitFrame(**(good | bad)), KEY, TAG)
    with pytest.raises(ValueError, match="nonce"):
        unit.encode_body(Challenge(nonce=b"", epoch=0, counter=0))


@given(st.binary(min_size=1, max_size=64), st.text(max_size=20), u32)
def test_keys_are_derived_as_rfc_5869_says(secret: bytes, site: str, number: int) -> None:
    """Any other implementation of HKDF gives the same key."""
    info = b"belltower unit" + site.encode() + number.to_bytes(4)

    expected = HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret)

    assert expected == unit.derive_key(secret, site, number)


@pytest.mark.parametrize("body", [b"", b"\x00", b"\x63\x02", b"\xff"])
def test_a_status_of_an_unknown_word_is_a_need_of_help(body: bytes) -> None:
    """An authentic status is never lost to its body."""
    said = unit.body_of(UnitFrame(number=17, epoch=1, counter=65, type=Type.STATUS, body=body))

    assert isinstance(said, Status)
    assert Word.NEED_HELP is said.word


def test_an_order_of_an_unknown_action_is_malformed() -> None:
    """What a unit cannot show it does not confirm."""
    frame = UnitFrame(number=17, epoch=1, counter=65, type=Type.ORDER, body=bytes([6, 0, 0, 0, 0, 1]))

    with pytest.raises(Malformed, match="body octet 0: action 6"):
        unit.body_of(frame)


@pytest.mark.parametrize(
    ("body", "octet"), [(b"", 0), (b"\0\1", 2), (b"\0\1\5abcd", 2), (b"\0\1\xff" + bytes(190), 2)]
)
def test_a_text_says_its_length(body: bytes, octet: int) -> None:
    """Longer than the body or than a text may be: refused, and the octet named."""
    with pytest.raises(Malformed, match=f"body octet {octet}"):
        unit.body_of(UnitFrame(number=17, epoch=1, counter=65, type=Type.TEXT, body=body))


def test_a_wrong_octet_does_not_lose_a_text() -> None:
    """What is not UTF-8 is shown as such."""
    frame = UnitFrame(number=17, epoch=1, counter=65, type=Type.TEXT, body=b"\0\7\3a\xffb")

    assert Text(number=7, words="a\ufffdb") == unit.body_of(frame)


@pytest.mark.parametrize(
    ("words", "cleaned"),
    [
        (" two  children\nmissing ", "two children missing"),
        ("\u202egnihtemos\x00", "gnihtemos"),
        ("\u200b \t", ""),
        ("\u00e9" * 200, "\u00e9" * (MAX_TEXT // 2)),
        ("a" + "\u00e9" * 200, "a" + "\u00e9" * ((MAX_TEXT - 1) // 2)),
        ("\ud800x", "x"),
    ],
)
def test_a_text_is_made_to_be_shown(words: str, cleaned: str) -> None:
    """One line, nothing that hides or turns it, cut at a character."""
    assert cleaned == clean(words)


def refused_forgeries(random: Random, rounds: int) -> int:
    """How many of `rounds` forged, changed or turned frames are refused; each kind of frame in turn."""
    told = [
        unit.with_body(PRESS, Status(word=Word.INJURED, count=2)),
        unit.with_body(PRESS, Text(number=1, words="two are missing")),
        unit.with_body(PRESS, Shown(epoch=9, counter=9)),
        unit.with_body(PRESS, Order(told=Told.ALL_CLEAR, incident=12)),
        unit.with_body(PRESS, Say(number=1, words="stay where you are")),
    ]
    others = [(bytes(32), TAG), (KEY, unit.site_tag("elm")), (random.randbytes(32), TAG)]
    refused = 0
    for number in range(rounds):
        frame = told[number % len(told)]
        sealed = bytearray(unit.seal(frame, KEY, TAG))
        key, tag = KEY, TAG
        match number % 4:
            case 0:
                sealed[random.randrange(len(sealed))] ^= 1 << random.randrange(8)
            case 1:
                sealed[1] ^= 0x80  # the other direction
            case 2:
                key, tag = random.choice(others)
            case _:
                sealed[5] ^= random.randint(1, 255)  # another unit
        try:
            unit.body_of(unit.open_sealed(bytes(sealed), key, tag))
        except Malformed as error:
            assert "octet" in str(error)
            refused += 1
    return refused


def read_anything(random: Random, rounds: int) -> None:
    """Authentic frames with random bodies: read, or malformed, and nothing else."""
    for _ in range(rounds):
        body = random.randbytes(random.randint(0, 24))
        frame = UnitFrame(number=1, epoch=1, counter=1, type=random.choice([5, 6, 7, 35, 36]), body=body)
        try:
            unit.encode_body(unit.body_of(frame))
        except Malformed as error:
            assert "octet" in str(error)
        except ValueError:
            assert "\ufffd" in str(unit.body_of(frame))  # each wrong octet reads as three


def test_twenty_thousand_forged_words_of_rooms_are_refused() -> None:
    """Wrong key, other unit, reversed direction, flipped bits: none is accepted; no body raises anything else."""
    assert 20_000 == refused_forgeries(Random(5), 20_000)
    read_anything(Random(6), 20_000)


@pytest.mark.soak
def test_a_million_forged_words_of_rooms_are_refused() -> None:
    """The same at length."""
    assert 1_000_000 == refused_forgeries(Random(7), 1_000_000)
    read_anything(Random(8), 1_000_000)
