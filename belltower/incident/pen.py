"""The one pen that writes of incidents: facts and rows in one commit, taken in at the moment of the decision."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from belltower.clock import Clock, Instant
from belltower.ids import Ids, IncidentId
from belltower.incident import facts, store
from belltower.incident.entry import Draft, Entry
from belltower.incident.facts import Fact
from belltower.incident.standing import Standing
from belltower.journal import UNPLACED, Durability, Journal
from belltower.store import Database, Transaction


class Pen:
    """Writes facts down, moves `standing` by them before they are on the disk, and gives out site-unique numbers."""

    def __init__(self, *, journal: Journal[Fact], standing: Standing, clock: Clock, ids: Ids) -> None:
        self._journal = journal
        self._standing = standing
        self._clock = clock
        self._ids = ids
        self._numbers: dict[str, int] = {}

    async def open(self, database: Database) -> None:
        """Load the numbers that were given out when the last process ended."""
        self._numbers = await store.counters(database)

    def recall(self, fact: Fact) -> None:
        """Take in the number that a fact used up which only the spool holds."""
        match fact:
            case facts.IncidentOpened(number=number):
                self._numbers["incident"] = max(number, self._numbers.get("incident", 0))
            case facts.CallOrdered(number=number):
                self._numbers["call"] = max(number, self._numbers.get("call", 0))
            case _:
                pass

    def next(self, name: str) -> int:
        """The number of this name that `number` gives out next."""
        return self._numbers.get(name, 0) + 1

    def number(self, tx: Transaction, name: str) -> int:
        """Give out the next number of this name; it is used up even if the commit fails."""
        value = self._numbers[name] = self.next(name)
        store.count(tx, name, value)
        return value

    def write(
        self,
        tx: Transaction,
        incident: IncidentId | None,
        written: Sequence[Fact],
        *,
        at: Instant | None = None,
        subject: str = "",
    ) -> asyncio.Future[Durability]:
        """Commit the facts with the rows gathered in `tx`. `subject` stands where they are about no incident."""
        now = self._clock.now() if at is None else at
        drafts = [
            Draft(id=self._ids.fact(), at=now, subject=incident or subject, fact=fact) for fact in written
        ]
        durability = self._journal.commit(tx, drafts)
        for draft in drafts:
            self._standing.observe(
                Entry(
                    stream=self._journal.stream,
                    position=UNPLACED,
                    id=draft.id,
                    at=draft.at,
                    subject=draft.subject,
                    fact=draft.fact,
                )
            )
        return durability
