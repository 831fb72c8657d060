"""Short messages in PDU form, octet for octet as gammu 1.42 sent them to a modem."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belltower.errors import Malformed
from hardware.codecs import gsm7, sms_pdu
from hardware.codecs.sms_pdu import Deliver, Number, Outcome, Part, Stamp, StatusReport, Submit
from tests.hardware import fuzzing

CENTRE = sms_pdu.number("+12063130004")
SEVEN = bytes.fromhex("07912160130300F41100038119F10000FF1AD0A0333904C162331033E91C3E994E10720A923665301A")
UCS2 = bytes.fromhex(
    "07912160130300F41100038119F10008FF2200500041004E004900430020003000310033002000450043004F004C0045002000C9"
)
VECTORS = [
    (
        SEVEN,
        33,
        Submit(to=sms_pdu.number("911"), text="PANIC 013 LINCOLN HS RM204", validity=0xFF, smsc=CENTRE),
    ),
    (
        UCS2,
        44,
        Submit(to=sms_pdu.number("911"), text="PANIC 013 ECOLE É", validity=0xFF, smsc=CENTRE, coding=8),
    ),
]
REPORT = bytes.fromhex("07912160130300F406020B912160555500F162112260000042621122600010420 0".replace(" ", ""))
STAMP = Stamp(year=2026, month=11, day=22, hour=6, minute=0, second=0, quarters=-24)

alphabet = sorted(gsm7.ALPHABET)
gsm_texts = st.text(st.sampled_from(alphabet), max_size=150).filter(lambda text: gsm7.width(text) <= 150)
wide_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=33)
digits = st.text("0123456789*#abc", min_size=1, max_size=20)
numbers = st.builds(Number, digits=digits, type=st.sampled_from([0x81, 0x91, 0xA1]))
names = st.builds(
    Number,
    digits=st.text(st.sampled_from(alphabet[10:60]), min_size=1, max_size=11).filter(
        lambda name: gsm7.width(name) == len(name)
    ),
    type=st.just(0xD0),
)
stamps = st.builds(
    Stamp,
    year=st.integers(2000, 2099),
    month=st.integers(1, 12),
    day=st.integers(1, 31),
    hour=st.integers(0, 23),
    minute=st.integers(0, 59),
    second=st.integers(0, 59),
    quarters=st.integers(-48, 56),
)
octets = st.integers(0, 255)
parts = st.builds(
    lambda reference, total, data, wide: Part(
        reference=reference if wide else reference & 0xFF, total=total, number=data % total + 1, wide=wide
    ),
    st.integers(0, 65535),
    st.integers(1, 255),
    octets,
    st.booleans(),
)
bodies = st.one_of(
    st.tuples(gsm_texts, st.sampled_from([0x00, 0x10, 0xF1])),
    st.tuples(wide_texts, st.sampled_from([0x08, 0x18, 0xE0])),
    st.tuples(st.text(st.characters(max_codepoint=255), max_size=130), st.sampled_from([0x04, 0xF5])),
)
centres = st.none() | st.builds(Number, digits=digits, type=st.just(0x91))


@pytest.mark.parametrize(("pdu", "length", "message"), VECTORS)
def test_the_vectors_are_exact_in_both_directions(pdu, length, message):
    """The octets of gammu mean this message, and the message is written as those octets."""
    assert message == sms_pdu.decode_submit(pdu)
    assert pdu == sms_pdu.encode(message)
    assert length == sms_pdu.tpdu_length(pdu)


def test_a_status_report_is_asked_for_by_one_bit():
    """0x20 in the first octet, nothing else."""
    asked = bytearray(SEVEN)
    asked[8] = 0x31

    assert sms_pdu.decode_submit(bytes(asked)).status_report
    assert not sms_pdu.decode_submit(SEVEN).status_report


@given(bodies, numbers, octets, st.booleans(), st.none() | octets, centres, st.none() | parts)
def test_what_is_submitted_is_read_back(body, to, reference, report, validity, smsc, part):
    """Every number, alphabet, header and flag."""
    text, coding = body
    message = Submit(
        to=to,
        text=text,
        coding=coding,
        reference=reference,
        status_report=report,
        validity=validity,
        smsc=smsc,
        part=part,
    )

    assert message == sms_pdu.decode_submit(sms_pdu.encode(message))


@given(bodies, numbers | names, stamps, centres, st.none() | parts)
def test_what_is_delivered_is_read_back(body, sender, at, smsc, part):
    """Senders may be names."""
    text, coding = body
    message = Deliver(sender=sender, text=text, coding=coding, at=at, smsc=smsc, part=part)

    assert message == sms_pdu.decode_incoming(sms_pdu.encode(message))


@given(octets, numbers, stamps, stamps, octets, centres)
def test_what_is_reported_is_read_back(reference, recipient, taken_at, done_at, status, smsc):
    """Whatever the status."""
    report = StatusReport(
        reference=reference,
        recipient=recipient,
        taken_at=taken_at,
        done_at=done_at,
        status=status,
        smsc=smsc,
    )

    assert report == sms_pdu.decode_incoming(sms_pdu.encode(report))


def test_a_status_report_by_hand():
    """Octet for octet by 23.040, 9.2.2.3: reference 2, to +12065555001, 22 November 2026, six hours behind UTC."""
    report = sms_pdu.decode_incoming(REPORT)

    assert isinstance(report, StatusReport)
    assert (2, "+12065555001", 0) == (report.reference, str(report.recipient), report.status)
    assert (2026, 11, 22, 6, 0, 0, 24) == (
        report.taken_at.year,
        report.taken_at.month,
        report.taken_at.day,
        report.taken_at.hour,
        report.taken_at.minute,
        report.taken_at.second,
        report.taken_at.quarters,
    )
    assert Outcome.DELIVERED == report.outcome


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (0x00, Outcome.DELIVERED),
        (0x01, Outcome.PENDING),
        (0x02, Outcome.PENDING),
        (0x20, Outcome.PENDING),
        (0x30, Outcome.PENDING),
        (0x41, Outcome.FAILED),
        (0x46, Outcome.FAILED),
        (0x60, Outcome.FAILED),
        (0x10, Outcome.FAILED),
        (0xFF, Outcome.FAILED),
    ],
)
def test_only_status_0_is_delivered(status, outcome):
    """A centre that forwarded it but cannot confirm has not delivered it."""
    report = StatusReport(reference=1, recipient=CENTRE, taken_at=STAMP, done_at=STAMP, status=status)

    assert outcome == report.outcome


@given(st.text(st.sampled_from([*alphabet, "É", "é", "😀", "Ω"]), max_size=500))
def test_the_pieces_of_a_text_make_it_up_and_each_fits(text):
    """No character is cut in two, not even one of two septets or two units."""
    messages = sms_pdu.submits("+12065555001", text, reference=7, status_report=False, validity=None)

    assert text == "".join(message.text for message in messages)
    for message in messages:
        assert message == sms_pdu.decode_submit(sms_pdu.encode(message))
    assert (len(messages) == 1) == sms_pdu.fits(text)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("Ж" * 70, 1),
        ("Ж" * 71, 2),
        ("Ж" * 135, 3),
    ],
)
def test_how_many_parts_a_text_takes(text, count):
    """160 and 153 septets, 70 and 67 units; the euro takes two septets."""
    assert count == len(sms_pdu.pieces(text))


@pytest.mark.parametrize(
    ("seconds", "octet"),
    [
        (1, 0),
        (300, 0),
        (301, 1),
        (3600, 11),
        (43_200, 143),
        (43_201, 144),
        (86_400, 167),
        (86_401, 168),
        (30 * 86_400, 196),
        (35 * 86_400, 197),
        (1e9, 255),
    ],
)
def test_validity_is_rounded_up(seconds, octet):
    """9.2.3.12.1: five minutes, half hours, days, weeks."""
    assert octet == sms_pdu.validity_of(seconds)


@pytest.mark.parametrize(
    ("pdu", "says"),
    [
        ("", "octet 0: the SMSC length is missing"),
        ("07912160", "octet 2: an SMSC number of 6 octets, 2 are there"),
        ("0001", "octet 2: the message reference is missing"),
        ("000000", "octet 1: type 0 is no SMS-SUBMIT"),
        ("00110003011900", "octet 4: type of number 01 lacks its highest bit"),
        ("0011000381", "octet 5: an address of 2 octets, 0 are there"),
        ("00110003811911", "octet 5: an odd number of digits must end in F"),
        ("00190003 8119F1 0000", "octet 9: validity format 3"),
        ("0011000381 19F1 0020FF00", "data coding scheme 20 is compressed"),
        ("0011000381 19F1 0000FFA1", "octet 10: user data length 161"),
        ("0011000381 19F1 0000FF02FF", "octet 11: user data of 2 octets, 1 are there"),
        ("0011000381 19F1 0000FF00FF", "octet 11: 1 octets after the user data"),
        ("0011000381 19F1 0008FF03004142", "octet 13: no UCS-2 text"),
        ("0051000381 19F1 0008FF0105", "octet 11: the user data header is cut short"),
        ("0051000381 19F1 0008FF06050003010203", "octet 14: part 3 of 2"),
    ],
)
def test_what_is_wrong_is_said_with_its_octet(pdu, says):
    """The message an integrator reads first."""
    with pytest.raises(Malformed, match=says):
        sms_pdu.decode_submit(bytes.fromhex(pdu))


@pytest.mark.parametrize("text", ["", "+", "12345678901234567890a1", "555-1234", "+1 206", "١٢٣"])
def test_a_number_is_digits(text):
    """Nothing else is dialled."""
    with pytest.raises(Malformed):
        sms_pdu.number(text)


SUBMITS = [
    SEVEN,
    UCS2,
    *map(
        sms_pdu.encode,
        sms_pdu.submits("+12065555001", "é" * 300 + "€", reference=3, status_report=True, validity=4),
    ),
]
INCOMING = [
    REPORT,
    sms_pdu.encode(Deliver(sender=sms_pdu.number("+12065555001"), text="ACK 12", at=STAMP)),
    sms_pdu.encode(
        Deliver(
            sender=Number(digits="County", type=0xD0),
            text="Ж",
            at=STAMP,
            coding=8,
            part=Part(reference=1, total=2, number=2),
        )
    ),
]


def test_mutated_messages_are_read_or_malformed():
    """Nothing else comes out of a decoder."""
    fuzzing.bear(sms_pdu.decode_submit, SUBMITS, fuzzing.USUAL // 2)
    fuzzing.bear(sms_pdu.decode_incoming, INCOMING, fuzzing.USUAL // 2)


@pytest.mark.soak
def test_a_million_mutated_messages_are_read_or_malformed():
    """The same, longer."""
    fuzzing.bear(sms_pdu.decode_submit, SUBMITS, fuzzing.LONG // 2)
    fuzzing.bear(sms_pdu.decode_incoming, INCOMING, fuzzing.LONG // 2)


def test_it_is_quick_enough():
    """A quarter of the 20,000 frames a second that it does alone, for busy machines."""
    message = sms_pdu.decode_submit(SEVEN)

    assert fuzzing.per_second(lambda: sms_pdu.encode(message)) > 5_000
    assert fuzzing.per_second(lambda: sms_pdu.decode_submit(SEVEN)) > 5_000
