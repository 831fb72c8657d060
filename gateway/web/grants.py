"""Giving and taking roles, and asking whether somebody may: over the rows of `grant_store.py`.

The same from the page and from the command line, which may be another process: what is changed is left for the lane that
writes the journal.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from belltower.clock import Clock
from belltower.errors import Conflict, NotFound, NotPermitted, StoreError, WrongState
from belltower.ids import Ids, PersonId
from belltower.incident.facts import AccountClosed, AccountReopened, GrantGiven, GrantTaken
from belltower.people.grant import Grant, Reach, Right, Role, may_hand_on, reach, refusal, roles_with
from belltower.store import Database, Transaction
from gateway.web import grant_store
from gateway.web.grant_store import Change, Listed

_NAMED = 4

LAST = "Nobody else may say who may do what. Make somebody else administrator first, or this could not be mended here."


class Grants:
    """Who may do what. `allowed` satisfies `belltower.people.grant.Allowed`."""

    def __init__(self, *, database: Database, roles: Mapping[str, Role], clock: Clock, ids: Ids) -> None:
        self.roles = roles
        self._database = database
        self._clock = clock
        self._ids = ids

    async def allowed(self, person: PersonId, right: Right, schools: Collection[str] | None = ()) -> None:
        """Return where they may. Raises `NotPermitted`, which says who may, and `StoreError`."""
        has = reach(await grant_store.granted(self._database, person), self.roles, right)
        if not has.covers(schools):
            raise await self.refused(right, schools, has)

    async def refused(self, right: Right, schools: Collection[str] | None, has: Reach) -> NotPermitted:
        """The error for somebody who has the right in `has` only: it names those who have it where it is asked for."""
        try:
            having = await grant_store.holders(self._database, roles_with(right, self.roles))
        except StoreError:
            having = []
        holders = [name for name, grants in having if reach(grants, self.roles, right).covers(schools)]
        more = [f"{len(holders) - _NAMED} more"] if len(holders) > _NAMED else []
        return NotPermitted(refusal(right, self.roles, [*holders[:_NAMED], *more], elsewhere=bool(has)))

    async def listed(self) -> list[Listed]:
        """Every account by name."""
        return await grant_store.listed(self._database, self._clock.now())

    async def give(self, grant: Grant, by: PersonId | None = None) -> None:
        """Give a role, in the place of what this role of this person was. `by` None: whoever runs Belltower."""
        if grant.role not in self.roles:
            raise NotFound(f"There is no role {grant.role}. Known: {', '.join(sorted(self.roles))}.")
        one = await self._account(grant.person)
        await self._check_giver(by, grant.role)
        if grant in one.grants:
            return
        tx = _turn()
        grant_store.add_grant(tx, grant, self._clock.now())
        await self._check_last(tx, one, [*(each for each in one.grants if each.role != grant.role), grant])
        fact = GrantGiven(person=grant.person, role=grant.role, schools=tuple(sorted(grant.schools)), by=by)
        await self._change(tx, fact)

    async def may_bring(self, person: PersonId, role: str) -> bool:
        """Whether a link that this person made may bring this role, still: while they may hand it on themselves."""
        return may_hand_on(await grant_store.granted(self._database, person), self.roles, role)

    async def take(self, person: PersonId, role: str, by: PersonId | None = None) -> None:
        """Take a role away. Raises `WrongState` for the last who may say who may do what."""
        one = await self._account(person)
        grant = next((grant for grant in one.grants if grant.role == role), None)
        if grant is None:
            raise NotFound(f"{one.name} is not {role}.")
        await self._check_giver(by, role)
        tx = _turn()
        grant_store.remove_grant(tx, grant)
        await self._check_last(tx, one, [each for each in one.grants if each.role != role])
        await self._change(tx, GrantTaken(person=person, role=role, by=by))

    async def close(self, person: PersonId, by: PersonId | None = None) -> list[bytes]:
        """Let nobody sign in with this account, and sign its browsers out: the hashes of their sessions."""
        one = await self._account(person)
        for grant in one.grants or (Grant(person=person, role=""),):
            await self._check_giver(by, grant.role)
        ended = await grant_store.sessions_of(self._database, person)
        tx = _turn()
        grant_store.close_account(tx, person, self._clock.now())
        await self._check_last(tx, one, ())
        await self._change(tx, AccountClosed(person=person, by=by))
        return ended

    async def reopen(self, person: PersonId, by: PersonId | None = None) -> None:
        """Let its holder sign in again, with the roles of before."""
        one = await self._account(person, closed=True)
        for grant in one.grants or (Grant(person=person, role=""),):
            await self._check_giver(by, grant.role)
        tx = _turn()
        grant_store.reopen_account(tx, person)
        await self._change(tx, AccountReopened(person=person, by=by))

    async def screens(self, person: PersonId) -> list[bytes]:
        """The hashes of this person's sessions: what their screens show may not be theirs to see any more."""
        return await grant_store.sessions_of(self._database, person)

    async def end_sessions(self, person: PersonId, by: PersonId | None = None) -> list[bytes]:
        """Sign all browsers of this person out: the hashes of their sessions."""
        await self._account(person)
        if by is not None and by != person:
            await self.allowed(by, Right.ACCOUNT_MANAGE)
        ended = await grant_store.sessions_of(self._database, person)
        tx = Transaction()
        grant_store.end_sessions(tx, person)
        await self._database.submit(tx)
        return ended

    async def _account(self, person: PersonId, *, closed: bool = False) -> Listed:
        one = await grant_store.one(self._database, person, self._clock.now())
        if one is None:
            raise NotFound("There is no such account.")
        if closed != (one.closed_at is not None):
            raise WrongState(f"The account of {one.name} is {'open' if closed else 'closed'}.")
        return one

    async def _check_giver(self, by: PersonId | None, role: str) -> None:
        """Nobody hands on more than they have. Raises `NotPermitted`."""
        if by is None:
            return
        grants = await grant_store.granted(self._database, by)
        if not may_hand_on(grants, self.roles, role):
            await self.allowed(by, Right.ACCOUNT_MANAGE)
            raise NotPermitted(f"You may not do this: {role} may do more than you may.")

    async def _check_last(self, tx: Transaction, one: Listed, after: Collection[Grant]) -> None:
        """Somebody is left who may say who may do what, now and when `tx` is written. Raises `WrongState`."""
        managed, manages = (
            reach(grants, self.roles, Right.ACCOUNT_MANAGE).everywhere for grants in (one.grants, after)
        )
        managing = roles_with(Right.ACCOUNT_MANAGE, self.roles)
        others = await grant_store.others_manage(self._database, one.person, managing)
        if managed and not manages and not others:
            raise WrongState(LAST)
        # Two who take the role of each other in the same moment both have looked before.
        if managed or others:
            grant_store.keep_managed(tx, managing)

    async def _change(self, tx: Transaction, change: Change) -> None:
        grant_store.add_change(tx, self._ids.fact(), change, self._clock.now())
        try:
            await self._database.submit(tx)
        except Conflict:
            raise WrongState("Somebody else has just changed it: look again.") from None


def _turn() -> Transaction:
    tx = Transaction()
    grant_store.take_turn(tx)
    return tx
