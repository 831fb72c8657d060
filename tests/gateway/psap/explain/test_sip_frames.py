"""SIP messages and locations, explained."""

from pathlib import Path
from random import Random

import pytest

from gateway.psap import explain
from gateway.psap.explain import pidf as locations
from gateway.psap.explain import sip as messages
from gateway.psap.link import LinkTest, admitted
from hardware.codecs import sip
from tests.gateway.psap.house import order
from tests.peers.mutation import mutated
from tests.peers.sip_server import AT, SPOT, SIPServer, link, response

FRAMES = Path(__file__).parents[3] / "golden/frames"
SAMPLE = (FRAMES / "sip-message-rfc8876.bin").read_bytes()
PLACE = (FRAMES / "pidf-lo-school-room.xml").read_bytes()
LINK = link(SIPServer().cable)
CALL = LINK.first(admitted(order(7), place="B 204", spot=SPOT, at=AT)).octets


def test_a_call_is_told_in_words_and_every_octet_is_accounted_for():
    """What is wanted, where, by which alert."""
    said = messages.explain(CALL)

    assert () == said.faults
    assert "call for help" in said.summary.lower()
    assert "lincoln-C7-ZZ000007" in said.summary
    assert "B 204" in said.summary
    assert CALL == b"".join(line.octets for line in said.lines)
    assert [line.at for line in said.lines] == sorted(line.at for line in said.lines)


def test_the_sample_s_fault_is_named():
    """Status Test under the service that sends help."""
    assert ("an alert of status Test goes to a service that sends help",) == messages.explain(SAMPLE).faults


@pytest.mark.parametrize(
    ("octets", "fault"),
    [
        (SAMPLE[:-1], "Content-Length says 3347, the body at octet 500 has 3346"),
        (SAMPLE.replace(b"70\r\n", b"70\n", 1), "octet 107: the line does not end in CR LF"),
        (SAMPLE.replace(b"Priority: ", b"Priority; ", 1), "octet 410: expected a header's name"),
        (SAMPLE.replace(b"Content-ID: <loc", b"Content-ID: <lox", 1), "which no part bears"),
        (CALL.replace(b"urn:service:sos SIP", b"urn:service:test.sos SIP"), "nobody would be sent"),
        (CALL.replace(b">B 204<", b">B 205<"), "something was altered on the way (AlertMsg-Error 103)"),
        (SAMPLE.replace(b"<ca:country>US", b"<ca:country>us"), "line "),
        (SAMPLE.replace(b"Max-Forwards: 70\r\n", b""), "there is no Max-Forwards"),
        (SAMPLE[:300], "no empty line ends the headers"),
    ],
)
def test_what_is_wrong_is_said(octets, fault):
    """With its octet where it has one."""
    assert any(fault in one for one in messages.explain(octets).faults)


def test_answers_are_told_and_no_proof_is_shown():
    """2xx is no person; 425 says why; Authorization is not repeated."""
    request = sip.decode(SAMPLE)
    good = messages.explain(sip.encode(response(request, 200, "OK")))
    bad = messages.explain(sip.encode(response(request, 425, "Bad", (("AlertMsg-Error", "101"),))))
    odd = messages.explain(sip.encode(response(request, 425, "Bad")))
    proof = SAMPLE.replace(b"Priority: emergency", b'Authorization: Digest response="5ec4e7"')

    assert "no person has answered" in good.summary
    assert "not present" in bad.summary
    assert 1 == len(odd.faults)
    assert "5ec4e7" not in repr([line.says for line in messages.explain(proof).lines])
    assert (
        "Are you there?"
        == messages.explain(
            sip.encode(sip.Request(method="OPTIONS", uri="sip:a", headers=request.headers))
        ).summary
    )


def test_several_messages_are_taken_apart():
    """Joined they are what came."""
    two = b"\r\n\r\n" + SAMPLE + CALL + b"SIP/2.0 200 OK\r\n\r\n"

    assert [len(SAMPLE) + 4, len(CALL), 18] == [len(one) for one in messages.split(two)]
    assert two == b"".join(messages.split(two))


def test_a_location_is_told_as_people_say_it():
    """And what the schema refuses is said."""
    said = locations.explain(PLACE)

    assert () == said.faults
    assert "204, 2, B, Lincoln High School, 2106 E New York St, Aurora, IL, 60502, US" in said.summary
    assert any("room (ROOM): 204" in line.says for line in said.lines)
    assert PLACE == b"".join(line.octets for line in said.lines)
    spoilt = PLACE.replace(b"<ca:country>US</ca:country>", b"<ca:A2>x</ca:A2><ca:country>US</ca:country>")
    assert "country" in locations.explain(spoilt).faults[0]


def test_each_is_the_best_guess_for_its_own():
    """A test call too."""
    test = LINK.test(LinkTest(number=3, key="ABCD1234", at=AT)).octets

    assert ["sip", "sip", "pidf"] == [explain.candidates(octets)[0][0] for octets in (SAMPLE, test, PLACE)]
    assert "nobody is sent" in messages.explain(test).summary


def test_nothing_is_raised_whatever_the_octets_are():
    """1,500 spoilt frames of each."""
    random = Random(2)
    for frame in (SAMPLE, PLACE):
        for _ in range(750):
            octets = mutated(random, frame)
            for one in (messages, locations):
                said = one.explain(octets)
                assert said.summary
            assert octets == b"".join(messages.split(octets))
