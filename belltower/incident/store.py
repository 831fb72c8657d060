"""The heart's own tables: which incidents are open, the site-unique counters, drills, and verbs already done."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from belltower.clock import SECOND, Instant
from belltower.ids import IncidentId, UnitId, VerbId
from belltower.incident import facts
from belltower.incident.facts import Action
from belltower.store import Database, Step, Transaction

STEPS = [
    Step(
        room="incident",
        number=1,
        sql="""
        CREATE TABLE incident_open (
            incident TEXT PRIMARY KEY, number BIGINT NOT NULL, opened_at BIGINT NOT NULL,
            closed_at BIGINT NOT NULL
        );
        CREATE TABLE incident_counter (name TEXT PRIMARY KEY, value BIGINT NOT NULL);
        CREATE TABLE incident_verb (verb TEXT PRIMARY KEY, done_at BIGINT NOT NULL, result TEXT NOT NULL);
        CREATE TABLE incident_drill (
            authorisation TEXT PRIMARY KEY, until BIGINT NOT NULL, psap_accepted BIGINT NOT NULL,
            ended BIGINT NOT NULL
        );
        """,
    ),
    Step(
        room="incident",
        number=2,
        sql="""
        CREATE TABLE incident_text (
            text TEXT PRIMARY KEY, said_at BIGINT NOT NULL, incident TEXT NOT NULL, unit TEXT NOT NULL,
            upward BIGINT NOT NULL, words TEXT NOT NULL
        );
        """,
    ),
    Step(
        room="incident",
        number=3,
        sql="""
        ALTER TABLE incident_drill ADD COLUMN begun_at BIGINT NOT NULL DEFAULT 0;
        ALTER TABLE incident_drill ADD COLUMN action TEXT NOT NULL DEFAULT '';
        ALTER TABLE incident_drill ADD COLUMN places TEXT NOT NULL DEFAULT '[]';
        ALTER TABLE incident_drill ADD COLUMN authorisers TEXT NOT NULL DEFAULT '[]';
        ALTER TABLE incident_drill ADD COLUMN ended_at BIGINT NOT NULL DEFAULT 0;
        ALTER TABLE incident_drill ADD COLUMN reason TEXT NOT NULL DEFAULT '';
        """,
    ),
]

_names = msgspec.json.Decoder(tuple[str, ...])

TEXTS_KEPT = 24 * 3600 * SECOND
"""How long a text lives."""


class KeptText(Struct, frozen=True, kw_only=True):
    """A text of a room, or to one. It may name people: it stands in no fact and no log."""

    text: str
    said_at: Instant
    incident: IncidentId | None
    unit: UnitId
    # From the room to the house.
    upward: bool
    words: str


class KeptDrill(Struct, frozen=True, kw_only=True):
    """A drill there is or was."""

    authorisation: str
    action: Action | None
    places: tuple[str, ...]
    authorisers: tuple[str, ...]
    begun_at: Instant
    until: Instant
    psap_accepted: bool
    ended: bool
    ended_at: Instant
    # over, ended, aborted_real; "" while it runs.
    reason: str


def opened(tx: Transaction, incident: IncidentId, number: int, at: Instant) -> None:
    """Remember that the incident is open."""
    tx.add(
        "INSERT INTO incident_open (incident, number, opened_at, closed_at) VALUES (:incident, :number, :at, 0)"
        " ON CONFLICT (incident) DO NOTHING",
        incident=incident,
        number=number,
        at=at,
    )


def closed(tx: Transaction, incident: IncidentId, at: Instant) -> None:
    """Remember that it is not open any more, and drop those closed a day before."""
    tx.add("UPDATE incident_open SET closed_at = :at WHERE incident = :incident", incident=incident, at=at)
    tx.add(
        "DELETE FROM incident_open WHERE closed_at > 0 AND closed_at < :before",
        before=at - 86_400 * SECOND,
    )


async def current_incidents(database: Database, closed_since: Instant) -> list[IncidentId]:
    """Every incident that is open or was closed at or after `closed_since`, oldest first."""
    rows = await database.read(
        "SELECT incident FROM incident_open WHERE closed_at = 0 OR closed_at >= :since"
        " ORDER BY opened_at, incident",
        since=closed_since,
    )
    return [IncidentId(row[0]) for row in rows]


def count(tx: Transaction, name: str, value: int) -> None:
    """Raise the counter to `value`; it never falls."""
    tx.add(
        "INSERT INTO incident_counter (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE"
        " SET value = excluded.value WHERE incident_counter.value < excluded.value",
        name=name,
        value=value,
    )


async def counters(database: Database) -> dict[str, int]:
    """All counters."""
    return {row[0]: row[1] for row in await database.read("SELECT name, value FROM incident_counter")}


def done(tx: Transaction, verb: VerbId, at: Instant, result: str) -> None:
    """Remember the verb's result; a second insert of the same verb is a `Conflict`."""
    tx.add(
        "INSERT INTO incident_verb (verb, done_at, result) VALUES (:verb, :at, :result)"
        " ON CONFLICT (verb) DO NOTHING",
        verb=verb,
        at=at,
        result=result,
    )


