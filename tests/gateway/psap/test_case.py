"""A call's case: who is to be called when, what an answer means, when it is loud; and folding it again changes nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belltower.clock import Instant
from belltower.incident.facts import (
    CallReceipt,
    CallRejected,
    CallSent,
    CallUnanswered,
    Mode,
    ReceiptLevel,
    ResponseSeen,
    ResponseStatus,
    TelecommunicatorAcknowledged,
    UpdateKind,
    UpdateOrdered,
    UpdateReadBack,
)
from belltower.incident.facts.calls import TELEPHONE
from gateway.psap.case import CallCase, Road
from gateway.psap.link import admitted
from tests.gateway.psap.house import INCIDENT, order

SYSTEM = frozenset({ReceiptLevel.SYSTEM})
CALL = order(1).call
ROADS = {
    name: Road(link=name, centre=centre, after=after, settling=SYSTEM, exercise=exercise)
    for name, centre, after, exercise in (
        ("radio", "linden", 0.0, True),
        ("sip", "linden", 0.0, False),
        ("birch", "birch", 5.0, True),
        ("cedar", "cedar", 8.0, True),
    )
}


def a_case(**more):
    """A call, ordered at 100."""
    return CallCase(call=admitted(order(1, **more), place="B 204"), roads=ROADS, ordered=100.0)


def sent(link, *, update=0):
    """A `CallSent`."""
    covers = () if update else ((1, 1),)
    return CallSent(call=CALL, link=link, frame=f"C0001{update}", covers=covers, update=update)


def receipt(link, *covers, level=ReceiptLevel.SYSTEM):
    """A `CallReceipt`."""
    return CallReceipt(call=CALL, link=link, frame="C0001", covers=covers or ((1, 1),), level=level)


def refused(link):
    """A `CallRejected`."""
    return CallRejected(call=CALL, link=link, frame="C0001")


def person(by="T1"):
    """A `TelecommunicatorAcknowledged`."""
    return TelecommunicatorAcknowledged(call=CALL, incident=INCIDENT, link="radio", by=by)


def read_back(link, *, update=1):
    """An `UpdateReadBack`."""
    return UpdateReadBack(call=CALL, incident=INCIDENT, update=update, link=link, by="T1")


def updated(case, number, kind=UpdateKind.CANCEL, *, since=101.0):
    """The case with an update ordered."""
    ordered = UpdateOrdered(call=CALL, incident=INCIDENT, update=number, kind=kind)
    return case.ordered_update(ordered, at=Instant(0), since=since)


def after(case, *facts):
    """The case after these facts."""
    for fact in facts:
        case = case.apply(fact)
    return case


def test_those_whose_turn_it_is_are_called():
    """Two at once, the neighbour after five seconds, the last after eight."""
    case = a_case()

    assert {"radio", "sip"} == case.carrying(100.0)
    assert 105.0 == case.wake_at(100.0)
    assert {"radio", "sip", "birch"} == case.carrying(105.0)
    assert set(ROADS) == case.calling(case.carrying(105.0)).carrying(108.0)


@pytest.mark.parametrize(
    ("facts", "called"),
    [
        ([receipt("sip")], {"radio", "sip"}),
        ([receipt("sip", (2, 9))], {"radio", "sip", "birch"}),
        ([receipt("sip", level=ReceiptLevel.STATION)], {"radio", "sip", "birch"}),
        ([receipt("gone")], {"radio", "sip", "birch"}),
        ([person()], {"radio", "sip"}),
        ([sent("cedar"), receipt("sip")], {"radio", "sip", "cedar"}),
        ([refused("radio")], {"radio", "sip", "birch"}),
    ],
)
def test_who_is_called_once_five_seconds_are_over(facts, called):
    """Nobody new when a PSAP's system or a person has the call; those that were called before are called still."""
    assert called == after(a_case(), *facts).carrying(105.0)


def test_when_all_have_refused_it_is_the_nearest_ones_turn():
    """And once that one has refused too, the next one's."""
    case = after(a_case(), refused("radio"), refused("sip"))
    assert {"radio", "sip", "birch"} == case.carrying(100.0)

    case = case.calling(case.carrying(100.0))
    assert "cedar" not in case.carrying(101.0)
    assert set(ROADS) == case.apply(refused("birch")).carrying(101.0)


