"""SIA DC-09 frames explained: every field, the codes by name, and exactly what is wrong."""

import json
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.psap.explain import dc09 as explaining
from gateway.psap.explain import explain_as
from hardware.codecs import dc09
from tests.hardware.test_dc09 import mutated

FILE = Path(__file__).parents[3] / "golden" / "frames" / "wire-vectors.json"
VECTORS = json.loads(FILE.read_text(encoding="utf-8"))["dc09"]["frames"]
PLAIN = VECTORS[0]["frame"].encode()
SEALED = next(vector for vector in VECTORS if "key_ascii" in vector)
RAW = SEALED["frame"].encode()


def framed(body):
    """With the right sums."""
    raw = body.encode("cp1252")
    return b"\n%04X%04X%b\r" % (dc09.crc16(raw), len(raw), raw)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_every_octet_is_accounted_for(vector):
    """And nothing is wrong, with the key or without it."""
    octets = vector["frame"].encode()
    for key in ("", vector.get("key_ascii", "")):
        said = explain_as(octets, "dc09", key=key)
        assert () == said.faults
        assert octets == b"".join(line.octets for line in said.lines)


def test_a_panic_is_told_in_words():
    """Code, zone, area, text."""
    said = explaining.explain(VECTORS[1]["frame"].encode())

    assert 'SIA-DCS 0001 of account 1234: PA panic alarm, zone 0013, area 1, text "RM204"' == said.summary


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            '"SIA-DCS"0007R0L0#1234[#1234|Nri1/PA013^C7 I12 KZZ000007 B 204^]',
            "call 7 of incident 12, key ZZ000007, at B 204",
        ),
        (
            '"ADM-CID"0007R0L0#1234[#1234|1601 01 000][IEXERCISE C7 I12 KZZ000007 B 204]',
            "EXERCISE, call 7 of incident 12",
        ),
        ('"SIA-DCS"0007R0L0#1234[#1234|NOC000^C7 I12 KZZ000007 cancelled^]', "is cancelled"),
        ('"SIA-DCS"0007R0L0#1234[#1234|NPA000^C7 I12 KZZ000007 presses 2-9^]', "presses 2-9"),
        ('"SIA-DCS"0007R0L0#1234[#1234|NPA000^C7 I12 KZZ000007 now B 305^]', "is at B 305 now"),
        ('"SIA-DCS"0007R0L0#1234[#1234|NRX000^TEST 3 KZZ000007^]', "marked test 3, key ZZ000007"),
        ('"NAK"0000R0L0A0[]_00:32:40,11-22-2026', "the receiver's clock says 00:32:40,11-22-2026 UTC"),
        ('"NAK"0000L0R0A0[]_00:32:40,11-22-2026', "the receiver's clock says"),
        ('"DUH"0003R0L0#1234[]', "it cannot be processed"),
        ('"NULL"0000R0L0#1234[]', "a link test"),
        ('"ADM-CID"0004R0L0#1234[#1234|3120 01 013]', "panic alarm, restored"),
    ],
)
def test_what_it_is_for_stands_in_the_summary(body, words):
    """In words."""
    said = explaining.explain(framed(body))

    assert () == said.faults
    assert words in said.summary


def test_sealed_content_is_told_as_far_as_possible():
    """Without a key its size, with it everything; another key is a fault; no key is ever shown."""
    key = SEALED["key_ascii"]
    blind, opened = explaining.explain(RAW), explaining.explain_with(RAW, key)
    other, none = explaining.explain_with(RAW, "x" * 16), explaining.explain_with(RAW, "short")

    assert any("48 octets sealed with AES-CBC" in line.says for line in blind.lines)
    assert "PA panic alarm, zone 013" in opened.summary
    assert any("AES-128" in line.says for line in opened.lines)
    assert "the key is not the right one" in other.faults[0]
    assert "the key has 5 characters" in none.faults[0]
    assert opened == explaining.explain(RAW, keys=(b"y" * 16, key.encode()))
    assert key not in str((blind, opened, other))


@pytest.mark.parametrize(
    ("octets", "fault"),
    [
        (PLAIN.replace(b"7308", b"1234"), "octet 1: CRC is 1234, the octets give 7308"),
        (
            PLAIN.replace(b"0038", b"0039"),
            "octet 5: length says 0039 = 57, the body has 56 octets at octet 9",
        ),
        (PLAIN[1:], "octet 0: a frame begins with LF"),
        (PLAIN[:-1], "octet 65: a frame ends with CR"),
        (framed('"SIA-DCS"0001R0#1234[]'), "octet 24: expected L and 1 to 6 hex digits of line number"),
        (
            framed('"SIA-DCS"0001R0L0#1234[#1234|NPA013]_25:00:00,11-22-2026'),
            "octet 46: there is no such time: hour must be in 0..23",
        ),
        (
            framed('"SIA-DCS"0001R0L0#1234[#1234|hello]'),
            "octet 32: data: expected N, modifiers such as ri1/, and an event code of two letters",
        ),
        (framed('"SIA-DCS"0001R0L0#1234[#1234|NZZ1]'), "octet 32: ZZ is a code of no table here"),
        (
            framed('"SIA-DCS"0001R0L0#1234[#9999|NPA1]'),
            "octet 32: data: names another account than the frame does",
        ),
        (framed('"SIA-DCS"0001R0L0#1234[#1234'), "octet 37: expected ']' after the data"),
        (framed('"ACK"0003R0L0A0[]'), "octet 22: only a NAK may have A0 in place of #account"),
        (
            framed('"*ACK"0003R0L0#1234[00]'),
            "octet 29: sealed content is hex digits, a multiple of 32; here are 3 characters",
        ),
        (b'"NAK"', "octet 0: a frame begins with LF"),
        (b"\n\r", "octet 0: a frame without a body; it receipts nothing"),
        (b"", "octet 0: a frame begins with LF"),
    ],
)
def test_what_is_wrong_is_said_exactly(octets, fault):
    """With the octet, what is there and what should be."""
    assert fault in explaining.explain(octets).faults


def test_frames_that_were_joined_are_cut_apart():
    """After each CR; joined they are the same again."""
    octets = PLAIN + RAW + b"\n12"

    assert (PLAIN, RAW, b"\n12") == explaining.split(octets)


@given(st.binary(max_size=120))
def test_anything_is_explained(octets):
    """Without an exception, and each line is its octets."""
    for part in (octets, b"\n00000000" + octets, b'\n00000000"SIA-DCS"0001R0L0#1234[' + octets):
        said = explaining.explain(part, keys=(b"k" * 16,))
        assert all(part[line.at : line.at + len(line.octets)] == line.octets for line in said.lines)
        assert said.summary


def test_what_the_codec_refuses_has_a_fault():
    """5,000 mutated frames: a fault whenever the codec sees one."""
    random = Random(5)
    for _ in range(5_000):
        octets = mutated(random.choice((PLAIN, RAW)), random)
        try:
            dc09.decode(octets)
        except dc09.Malformed:
            assert explaining.explain(octets).faults
