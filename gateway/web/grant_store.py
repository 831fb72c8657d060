"""Who has which role, as rows; and what of it the journal has not been told yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from belltower.clock import Instant
from belltower.ids import FactId, PersonId
from belltower.incident.facts import AccountClosed, AccountReopened, GrantGiven, GrantTaken
from belltower.people.grant import Grant
from belltower.store import Database, Transaction
from gateway.web.store import grants_of, void_invitations

Change = GrantGiven | GrantTaken | AccountClosed | AccountReopened
"""What is written down of accounts: ids of people, names of roles, keys of schools."""

_changes = msgspec.json.Decoder(Change)

_LAST = """
SELECT count(DISTINCT g.person) FROM web_grant g JOIN web_account a ON a.person = g.person
WHERE g.school = '' AND a.closed_at IS NULL AND g.person <> :person AND g.role IN ({roles})
"""
_MANAGED = """
UPDATE web_account SET made_at = made_at WHERE person = (
    SELECT g.person FROM web_grant g JOIN web_account a ON a.person = g.person
    WHERE g.school = '' AND a.closed_at IS NULL AND g.role IN ({roles}) LIMIT 1)
"""
_ALONE = """
UPDATE web_account SET made_at = made_at WHERE person = (
    SELECT person FROM web_account ORDER BY made_at, person LIMIT 1)
"""
_LISTED = """
SELECT a.person, a.sign_in, a.name, a.made_at, a.closed_at,
    (SELECT count(*) FROM web_session s WHERE s.person = a.person AND s.expires_at > :at),
    (SELECT max(s.seen_at) FROM web_session s WHERE s.person = a.person)
