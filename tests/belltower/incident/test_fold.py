"""The fold law, and what each fact does to an incident."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from belltower.clock import Instant
from belltower.ids import AlarmId, CallId, FactId, IncidentId, LinkName, PersonId, StreamName
from belltower.incident import facts
from belltower.incident.entry import Entry
from belltower.incident.facts import Action, AlarmKind, Fact, Mode, ReceiptLevel
from belltower.incident.fold import Incident, fold

INCIDENT = IncidentId("inc_1")
CALLS = [CallId("cal_1"), CallId("cal_2")]
LINKS = [LinkName("county"), LinkName("station")]


def entry(position: int, fact: Fact) -> Entry:
    return Entry(
        stream=StreamName("alarm"),
        position=position,
        id=FactId(f"fct_{position}"),
        at=Instant(position * 1_000_000),
        subject=INCIDENT,
        fact=fact,
    )


def alarm(number: int, building: str = "B") -> facts.AlarmRaised:
    return facts.AlarmRaised(
        alarm=AlarmId(f"alm_{building}{number}"),
        incident=INCIDENT,
        kind=AlarmKind.PANIC,
        mode=Mode.ACTUAL,
        place=None,
        building=building,
        number=number,
    )


def call(which: CallId) -> facts.CallOrdered:
    return facts.CallOrdered(
        call=which,
        incident=INCIDENT,
        number=1,
        incident_number=1,
        kind=AlarmKind.PANIC,
        mode=Mode.ACTUAL,
        place=None,
        building="B",
    )


some_call = st.sampled_from(CALLS)
some_link = st.sampled_from(LINKS)
some_fact = st.one_of(
    st.builds(alarm, st.integers(1, 5), st.sampled_from("AB")),
    st.builds(call, some_call),
    st.builds(facts.ActionOrdered, action=st.sampled_from(Action)),
    st.builds(facts.CallSent, call=some_call, link=some_link, frame=st.just("1"), covers=st.just(((1, 1),))),
    st.builds(
        facts.CallReceipt,
        call=some_call,
        link=some_link,
        frame=st.just("1"),
        covers=st.just(((1, 1),)),
        level=st.sampled_from(ReceiptLevel),
    ),
    st.builds(facts.CallRejected, call=some_call, link=some_link, frame=st.just("1")),
    st.builds(facts.CallWithheld, call=some_call, link=some_link, reason=st.just("exercise")),
    st.builds(facts.CallUnanswered, call=some_call, after=st.just(10.0)),
    st.builds(
        facts.TelecommunicatorAcknowledged,
        call=some_call,
        incident=st.just(INCIDENT),
        link=some_link,
        by=st.just("7"),
    ),
    st.builds(facts.IncidentClosed, incident=st.just(INCIDENT), by=st.just(PersonId("p1"))),
    st.builds(facts.UnknownFact, unknown_tag=st.just("later"), raw=st.just(b"{}")),
)
histories = st.lists(some_fact, max_size=30).map(
    lambda history: [entry(at, fact) for at, fact in enumerate([*map(call, CALLS), *history], start=1)]
)


@given(histories, st.integers(0, 30))
@settings(max_examples=300)
def test_a_fold_taken_up_later_equals_the_whole_fold(history: list[Entry], split: int) -> None:
    """fold(up to N) and the later facts give what all facts give."""
    early = fold(INCIDENT, history[:split])
    for late in history[split:]:
        early = early.apply(late)

    assert fold(INCIDENT, history) == early


@given(histories)
def test_a_fact_fed_twice_changes_nothing_the_second_time(history: list[Entry]) -> None:
    """What comes from the spool and again from the journal counts once."""
    folded = fold(INCIDENT, history)
    again = folded
    for fed in history:
        again = again.apply(fed)

    assert folded == again


def test_the_last_ordered_action_is_in_force() -> None:
    """A lockdown ordered during a hold replaces it."""
    history = [
        entry(1, facts.ActionOrdered(action=Action.HOLD)),
        entry(2, facts.ActionOrdered(action=Action.LOCKDOWN)),
    ]

    assert Action.LOCKDOWN == fold(INCIDENT, history).action


def test_a_radio_receipt_is_not_the_psaps() -> None:
    """Only the PSAP's own system makes a call received."""
    sent = [entry(1, call(CALLS[0]))]
    radio = facts.CallReceipt(
        call=CALLS[0], link=LINKS[0], frame="1", covers=((1, 1),), level=ReceiptLevel.RADIO
    )
    heard = [*sent, entry(2, radio)]
    confirmed = [
        *heard,
        entry(
            3,
            facts.CallReceipt(
                call=CALLS[0], link=LINKS[0], frame="1", covers=((1, 1),), level=ReceiptLevel.SYSTEM
            ),
        ),
    ]

    assert fold(INCIDENT, heard).calls[CALLS[0]].received is None
    assert LINKS[0] == fold(INCIDENT, confirmed).calls[CALLS[0]].received


@given(histories.flatmap(st.permutations))
def test_what_became_of_a_call_may_stand_before_its_order(history: list[Entry]) -> None:
    """However a failing disk turned them round, no acknowledgement and no receipt is lost."""
    ordered = fold(INCIDENT, sorted(history, key=lambda entry: entry.position))
    turned = fold(INCIDENT, history)

    assert set(ordered.calls) == set(turned.calls)
    assert {call.number for call in turned.calls.values()} == {1}
    for call, view in ordered.calls.items():
        assert view.received == turned.calls[call].received or turned.calls[call].received is not None
        assert (view.acknowledged_at is None) == (turned.calls[call].acknowledged_at is None)


def test_only_a_person_acknowledges() -> None:
    """A system's receipt leaves the incident unacknowledged; a telecommunicator's answer does not."""
    receipt = facts.CallReceipt(
        call=CALLS[0], link=LINKS[0], frame="1", covers=((1, 1),), level=ReceiptLevel.SYSTEM
    )
    answered = facts.TelecommunicatorAcknowledged(
        call=CALLS[0], incident=INCIDENT, link=LINKS[0], by="position 4"
    )
    history = [entry(1, call(CALLS[0])), entry(2, receipt)]

    assert not fold(INCIDENT, history).acknowledged
    assert fold(INCIDENT, [*history, entry(3, answered)]).acknowledged


def test_alarms_are_counted_by_building() -> None:
    """Numbers given out to each building add up."""
    history = [entry(1, alarm(1)), entry(2, alarm(2)), entry(3, alarm(1, "A")), entry(4, alarm(2))]
    folded = fold(INCIDENT, history)

    assert 3 == folded.alarms
    assert {"A": 1, "B": 2} == {name: building.alarms for name, building in folded.buildings.items()}


def test_a_closed_incident_stays_closed_by_whoever_closed_it_first() -> None:
    """A second closing changes nothing."""
    closed = [
        entry(1, facts.IncidentClosed(incident=INCIDENT, by=PersonId("p1"))),
        entry(2, facts.IncidentClosed(incident=INCIDENT, by=PersonId("p2"))),
    ]

    assert ("p1", 1_000_000) == (fold(INCIDENT, closed).closed_by, fold(INCIDENT, closed).closed_at)
    assert Incident(id=INCIDENT).open
