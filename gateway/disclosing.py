"""Disclosures at the desk: each ends at its Deadline or with its incident, and the journal is told of all of it.

The register is written by pages and by commands beside this process; what it holds that has no fact yet is told here.
Only ids and counts are: nothing sealed is opened.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from belltower import log
from belltower.clock import Clock, Instant
from belltower.errors import Conflict
from belltower.ids import Ids, IncidentId, PersonId, StreamName
from belltower.incident.encoding import tag_of
from belltower.incident.facts import (
    DisclosureClosed,
    DisclosureGiven,
    DisclosureOpened,
    Fact,
    IncidentOpened,
    Mode,
)
from belltower.journal import Deadlines, Draft, Durability, Journal
from belltower.journal.reader import Reader
from belltower.people import disclosure_tables as tables
from belltower.people.disclosure import Why
from belltower.people.disclosure_register import IncidentKnown
from belltower.store import Transaction
from gateway.web import store as web_store

_log = log.get("disclosures")

OWNER = "disclosures"
"""Whose deadlines these are."""

_LOOK = 2.0
"""Seconds between looks: a command is another process, which rings no bell."""

_AT_ONCE = 200


class DisclosureDesk:
    """Tells and ends disclosures, for the lane that writes the desk's journal. `run` and `attend` are mendable work."""

    def __init__(
        self,
        *,
        journal: Journal[Fact],
        open_incidents: Callable[[], Awaitable[Sequence[IncidentId]]],
        clock: Clock,
        ids: Ids,
        look_every: float = _LOOK,
    ) -> None:
        self._journal = journal
        self._database = journal.database
        self._deadlines = Deadlines(database=journal.database, clock=clock, owner=OWNER)
        self._open_incidents = open_incidents
        self._clock = clock
        self._ids = ids
        self._look_every = look_every
        # What this process has told: a commit that waits in the spool is not told again meanwhile.
        self._told: set[str] = set()

    async def run(self) -> None:
        """For ever: end what belongs to no open incident any more, and tell what has no fact."""
        while True:
            await self.look()
            await asyncio.sleep(self._look_every)

    async def attend(self) -> None:
        """For ever: end each at its Deadline. What was promised before a restart is promised still."""
        await self._deadlines.open()
        async for deadline in self._deadlines.follow():
            await self._end(deadline.key, Why.DEADLINE)
            await self.look()

    def close(self) -> None:
        """Look no more in this process."""
        self._deadlines.close()

    async def look(self) -> None:
        """Once. Raises `StoreError`."""
        open_now = set(await self._open_incidents())
        for row in await self._database.read(tables.STANDING):
            if row[1] not in open_now:
                await self._end(row[0], Why.INCIDENT_CLOSED)
        told: set[str] = set()
        for row in await self._database.read(tables.UNTOLD, limit=_AT_ONCE):
            ident, incident, exercise, students, fields, basis, by, ends_at, _, _ = row
            opened = DisclosureOpened(
                disclosure=ident,
                incident=incident,
                by=by,
                students=students,
                fields=tuple(fields.split()),
                basis=basis,
                until=Instant(ends_at),
                mode=Mode.EXERCISE if exercise else Mode.ACTUAL,
            )
            tx = Transaction()
            tx.add(tables.TOLD, expect=1, id=ident)
            self._deadlines.set(tx, key=ident, due=Instant(ends_at))
            await self._tell(tx, ident, incident, opened, told)
        for batch, by, way, fields, students, ident, incident in await self._database.read(
            tables.BATCHES_UNTOLD, limit=_AT_ONCE
        ):
            given = DisclosureGiven(
                disclosure=ident,
                incident=incident,
                by=by,
                students=students,
                fields=tuple(fields.split()),
                way=way,
            )
            tx = Transaction()
            tx.add(tables.BATCH_TOLD, expect=1, id=batch)
            await self._tell(tx, batch, incident, given, told)
        for row in await self._database.read(tables.CLOSE_UNTOLD, limit=_AT_ONCE):
            ident, incident, closed_by, why = row[0], row[1], row[8], row[9]
            closed = DisclosureClosed(
                disclosure=ident,
                incident=incident,
                why=why,
                by=PersonId(closed_by) if closed_by else None,
            )
            tx = Transaction()
            tx.add(tables.CLOSE_TOLD, expect=1, id=ident)
            self._deadlines.clear(tx, key=ident)
            await self._tell(tx, f"end of {ident}", incident, closed, told)
        self._told = told

    async def _tell(
        self, tx: Transaction, about: str, incident: IncidentId, fact: Fact, told: set[str]
    ) -> None:
        if about not in self._told and about not in told:
            draft = Draft(id=self._ids.fact(), at=self._clock.now(), subject=incident, fact=fact)
            try:
                durable = await self._journal.commit(tx, [draft])
            except Conflict:  # told meanwhile, by the other of our two tasks
                return
            if durable is Durability.UNRECORDED:
                _log.error("disclosure_untold", about=about)
                return
        told.add(about)

    async def _end(self, disclosure: str, why: Why) -> None:
        tx = Transaction()
        tx.add(tables.CLOSE, id=disclosure, at=self._clock.now(), by="", why=why.value)
        self._deadlines.clear(tx, key=disclosure)
        await self._database.submit(tx)
        _log.info("disclosure_ended", disclosure=disclosure, why=why.value)


async def incident_known(
    reader: Reader[Fact], among: Sequence[StreamName], incident: IncidentId
) -> IncidentKnown | None:
    """What the desk's database says of an incident, by these streams; None: nothing. Raises `StoreError`."""
    for stream in among:
        entry = await reader.first_of(incident, tag_of(IncidentOpened), stream=stream)
        if entry is not None and isinstance(entry.fact, IncidentOpened):
            still = incident in await web_store.open_incidents(reader.database)
            return IncidentKnown(open=still, exercise=entry.fact.mode is Mode.EXERCISE)
    return None