FROM web_account a{only} ORDER BY a.name, a.person
"""
_EVERY = _LISTED.format(only="")
_ONE = _LISTED.format(only=" WHERE a.person = :person")
_HOLDERS = """
SELECT a.name, g.person, g.role, g.school FROM web_grant g JOIN web_account a ON a.person = g.person
WHERE a.closed_at IS NULL AND g.role IN ({roles}) ORDER BY a.name, a.person
"""


class Listed(Struct, frozen=True, kw_only=True):
    """An account as administrators see it."""

    person: PersonId
    sign_in: str
    name: str
    made_at: Instant
    # Since when nobody signs in with it; None: it is open.
    closed_at: Instant | None
    # Browsers that are signed in, and when one was seen last.
    sessions: int
    seen_at: Instant | None
    grants: tuple[Grant, ...] = ()


async def granted(database: Database, person: PersonId) -> tuple[Grant, ...]:
    """What this person has; nothing where the account is closed."""
    rows = await database.read(
        "SELECT g.person, g.role, g.school FROM web_grant g JOIN web_account a ON a.person = g.person"
        " WHERE g.person = :person AND a.closed_at IS NULL",
        person=person,
    )
    return grants_of(_rows(rows))


async def listed(database: Database, at: Instant) -> list[Listed]:
    """Every account by name, with its roles."""
    grants: dict[PersonId, list[Grant]] = {}
    for grant in grants_of(_rows(await database.read("SELECT person, role, school FROM web_grant"))):
        grants.setdefault(grant.person, []).append(grant)
    rows = await database.read(_EVERY, at=at)
    return [_listed(row, tuple(grants.get(row[0], ()))) for row in rows]


async def one(database: Database, person: PersonId, at: Instant) -> Listed | None:
    """The account of this person, as in `listed`."""
    rows = await database.read(_ONE, at=at, person=person)
    grants = await database.read(
        "SELECT person, role, school FROM web_grant WHERE person = :person", person=person
    )
    return _listed(rows[0], grants_of(_rows(grants))) if rows else None


def _listed(row: tuple[Any, ...], grants: tuple[Grant, ...]) -> Listed:
    person, sign_in, name, made_at, closed_at, sessions, seen_at = row
    return Listed(
        person=PersonId(person),
        sign_in=sign_in,
        name=name,
        made_at=made_at,
        closed_at=closed_at,
        sessions=sessions,
        seen_at=seen_at,
        grants=grants,
    )


async def holders(database: Database, roles: Sequence[str]) -> list[tuple[str, tuple[Grant, ...]]]:
    """Who may sign in and has one of these roles anywhere, by name: their names, and these roles of theirs."""
    if not roles:
        return []
    wanted = {f"role{n}": role for n, role in enumerate(roles)}
    sql = _HOLDERS.format(roles=", ".join(f":{name}" for name in wanted))
    named: dict[str, str] = {}
    given: dict[str, list[tuple[PersonId, str, str]]] = {}
    for name, person, role, school in await database.read(sql, **wanted):
        named[person] = name
        given.setdefault(person, []).append((PersonId(person), role, school))
    return [(name, grants_of(given[person])) for person, name in named.items()]


async def others_manage(database: Database, person: PersonId, roles: Sequence[str]) -> bool:
    """Whether somebody else, who may sign in, has one of these roles everywhere."""
    names = {f"role{n}": role for n, role in enumerate(roles)}
    sql = _LAST.format(roles=", ".join(f":{name}" for name in names))
    return bool((await database.read(sql, person=person, **names))[0][0])


def take_turn(tx: Transaction) -> None:
    """Let nobody else who takes a turn write until this is written: what it sees then, stays so.

    To be its first statement. It holds the oldest account, which is always the same one.
    """
    tx.add(_ALONE, expect=1)


def keep_managed(tx: Transaction, roles: Sequence[str]) -> None:
    """`Conflict` where after all of this nobody who may sign in has one of these roles everywhere.

    Only in its turn does it see what somebody else has just written; see `take_turn`.
    """
    names = {f"role{n}": role for n, role in enumerate(roles)}
    tx.add(_MANAGED.format(roles=", ".join(f":{name}" for name in names)), expect=1, **names)


def add_grant(tx: Transaction, grant: Grant, at: Instant) -> None:
    """Keep a grant in the place of what this role of this person was before."""
    remove_grant(tx, grant)
    for school in grant.schools or ("",):
        tx.add(
            "INSERT INTO web_grant (person, role, school, given_at) VALUES (:person, :role, :school, :at)",
            person=grant.person,
            role=grant.role,
            school=school,
            at=at,
        )


def remove_grant(tx: Transaction, grant: Grant) -> None:
    """Forget this role of this person, wherever it was given."""
    tx.add(
        "DELETE FROM web_grant WHERE person = :person AND role = :role", person=grant.person, role=grant.role
    )


def close_account(tx: Transaction, person: PersonId, at: Instant) -> None:
    """Nobody signs in with it from now on, nor by a link that it made; `Conflict` where that is so already."""
    tx.add(
        "UPDATE web_account SET closed_at = :at WHERE person = :person AND closed_at IS NULL",
        expect=1,
        person=person,
        at=at,
    )
    end_sessions(tx, person)
    void_invitations(tx, person)


def reopen_account(tx: Transaction, person: PersonId) -> None:
    """Its holder may sign in again; `Conflict` where it is open."""
    tx.add(
        "UPDATE web_account SET closed_at = NULL WHERE person = :person AND closed_at IS NOT NULL",
        expect=1,
        person=person,
    )


async def sessions_of(database: Database, person: PersonId) -> list[bytes]:
    """The hashes of this person's sessions."""
    rows = await database.read("SELECT token_hash FROM web_session WHERE person = :person", person=person)
    return [bytes(row[0]) for row in rows]


def end_sessions(tx: Transaction, person: PersonId) -> None:
    """Sign all of this person's browsers out."""
    tx.add("DELETE FROM web_session WHERE person = :person", person=person)


def add_change(tx: Transaction, id_: FactId, change: Change, at: Instant) -> None:
    """What the journal is to be told, by the lane that writes it: the change may come from another process."""
    tx.add(
        "INSERT INTO web_grant_change (id, changed_at, body) VALUES (:id, :at, :body)",
        id=id_,
        at=at,
        body=msgspec.json.encode(change).decode(),
    )


async def changes(database: Database, limit: int) -> list[tuple[FactId, Instant, Change]]:
    """What the journal has not been told yet, the oldest first."""
    rows = await database.read(
        "SELECT id, changed_at, body FROM web_grant_change ORDER BY changed_at, id LIMIT :limit", limit=limit
    )
    return [(FactId(id_), Instant(at), _changes.decode(body)) for id_, at, body in rows]


def told(tx: Transaction, id_: FactId) -> None:
    """The journal has it; `Conflict` where it had it before."""
    tx.add("DELETE FROM web_grant_change WHERE id = :id", expect=1, id=id_)


def _rows(rows: Sequence[tuple[Any, ...]]) -> list[tuple[PersonId, str, str]]:
    return [(PersonId(person), str(role), str(school)) for person, role, school in rows]
