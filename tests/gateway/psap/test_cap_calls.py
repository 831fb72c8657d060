"""Our calls as CAP alerts: the type decides whether they are real, and the centre reads back what we meant."""

from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from msgspec.structs import replace

from belltower.clock import SECOND, Instant
from belltower.errors import Malformed
from belltower.incident.facts import AlarmKind, Mode, UpdateKind, UpdateOrdered
from floorplans.campus import Campus
from gateway.psap.cap import (
    Circle,
    MessageType,
    Named,
    Scope,
    Status,
    Told,
    build,
    check,
    for_call,
    for_test,
    for_update,
    parse,
    told,
)
from gateway.psap.link import ExerciseCall, LinkTest, LiveCall, Spot, update_of
from tests.gateway.psap.cap_shapes import LETTERS
from tests.gateway.psap.house import order

SCHEMA = etree.XMLSchema(etree.parse(Path(__file__).parents[2] / "golden" / "cap" / "CAP-v1.2.xsd"))
AT = Instant(1_795_307_554_412_000)
CAMPUS = Campus(id="lindenhof", name="Lindenhof School", position=(41.77, -88.47), telephone="+15550100")
SPOT = Spot(
    spoken="B 204",
    building="B",
    building_name="Main building",
    level="2",
    room="204",
    position=(41.772, -88.473),
)
TO = {"campus": CAMPUS, "sender": "belltower@lindenhof.example", "addresses": ("sip:psap@county.example",)}


def live(**changes):
    return LiveCall(order=order(**changes), place="B 204", spot=SPOT, at=AT)


def exercise():
    made = order(mode=Mode.EXERCISE, accepted=True)
    return ExerciseCall(order=made, place="B 204", spot=SPOT, at=AT)


def update(call, kind, spot=None, at=AT):
    made = UpdateOrdered(call=call.order.call, incident=call.order.incident, update=1, kind=kind)
    return update_of(call, made, spot=spot, at=at)


def sent(alert):
    """Built, judged by the schema and our rules, and read as the centre reads it."""
    assert () == check(alert)
    octets = build(alert)
    SCHEMA.assertValid(etree.fromstring(octets))
    assert alert == parse(octets)
    return parse(octets)


def test_a_live_call_is_actual_private_and_says_where():
    """Status, scope, addresses, incident, code, and the place both in words and on the map."""
    alert = sent(for_call(live(), **TO))
    (info,) = alert.infos

    assert (Status.ACTUAL, MessageType.ALERT, Scope.PRIVATE) == (alert.status, alert.type, alert.scope)
    assert ("sip:psap@county.example",) == alert.addresses
    assert (order().incident,) == alert.incidents
    assert AT - AT % SECOND == alert.sent.at
    assert (Named("APCO-2.103.2", "ALRPANS"),) == info.event_codes
    assert "Lindenhof School, Main building, level 2, room 204" == info.areas[0].description
    assert (Circle((41.772, -88.473), 0.02),) == info.areas[0].circles
    assert "B 204" in info.headline
    assert "EXERCISE" not in build(alert).decode()


def test_the_centre_reads_back_what_was_told():
    """Number, key, incident, kind, building, place."""
    assert Told(
        status=Status.ACTUAL,
        type=MessageType.ALERT,
        number=7,
        key="ZZ000007",
        incident=12,
        kind=AlarmKind.MEDICAL,
        building="B",
        place="B 204",
    ) == told(sent(for_call(live(number=7, kind=AlarmKind.MEDICAL), **TO)))


def test_an_exercise_is_marked_at_both_ends_and_by_its_type_alone():
    """Exercise calls can be nothing else, and so can their updates."""
    for alert in (
        for_call(exercise(), **TO),
        for_update(update(exercise(), UpdateKind.CANCEL), **TO),
        for_update(update(exercise(), UpdateKind.PLACE, SPOT), **TO),
    ):
        info = sent(alert).infos[0]
        assert Status.EXERCISE is alert.status
        for text in (info.headline, info.description):
            assert text.startswith("EXERCISE EXERCISE EXERCISE. ")
            assert text.endswith(" EXERCISE EXERCISE EXERCISE.")


