"""Short data of a TETRA radio, octet for octet as the standard and published recordings have it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belltower.errors import Malformed
from hardware.codecs import tetra_pei
from hardware.codecs.parts import Joiner
from hardware.codecs.tetra_pei import (
    Ack,
    Incoming,
    Part,
    Report,
    Reports,
    ShortReport,
    Status,
    Transfer,
)
from tests.hardware import fuzzing

PANIC = "82062A0150414E494320303133204C494E434F4C4E20485320524D3230342053455130303031"
octets = st.integers(0, 255)
latin = st.text(st.characters(max_codepoint=255), max_size=130)
wide = st.text(st.characters(exclude_categories=["Cs"]), max_size=32)
parts = st.builds(
    lambda reference, total, n: Part(reference=reference, total=total, number=n % total + 1),
    octets,
    st.integers(1, 255),
    octets,
)
transfers = st.builds(
    lambda reference, text, reports, short, timestamp, protocol, part: Transfer(
        reference=reference,
        text=text[0],
        coding=text[1] | (0x80 if timestamp else 0),
        reports=Reports(reports),
        short=short,
        timestamp=timestamp,
        protocol=0x8A if part else protocol,
        part=part,
    ),
    octets,
    latin.map(lambda text: (text, 0x01)) | wide.map(lambda text: (text, 0x1A)),
    st.integers(0, 3),
    st.booleans(),
    st.just(b"") | st.binary(min_size=3, max_size=3),
    st.sampled_from([0x82, 0x89]),
    st.none() | parts,
)
protocols = st.sampled_from([0x82, 0x89, 0x8A])
pdus = (
    transfers
    | st.builds(Report, reference=octets, status=octets, protocol=protocols, ack_wanted=st.booleans())
    | st.builds(Ack, reference=octets, status=octets, protocol=protocols)
)


def test_our_text_with_a_received_report():
    """The vector: message reference 2A, 304 bits, to 2345678."""
    transfer = Transfer(reference=0x2A, text="PANIC 013 LINCOLN HS RM204 SEQ0001", reports=Reports.RECEIVED)

    assert ("AT+CMGS=2345678,304", PANIC) == tetra_pei.command("2345678", tetra_pei.encode(transfer))
    assert transfer == tetra_pei.decode(bytes.fromhex(PANIC))


@pytest.mark.parametrize(
    ("line", "octets", "incoming", "pdu"),
    [
        (
            "+CTSDSR: 12,1234567,0,2345678,0,32",
            "821000C9",
            Incoming(service=12, source="1234567", destination="2345678", bits=32),
            Report(reference=0xC9, status=0),
        ),
        (
            "+CTSDSR: 12,1234567,0,2345678,0,32",
            "821800CA",
            Incoming(service=12, source="1234567", destination="2345678", bits=32),
            Report(reference=0xCA, status=0, ack_wanted=True),
        ),
        (
            "+CTSDSR: 12,1234567,0,2345678,0,120",
            "82029C01746573746D657373616765",
            Incoming(service=12, source="1234567", destination="2345678", bits=120),
            Transfer(reference=0x9C, text="testmessage"),
        ),
    ],
)
def test_what_comes_in(line, octets, incoming, pdu):
    """Reports, one that asks for an ack, a text."""
    assert incoming == tetra_pei.decode_header(line)
    assert pdu == tetra_pei.decode(bytes.fromhex(octets))
    assert bytes.fromhex(octets) == tetra_pei.encode(pdu)


def test_our_ack_of_a_report():
    """The vector: status 01, reference C9."""
    assert bytes.fromhex("822001C9") == tetra_pei.encode(Ack(reference=0xC9, status=0x01))
    assert Ack(reference=0xC9, status=0x01) == tetra_pei.decode(bytes.fromhex("822001C9"))


def test_a_status_of_the_users():
    """The vector: 8004, service 13."""
    line = "+CTSDSR: 13,1234567,0,2345678,0,16"

    assert tetra_pei.STATUS == tetra_pei.decode_header(line).service
    assert Status(value=0x8004) == tetra_pei.decode_status(bytes.fromhex("8004"))
    assert bytes.fromhex("8004") == tetra_pei.encode_short(Status(value=0x8004))


def test_a_short_report_is_a_status():
    """7E and the reference: received; 7F: consumed."""
    assert ShortReport(kind=2, reference=0x2A) == tetra_pei.decode_status(b"\x7e\x2a")
    assert ShortReport(kind=3, reference=0x2A) == tetra_pei.decode_status(b"\x7f\x2a")
    assert b"\x7e\x2a" == tetra_pei.encode_short(ShortReport(kind=2, reference=0x2A))


@given(pdus)
def test_what_is_encoded_is_decoded(pdu):
    """Every kind, coding, stamp and part."""
    assert pdu == tetra_pei.decode(tetra_pei.encode(pdu))


@given(st.integers(0, 0xFFFF))
def test_every_status_is_itself(value):
    """Short or not."""
    octets = value.to_bytes(2)

    assert octets == tetra_pei.encode_short(tetra_pei.decode_status(octets))


@given(st.text(st.sampled_from("abé€"), max_size=600), octets)
def test_a_long_text_comes_together_again(text, reference):
    """Any order of the parts would do; twice the same changes nothing."""
    joiner = Joiner()
    whole = None
    for transfer in reversed(tetra_pei.transfers(text, reference=reference, reports=Reports.NONE)):
        again = tetra_pei.decode(tetra_pei.encode(transfer))
        part = again.part or Part(reference=reference, total=1, number=1)
        for _ in range(1 if part.total == 1 else 2):
            joined = joiner.take("1", part.reference, part.total, part.number, again.text)
            whole = whole if joined is None else joined
            if whole is not None:
                break

    assert text == whole


@pytest.mark.parametrize(
    ("octets", "says"),
    [
        ("8200", "2 octets, expected 4"),
        ("81000001", "octet 0: protocol 81"),
        ("82300001", "octet 1: type 3"),
        ("8210000000", "octet 4: 1 octets after"),
        ("8200000241", "octet 3: text coding 02"),
        ("8200001A41", "octet 4: no UCS-2"),
        ("82000081AABB", "octet 4: the time stamp"),
        ("8A000001050003010203", "octet 9: part 3 of 2"),
        ("8A000001050004010203", "octet 4: expected the header"),
        ("82010001", "octet 1: store and forward"),
    ],
)
def test_what_is_wrong_is_said_with_its_octet(octets, says):
    """For whoever looks at a capture."""
    with pytest.raises(Malformed, match=says):
        tetra_pei.decode(bytes.fromhex(octets))


@pytest.mark.parametrize("number", ["", "0", "16777216", "+1234", "12a", "١٢٣"])
def test_a_number_on_a_tetra_network(number):
    """1 to 16777215."""
    with pytest.raises(Malformed):
        tetra_pei.issi(number)


SAMPLES = [
    bytes.fromhex(each)
    for each in (
        PANIC,
        "821000C9",
        "822001C9",
        "82029C01746573746D657373616765",
        "8A000001050003010201414243",
    )
]
HEADER = b"+CTSDSR: 12,1234567,0,2345678,0,120"


def all_of(octets):
    """Each decoder there is."""
    try:
        tetra_pei.decode_status(octets)
        tetra_pei.decode_header(octets.decode("latin-1"))
    except Malformed:
        pass
    tetra_pei.decode(octets)


def test_mutated_octets_are_read_or_malformed():
    """Nothing else comes out."""
    fuzzing.bear(all_of, [*SAMPLES, HEADER], fuzzing.USUAL)


@pytest.mark.soak
def test_a_million_mutated_octets_are_read_or_malformed():
    """The same, longer."""
    fuzzing.bear(all_of, [*SAMPLES, HEADER], fuzzing.LONG)


def test_it_is_quick_enough():
    """Both ways."""
    pdu = tetra_pei.decode(SAMPLES[0])

    assert fuzzing.per_second(lambda: tetra_pei.encode(pdu)) > 5_000
    assert fuzzing.per_second(lambda: tetra_pei.decode(SAMPLES[0])) > 5_000
