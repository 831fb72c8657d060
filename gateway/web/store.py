"""This room's tables: accounts, the one-time links that make them, sessions, and which incidents are open.

Secrets are kept hashed. Who has which role stands in `grant_store.py`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from belltower.clock import Instant
from belltower.ids import IncidentId, PersonId
from belltower.people.grant import Grant
from belltower.store import Database, Step, Transaction

STEPS = [
    Step(
        room="web",
        number=1,
        sql="""
        CREATE TABLE web_account (
            person TEXT PRIMARY KEY, sign_in TEXT NOT NULL UNIQUE, name TEXT NOT NULL, password TEXT NOT NULL,
            made_at BIGINT NOT NULL
        );
        CREATE TABLE web_invitation (
            token_hash BYTEA PRIMARY KEY, made_at BIGINT NOT NULL, expires_at BIGINT NOT NULL, used_at BIGINT
        );
        CREATE TABLE web_session (
            token_hash BYTEA PRIMARY KEY, person TEXT NOT NULL, made_at BIGINT NOT NULL, seen_at BIGINT NOT NULL,
            expires_at BIGINT NOT NULL
        );
        CREATE TABLE web_incident (
            incident TEXT PRIMARY KEY, number BIGINT NOT NULL, opened_at BIGINT NOT NULL, closed_at BIGINT
        );
        CREATE INDEX web_incident_closed ON web_incident (closed_at);
        """,
    ),
    # A grant is one row for each school; '' is everywhere. Who had an account before there were grants could do
    # everything, and still can.
    Step(
        room="web",
        number=2,
        sql="""
        ALTER TABLE web_account ADD COLUMN closed_at BIGINT;
        ALTER TABLE web_invitation ADD COLUMN role TEXT NOT NULL DEFAULT 'staff';
        ALTER TABLE web_invitation ADD COLUMN schools TEXT NOT NULL DEFAULT '[]';
        CREATE TABLE web_grant (
            person TEXT NOT NULL, role TEXT NOT NULL, school TEXT NOT NULL, given_at BIGINT NOT NULL,
            PRIMARY KEY (person, role, school)
        );
        CREATE TABLE web_grant_change (
            id TEXT PRIMARY KEY, changed_at BIGINT NOT NULL, body TEXT NOT NULL
        );
        INSERT INTO web_grant (person, role, school, given_at)
            SELECT person, 'administrator', '', made_at FROM web_account;
        UPDATE web_invitation SET role = 'administrator' WHERE NOT EXISTS (SELECT 1 FROM web_account);
        """,
    ),
    # NULL: made at the command line, or before this step.
    Step(room="web", number=3, sql="ALTER TABLE web_invitation ADD COLUMN made_by TEXT"),
    Step(
        room="web",
        number=4,
        sql="CREATE INDEX web_session_person ON web_session (person, expires_at)",
    ),
]


class Account(Struct, frozen=True, kw_only=True):
    """Somebody who may sign in. `sign_in` is what they type, folded to lower case."""

    person: PersonId
    sign_in: str
    name: str
    password: str


class Session(Struct, frozen=True, kw_only=True):
    """One browser of one person."""

    person: PersonId
    name: str
    seen_at: Instant
    expires_at: Instant
    grants: tuple[Grant, ...] = ()


def hashed(token: str) -> bytes:
    """How a token is kept. Tokens are random, so that one plain hash is enough."""
    return hashlib.sha256(token.encode()).digest()


class Invitation(Struct, frozen=True, kw_only=True):
    """What a one-time link brings to whoever uses it."""

    role: str
    schools: frozenset[str] = frozenset()
    # Who made it; None: whoever runs Belltower.
    made_by: PersonId | None = None


async def accounts(database: Database) -> int:
    """How many accounts there are, closed ones too."""
    return int((await database.read("SELECT COUNT(*) FROM web_account"))[0][0])


async def account(database: Database, sign_in: str) -> Account | None:
    """The account with this sign-in name, unless it is closed."""
    rows = await database.read(
        "SELECT person, sign_in, name, password FROM web_account"
        " WHERE sign_in = :sign_in AND closed_at IS NULL",
        sign_in=sign_in,
    )
    return (
        Account(person=rows[0][0], sign_in=rows[0][1], name=rows[0][2], password=rows[0][3]) if rows else None
    )


async def names(database: Database) -> dict[PersonId, str]:
    """What the holders of accounts are called."""
    rows = await database.read("SELECT person, name FROM web_account")
    return {PersonId(row[0]): str(row[1]) for row in rows}


def add_account(tx: Transaction, account: Account, at: Instant) -> None:
    """Keep a new account; `Conflict` when the sign-in name is taken."""
    tx.add(
        "INSERT INTO web_account (person, sign_in, name, password, made_at)"
        " VALUES (:person, :sign_in, :name, :password, :at) ON CONFLICT (sign_in) DO NOTHING",
        expect=1,
        person=account.person,
        sign_in=account.sign_in,
        name=account.name,
        password=account.password,
        at=at,
    )


def add_invitation(tx: Transaction, token: str, at: Instant, expires_at: Instant, brings: Invitation) -> None:
    """Keep a new one-time link; those never used are void from now on."""
    tx.add("DELETE FROM web_invitation WHERE used_at IS NULL")
    tx.add(
        "INSERT INTO web_invitation (token_hash, made_at, expires_at, role, schools, made_by)"
        " VALUES (:hash, :at, :expires, :role, :schools, :made_by)",
        hash=hashed(token),
        at=at,
        expires=expires_at,
        role=brings.role,
        schools=msgspec.json.encode(sorted(brings.schools)).decode(),
        made_by=brings.made_by,
    )


async def invited(database: Database, token: str, at: Instant) -> Invitation | None:
    """What the one-time link brings; None: it is not known, used, or too old."""
    rows = await database.read(
        "SELECT role, schools, made_by FROM web_invitation"
        " WHERE token_hash = :hash AND used_at IS NULL AND expires_at > :at",
        hash=hashed(token),
        at=at,
    )
    if not rows:
        return None
    role, schools, made_by = rows[0]
    return Invitation(
        role=role,
        schools=msgspec.json.decode(schools, type=frozenset[str]),
        made_by=PersonId(made_by) if made_by is not None else None,
    )


def void_invitations(tx: Transaction, made_by: PersonId) -> None:
    """Nobody makes an account any more by a link of this person."""
    tx.add("DELETE FROM web_invitation WHERE made_by = :made_by AND used_at IS NULL", made_by=made_by)


def use_invitation(tx: Transaction, token: str, at: Instant) -> None:
    """Use it up; `Conflict` when somebody else did, or it is too old."""
    tx.add(
        "UPDATE web_invitation SET used_at = :at"
        " WHERE token_hash = :hash AND used_at IS NULL AND expires_at > :at",
        expect=1,
        hash=hashed(token),
        at=at,
    )


def add_session(tx: Transaction, token: str, person: PersonId, at: Instant, expires_at: Instant) -> None:
    """Keep a new session, and drop those that are over."""
    tx.add("DELETE FROM web_session WHERE expires_at <= :at", at=at)
    tx.add(
        "INSERT INTO web_session (token_hash, person, made_at, seen_at, expires_at)"
        " VALUES (:hash, :person, :at, :at, :expires)",
        hash=hashed(token),
        person=person,
        at=at,
        expires=expires_at,
    )


async def session(database: Database, token: str, at: Instant, seen_after: Instant) -> Session | None:
    """The session, unless it is over or was not used for too long."""
    rows = await database.read(
        "SELECT s.person, a.name, s.seen_at, s.expires_at, g.role, g.school FROM web_session s"
        " JOIN web_account a ON a.person = s.person LEFT JOIN web_grant g ON g.person = s.person"
        " WHERE s.token_hash = :hash AND s.expires_at > :at AND s.seen_at > :seen AND a.closed_at IS NULL",
        hash=hashed(token),
        at=at,
        seen=seen_after,
    )
    if not rows:
        return None
    person, name, seen_at, expires_at = rows[0][:4]
    given = grants_of([(person, role, school) for *_, role, school in rows if role is not None])
    return Session(person=person, name=name, seen_at=seen_at, expires_at=expires_at, grants=given)


def grants_of(rows: Iterable[tuple[PersonId, str, str]]) -> tuple[Grant, ...]:
    """Grants from their rows: person, role, and one school or "" for everywhere, which covers the others."""
    schools: dict[tuple[PersonId, str], set[str]] = {}
    for person, role, school in rows:
        schools.setdefault((person, role), set()).add(school)
    return tuple(
        Grant(person=person, role=role, schools=frozenset() if "" in where else frozenset(where))
        for (person, role), where in sorted(schools.items())
    )


def touch_session(tx: Transaction, token: str, at: Instant) -> None:
    """It was used."""
    tx.add("UPDATE web_session SET seen_at = :at WHERE token_hash = :hash", at=at, hash=hashed(token))


def end_session(tx: Transaction, token: str) -> None:
    """Forget it."""
    tx.add("DELETE FROM web_session WHERE token_hash = :hash", hash=hashed(token))


def incident_opened(tx: Transaction, incident: IncidentId, number: int, at: Instant) -> None:
    """Remember an incident. Told again, as a stream begun anew does, it is open again."""
    tx.add(
        "INSERT INTO web_incident (incident, number, opened_at) VALUES (:incident, :number, :at)"
        " ON CONFLICT (incident) DO UPDATE SET number = excluded.number, opened_at = excluded.opened_at,"
        " closed_at = NULL",
        incident=incident,
        number=number,
        at=at,
    )


def incident_closed(tx: Transaction, incident: IncidentId, at: Instant) -> None:
    """Remember that it is closed."""
    tx.add(
        "UPDATE web_incident SET closed_at = :at WHERE incident = :incident AND closed_at IS NULL",
        incident=incident,
        at=at,
    )


async def open_incidents(database: Database) -> list[IncidentId]:
    """Every open incident, oldest first."""
    rows = await database.read(
        "SELECT incident FROM web_incident WHERE closed_at IS NULL ORDER BY opened_at, incident"
    )
    return [IncidentId(row[0]) for row in rows]


async def incident_of(database: Database, number: int) -> IncidentId | None:
    """The incident of a number; of several, the one that is open, or the last. None: there is none."""
    rows = await database.read(
        "SELECT incident FROM web_incident WHERE number = :number"
        " ORDER BY closed_at IS NOT NULL, opened_at DESC LIMIT 1",
        number=number,
    )
    return IncidentId(rows[0][0]) if rows else None


async def closed_incidents(database: Database, limit: int) -> list[IncidentId]:
    """Those closed last, newest first."""
    rows = await database.read(
        "SELECT incident FROM web_incident WHERE closed_at IS NOT NULL"
        " ORDER BY closed_at DESC, incident DESC LIMIT :limit",
        limit=limit,
    )
    return [IncidentId(row[0]) for row in rows]