async def result_of(database: Database, verb: VerbId) -> str | None:
    """What the verb answered when it was done; None if it never was."""
    rows = await database.read("SELECT result FROM incident_verb WHERE verb = :verb", verb=verb)
    return str(rows[0][0]) if rows else None


def forget_verbs(tx: Transaction, before: Instant) -> None:
    """Drop verbs so old that nobody repeats them."""
    tx.add("DELETE FROM incident_verb WHERE done_at < :before", before=before)


def drill_begun(tx: Transaction, begun: facts.DrillBegun, at: Instant) -> None:
    """Remember the running drill and that its token is used."""
    tx.add(
        "INSERT INTO incident_drill (authorisation, until, psap_accepted, ended, begun_at, action, places, authorisers)"
        " VALUES (:authorisation, :until, :accepted, 0, :at, :action, :places, :authorisers)"
        " ON CONFLICT (authorisation) DO NOTHING",
        authorisation=begun.authorisation,
        until=begun.until,
        accepted=int(begun.psap_accepted),
        at=at,
        action=begun.action.value if begun.action is not None else "",
        places=msgspec.json.encode(begun.places).decode(),
        authorisers=msgspec.json.encode(begun.authorisers).decode(),
    )


def drill_ended(tx: Transaction, ended: facts.DrillEnded, at: Instant) -> None:
    """Remember that it is over; its token stays used."""
    tx.add(
        "UPDATE incident_drill SET ended = 1, ended_at = :at, reason = :reason"
        " WHERE authorisation = :authorisation",
        authorisation=ended.authorisation,
        at=at,
        reason=ended.reason,
    )


async def drills(database: Database) -> list[KeptDrill]:
    """Every drill there was, the oldest first."""
    rows = await database.read(
        "SELECT authorisation, action, places, authorisers, begun_at, until, psap_accepted, ended, ended_at, reason"
        " FROM incident_drill ORDER BY begun_at, authorisation"
    )
    return [
        KeptDrill(
            authorisation=row[0],
            action=Action(row[1]) if row[1] else None,
            places=_names.decode(row[2]),
            authorisers=_names.decode(row[3]),
            begun_at=Instant(row[4]),
            until=Instant(row[5]),
            psap_accepted=bool(row[6]),
            ended=bool(row[7]),
            ended_at=Instant(row[8]),
            reason=row[9],
        )
        for row in rows
    ]


def keep_text(tx: Transaction, text: KeptText) -> None:
    """Keep a text."""
    tx.add(
        "INSERT INTO incident_text (text, said_at, incident, unit, upward, words)"
        " VALUES (:text, :at, :incident, :unit, :upward, :words) ON CONFLICT (text) DO NOTHING",
        text=text.text,
        at=text.said_at,
        incident=text.incident or "",
        unit=text.unit,
        upward=int(text.upward),
        words=text.words,
    )


async def texts(database: Database, since: Instant) -> list[KeptText]:
    """Every text said at or after `since`, oldest first."""
    rows = await database.read(
        "SELECT text, said_at, incident, unit, upward, words FROM incident_text WHERE said_at >= :since"
        " ORDER BY said_at, text",
        since=since,
    )
    return [
        KeptText(
            text=row[0],
            said_at=Instant(row[1]),
            incident=IncidentId(row[2]) if row[2] else None,
            unit=UnitId(row[3]),
            upward=bool(row[4]),
            words=row[5],
        )
        for row in rows
    ]


def forget_texts(tx: Transaction, before: Instant) -> None:
    """Drop texts said before."""
    tx.add("DELETE FROM incident_text WHERE said_at < :before", before=before)
