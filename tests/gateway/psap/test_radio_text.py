"""The grammar and its MAC: docs/psap-radio.md, word for word."""

import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from belltower.clock import Instant
from belltower.errors import Malformed
from belltower.incident.facts import AlarmKind, Mode, UpdateKind, UpdateOrdered
from gateway.psap import radio_text
from gateway.psap.kiss_link import KISSLink
from gateway.psap.link import LinkTest, LiveMore, Spot, admitted, update_of
from gateway.psap.radio_text import (
    CallText,
    CancelText,
    CorrectText,
    Direction,
    Ends,
    HumanText,
    LinkTestText,
    MoreText,
    PingText,
    ReadBackText,
)
from hardware.codecs import aprs, ax25, kiss
from tests.gateway.psap.house import order
from tests.peers.county import KEY, PSAP, SCHOOL

DOCUMENT = (Path(__file__).parents[3] / "docs/psap-radio.md").read_text()
OUT = Ends(sender=SCHOOL, addressee=PSAP)
BACK = Ends(sender=PSAP, addressee=SCHOOL)


def documented():
    """The worked frames: name, information field, octets."""
    block = re.search(r"```frames\n(.*?)```", DOCUMENT, re.DOTALL)[1]
    lines = [line.strip() for line in block.strip().splitlines()]
    return {
        name: (info, bytes.fromhex(octets)) for name, info, octets in zip(*[iter(lines)] * 3, strict=True)
    }


FRAMES = documented()


def packet(name):
    """What a documented frame holds."""
    (frame,) = kiss.Decoder().feed(FRAMES[name][1])
    return ax25.decode(frame.data), aprs.decode(ax25.decode(frame.data).info)


def test_the_documented_octets_are_the_documented_texts():
    """Each frame's octets decode to the information field beside it."""
    assert 17 == len(FRAMES)
    for name, (info, _) in FRAMES.items():
        frame, _ = packet(name)
        assert info == frame.info.decode()
        assert {SCHOOL, PSAP} == {str(frame.source), info[1:10].strip()}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "call",
            CallText(
                exercise=False,
                kind=AlarmKind.PANIC,
                place="B 204",
                number=7,
                incident=12,
                building="B",
                key="3X9QW207",
            ),
        ),
        (
            "exercise",
            CallText(
                exercise=True,
                kind=AlarmKind.PANIC,
                place="B 204",
                number=9,
                incident=12,
                building="B",
                key="3X9QW209",
            ),
        ),
        (
            "more",
            MoreText(
                exercise=False,
                incident=12,
                key="9ZABCDEF",
                items=(("B", 7, ((2, 14), (16, 16))), ("Gym", 8, ((2, 5),))),
            ),
        ),
        ("ping", PingText(nonce="1f3a9c20")),
        ("human", HumanText(number=7, key="3X9QW207", by="T12")),
        (
            "cancel",
            CancelText(
                exercise=False,
                kind=AlarmKind.PANIC,
                place="B 204",
                number=7,
                incident=12,
                building="B",
                update=2,
                key="3X9QW207",
            ),
        ),
        (
            "correct",
            CorrectText(
                exercise=False,
                kind=AlarmKind.PANIC,
                place="D 101",
                was="B 204",
                number=7,
                incident=12,
                building="D",
                update=1,
                key="3X9QW207",
            ),
        ),
        ("test", LinkTestText(number=3, key="7K2M9QXA")),
        ("cancel-read-back", ReadBackText(number=7, update=2, key="3X9QW207", by="T12")),
    ],
)
def test_the_documented_messages_say_what_is_written(name, said):
    """Their MACs hold and their fields parse."""
    _, message = packet(name)
    way, ends = (
        (Direction.FROM_PSAP, BACK) if name in ("human", "cancel-read-back") else (Direction.TO_PSAP, OUT)
    )
    text = radio_text.opened(KEY, way, ends, message.text, message.id)

    assert said == radio_text.parse(text)


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("call-received", "call"),
        ("call-rejected", "call"),
        ("ping-answered", "ping"),
        ("human-confirmed", "human"),
        ("cancel-received", "cancel"),
        ("cancel-read-back-confirmed", "cancel-read-back"),
        ("test-received", "test"),
    ],
)
def test_the_documented_answers_prove_what_they_read(name, of):
    """And only that."""
    _, answer = packet(name)
    _, message = packet(of)
    way, ends = (
        (Direction.TO_PSAP, OUT) if of in ("human", "cancel-read-back") else (Direction.FROM_PSAP, BACK)
    )

    assert radio_text.proven(KEY, way, ends, answer, radio_text.digest(message.text, message.id))
    assert not radio_text.proven(KEY, way, ends, answer, radio_text.digest(message.text + "x", message.id))


