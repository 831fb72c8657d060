"""`belltower psap decode`: whatever somebody has at hand, explained."""

import json
from random import Random

import pytest
from click.testing import CliRunner

from gateway.cli.frames import explained, octets_of, pieces
from gateway.cli.psap_decode import command
from gateway.psap import explain
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


@pytest.mark.parametrize(
    ("data", "named", "faults"),
    [
        (bytes.fromhex("0001000B915155214365F700000A"), "SMS", 1),
        (bytes.fromhex("82062A0150414243"), "TETRA PEI", 0),
        (b"\xc0\xc0", "KISS with AX.25", 0),
        (b'<?xml version="1.0"?><xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"/>', "XML", 1),
        (b'<rss version="2.0"><channel/></rss>', "XML", 1),
        (b"<not really", "XML", 1),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"/>', "CAP", 1),
        (b'{"a": 1}', "JSON", 1),
        ((b"FOO urn:service:sos SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z9hG4bKa\r\nFrom: <sip:a@b>;tag=1\r\n"
         b"To: <urn:service:sos>\r\nCall-ID: a\r\nCSeq: 1 FOO\r\nMax-Forwards: 70\r\n"
         b"Content-Length: 0\r\n\r\n"), "SIP", 1),
        ((b'1A8B005C"SIA-DCS"0004R0L0#12345A[#12345A|Nri1/PA000^C7 I12 KZZ000007 now B 305^]'
         b"_00:32:34,11-22-2026"), "SIA DC-09", 0),
    ],
)  # fmt: skip
def test_what_looks_alike_is_named_rightly(data, named, faults):
    """Formats of PSAP links before MQTT, documents by their root, a damaged text as a text."""
    (piece,) = pieces(data)
    (found,) = explained(piece)

    assert (named, True) == (found.explanation.format, found.known)
    assert bool(faults) == bool(found.explanation.faults), found.explanation.faults


def test_short_octets_by_chance_name_no_format():
    """Of 2,000 random runs of 1 to 7 octets hardly one is called something, and none by a faint likeness."""
    random = Random(3)
    runs = [random.randbytes(random.randrange(1, 8)) for _ in range(2_000)]
    named = [data for data in runs for piece in pieces(data) for one in explained(piece) if one.known]

    assert len(named) <= 40, [data.hex() for data in named]


def test_nothing_is_said_to_be_nothing(tmp_path):
    """An empty file, and an empty word on the command line."""
    file = tmp_path / "empty"
    file.write_bytes(b"\n")
    for what in (file, " "):
        done = belltower("psap", "decode", what)
        assert (1, "There is nothing in it.\n") == (done.returncode, done.stdout)


def test_a_long_file_is_said_to_be_read_in_part(tmp_path, monkeypatch):
    """Nothing is said against the severed frame; each has its place in the file."""
    monkeypatch.setattr(explain, "MOST", 100 * len(FRAME) + 7)
    file = tmp_path / "capture.bin"
    file.write_bytes(FRAME * 1_000)
    done = CliRunner().invoke(command, [str(file)])

    assert 0 == done.exit_code, done.output
    assert "only the first 1 MiB of" in done.stderr
    assert "101 frames, all in order; the last was not read to its end." in done.stdout
    assert "WRONG" not in done.stdout
    assert f"2. KISS with AX.25, from octet {len(FRAME)} of the whole" in done.stdout


def test_lines_of_hexadecimal_are_cut_between_two_lines(tmp_path, monkeypatch):
    """The line that was severed is not a frame with a fault."""
    monkeypatch.setattr(explain, "MOST", 1_000)
    file = tmp_path / "capture.hex"
    file.write_text(f"{FRAME.hex()}\n" * 100)
    done = CliRunner().invoke(command, [str(file)])

    assert 0 == done.exit_code, done.output
    assert "WRONG" not in done.stdout


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
