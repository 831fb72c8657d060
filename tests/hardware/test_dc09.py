"""SIA DC-09 frames: every vector both ways, exact faults, any split, and a million mutations."""

import contextlib
import json
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belltower.clock import SECOND, Instant
from belltower.errors import Malformed
from hardware.codecs import dc09
from hardware.codecs.dc09 import Content, Decoder, Extra, Frame, Kind
from hardware.codecs.dc09_crypto import key_of, open_sealed, random_pad, seal

VECTORS = json.loads((Path(__file__).parents[1] / "golden/frames/wire-vectors.json").read_text())["dc09"][
    "frames"
]
PLAIN = [vector["frame"].encode() for vector in VECTORS if "key_ascii" not in vector]
SEALED = [vector for vector in VECTORS if "key_ascii" in vector]
AT = Instant(1_795_307_554 * SECOND)  # 00:32:34,11-22-2026

hexes = st.text("0123456789ABCDEF", min_size=1, max_size=6)
accounts = st.text("0123456789ABCDEF", min_size=3, max_size=16)
texts = st.text(
    st.characters(codec="cp1252", exclude_characters="[]", exclude_categories=("Cc",)), max_size=40
).filter(lambda text: "\x7f" not in text)
stamps = st.none() | st.integers(-62_135_596_800, 253_402_300_799).map(lambda s: Instant(s * SECOND))
contents = st.builds(
    Content,
    data=texts,
    extras=st.lists(st.builds(Extra, st.sampled_from(sorted(dc09.EXTRAS)), texts), max_size=4).map(tuple),
    stamp=stamps,
)
frames = st.builds(
    Frame,
    kind=st.sampled_from(Kind),
    sequence=st.integers(0, 9999),
    receiver=st.none() | hexes,
    line=hexes,
    account=accounts,
    content=contents,
)
keys = st.sampled_from([16, 24, 32]).flatmap(lambda size: st.binary(min_size=size, max_size=size))


def slow_crc(octets):
    """CRC-16/ARC bit by bit, as the field notes describe it."""
    crc = 0
    for octet in octets:
        crc ^= octet
        for _ in range(8):
            crc = (crc >> 1) ^ (0xA001 if crc & 1 else 0)
    return crc


@pytest.mark.parametrize("raw", PLAIN)
def test_every_plain_vector_both_ways(raw):
    """Decoded and encoded again, exactly the same octets."""
    assert raw == dc09.encode(dc09.decode(raw))


@pytest.mark.parametrize("vector", SEALED, ids=lambda vector: vector["name"])
def test_every_sealed_vector_both_ways(vector):
    """The plaintext comes out, and with the same pad the same octets come of it."""
    raw, key = vector["frame"].encode(), key_of(vector["key_ascii"])
    pad, _, rest = vector["plaintext"].partition("|")
    opened = open_sealed(dc09.decode(raw), key)

    assert rest == dc09.write_content(opened.content)
    assert raw == dc09.encode(seal(opened, key, lambda size: pad.encode()[:size]))


def test_what_the_vectors_say():
    """The fields of one of them, read by hand."""
    expected = Frame(
        kind=Kind.SIA,
        sequence=2,
        account="1234",
        content=Content(
            data="#1234|Nri1/HA013",
            extras=(Extra("R", "Room 204"), Extra("X", "093W45.123"), Extra("Y", "44N12.345")),
            stamp=AT,
        ),
    )
    nak = Frame(kind=Kind.NAK, content=Content(stamp=Instant(AT + 6 * SECOND)))

    assert expected == dc09.decode(PLAIN[2])
    assert [nak] == [frame for frame in map(dc09.decode, PLAIN) if frame.kind is Kind.NAK]


@given(frames)
def test_what_is_written_is_read_back(frame):
    """Every frame that can be written."""
    assert frame == dc09.decode(dc09.encode(frame))


@given(frames, keys, st.randoms(use_true_random=False))
def test_what_is_sealed_is_opened(frame, key, random):
    """With every size of key; the pad is of the sender's choice."""
    raw = dc09.encode(seal(frame, key, random_pad(random.randbytes)))

    assert frame == open_sealed(dc09.decode(raw), key)


@given(st.binary(max_size=200))
def test_any_octets_are_a_frame_or_malformed(raw):
    """No other exception."""
    for octets in (raw, b"\n" + raw + b"\r", b"\n%04X%04X%b\r" % (dc09.crc16(raw), len(raw), raw)):
        with contextlib.suppress(Malformed):
            dc09.decode(octets)


