"""What is known of a delivery only grows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify.delivery import NEXT, OUTCOMES, State, advance

CALLBACKS = st.sampled_from([State.ACCEPTED, State.DELIVERED, State.REFUSED])
RANK = {
    State.PENDING: 0,
    State.SENDING: 1,
    State.SUPERSEDED: 1,
    State.UNCERTAIN: 2,
    State.ACCEPTED: 3,
    State.REFUSED: 4,
    State.DELIVERED: 5,
}


@given(st.sampled_from(State), st.lists(CALLBACKS))
def test_callbacks_never_lead_backward(state: State, learned: list[State]) -> None:
    """Late, double and shuffled callbacks raise the state or leave it."""
    for one in learned:
        after = advance(state, one)
        if after is not None:
            assert RANK[after] > RANK[state]
            state = after


@given(st.lists(st.sampled_from([State.ACCEPTED, State.DELIVERED]), min_size=1).flatmap(st.permutations))
def test_the_order_of_callbacks_does_not_matter(learned: list[State]) -> None:
    """Once delivered is known, delivered it stays."""
    state = State.SENDING
    for one in learned:
        state = advance(state, one) or state

    assert (State.DELIVERED if State.DELIVERED in learned else State.ACCEPTED) == state


@pytest.mark.parametrize("state", list(State))
def test_only_sending_returns_to_pending(state: State) -> None:
    """Nothing that may have been taken is ever sent again."""
    assert (state is State.SENDING) == (advance(state, State.PENDING) is not None)


def test_every_state_is_placed() -> None:
    """The table is complete, and all that is not on its way is a fact."""
    assert set(State) == set(NEXT)
    assert set(State) - {State.PENDING, State.SENDING} == set(OUTCOMES)
