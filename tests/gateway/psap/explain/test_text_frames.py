"""Texts by modem and radio, explained: what they say, and what is wrong with them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.psap.explain import at, explain, fleetsync, meshtastic, sms, tetra
from hardware.codecs import fleetsync as kenwood
from hardware.codecs import meshtastic as mesh
from hardware.codecs import sms_pdu, tetra_pei
from hardware.simulators.modem import STAMP
from tests.hardware import fuzzing

CALL = "PANIC B 204 at Lincoln High. CALL 7 INC 12 BLDG B KEY ZZ000007. Reply ACK 7"
PDU = sms_pdu.encode(sms_pdu.submits("+12065550100", CALL, reference=0, status_report=True, validity=2)[0])
SUBMIT = (
    f"AT+CMGS={sms_pdu.tpdu_length(PDU)}\r\r\n> {PDU.hex().upper()}\x1a\r\n+CMGS: 4\r\n\r\nOK\r\n".encode()
)
REPLY = sms_pdu.encode(sms_pdu.Deliver(sender=sms_pdu.number("+12065550100"), text="ACK 7", at=STAMP))
REPORT = sms_pdu.encode(
    sms_pdu.StatusReport(
        reference=4, recipient=sms_pdu.number("+12065550100"), taken_at=STAMP, done_at=STAMP, status=0x46
    )
)
TETRA = "\r\n".join(
    tetra_pei.command("2345678", tetra_pei.encode(tetra_pei.Transfer(reference=9, text="ACK 7")))
).encode()
FLEET = kenwood.encode(kenwood.Text(unit="1001002", text="PANIC B 204 C7 I12 KZZ000007"))
MESH = mesh.frame(
    mesh.encode_to_radio(mesh.Packet(to=mesh.BROADCAST, id=5, want_ack=True, port=1, payload=b"ACK 7"))
)
ROUTING = mesh.frame(
    mesh.encode_from_radio(mesh.Packet(to=1, id=6, port=5, request=5, payload=mesh.routing(5)))
)


@pytest.mark.parametrize(
    ("octets", "format_", "says"),
    [
        (SUBMIT, "SMS", "A text to +12065550100: call by the rules of Belltower"),
        (PDU, "SMS", "A text to +12065550100: call by the rules of Belltower"),
        (PDU.hex().encode(), "SMS", "A text to +12065550100"),
        (f"+CMT: ,{sms_pdu.tpdu_length(REPLY)}\r\n{REPLY.hex()}\r\n".encode(), "SMS", "a person has call 7"),
        (
            f"+CDS: {sms_pdu.tpdu_length(REPORT)}\r\n{REPORT.hex()}\r\n".encode(),
            "SMS",
            "The text with reference 4 to +12065550100: failed.",
        ),
        (b"\r\n+CMS ERROR: 331\r\n", "SMS", "refused, +CMS ERROR 331: no network"),
        (b"AT+CPIN?\r\r\n+CPIN: SIM PIN\r\n\r\nOK\r\n", "AT dialogue", "the SIM's PIN"),
        (TETRA, "TETRA", "A text under reference 09: ACK 7."),
        (b"+CTSDSR: 13,1234567,0,2345678,0,16\r\n7E2A\r\n", "TETRA", "with reference 2A was received"),
        (bytes.fromhex("82100244"), "TETRA", "The text with reference 44: consumed"),
        (FLEET, "FleetSync", "A text to fleet 100 unit 1002: PANIC B 204 C7 I12 KZZ000007."),
        (b"\x02gFG00000test\x03", "FleetSync", "A text to everybody; nobody acknowledges it: test."),
        (
            b"$PKLSH,4954.1474,N,11923.6044,W,122434,A,100,1001,*3F\r\n",
            "FleetSync",
            "Radio 1001001 is at 49.90246, -119.39341.",
        ),
        (MESH, "Meshtastic", "Packet 00000005 to everybody, an ack is wanted, a text: ACK 7."),
        (ROUTING, "Meshtastic", "packet 00000005 is lost, error 5"),
    ],
)
def test_the_likeliest_explanation_is_the_right_one(octets, format_, says):
    """Without being told the format, and with nothing wrong."""
    best = explain(octets)[0]

    assert best.format.startswith(format_)
    assert says in best.summary
    assert () == best.faults
    for line in best.lines:
        assert octets[line.at : line.at + len(line.octets)] == line.octets


@pytest.mark.parametrize(
    ("module", "octets", "fault"),
    [
        (sms, SUBMIT.replace(b"AT+CMGS=", b"AT+CMGS=1"), "states a length of 1"),
        (sms, PDU[:-1], "PDU octet"),
        (
            sms,
            b"AT+CMGS=33\r079121\x1a",
            "octet 11: PDU octet 2: an SMSC number of 6 octets, 1 are there",
        ),
        (sms, b"AT+CNMI=2;1\r", "octet 9: expected numbers and commas after AT+CNMI=, found ';'"),
        (sms, b"\r\nGK\r\n", "octet 2: 'GK' is no command, answer or hex that is known"),
        (tetra, TETRA.replace(b",72", b",76"), "76 bits are stated, the octets are 72 bits"),
        (tetra, bytes.fromhex("82300001"), "PDU octet 1: type 3"),
        (fleetsync, FLEET[:-1], "the frame ends without 03 (ETX)"),
        (fleetsync, b"$PKLSH,1*00\r\n", "checksum is 00, the octets give"),
        (meshtastic, MESH[:3] + b"\xff" + MESH[4:], "the length says 255 octets"),
        (meshtastic, b"\x94\xc3\x00\x01\x0b", "body octet 0 at depth 0: wire type 3"),
        (at, b"", "nothing but line ends"),
    ],
)
def test_what_is_wrong_is_said(module, octets, fault):
    """Where it is, and what should be there."""
    assert any(fault in each for each in module.explain(octets).faults), module.explain(octets).faults


MODULES = [at, sms, tetra, fleetsync, meshtastic]


@given(st.binary(max_size=80), st.sampled_from(MODULES))
def test_nothing_is_ever_raised(octets, module):
    """Whatever the octets are; each line stands where it says, and pieces join to the whole."""
    assert 0 <= module.likely(octets) <= 100
    for line in module.explain(octets).lines:
        assert octets[line.at : line.at + len(line.octets)] == line.octets
    if split := getattr(module, "split", None):
        assert octets == b"".join(split(octets))


def test_mutated_frames_are_explained_without_a_fault_of_our_own():
    """Thousands of them."""
    for octets in fuzzing.mutated([SUBMIT, PDU, TETRA, FLEET, MESH, ROUTING], 1_500):
        for module in MODULES:
            module.likely(octets)
            module.explain(octets)
