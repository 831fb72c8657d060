"""Counting a notice: states add up, unknown is never reached, people who share an address are reached together."""

from hypothesis import given
from hypothesis import strategies as st

from belltower.ids import PersonId
from notify.delivery import State
from notify.standing import REACHING, Counts, Row, Standing, masked, prefix


def line(
    n: int, state: State, *, address: str = "", person: str = "", acknowledged: int = 0, reason: str = "why"
) -> Row:
    reason = reason if state is State.REFUSED else ""
    to = address or f"+1555010{n:04}"
    begins = prefix("sms", to)
    return (f"d{n}", person or f"p{n}", "sms", "cell", begins, state.value, reason, acknowledged, f"m{n}")


def standing(*lines: Row, **sharing: list[str]) -> Standing:
    made = Standing(whole=Counts())
    made.add(lines, {id_: [PersonId(one) for one in who] for id_, who in sharing.items()})
    return made


@given(st.lists(st.sampled_from(State), max_size=40))
def test_the_states_add_up_to_what_was_composed_and_only_arrival_reaches(states: list[State]) -> None:
    """W13, W14: every delivery stands in one state; accepted, uncertain, refused and waiting reach nobody."""
    made = standing(*(line(n, state) for n, state in enumerate(states)))

    assert len(states) == made.whole.composed == sum(made.whole.states.values())
    assert sum(state not in REACHING for state in states) == len(made.not_reached)
    assert made.people == len(states)
    for of_one in (made.channels, made.providers, made.prefixes):
        assert len(states) == sum(counts.composed for counts in of_one.values())


def test_who_shares_an_address_is_reached_with_it_and_nobody_answers_for_them() -> None:
    """One message to two parents: both have it; which of them answered is not known."""
    made = standing(line(1, State.DELIVERED, acknowledged=5), line(2, State.REFUSED), d1=["p9"], d2=["p8"])

    assert ["p2", "p8"] == made.not_reached
    assert {"p1"} == made.answered


def test_a_person_is_reached_when_one_of_several_messages_arrived() -> None:
    """By whichever address."""
    made = standing(line(1, State.REFUSED, person="p"), line(2, State.READ, person="p"))

    assert [] == made.not_reached
    assert 1 == made.people


def test_one_dead_carrier_shows() -> None:
    """The prefix with the greatest share of failures comes first; few messages prove nothing."""
    made = standing(
        *(line(n, State.DELIVERED, address=f"+1555010{n:04}") for n in range(20)),
        line(50, State.REFUSED, address="+15550100050"),
        *(line(n, State.UNCERTAIN, address=f"+1555011{n:04}") for n in range(5)),
        line(99, State.REFUSED, address="+15550120001"),
        *(line(60 + n, State.REFUSED, address=f"+1555013{n:04}", reason="stopped") for n in range(5)),
    )
    found = [(name, counts.composed) for _, name, counts in made.suspicious(at_least=3, most=8)]

    assert [("+1555011", 5), ("+1555010", 21)] == found


def test_what_nobody_can_send_was_not_written_and_no_carrier_has_failed() -> None:
    """An address of a kind that nothing is set up for: its person is not reached, and no count says that it was tried."""
    nobody = [
        (f"n{n}", f"p{n}", "email", "", "school.example", "refused", "no_channel", 0, f"e{n}")
        for n in range(5)
    ]
    made = standing(line(9, State.DELIVERED), *nobody)

    assert 1 == made.whole.composed
    assert {"sms"} == set(made.channels)
    assert {"email": 5} == made.unsendable
    assert [] == made.suspicious(at_least=1, most=8)
    assert not made.reasons
    assert ["p0", "p1", "p2", "p3", "p4"] == made.not_reached


def test_a_masked_address_is_known_only_to_who_knows_it() -> None:
    """The last digits, or the domain."""
    assert "..0107" == masked("sms", "+15550100107")
    assert "..@example.org" == masked("email", "ruth@example.org")
    assert "" == masked("push", '{"endpoint": "https://push.example"}')
