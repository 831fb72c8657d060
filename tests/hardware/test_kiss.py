"""KISS frames survive any split, and noise costs no more than the frame it fell into."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from hardware.codecs import kiss
from hardware.codecs.kiss import Decoder, Frame, Garbled

payloads = st.binary(max_size=300) | st.lists(st.sampled_from([0xC0, 0xDB, 0xDC, 0xDD, 0]), max_size=40).map(
    bytes
)
frames = st.builds(Frame, data=payloads, port=st.integers(0, 15), command=st.integers(0, 15))


def encoded(frame: Frame) -> bytes:
    return kiss.encode(frame.data, port=frame.port, command=frame.command)


@given(frames)
def test_what_is_encoded_is_decoded(frame: Frame) -> None:
    """Every payload, port and command comes back, delimiters and escapes included."""
    assert [frame] == Decoder().feed(encoded(frame))


@given(st.lists(frames, max_size=6), st.data())
def test_any_split_gives_the_same_frames(sent: list[Frame], data: st.DataObject) -> None:
    """Where the octets are cut does not matter."""
    stream = b"".join(map(encoded, sent))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    decoder = Decoder()

    found = [
        frame
        for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)
        for frame in decoder.feed(stream[a:b])
    ]

    assert sent == found


@given(st.binary(max_size=600), st.integers(1, 7))
def test_random_octets_give_the_same_whole_or_in_pieces(noise: bytes, step: int) -> None:
    """Frames and garbled frames are the same however they arrive."""
    whole, pieces = Decoder(max_frame=20), Decoder(max_frame=20)

    expected = whole.feed(noise)
    actual = [frame for i in range(0, len(noise), step) for frame in pieces.feed(noise[i : i + step])]

    assert expected == actual
    assert (whole.frames, whole.garbled, whole.noise) == (pieces.frames, pieces.garbled, pieces.noise)


@given(st.binary(max_size=200))
def test_after_noise_the_second_frame_is_whole(noise: bytes) -> None:
    """Noise may eat the frame it runs into, never the one after."""
    found = Decoder().feed(noise + kiss.encode(b"first") + kiss.encode(b"second"))

    assert Frame(data=b"second") == found[-1]


def test_empty_frames_mean_nothing() -> None:
    """Any number of delimiters in a row holds no frame."""
    assert [Frame(data=b"x")] == Decoder().feed(b"\xc0\xc0\xc0\xc0\x00x\xc0\xc0\xc0")


def test_a_bad_escape_drops_its_frame_only() -> None:
    """DB before anything but DC or DD garbles the frame; a sample is kept."""
    decoder = Decoder()

    found = decoder.feed(b"\xc0\x00ab\xdbc\xc0" + kiss.encode(b"ok"))

    assert [
        Garbled(reason="octet 3: DB is followed by neither DC nor DD", sample=b"\x00ab\xdbc"),
        Frame(data=b"ok"),
    ] == found
    assert (decoder.frames, decoder.garbled) == (1, 1)


def test_an_escape_at_the_end_is_bad() -> None:
    """DB as the last octet of a frame escapes nothing."""
    assert isinstance(Decoder().feed(b"\xc0\x00a\xdb\xc0")[0], Garbled)


def test_an_endless_frame_takes_bounded_memory() -> None:
    """A megabyte without a delimiter is dropped as one frame, and the next is found."""
    decoder = Decoder()
    decoder.feed(b"\xc0")
    for _ in range(1000):
        decoder.feed(b"x" * 1000)

    assert len(decoder._pending) <= 2 * kiss.MAX_FRAME + 1
    assert [Garbled(reason="longer than 1024 octets", sample=b"x" * 64), Frame(data=b"ok")] == decoder.feed(
        kiss.encode(b"ok")
    )


def test_a_frame_of_the_limit_passes_and_one_more_octet_does_not() -> None:
    """The limit counts unescaped octets, the type octet included."""
    longest = b"\xc0" * (kiss.MAX_FRAME - 1)

    assert [Frame(data=longest)] == Decoder().feed(kiss.encode(longest))
    assert isinstance(Decoder().feed(kiss.encode(longest + b"\xc0"))[0], Garbled)
    assert isinstance(Decoder().feed(kiss.encode(longest + b"x"))[0], Garbled)


def test_a_port_out_of_range_is_refused() -> None:
    """The type octet has four bits for it."""
    for port, command in ((16, 0), (-1, 0), (0, 16)):
        try:
            kiss.encode(b"", port=port, command=command)
        except ValueError:
            continue
        raise AssertionError((port, command))


def test_a_hundred_thousand_mutated_frames_cause_no_harm() -> None:
    """Whatever a bad line does to a stream of frames, the decoder goes on and stays small."""
    random = Random(7)
    good = bytearray(kiss.encode(bytes(range(180, 240))))
    decoder = Decoder()
    for _ in range(100_000):
        place = random.randrange(len(good))
        decoder.feed(
            bytes(good[:place])
            + bytes([random.getrandbits(8)])
            + bytes(good[place + random.getrandbits(1) :])
        )

    assert len(decoder._pending) <= 2 * kiss.MAX_FRAME + 1
    assert decoder.frames > 50_000