def test_a_bare_answer_proves_nothing():
    """A stock radio's."""
    _, answer = packet("call-heard-by-a-radio")

    assert not radio_text.proven(KEY, Direction.FROM_PSAP, BACK, answer, bytes(32))


@given(
    place=st.text(max_size=80),
    building=st.text(max_size=40),
    number=st.one_of(st.integers(1, 1 << 53), st.sampled_from([1 << 16, 1 << 31, 1 << 32, 40_000_000])),
    kind=st.sampled_from(list(AlarmKind)),
    mode=st.sampled_from(list(Mode)),
)
@example(place="EXERCISE room", building="", number=1, kind=AlarmKind.PANIC, mode=Mode.ACTUAL)
@example(place="Aula (alt) ~{|", building="Größe", number=1, kind=AlarmKind.PANIC, mode=Mode.ACTUAL)
def test_every_call_can_be_said_and_is_read_back(place, building, number, kind, mode):
    """Whatever the place is called, the text fits, parses, and is an exercise exactly when the call is."""
    given_order = order(number, building=building, kind=kind, mode=mode, accepted=mode is Mode.EXERCISE)
    text = radio_text.call_text(admitted(given_order, place=place))
    said = radio_text.parse(text)

    assert len(text) <= radio_text.CAPACITY
    assert (mode is Mode.EXERCISE, kind, number, 12) == (said.exercise, said.kind, said.number, said.incident)
    assert text.startswith("EXERCISE ") == (mode is Mode.EXERCISE)
    assert re.fullmatch("[A-Z0-9]{5}", radio_text.call_frame_id(number))
    message = aprs.Message(
        addressee=PSAP, text=radio_text.signed(KEY, Direction.TO_PSAP, OUT, text, "C0001"), id="C0001"
    )
    assert message == aprs.decode(aprs.encode(message))
    assert len(aprs.encode(message)) <= ax25.MAX_INFO


@given(
    place=st.text(max_size=80),
    other=st.text(max_size=80),
    number=st.integers(1, 1 << 62),
    update=st.integers(1, 1 << 62),
    kind=st.sampled_from(list(UpdateKind)),
    mode=st.sampled_from(list(Mode)),
)
@example(place="x, was y", other="CORRECT", number=1, update=1, kind=UpdateKind.PLACE, mode=Mode.ACTUAL)
@example(
    place="M" * 80,
    other="W" * 80,
    number=1 << 62,
    update=1 << 62,
    kind=UpdateKind.PLACE,
    mode=Mode.EXERCISE,
)
def test_every_update_can_be_said_and_is_read_back(place, other, number, update, kind, mode):
    """It fits, parses, is an exercise exactly when its call is, and no county takes it for a call."""
    given_order = order(
        number, building=place, mode=mode, accepted=mode is Mode.EXERCISE, kind=AlarmKind.MEDICAL
    )
    said_order = UpdateOrdered(
        call=given_order.call, incident=given_order.incident, update=update, kind=kind, building=other
    )
    spot = Spot(spoken=other) if kind is UpdateKind.PLACE else None
    whole = update_of(admitted(given_order, place=place), said_order, spot=spot)
    text = radio_text.update_text(whole)
    said = radio_text.parse(text)

    assert len(text) <= radio_text.CAPACITY
    assert {UpdateKind.CANCEL: CancelText, UpdateKind.PLACE: CorrectText}[kind] is type(said)
    assert (mode is Mode.EXERCISE, number, update) == (said.exercise, said.number, said.update)
    assert radio_text.short(other if spot else place) == said.building
    assert radio_text.plain(other if spot else place, room=32) == said.place
    assert re.fullmatch("U[A-Z0-9]{4}", radio_text.update_frame_id(whole))


