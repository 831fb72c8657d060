"""The register of disclosures: nothing leaves that does not stand in it first, and what stands in it stays.

Whoever may write the database may open, give and close: the page in the desk lane, and a command beside it. What is
opened ends by its time alone; the desk lane writes the end down, and tells all of it to its journal.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import date
from operator import itemgetter
from typing import Any

import msgspec
from msgspec import Struct, structs

from belltower.clock import Clock, Instant
from belltower.errors import Conflict, NotFound, Refused, WrongState
from belltower.ids import Ids, IncidentId, PersonId, VerbId
from belltower.people import disclosure_tables as tables
from belltower.people.disclosure import (
    MOST,
    Asked,
    Disclosure,
    DisclosureId,
    Field,
    Given,
    Way,
    Why,
    disclosure_of,
    faults,
    in_order,
    until,
)
from belltower.people.disclosure_rows import Row, blank, columns
from belltower.people.disclosure_students import Students
from belltower.people.grant import Allowed, Right
from belltower.people.store import RosterStore
from belltower.people.vault import Vault
from belltower.store import Priority, Transaction

_PAGE = 250

_json = msgspec.json.Encoder(order="deterministic").encode


class IncidentKnown(Struct, frozen=True, kw_only=True):
    """What the register must know of an incident."""

    open: bool
    exercise: bool


class Batch(Struct, frozen=True, kw_only=True):
    """What left at one time."""

    id: str
    disclosure: DisclosureId
    at: Instant
    by: PersonId
    way: Way
    fields: tuple[Field, ...]
    students: int


class Sheet(Struct, frozen=True, kw_only=True):
    """What may be shown or written now: it stands in the register."""

    disclosure: Disclosure
    batch: Batch
    columns: tuple[str, ...]
    rows: Sequence[Row]


class _Meant(Struct, frozen=True, kw_only=True):
    students: tuple[PersonId, ...]
    alike: frozenset[PersonId]


class _GivenBody(Struct, frozen=True, kw_only=True):
    student: PersonId
    others: tuple[PersonId, ...]
    fields: tuple[Field, ...]
    # Not in older lines.
    name: str = ""
    born: date | None = None


_disclosure = msgspec.json.Decoder(Disclosure)
_meant = msgspec.json.Decoder(_Meant)
_given = msgspec.json.Decoder(_GivenBody)

LookAtIncident = Callable[[IncidentId], Awaitable[IncidentKnown | None]]


class Register:
    """Opens, gives, closes and remembers disclosures."""

    def __init__(
        self,
        *,
        roster: RosterStore,
        incident: LookAtIncident,
        allowed: Allowed,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._students = Students(roster=roster)
        self._database = roster.database
        self._vault: Vault = roster.vault
        self._incident = incident
        self._allowed = allowed
        self._clock = clock
        self._ids = ids

    # -- opening and closing

    async def open(self, verb: VerbId, asked: Asked, by: PersonId) -> Disclosure:
        """Open it; the same verb opens one. Nothing leaves by that alone.

        Raises:
            Refused: something is missing, nobody is meant or too many, the incident is unknown or not open, `by` may
                not.
        """
        if await self.find(disclosure_of(verb)) is not None:
            return await self.whole(disclosure_of(verb))
        wrong = faults(asked)
        if wrong:
            raise Refused(" ".join(wrong))
        incident = await self._incident(asked.incident)
        if incident is None:
            raise NotFound(f"There is no incident {asked.incident} here.")
        if not incident.open:
            raise WrongState("Records leave only for an incident that is open.")
        meant = await self._students.meant(asked.selection)
        await self._allowed(by, Right.PEOPLE_DISCLOSE, meant.schools)
        now = self._clock.now()
        made = Disclosure(
            id=disclosure_of(verb),
            asked=asked,
            exercise=incident.exercise,
            students=meant.students,
            schools=tuple(sorted(meant.schools)),
            alike=meant.alike,
            opened_at=now,
            opened_by=by,
            until=until(now, asked.minutes),
            count=len(meant.students),
        )
        tx = Transaction()
        tx.add(
            tables.ADD,
            id=made.id,
            incident=asked.incident,
            exercise=int(incident.exercise),
            students=made.count,
            fields=" ".join(in_order(asked.fields)),
            basis=asked.basis.value,
            opened_at=now,
            opened_by=by,
            ends_at=made.until,
            body=self._sealed(made.id, "body", structs.replace(made, students=(), alike=frozenset())),
            meant=self._sealed(made.id, "meant", _Meant(students=made.students, alike=made.alike)),
            sealed_with=self._vault.current,
        )
        await self._database.submit(tx)
        return made

    async def close(self, disclosure: DisclosureId, by: PersonId) -> None:
        """End it before its time; ended twice is ended once. Raises `NotFound`, `NotPermitted`."""
        known = await self.get(disclosure)
        await self._allowed(by, Right.PEOPLE_DISCLOSE, known.schools)
        tx = Transaction()
        tx.add(tables.CLOSE, id=disclosure, at=self._clock.now(), by=by, why=Why.BY_HAND.value)
        await self._database.submit(tx)

    # -- giving

    async def give(
        self, disclosure: DisclosureId, way: Way, by: PersonId, *, start: int = 0, count: int = MOST
    ) -> Sheet:
        """What leaves now, of `count` of its students from `start` on: written down row by row before it is returned.

        In an exercise the rows say so and nothing else. Raises `NotFound`, `NotPermitted`, `WrongState` where it is
        not open any more.
        """
        known = await self.whole(disclosure)
        students = known.students[start : start + count]
        await self._allowed(by, Right.PEOPLE_DISCLOSE, known.schools)
        incident = await self._incident(known.asked.incident)
        if not known.is_open(self._clock.now()) or incident is None or not incident.open:
            raise WrongState(_OVER)
        fields = in_order(known.asked.fields)
        if known.exercise:
            rows = [blank(student, fields) for student in students]
        else:
            rows = [one async for page in self._students.rows(students, fields) for one in page]
        batch = Batch(
            id="dsb_" + self._ids.verb().partition("_")[2],
            disclosure=disclosure,
            at=self._clock.now(),
            by=by,
            way=way,
            fields=fields,
            students=len(rows),
        )
        tx = Transaction()
        tx.add(tables.STILL_OPEN, expect=1, id=disclosure, now=batch.at)
        tx.add(
            tables.ADD_BATCH,
            id=batch.id,
            disclosure=disclosure,
            at=batch.at,
            by=by,
            way=way.value,
            fields=" ".join(fields),
            students=len(rows),
        )
        tx.rows(tables.ADD_GIVEN, [line async for line in self._lines(batch, rows)])
        try:
            await self._database.submit(tx, priority=Priority.BULK)
        except Conflict:
            raise WrongState(_OVER) from None
        return Sheet(disclosure=known, batch=batch, columns=columns(fields), rows=rows)

    async def _lines(self, batch: Batch, rows: Sequence[Row]) -> AsyncIterator[dict[str, Any]]:
        for number, one in enumerate(rows):
            if not number % _PAGE:
                await asyncio.sleep(0)
            body = _json(
                _GivenBody(
                    student=one.student, others=one.others, fields=one.fields, name=one.name, born=one.born
                )
            )
            yield {
                "batch": batch.id,
                "number": number,
                "found_by": self._vault.mark("disclosed", one.student),
                "body": self._vault.seal(tables.GIVEN, f"{batch.id}|{number}", "body", body),
                "sealed_with": self._vault.current,
            }

    # -- reading

    async def find(self, disclosure: DisclosureId) -> Disclosure | None:
        """The disclosure, without its students; None: there is none."""
        rows = await self._database.read(tables.GET, id=disclosure)
        return self._opened(rows[0]) if rows else None

    async def get(self, disclosure: DisclosureId) -> Disclosure:
        """The disclosure, without its students. Raises `NotFound`."""
        known = await self.find(disclosure)
        if known is None:
            raise NotFound("There is no such disclosure.")
        return known

    async def whole(self, disclosure: DisclosureId) -> Disclosure:
        """The disclosure with all its students, which may be very many. Raises `NotFound`."""
        rows = await self._database.read(tables.MEANT, id=disclosure)
        if not rows:
            raise NotFound("There is no such disclosure.")
        known = await self.get(disclosure)
        if rows[0][0] is None:  # of an older program
            return known
        meant = _meant.decode(self._vault.open(tables.OPENED, disclosure, "meant", bytes(rows[0][0])))
        return structs.replace(known, students=meant.students, alike=meant.alike)

    async def last(self, limit: int) -> list[Disclosure]:
        """Those opened last, the newest first, without their students."""
        return [self._opened(row) for row in await self._database.read(tables.LAST, limit=limit)]

    async def of_incident(self, incident: IncidentId) -> list[Disclosure]:
        """Every one of an incident, in the order in which they were opened, without their students."""
        rows = await self._database.read(tables.OF_INCIDENT, incident=incident)
        return [self._opened(row) for row in rows]

    async def batches(self, disclosure: DisclosureId) -> list[Batch]:
        """What left by it, in order."""
        return [_batch(row) for row in await self._database.read(tables.BATCHES, disclosure=disclosure)]

    async def given_by(self, disclosure: DisclosureId) -> AsyncIterator[list[Given]]:
        """Every line of what left by it, some at a time."""
        for batch in await self.batches(disclosure):
            after = 0
            while rows := await self._database.read(
                tables.GIVEN_OF, batch=batch.id, after=after, limit=_PAGE
            ):
                after = int(rows[-1][1]) + 1
                yield [self._given(row) for row in rows]

    async def given_of(self, student: PersonId) -> list[Given]:
        """Everything that ever left of one student's records, by whatever disclosure."""
        found: list[tuple[Any, ...]] = []
        for mark in self._vault.marks("disclosed", student):
            found += await self._database.read(tables.GIVEN_TO, mark=mark)
        return [self._given(row) for row in sorted(found, key=itemgetter(4, 0, 1))]

    # -- rows

    def _sealed(self, disclosure: DisclosureId, field: str, of: Disclosure | _Meant) -> bytes:
        return self._vault.seal(tables.OPENED, disclosure, field, _json(of))

    def _opened(self, row: tuple[Any, ...]) -> Disclosure:
        ident, closed_at, closed_by, closed_why, students, sealed = row
        made = _disclosure.decode(self._vault.open(tables.OPENED, ident, "body", bytes(sealed)))
        return structs.replace(
            made,
            closed_at=Instant(closed_at),
            closed_by=PersonId(closed_by),
            closed_why=closed_why,
            count=students,
        )

    def _given(self, row: tuple[Any, ...]) -> Given:
        batch, number, sealed, disclosure, at, by, way = row
        opened = self._vault.open(tables.GIVEN, f"{batch}|{number}", "body", bytes(sealed))
        return Given(
            disclosure=DisclosureId(disclosure),
            at=Instant(at),
            by=PersonId(by),
            way=Way(way),
            **structs.asdict(_given.decode(opened)),
        )


_OVER = "This disclosure has ended: nothing leaves by it any more. Whoever still needs records opens another."


def _batch(row: tuple[Any, ...]) -> Batch:
    ident, disclosure, at, by, way, fields, students = row
    return Batch(
        id=ident,
        disclosure=DisclosureId(disclosure),
        at=Instant(at),
        by=PersonId(by),
        way=Way(way),
        fields=tuple(Field(one) for one in fields.split()),
        students=students,
    )
