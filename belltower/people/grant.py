"""What a person may do, and where: rights, the roles that bring them, and the grants that give a role. Pure.

Raising an alarm, ordering an action, telling the PSAP the right place and answering need no right at all: alarms fail
open. Everything that has a name here fails closed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from belltower.errors import NotPermitted
from belltower.ids import PersonId


class Right(StrEnum):
    """One thing that not everybody may do."""

    NOTICE_WRITE = "notice-write"
    NOTICE_SEND = "notice-send"
    # To be the second person, who lets go what somebody else wants sent.
    NOTICE_SECOND = "notice-second"
    INCIDENT_CLOSE = "incident-close"
    PEOPLE_SEE = "people-see"
    PEOPLE_CHANGE = "people-change"
    # To people outside of the school: police, an ambulance.
    PEOPLE_DISCLOSE = "people-disclose"
    ROSTER_APPROVE = "roster-approve"
    ACCOUNT_MANAGE = "account-manage"
    SITE_CHANGE = "site-change"


SPOKEN = {
    Right.NOTICE_WRITE: "write notices",
    Right.NOTICE_SEND: "send notices",
    Right.NOTICE_SECOND: "let go what somebody else wants sent",
    Right.INCIDENT_CLOSE: "say that an incident is over",
    Right.PEOPLE_SEE: "see people's records",
    Right.PEOPLE_CHANGE: "change people's records",
    Right.PEOPLE_DISCLOSE: "give records to people outside",
    Right.ROSTER_APPROVE: "let a held roster through",
    Right.ACCOUNT_MANAGE: "say who may do what",
    Right.SITE_CHANGE: "move the place where families go",
}
"""The rights as people say them: "You may not ..."."""

ADMINISTRATOR = "administrator"
"""The role that has every right, in every school package."""

STAFF = "staff"
"""The role that brings no right: whoever is signed in may raise the alarm and answer."""


class Role(Struct, frozen=True, kw_only=True):
    """A function, and what it brings."""

    name: str
    rights: frozenset[Right] = frozenset()


class Grant(Struct, frozen=True, kw_only=True):
    """A role of one person: for these schools, by their keys, or everywhere where none is named."""

    person: PersonId
    role: str
    schools: frozenset[str] = frozenset()


class Reach(Struct, frozen=True, kw_only=True):
    """Where somebody has a right."""

    everywhere: bool = False
    # Only these, where it is not everywhere.
    schools: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        """Whether there is any place at all."""
        return self.everywhere or bool(self.schools)

    def covers(self, schools: Collection[str] | None = ()) -> bool:
        """Whether all of these lie within.

        An empty collection means all schools there are, which only `everywhere` covers; None: any place is enough.
        """
        if schools is None:
            return bool(self)
        return self.everywhere or (bool(schools) and self.schools.issuperset(schools))


class Allowed(Protocol):
    """Asks whether somebody may do something; see `Reach.covers` for `schools`."""

    async def __call__(self, person: PersonId, right: Right, schools: Collection[str] | None = ()) -> None:
        """Return where it is so. Raises `NotPermitted`, which says who may."""
        ...


async def nobody(
    person: PersonId,  # noqa: ARG001 - the protocol's
    right: Right,
    schools: Collection[str] | None = (),  # noqa: ARG001 - the protocol's
) -> None:
    """Satisfies `Allowed` where nothing says who may: then nobody may."""
    raise NotPermitted(f"You may not {SPOKEN[right]}: nothing here says who may.")


async def unasked(
    person: PersonId,
    right: Right,
    schools: Collection[str] | None = (),
) -> None:
    """Satisfies `Allowed` where no person acts: what the response plan does, it may."""


def _shipped() -> dict[str, Role]:
    see, send = {Right.PEOPLE_SEE}, {Right.NOTICE_WRITE, Right.NOTICE_SEND, Right.NOTICE_SECOND}
    rights: dict[str, set[Right]] = {
        ADMINISTRATOR: set(Right),
        "office": send | see | {Right.PEOPLE_CHANGE, Right.INCIDENT_CLOSE},
        "director": send | see | {Right.INCIDENT_CLOSE, Right.PEOPLE_DISCLOSE, Right.SITE_CHANGE},
        "liaison": see | {Right.PEOPLE_DISCLOSE},
        STAFF: set(),
    }
    return {name: Role(name=name, rights=frozenset(given)) for name, given in rights.items()}


SHIPPED: Mapping[str, Role] = _shipped()
"""The roles that every school has: the office, the incident's director, the liaison to police and fire service.

A site package may give all but the administrator other rights, and add roles of its own.
"""


def reach(grants: Iterable[Grant], roles: Mapping[str, Role], right: Right) -> Reach:
    """Where these grants, all of one person, bring the right. A role that nobody knows brings none."""
    bring = [grant for grant in grants if grant.role in roles and right in roles[grant.role].rights]
    if any(not grant.schools for grant in bring):
        return Reach(everywhere=True)
    return Reach(schools=frozenset().union(*(grant.schools for grant in bring)))


def allowed(
    grants: Iterable[Grant],
    roles: Mapping[str, Role],
    right: Right,
    schools: Collection[str] | None = (),
) -> bool:
    """Whether these grants, all of one person, bring the right in all of these schools; see `Reach.covers`."""
    return reach(grants, roles, right).covers(schools)


def roles_with(right: Right, roles: Mapping[str, Role]) -> list[str]:
    """The names of the roles that bring the right."""
    return sorted(name for name, role in roles.items() if right in role.rights)


def may_hand_on(grants: Collection[Grant], roles: Mapping[str, Role], role: str) -> bool:
    """Whether these grants, all of one person, let give and take `role`: nobody hands on more than they have."""
    wanted = roles[role].rights if role in roles else frozenset()
    return all(allowed(grants, roles, right) for right in (Right.ACCOUNT_MANAGE, *wanted))


def refusal(
    right: Right, roles: Mapping[str, Role], holders: Iterable[str] = (), *, elsewhere: bool = False
) -> str:
    """Why somebody may not do it, and who may: roles, and the names of some who have them.

    `elsewhere` says that they may in some school, and this concerns others.
    """
    named = list(holders)
    who = f" Now: {', '.join(named)}." if named else " Nobody has it now."
    why = (
        f"You may {SPOKEN[right]} for your own schools only, and this concerns others: choose yours, and no other."
        if elsewhere
        else f"You may not {SPOKEN[right]} here."
    )
    return f"{why} These roles may: {', '.join(roles_with(right, roles)) or 'none'}.{who}"
