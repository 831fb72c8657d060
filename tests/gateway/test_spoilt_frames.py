"""Fault R12 at every codec of a road to the county: nothing spoilt is taken for something else, nothing but Malformed."""

from random import Random

import pytest

from belltower.errors import Malformed
from gateway.bench.codecs import Codec, codecs, spoil, spoilt

CODECS = codecs()
SOAK = 10_000_000


def judge(codec: Codec, count: int, seed: int = 0) -> None:
    """Read so many spoilt frames."""
    told = spoil(codec, count, Random(f"{codec.name} {seed}"))

    assert (0, {}) == (told.wrong, told.raised)
    assert count == told.frames == told.malformed + told.same + told.other
    assert not codec.checked or told.other == 0


@pytest.mark.parametrize("codec", CODECS, ids=[codec.name for codec in CODECS])
def test_a_whole_frame_is_read_as_it_was_written(codec: Codec) -> None:
    """Both directions, so that the refusals below mean something."""
    assert codec.sample == codec.write(codec.read(codec.sample))


@pytest.mark.parametrize("codec", CODECS, ids=[codec.name for codec in CODECS])
def test_nothing_spoilt_is_accepted_wrong(codec: Codec) -> None:
    """20,000 frames among all codecs: bits turned, octets lost, doubled, put in, cut off."""
    judge(codec, 20_000 // len(CODECS))


@pytest.mark.soak
@pytest.mark.parametrize("codec", CODECS, ids=[codec.name for codec in CODECS])
def test_nothing_spoilt_is_accepted_wrong_in_the_long_run(codec: Codec) -> None:
    """Ten million among all codecs."""
    judge(codec, SOAK // len(CODECS), seed=1)


@pytest.mark.parametrize("codec", CODECS, ids=[codec.name for codec in CODECS])
def test_what_is_no_frame_at_all_is_malformed(codec: Codec) -> None:
    """Nothing, one octet of each, noise, every beginning of a frame, and a frame that never ends."""
    random = Random(1)
    cut = [codec.sample[:end] for end in range(0, len(codec.sample) - 1, max(1, len(codec.sample) // 100))]
    noise = [random.randbytes(random.randrange(400)) for _ in range(200)]
    endless = [
        octets * 100_000 for octets in (b"\0", b"A", b"\xc0", b"\n", b"<a>", b"[", b"\x94\xc3\xff\xff")
    ]
    for octets in [*(bytes((octet,)) for octet in range(256)), *cut, *noise, *endless]:
        try:
            said = codec.read(octets)
        except Malformed:
            continue
        assert not codec.checked, said


def test_damage_is_drawn_by_the_seed() -> None:
    """A failing frame can be found again."""
    octets = bytes(range(100))

    assert [spoilt(octets, Random(7)) for _ in range(3)] == [spoilt(octets, Random(7))] * 3
    assert 95 < len({spoilt(octets, Random(seed)) for seed in range(100)})
