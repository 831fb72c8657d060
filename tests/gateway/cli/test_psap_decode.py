"""`belltower psap decode`: whatever somebody has at hand, explained."""

import json
from random import Random

import pytest

from gateway.cli.frames import explained, octets_of, pieces
from gateway.psap.explain import candidates, explain_as, formats, frames
from tests.gateway.cli.house import belltower
from tests.gateway.psap.explain.test_radio_frames import on_air
from tests.gateway.psap.test_wire_vectors import FILE
from tests.peers.county import KEY

FRAME = on_air()


@pytest.mark.parametrize(
    "typed",
    [
        FRAME.hex(),
        FRAME.hex(" "),
        FRAME.hex(":").upper(),
        "0x" + FRAME.hex(),
        " ".join(f"0x{octet:02x}" for octet in FRAME),
        "".join(f"\\x{octet:02x}" for octet in FRAME),
        repr(FRAME)[1:],
    ],
)
def test_octets_may_be_written_in_many_ways(typed):
    """Hexadecimal with blanks, colons or 0x, and escapes."""
    assert FRAME == octets_of(typed.encode())


@pytest.mark.parametrize(
    "data",
    [
        FRAME,
        FRAME.hex().encode(),
        FRAME.hex(" ").encode() + b"\n",
        json.dumps({"some": [{"name": "x", "kiss_hex": FRAME.hex()}]}).encode(),
        json.dumps([{"frame": FRAME.decode("latin-1")}]).encode(),
        "".join(f"\\x{octet:02x}" for octet in FRAME).encode(),
    ],
)
def test_a_file_may_hold_octets_hexadecimal_or_json(data):
    """All of them end as the same frame."""
    (piece,) = pieces(data)
    (found,) = explained(piece)

    assert FRAME == piece.octets
    assert found.in_order


def test_several_frames_in_one_file_come_one_after_another():
    """With their places; a bad one between two good ones spoils neither."""
    (piece,) = pieces(FRAME + b"\xc0\x00\xdb\x00\xc0" + FRAME)
    found = list(explained(piece))

    assert [True, False, True] == [one.in_order for one in found]
    assert [0, len(FRAME), len(FRAME) + 5] == [one.at for one in found]


def test_a_frame_in_order_is_told_and_exits_with_nought():
    """Typed in, as hexadecimal."""
    done = belltower("psap", "decode", FRAME.hex(" "))

    assert 0 == done.returncode, done.stderr
    assert "call 7 of incident 12" in done.stdout
    assert "In order." in done.stdout


def test_a_bad_frame_is_named_exactly_and_exits_with_one(tmp_path):
    """From a file, with the key from a file that only its owner may read."""
    file, key = tmp_path / "frame.bin", tmp_path / "key"
    file.write_bytes(FRAME)
    key.touch(mode=0o600)
    key.write_text("00" * 32 + "\n")
    done = belltower("psap", "decode", "--key", key, "--json", file)

    (said,) = map(json.loads, done.stdout.splitlines())
    assert 1 == done.returncode
    assert "KISS with AX.25" == said["format"]
    assert ["the MAC does not fit the text, its id, its stations and this key"] == said["faults"]
    key.write_text(KEY.hex())
    assert 0 == belltower("psap", "decode", "--key", key, file).returncode
    key.chmod(0o644)
    assert 78 == belltower("psap", "decode", "--key", key, file).returncode


def test_what_is_nothing_known_says_what_was_tried():
    """And the closest guess; a file or a format that is not there is a wrong command line."""
    done = belltower("psap", "decode", "what is this")

    assert 1 == done.returncode
    assert "not recognised" in done.stdout
    assert "kiss" in done.stdout
    assert 2 == belltower("psap", "decode", "no/such/file.bin").returncode
    assert 2 == belltower("psap", "decode", "--as", "telex", "00").returncode


def fuzz(seeds: list[bytes], *, rounds: int, seed: int) -> int:
    """Explain so many random and mutated frames; what anything raises goes through. Returns how many explanations.

    Each as what it was before, and as something else; one in five as the command would, finding out what it is.
    """
    random = Random(seed)
    names = list(formats())
    known = [(data, [name for name, _ in candidates(data)][:1] or names) for data in seeds]
    count = 0
    for number in range(rounds):
        sound, likely = random.choice(known)
        data = spoilt(sound, random) if number % 5 else random.randbytes(random.randrange(80))
        key = random.choice(["", "", KEY.hex(), "ABCDEF0123456789"])
        for name in (random.choice(likely), random.choice(names)):
            count += sum(1 for octets in frames(data, name) if explain_as(octets, name, key=key))
        if random.randrange(5) == 0:
            count += sum(1 for piece in pieces(data) for _ in explained(piece, key=key))
    return count


def spoilt(sound: bytes, random: Random) -> bytes:
    """A frame with one to four octets changed, dropped or added, or cut off."""
    data = bytearray(sound)
    for _ in range(random.randrange(1, 5)):
        at = random.randrange(len(data) + 1)
        match random.randrange(5):
            case 0:
                del data[at:]
            case 1:
                data[at:at] = random.randbytes(random.randrange(1, 4))
            case 2:
                del data[at : at + random.randrange(1, 6)]
            case _ if at < len(data):
                data[at] = random.randrange(256)
    return bytes(data)


SEEDS = [piece.octets for piece in pieces(FILE.read_bytes())] + [FRAME, FILE.read_bytes()[:400]]


def test_no_octets_make_it_raise():
    """20,000 random and mutated frames of every wire, with and without keys, also as what they are not."""
    assert fuzz(SEEDS, rounds=20_000, seed=1) >= 40_000


@pytest.mark.soak
def test_no_octets_make_it_raise_in_the_long_run():
    """The same, two hundred thousand times."""
    assert fuzz(SEEDS, rounds=200_000, seed=2) >= 400_000