def test_a_cancelled_call_reaches_nobody_new_and_ends_where_it_was_read_back():
    """Both links of the centre that has read it back fall silent, the other centre's goes on."""
    case = updated(after(a_case(), sent("radio"), sent("sip"), sent("birch")), 1)
    assert {"radio", "sip", "birch"} == case.carrying(120.0)
    assert case.loud(110.0)

    case = case.apply(read_back("sip"))
    assert {"birch"} == case.carrying(120.0)
    assert not case.loud(110.0)
    assert set() == case.apply(read_back(TELEPHONE)).carrying(120.0)


def test_a_correction_that_was_read_back_ends_nothing():
    """The call goes on wherever it goes."""
    case = updated(after(a_case(), sent("radio"), sent("sip")), 1, UpdateKind.PLACE).apply(read_back("sip"))

    assert {"radio", "sip"} == case.carrying(101.0)


@pytest.mark.parametrize(
    ("facts", "loud"),
    [
        ([], True),
        ([sent("radio"), refused("radio")], True),
        ([receipt("radio", level=ReceiptLevel.RADIO)], True),
        ([receipt("radio")], False),
        ([person()], False),
        ([CallUnanswered(call=CALL, after=10.0)], False),
    ],
)
def test_it_is_loud_after_ten_seconds_unless_somebody_has_it(facts, loud):
    """A radio's receipt and a refusal change nothing, and it is said once."""
    case = after(a_case(), *facts)

    assert not case.loud(109.999)
    assert loud is case.loud(110.0)


def test_an_exercise_is_carried_by_those_that_have_a_form_for_it_and_never_loud_without_one():
    """The radio has, SIP has not."""
    case = a_case(mode=Mode.EXERCISE, accepted=True)
    unable = {name: Road(link=name, settling=SYSTEM) for name in ROADS}
    nobody = CallCase(call=case.call, roads=unable, ordered=100.0)

    assert ("sip",) == case.unfit
    assert {"radio"} == case.carrying(100.0)
    assert set() == nobody.carrying(120.0)
    assert [True, False] == [one.loud(110.0) for one in (case, nobody)]


def test_a_closed_call_goes_on_for_ninety_seconds():
    """From its first closing."""
    case = a_case().closing(150.0).closing(200.0)

    assert case.carrying(239.9)
    assert not case.over(239.9)
    assert case.over(240.0)
    assert set() == case.carrying(240.0)


def test_only_the_latest_update_is_owed_and_for_fifteen_minutes():
    """On links that were given the call, until their centre has read it back."""
    case = updated(updated(after(a_case(), sent("radio"), sent("birch")), 2), 1, UpdateKind.PLACE)
    first, second = case.updates

    assert (1, 2) == (first.order.update, second.order.update)
    assert not case.owes(first, "radio", 102.0)
    assert [True, False, True] == [case.owes(second, link, 102.0) for link in ("radio", "cedar", "birch")]
    assert not case.owes(second, "radio", 1001.0)
    read = case.apply(read_back("sip", update=2))
    assert [False, True] == [read.owes(read.updates[1], link, 102.0) for link in ("radio", "birch")]
    assert ("birch",) == case.awaiting(second, "sip")


FACTS = [
    *(sent(link, update=update) for link in ROADS for update in (0, 1, 2)),
    *(receipt(link, covers) for link in ROADS for covers in ((1, 1), (2, 7))),
    *(refused(link) for link in ROADS),
    *(read_back(link, update=update) for link in (*ROADS, TELEPHONE) for update in (1, 2)),
    *(person(by) for by in ("T1", "T2")),
    *(ResponseSeen(call=CALL, incident=INCIDENT, link="sip", status=status) for status in ResponseStatus),
    CallUnanswered(call=CALL, after=10.0),
]


@given(st.lists(st.sampled_from(FACTS), max_size=25), st.data())
def test_whatever_it_has_had_already_changes_nothing(facts, data):
    """What is folded in as it comes to pass is folded in again when the journal tells of it, in any order."""
    whole = after(updated(updated(a_case(), 1, UpdateKind.PLACE), 2), *facts)
    again = data.draw(st.permutations(facts))

    assert whole == after(whole, *again)
    assert whole == updated(whole, 2, since=500.0)