def test_the_same_call_gives_the_same_alert_for_ever():
    """Nothing is drawn and no clock is asked; another call has another identifier."""
    assert build(for_call(live(), **TO)) == build(for_call(live(), **TO))
    identifiers = {
        for_call(live(), **TO).identifier,
        for_call(live(number=2), **TO).identifier,
        for_update(update(live(), UpdateKind.CANCEL), **TO).identifier,
        for_test(LinkTest(number=1, key="ABCD1234", at=AT), **TO).identifier,
    }
    assert 4 == len(identifiers)


def test_a_cancellation_refers_to_its_call_and_wants_to_be_read_back():
    """MsgType Cancel; nobody is told that all is clear."""
    call = for_call(live(), **TO)
    alert = sent(for_update(update(live(), UpdateKind.CANCEL), **TO))

    assert MessageType.CANCEL is alert.type
    assert [(call.sender, call.identifier, call.sent)] == [
        (one.sender, one.identifier, one.sent) for one in alert.references
    ]
    assert "read the cancellation back" in alert.infos[0].description
    assert b"AllClear" not in build(alert)
    assert 1 == told(alert).update
    assert alert.sent.at > call.sent.at


def test_a_correction_says_the_new_place_everywhere():
    """MsgType Update; area, words and parameters agree."""
    gym = Spot(spoken="G Gym", building="G", room="Gym", position=(41.7, -88.4))
    alert = sent(for_update(update(live(), UpdateKind.PLACE, gym, Instant(AT + 90 * SECOND)), **TO))

    assert (MessageType.UPDATE, "G", "G Gym") == (alert.type, told(alert).building, told(alert).place)
    assert (Circle((41.7, -88.4), 0.02),) == alert.infos[0].areas[0].circles
    assert b"B 204" not in build(alert)
    assert (AT + 90 * SECOND) // SECOND == alert.sent.at // SECOND


def test_a_test_of_the_link_is_no_call():
    """Status Test, no event code, no urgency; read back as a test."""
    alert = sent(for_test(LinkTest(number=4, key="ABCD1234", at=AT), **TO))

    assert (Status.TEST, Scope.PRIVATE, ()) == (alert.status, alert.scope, alert.infos[0].event_codes)
    assert (4, "ABCD1234", None) == (told(alert).number, told(alert).key, told(alert).kind)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=25, deadline=None)
def test_no_call_fails_for_a_strange_name_or_a_broken_clock(seed):
    """Whatever the site package and the clock say, the document is in order."""
    random = Random(seed)
    at = random.choice([0, -1, 10**18, AT])

    def text():
        return "".join(random.choices(LETTERS + "\x00\x0b\ud800\uffff", k=random.randrange(9)))

    spot = Spot(
        spoken=text(),
        building=text(),
        building_name=text(),
        level=text(),
        room=text(),
        position=random.choice([None, (91.0, 181.0), (1e-7, -1e-7), (float("nan"), 0.0)]),
    )
    campus = Campus(
        id=text(), name=text(), telephone=text(), position=random.choice([None, (95.0, 0.0), (1.0, 2.0)])
    )
    call = LiveCall(order=order(building=text()), place=text(), spot=spot, at=Instant(at))
    changed = {**TO, "campus": campus}

    sent(for_call(call, **changed))
    sent(for_update(update(call, UpdateKind.PLACE, spot), **changed))
    sent(for_update(update(call, UpdateKind.CANCEL), **changed))
    sent(for_test(LinkTest(number=1, key="ABCD1234", at=Instant(at)), **changed))


def altered(alert, *parameters, **changes):
    return replace(alert, infos=(replace(alert.infos[0], parameters=parameters),), **changes)


@pytest.mark.parametrize(
    ("alert", "says"),
    [
        (replace(for_call(live(), **TO), infos=()), "info is missing"),
        (altered(for_call(live(), **TO)), "belltower.key is missing"),
        (
            altered(for_call(live(), **TO), Named("belltower.key", "K"), Named("belltower.number", "x")),
            "'x' is no number",
        ),
        (
            altered(for_call(live(), **TO), Named("belltower.kind", "fire")),
            "'fire' is not known; one of: panic, medical",
        ),
        (replace(for_call(live(), **TO), status=Status.TEST), "disagree on whether this is a test"),
        (replace(for_test(LinkTest(number=1, key="K", at=AT), **TO), status=Status.ACTUAL), "disagree"),
    ],
)
def test_what_is_none_of_ours_is_malformed(alert, says):
    """The message says what is missing or wrong."""
    with pytest.raises(Malformed, match=says):
        told(alert)
