"""What is said in texts: it fits, and whoever reads it by the rules reads the same."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from belltower.clock import Instant
from belltower.errors import Malformed
from belltower.ids import CallId
from belltower.incident.facts import AlarmKind, Mode, UpdateKind, UpdateOrdered
from floorplans.campus import Campus, Civic
from gateway.psap import short_text
from gateway.psap.link import LinkTest, Spot, admitted, more_of, update_of
from gateway.psap.radio_text import CallText, CancelText, CorrectText, LinkTestText, MoreText, plain, short
from gateway.psap.short_text import Reply
from hardware.codecs import sms_pdu
from tests.gateway.psap.house import INCIDENT, order

ROOMS = (48, 130, 144, 160)
SCHOOL = Campus(
    id="lincoln", name="Líncoln High", address=Civic(number="12", road="Elm Street", city="Linden, MN")
)
places = st.text(min_size=1, max_size=60)
numbers = st.integers(1, 99_999)


@st.composite
def calls(draw):
    exercise = draw(st.booleans())
    mode = Mode.EXERCISE if exercise else Mode.ACTUAL
    given_order = order(
        draw(numbers),
        building=draw(st.sampled_from(["B", "", "Gymnasium North"])),
        kind=draw(st.sampled_from(list(AlarmKind))),
        mode=mode,
        accepted=exercise,
    )
    return admitted(given_order, place=draw(places))


def test_the_school_is_named_in_letters_every_wire_has():
    """Accents dropped; name, street, city."""
    assert "Lincoln High, 12 Elm Street, Linden, MN" == short_text.where(SCHOOL)


@settings(max_examples=40)
@given(calls(), st.sampled_from(ROOMS), st.sampled_from(["", short_text.where(SCHOOL), "x" * 200]))
def test_a_call_fits_and_reads_back(call, room, campus):
    """In full and in brief."""
    text = short_text.call_text(call, room=room, campus=campus)
    said = short_text.parse(text)

    assert isinstance(said, CallText)
    assert len(text) <= room
    assert sms_pdu.fits(text)
    assert sms_pdu.coding_of(text) == 0
    assert (call.order.number, call.order.incident_number, call.order.kind, said.key) == (
        said.number,
        said.incident,
        said.kind,
        short_text.key_of(call.order.call),
    )
    assert (call.order.mode is Mode.EXERCISE) == said.exercise == text.startswith("EXERCISE")
    if room >= short_text.IN_FULL:
        assert short(call.order.building) == said.building


@settings(max_examples=40)
@given(calls(), st.sampled_from(ROOMS), st.sets(st.integers(2, 500), min_size=1, max_size=60))
def test_more_presses_fit_and_read_back(call, room, presses):
    """What is told is what is covered."""
    ranges = tuple((number, number) for number in sorted(presses) if number - 1 not in presses)
    text, told = short_text.more_text(more_of([(call, ranges)]), room=room)
    said = short_text.parse(text)

    assert isinstance(said, MoreText)
    assert len(text) <= room
    [(_, covered)] = told
    assert covered
    assert covered == ranges[: len(covered)]
    assert [(call.order.number, covered)] == [(number, heard) for _, number, heard in said.items]


@settings(max_examples=40)
@given(calls(), st.sampled_from(ROOMS), places, st.integers(1, 99))
def test_updates_fit_and_read_back(call, room, place, number):
    """Cancelled, or elsewhere."""
    for kind in UpdateKind:
        update = UpdateOrdered(
            call=CallId(call.order.call), incident=INCIDENT, update=number, kind=kind, building="C"
        )
        spot = Spot(spoken=place) if kind is UpdateKind.PLACE else None
        text = short_text.update_text(update_of(call, update, spot=spot), room=room)
        said = short_text.parse(text)

        assert isinstance(said, CancelText if kind is UpdateKind.CANCEL else CorrectText)
        assert len(text) <= room
        assert (call.order.number, number, call.order.mode is Mode.EXERCISE) == (
            said.number,
            said.update,
            said.exercise,
        )


@pytest.mark.parametrize("room", range(48, 161))
def test_a_long_place_is_cut_to_what_the_centre_reads(room):
    """A correction from one long place to a short one, in every room there is: it was once not read from 144 on."""
    call = admitted(order(1), place="0" * 60)
    update = UpdateOrdered(
        call=CallId(call.order.call), incident=INCIDENT, update=1, kind=UpdateKind.PLACE, building="C"
    )
    for text in (
        short_text.update_text(update_of(call, update, spot=Spot(spoken="0")), room=room),
        short_text.call_text(call, room=room),
    ):
        assert 1 == short_text.parse(text).number
        assert len(text) <= room


@given(numbers, st.sampled_from(ROOMS))
def test_a_test_is_no_call(number, room):
    """It reads as nothing else."""
    text = short_text.test_text(
        LinkTest(number=number, key="0A1B2C3D", at=Instant(0)), room=room, campus="Lincoln High"
    )

    assert LinkTestText(number=number, key="0A1B2C3D") == short_text.parse(text)
    assert len(text) <= room


@settings(max_examples=40)
@given(st.text(max_size=60))
def test_other_texts_are_malformed(text):
    """Whatever a school never says."""
    with pytest.raises(Malformed):
        short_text.parse(text)


@given(st.text(max_size=30))
def test_hardly_any_text_is_an_answer(text):
    """Only one that begins with the word."""
    reply = short_text.parse_reply(text)

    assert reply is None or text.split()[0].upper().startswith(("ACK", "READBACK"))


@pytest.mark.parametrize(
    ("text", "update", "by"),
    [
        ("READBACK 12-2", 2, ""),
        ("readback #12-2 T7", 2, "T7"),
        ("READBACK 12-10 by T-7.", 10, "T-7"),
        ("READBACK 12 T7", 0, "T7"),
        ("READBACK 12", 0, ""),
    ],
)
def test_a_read_back_names_its_update(text, update, by):
    """Without a number it names none, and never the latest."""
    assert Reply(number=12, read_back=True, update=update, by=by) == short_text.parse_reply(text)


@pytest.mark.parametrize("text", ["ACK 12-2", "READBACK 12-", "READBACK 12-x-", "READBACK 12-2-3"])
def test_what_names_no_update_rightly_is_no_answer(text):
    """Rather asked again than credited to another."""
    assert short_text.parse_reply(text) is None


def test_the_place_is_written_as_by_radio():
    """The same characters."""
    call = admitted(order(7), place="Büro 3/4")

    assert plain("Büro 3/4", room=32) in short_text.call_text(call, room=160)
