"""Frames of the radio link and of our units, explained."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.psap import radio_text
from gateway.psap.explain import ax25 as bare
from gateway.psap.explain import kiss as radio
from gateway.psap.explain import mqtt
from gateway.psap.explain import unit as units
from gateway.psap.radio_text import Direction, Ends
from hardware.codecs import aprs, ax25, kiss, mqtt_packets, unit
from hardware.codecs.unit import Kind, Press, UnitFrame, with_body
from tests.peers.county import KEY, PSAP, SCHOOL

CALL = "PANIC B 204 (call 7, inc 12, bldg B, press 1, key 3X9QW207)"


def on_air(text=CALL, *, info=None, key=KEY):
    """A school's text as its modem gets it."""
    signed = radio_text.signed(key, Direction.TO_PSAP, Ends(sender=SCHOOL, addressee=PSAP), text, "C0007")
    info = info or aprs.encode(aprs.Message(addressee=PSAP, text=signed, id="C0007"))
    frame = ax25.UIFrame(
        destination=ax25.Address(callsign="APZBTW"), source=ax25.Address.parse(SCHOOL), info=info
    )
    return kiss.encode(ax25.encode(frame))


def test_a_call_is_told_in_words_and_every_octet_is_accounted_for():
    """Who to, who from, what is wanted, and that the MAC was not checked."""
    frame = on_air()
    said = radio.explain(frame)

    assert () == said.faults
    assert "call 7 of incident 12: panic at B 204, building B" in said.summary
    assert frame == b"".join(line.octets for line in said.lines)
    assert any("not checked" in line.says for line in said.lines)


def test_the_mac_is_checked_with_the_key_of_the_link():
    """Right, and which way; another key is a fault, and so is a changed text."""
    good = radio.explain_with(on_air(), KEY.hex())
    other = radio.explain_with(on_air(), "00" * 32)
    altered = radio.explain_with(on_air().replace(b"B 204", b"B 205"), KEY.hex())

    assert any("right, school to PSAP" in line.says for line in good.lines)
    assert (1, 1) == (len(other.faults), len(altered.faults))
    assert "MAC does not fit" in altered.faults[0]
    assert KEY.hex() not in str(other)


@pytest.mark.parametrize(
    ("frame", "fault"),
    [
        (on_air()[1:], "octet 0: expected the delimiter C0"),
        (on_air()[:-1], "ends without the delimiter C0"),
        (b"\xc0\x00\xdb\x00\xc0", "octet 2: DB is followed by neither DC nor DD"),
        (on_air().replace(b"\x03\xf0", b"\x00\xf0"), "octet 16: control 00, expected 03 (UI)"),
        (on_air().replace(b"PANIC", b"PANIK"), "expected PANIC"),
        (on_air(info=b":PSAP     :\xff"), "octet 29: the text is not UTF-8"),
        (b"\xc0\x09\xc0", "octet 1: command 9 is unknown"),
        (b"", "there is nothing"),
    ],
)
def test_what_is_wrong_is_said_with_its_octet(frame, fault):
    """Counted in the frame as it came, escapes included."""
    assert any(fault in one for one in radio.explain(frame).faults)


def test_octets_are_counted_as_they_came_although_they_were_escaped():
    """An escape before the place moves it by one."""
    frame = on_air(info=b":PSAP     :\xc3\x9b").replace(b":\xc3\xdb\xdd", b":\xc3\xdb\xdd")
    plain = radio.explain(frame)
    assert frame == b"".join(line.octets for line in plain.lines)
    assert () == plain.faults


def test_several_frames_are_taken_apart():
    """Joined they are what came; shared and doubled delimiters belong to somebody."""
    one, two = on_air(), on_air(CALL.replace("7", "8", 1))
    for stream, count in [(one + two, 2), (one[:-1] + two, 2), (b"\xc0" + one + b"\xc0" + two, 2)]:
        cut = radio.split(stream)
        assert stream == b"".join(cut)
        assert count == len(cut), cut


def test_a_frame_without_kiss_is_explained_too():
    """As a log shows it."""
    data = on_air()[2:-1]
    assert bare.likely(data) > 80
    assert () == bare.explain(data).faults
    assert data == b"".join(line.octets for line in bare.explain(data).lines)


TAG = unit.site_tag("lincoln")
SEALED = unit.seal(
    with_body(UnitFrame(number=12, epoch=1, counter=5, type=0), Press(kind=Kind.PANIC)), KEY, TAG
)


def test_a_unit_frame_is_told_in_words():
    """Which unit, what it says; the MAC with a key file of key and site."""
    said = units.explain_with(SEALED, f"{KEY.hex()} lincoln")

    assert (units.FORMAT, ()) == (said.format, said.faults)
    assert "press, unit 12" in said.summary
    assert SEALED == b"".join(line.octets for line in said.lines)
    assert any("MAC, 16 octets: right" in line.says for line in said.lines)
    assert units.explain_with(SEALED, f"{KEY.hex()} elsewhere").faults
    assert (SEALED, SEALED) == units.split(SEALED + SEALED)


def test_a_unit_frame_that_came_by_radio_is_told_inside_its_packet():
    """Every octet is accounted for, and the MAC is checked with the unit's key."""
    frame = on_air(info=SEALED)
    said = radio.explain_with(frame, f"{KEY.hex()} lincoln")

    assert "from SCHOOL-1: press, unit 12" in said.summary
    assert () == said.faults
    assert frame == b"".join(line.octets for line in said.lines)
    assert any("MAC, 16 octets: right" in line.says for line in said.lines)


@pytest.mark.parametrize(
    ("frame", "fault"),
    [
        (SEALED[:20], "at least 31 octets"),
        (b"\x02" + SEALED[1:], "octet 0: version 02, expected 01"),
        (SEALED[:1] + b"\x3e" + SEALED[2:], "type 62 is unknown"),
        (SEALED + b"x", "body of 1 octets, but 2 are there"),
    ],
)
def test_a_bad_unit_frame_is_told_apart(frame, fault):
    """With the octet and what was expected."""
    assert any(fault in one for one in units.explain(frame).faults)


@given(st.binary(max_size=80))
def test_lines_never_overlap_and_stay_within_the_frame(octets):
    """Whatever the octets are."""
    for one in (radio, bare, units, mqtt):
        at = 0
        for line in one.explain(octets).lines:
            assert at <= line.at
            at = line.at + len(line.octets)
            assert octets[line.at : at] == line.octets


def test_a_unit_frame_that_came_over_mqtt_is_told_inside_its_message():
    """Packets one after another are taken apart; a password is never shown."""
    connect = mqtt_packets.encode(
        mqtt_packets.Connect(version=4, client_id="u12", username="u12", password=b"hush-hush"), 4
    )
    publish = mqtt_packets.publish(
        mqtt_packets.Publish(topic="belltower/u12/up", payload=SEALED, qos=1, mid=7), 4
    )
    stream = connect + publish + b"\xc0\x00"
    cut = mqtt.split(stream)
    said = [mqtt.explain_with(piece, f"{KEY.hex()} lincoln") for piece in cut]

    assert (connect, publish, b"\xc0\x00") == cut
    assert [()] * 3 == [one.faults for one in said]
    assert said[0].summary.startswith("u12 asks to be let in, MQTT 3.1.1")
    assert "press, unit 12" in said[1].summary
    assert publish == b"".join(line.octets for line in said[1].lines)
    assert "hush" not in str(said[0])
    assert "the length says" in mqtt.explain(publish[:-1]).faults[0]
