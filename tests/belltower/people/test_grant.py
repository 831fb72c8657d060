"""Who may do what, decided on paper: every role, every right, here and elsewhere."""

import pytest

from belltower.ids import PersonId
from belltower.people.grant import (
    ADMINISTRATOR,
    SHIPPED,
    SPOKEN,
    Grant,
    Right,
    Role,
    allowed,
    may_hand_on,
    reach,
    refusal,
)

ADA = PersonId("per_1")

TABLE = {
    # Right: administrator, office, director, liaison, staff.
    Right.NOTICE_WRITE: "yes yes yes no no",
    Right.NOTICE_SEND: "yes yes yes no no",
    Right.NOTICE_SECOND: "yes yes yes no no",
    Right.INCIDENT_CLOSE: "yes yes yes no no",
    Right.PEOPLE_SEE: "yes yes yes yes no",
    Right.PEOPLE_CHANGE: "yes yes no no no",
    Right.PEOPLE_DISCLOSE: "yes no yes yes no",
    Right.ROSTER_APPROVE: "yes no no no no",
    Right.ACCOUNT_MANAGE: "yes no no no no",
    Right.SITE_CHANGE: "yes no yes no no",
}
ROLES = (ADMINISTRATOR, "office", "director", "liaison", "staff")


def of(role: str, *schools: str) -> tuple[Grant, ...]:
    """One grant."""
    return (Grant(person=ADA, role=role, schools=frozenset(schools)),)


@pytest.mark.parametrize("right", Right)
def test_the_table_of_roles_is_what_is_shipped(right: Right) -> None:
    """Role by role, as docs/security.md has it."""
    found = " ".join("yes" if allowed(of(role), SHIPPED, right) else "no" for role in ROLES)

    assert TABLE[right] == found


@pytest.mark.parametrize("right", Right)
@pytest.mark.parametrize("role", ROLES)
def test_a_grant_for_one_school_ends_at_its_fence(role: str, right: Right) -> None:
    """It opens what concerns this school alone, and never what concerns all of them."""
    here, has = of(role, "s1"), allowed(of(role), SHIPPED, right)

    assert (has, False, False, False, has) == (
        allowed(here, SHIPPED, right, {"s1"}),
        allowed(here, SHIPPED, right, {"s2"}),
        allowed(here, SHIPPED, right, {"s1", "s2"}),
        allowed(here, SHIPPED, right),
        allowed(here, SHIPPED, right, None),
    )


@pytest.mark.parametrize("right", Right)
def test_without_a_grant_nothing_is_allowed(right: Right) -> None:
    """Nor with a role that the school does not know any more."""
    assert [False, False, False] == [
        allowed((), SHIPPED, right, None),
        allowed(of("wizard"), SHIPPED, right, None),
        allowed(of("wizard"), SHIPPED, right, {"s1"}),
    ]


def test_two_schools_are_covered_by_two_grants() -> None:
    """What each brings is put together, right by right."""
    both = (*of("office", "s1"), *of("director", "s2"))

    assert (True, False) == (
        allowed(both, SHIPPED, Right.NOTICE_SEND, {"s1", "s2"}),
        allowed(both, SHIPPED, Right.PEOPLE_DISCLOSE, {"s1", "s2"}),
    )
    assert frozenset({"s2"}) == reach(both, SHIPPED, Right.PEOPLE_DISCLOSE).schools


def test_nobody_hands_on_more_than_they_have() -> None:
    """Who keeps the accounts and nothing else makes nobody administrator."""
    roles = {**SHIPPED, "registrar": Role(name="registrar", rights=frozenset({Right.ACCOUNT_MANAGE}))}

    assert [True, False, False, True, False] == [
        may_hand_on(of("registrar"), roles, "staff"),
        may_hand_on(of("registrar"), roles, ADMINISTRATOR),
        may_hand_on(of("registrar", "s1"), roles, "staff"),
        may_hand_on(of(ADMINISTRATOR), roles, ADMINISTRATOR),
        may_hand_on(of("office"), roles, "staff"),
    ]


def test_a_refusal_says_who_may() -> None:
    """The roles, and the people who have them; every right has its words."""
    assert set(Right) == set(SPOKEN)
    assert (
        "You may not send notices here. These roles may: administrator, director, office. Now: Ada, Jonas."
        == refusal(Right.NOTICE_SEND, SHIPPED, ["Ada", "Jonas"])
    )
    assert refusal(Right.NOTICE_SEND, SHIPPED, elsewhere=True).startswith(
        "You may send notices for your own schools only, and this concerns others: choose yours, and no other."
    )
    assert refusal(Right.NOTICE_SEND, {}).endswith("These roles may: none. Nobody has it now.")
