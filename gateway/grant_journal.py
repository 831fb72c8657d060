"""What was changed in accounts and roles is written down: by the lane that writes the journal, whoever changed it."""

from __future__ import annotations

import asyncio

from belltower import log
from belltower.errors import Conflict
from belltower.ids import IncidentId
from belltower.incident.facts import Fact
from belltower.journal import Draft, Journal
from belltower.store import Transaction
from gateway.web import grant_store

_log = log.get("grants")

_LOOK = 2.0
"""Seconds between looks: a command line is another process, which rings no bell."""

_AT_ONCE = 100


class GrantJournal:
    """Moves changes from their table into the journal, each once. `run` is mendable work."""

    def __init__(self, *, journal: Journal[Fact], look_every: float = _LOOK) -> None:
        self._journal = journal
        self._look_every = look_every

    async def run(self) -> None:
        """For ever: look for a change."""
        while True:
            await self.look()
            await asyncio.sleep(self._look_every)

    async def look(self) -> int:
        """Write down what is not yet; how many changes. Raises `StoreError`."""
        waiting = await grant_store.changes(self._journal.database, _AT_ONCE)
        for id_, at, change in waiting:
            tx = Transaction()
            grant_store.told(tx, id_)
            try:
                await self._journal.commit(tx, [Draft(id=id_, at=at, subject=IncidentId(""), fact=change)])
            except Conflict:  # an earlier try has it
                continue
            _log.info("account_changed", change=type(change).__name__, person=change.person)
        return len(waiting)