@given(st.binary(min_size=16, max_size=96).map(lambda raw: raw[: len(raw) // 16 * 16]), keys)
def test_any_sealed_octets_are_content_or_malformed(sealed, key):
    """A wrong key, or a hostile sender."""
    for lenient in (False, True):
        with contextlib.suppress(Malformed):
            open_sealed(
                Frame(kind=Kind.SIA, account="1234", content=None, sealed=sealed), key, lenient=lenient
            )


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        (b"", "octet 0: a frame begins with LF"),
        (b"\n", "octet 1: a frame ends with CR"),
        (b'\n1C1E 014"ACK"0003R0L0#1234[]\r', "octet 1: expected 4 hex digits of CRC and 4 of length"),
        (
            b'\n1C1E0015"ACK"0003R0L0#1234[]\r',
            "octet 5: length says 0015 = 21, the body has 20 octets at octet 9",
        ),
        (b'\n12340014"ACK"0003R0L0#1234[]\r', "octet 1: CRC is 1234, the octets give 1C1E"),
    ],
)
def test_a_fault_of_the_frame_is_named_with_its_octet(raw, fault):
    """What an installer needs to read."""
    with pytest.raises(Malformed) as error:
        dc09.decode(raw)

    assert fault == str(error.value)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ('"ACQ"0003R0L0#1234[]', 'octet 9: expected an id such as "SIA-DCS" in quotes'),
        ('"ACK"003R0L0#1234[]', "octet 14: expected 4 digits of sequence number"),
        ('"ACK"0003L0R0#1234[]', "octet 20: the receiver number stands before the line number"),
        ('"ACK"0003R0#1234[]', "octet 20: expected L and 1 to 6 hex digits of line number"),
        ('"ACK"0003R0L0#12[]', "octet 22: expected # and 3 to 16 hex digits of account"),
        ('"ACK"0003R0L0A0[]', "octet 22: only a NAK may have A0 in place of #account"),
        ('"ACK"0003R0L0#1234', "octet 27: expected the bracket before the content"),
        (
            '"ACK"0003R0L0#1234[]x',
            "octet 28: expected data, ']', blocks such as [Rroom] and _HH:MM:SS,MM-DD-YYYY, or no more",
        ),
        ('"NAK"0000R0L0A0[]_24:00:00,01-01-2026', "octet 27: there is no such time: hour must be in 0..23"),
        ('"NAK"0000R0L0A0[]_10:0000:,01-01-2026', "octet 27: expected the time as HH:MM:SS,MM-DD-YYYY"),
        ('"*ACK"0003R0L0#1234[00', "octet 29: sealed content is hex digits, a multiple of 32"),
        ('"ACK"0003R0L0#1234[\t]', "octet 28: a control character"),
    ],
)
def test_a_fault_of_the_body_is_named_with_its_octet(body, fault):
    """The sums are right, the grammar is not kept."""
    raw = body.encode()
    with pytest.raises(Malformed) as error:
        dc09.decode(b"\n%04X%04X%b\r" % (dc09.crc16(raw), len(raw), raw))

    assert fault == str(error.value)


@pytest.mark.parametrize(
    "frame",
    [
        Frame(kind=Kind.ACK),
        Frame(kind=Kind.SIA, account="1234", content=Content(data="a]b")),
        Frame(kind=Kind.SIA, account="1234", content=Content(stamp=Instant(1))),
        Frame(kind=Kind.SIA, account="1234", content=Content(extras=(Extra("r", "x"),))),
        Frame(kind=Kind.SIA, account="12", content=Content()),
        Frame(kind=Kind.SIA, account="1234", sequence=10_000),
        Frame(kind=Kind.SIA, account="1234", content=Content(data="x" * 4100)),
        Frame(kind=Kind.SIA, account="1234", content=None, sealed=b"short"),
    ],
)
def test_what_would_not_be_read_back_is_not_written(frame):
    """A caller's mistake is a ValueError, not a frame."""
    with pytest.raises(ValueError):
        dc09.encode(frame)


def test_a_nak_may_name_line_and_receiver_the_other_way_round():
    """Pysiaalarm's does, to whoever it does not know."""
    body = b'"NAK"0000L0R0A0[]_00:32:40,11-22-2026'
    nak = dc09.decode(b"\n%04X%04X%b\r" % (dc09.crc16(body), len(body), body))

    assert dc09.decode(PLAIN[7]) == nak


def test_9999_is_followed_by_1():
    """0 is for the link test."""
    assert (2, 9999, 1) == (dc09.after(1), dc09.after(9998), dc09.after(9999))


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("ABCDEF0123456789", b"ABCDEF0123456789"),
        ("x" * 24, b"x" * 24),
        ("y" * 32, b"y" * 32),
        ("0" * 32, bytes(16)),
        ("0" * 48, bytes(24)),
        ("0" * 64, bytes(32)),
        ("ascii:" + "0" * 32, b"0" * 32),
        ("hex:" + "ab" * 16, b"\xab" * 16),
    ],
)
def test_keys_as_installers_write_them(text, key):
    """Characters or hex digits."""
    assert key == key_of(text)