@given(number=st.integers(1, 1 << 62), key=st.text(max_size=20))
def test_every_test_can_be_said_and_is_none_of_the_things_it_could_be_taken_for(number, key):
    """Whatever its key."""
    text = radio_text.test_text(LinkTest(number=number, key=key, at=Instant(0)))

    assert LinkTestText(number=number, key=radio_text.key_of(key)) == radio_text.parse(text)


def test_the_same_update_and_test_are_the_same_frames_for_ever():
    """Two links of the same settings, as before and after a restart; each differs from the call, and from another."""
    call = admitted(order(7), place="B 204")
    orders = [
        UpdateOrdered(
            call=call.order.call, incident=call.order.incident, update=number, kind=UpdateKind.CANCEL
        )
        for number in (1, 2)
    ]

    def frames():
        link = KISSLink(name="county", transport=None, key=KEY, us=SCHOOL, them=PSAP)
        return [
            link.first(call),
            *(link.update(update_of(call, each, spot=None)) for each in orders),
            *(link.test(LinkTest(number=number, key="7K2M9QXA", at=Instant(0))) for number in (1, 2)),
        ]

    assert frames() == frames()
    assert 5 == len({frame.id for frame in frames()}) == len({frame.octets for frame in frames()})
    assert [1, 0, 0, 0, 0] == [len(frame.covers) for frame in frames()]


@given(
    st.lists(
        st.tuples(st.integers(1, 9_999_999), st.sets(st.integers(2, 5000), min_size=1, max_size=90)),
        min_size=1,
        max_size=30,
    )
)
def test_a_summary_says_what_fits_and_no_more(calls):
    """Its text stays within the field, and what it says it told is what is read back."""
    items = []
    for number, numbers in calls:
        ranges = tuple((n, n) for n in sorted(numbers) if n % 2 == 0) or ((3, 3),)
        items.append((admitted(order(number, building=f"Long {number}"), place="x"), ranges))
    text, told = radio_text.more_text(LiveMore(items=tuple(items)))

    assert len(text) <= radio_text.CAPACITY
    assert told
    assert [(call.order.number, ranges) for call, ranges in told] == [
        (number, ranges) for _, number, ranges in radio_text.parse(text).items
    ]


@given(st.text(max_size=240))
@example("MORE inc 1, key AAAAAAAA: B/7 9-2")
@example("MORE inc 1, key AAAAAAAA: B/7 2,2")
@example("HUMAN call 1 key AAAAAAAA by a name")
@example("EXERCISE PING 00000000")
@example("EXERCISE TEST 1 key AAAAAAAA, nobody needs help")
@example("CANCEL PANIC B, was C (call 1, inc 1, bldg B, update 1, key AAAAAAAA)")
@example("CORRECT PANIC B (call 1, inc 1, bldg B, update 1, key AAAAAAAA)")
@example("READBACK call 1 key AAAAAAAA by T1")
def test_any_other_text_is_malformed(text):
    """Nothing but Malformed is raised, and nothing unsigned is opened."""
    with pytest.raises(Malformed):
        radio_text.parse(text)
    with pytest.raises(Malformed):
        radio_text.opened(KEY, Direction.TO_PSAP, OUT, text, "C0001")