@pytest.mark.parametrize("size", [*range(16), 17, 23, 25, 31, 33, 40, 47, 49, 63, 65, 128])
def test_a_key_of_another_length_is_refused_unseen(size):
    """The message does not repeat it."""
    from belltower.errors import SettingsError

    with pytest.raises(SettingsError) as error:
        key_of("7" * size)

    assert "7777" not in str(error.value)


def test_pysiaalarm_answers_without_a_bar_after_the_pad():
    """Zeros in front of the bracket: opened only where that is asked for."""
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.algorithms import AES
    from cryptography.hazmat.primitives.ciphers.modes import CBC

    plain = b"00000000000]_00:32:34,11-22-2026"
    encryptor = Cipher(AES(b"k" * 16), CBC(bytes(16))).encryptor()
    sealed = encryptor.update(plain) + encryptor.finalize()
    frame = Frame(kind=Kind.ACK, sequence=8, account="12345A", content=None, sealed=sealed)

    assert Content(stamp=AT) == open_sealed(frame, b"k" * 16, lenient=True).content
    with pytest.raises(Malformed):
        open_sealed(frame, b"k" * 16)


@given(st.lists(st.sampled_from(PLAIN) | st.binary(max_size=30), max_size=8), st.data())
def test_the_same_frames_for_any_split(pieces, data):
    """Frames, garbled ones and the count of noise do not depend on how the stream was cut."""
    stream = b"".join(pieces)
    whole = Decoder()
    expected = whole.feed(stream)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    split = Decoder()
    found = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += split.feed(stream[start:end])

    assert (expected, whole.noise, whole.sample) == (found, split.noise, split.sample)


@given(st.binary(max_size=300), st.sampled_from(PLAIN))
def test_after_any_garbage_the_next_frame_is_found(garbage, raw):
    """Half a frame, an answer without frame, noise."""
    assert dc09.decode(raw) == Decoder().feed(garbage + raw)[-1]


def test_a_decoder_keeps_no_more_than_a_frame():
    """A stream that never ends."""
    decoder = Decoder()
    decoder.feed(b"\n")
    found = [item for _ in range(1000) for item in decoder.feed(b"x" * 1000)]

    assert ["longer than 4095 octets"] == [item.reason for item in found]
    assert len(decoder._pending) <= dc09.MAX_BODY + 8


def test_what_an_odd_receiver_answers_is_told():
    """An empty frame, and an answer without any frame around it."""
    decoder = Decoder()

    assert [] == decoder.feed(b'"NAK"')
    assert (5, b'"NAK"') == (decoder.noise, decoder.sample)
    assert ["LF and CR with nothing between them"] == [item.reason for item in decoder.feed(b"\n\r")]


def mutated(raw, random):
    """The frame with something done to it that a line, or somebody, might do."""
    octets = bytearray(raw)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        at = random.randrange(len(octets))
        match random.randrange(6):
            case 0:
                octets[at] ^= 1 << random.randrange(8)
            case 1:
                octets[at] = random.randrange(256)
            case 2:
                del octets[at : at + random.randrange(1, 4)]
            case 3:
                octets[at:at] = random.randbytes(random.randrange(1, 4))
            case 4:
                other = random.randrange(len(octets))
                octets[at], octets[other] = octets[other], octets[at]
            case _:
                octets[at:at] = octets[at : at + random.randrange(1, 6)]
        if not octets:
            break
    return bytes(octets)


def accepted_of(count, seed):
    """How many of so many mutated frames were accepted; each must be just what a sender meaning it would send."""
    random = Random(seed)
    raws = [*PLAIN, *(vector["frame"].encode() for vector in SEALED)]
    accepted = 0
    for _ in range(count):
        raw = random.choice(raws)
        octets = mutated(raw, random)
        try:
            frame = dc09.decode(octets)
        except Malformed:
            continue
        body = octets[9:-1]
        assert slow_crc(body) == int(octets[1:5], 16)
        assert len(body) == int(octets[5:9], 16)
        again = dc09.encode(frame)[9:]
        assert again == octets[9:] or (frame.content is None and again.lower() == octets[9:].lower())
        accepted += octets[9:] != raw[9:]
    return accepted


def test_mutated_frames_are_refused():
    """20,000 of them; the soak does a million."""
    assert accepted_of(20_000, seed=1) <= 3


@pytest.mark.soak
def test_a_million_mutated_frames_are_refused():
    """What is accepted has the right CRC of its own octets: of 65,536 random changes one does."""
    assert accepted_of(1_000_000, seed=2) <= 40
