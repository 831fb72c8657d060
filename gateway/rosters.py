"""Rosters at the desk: what an import has written and left ready is put in force, with its fact, when it may be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from belltower import log
from belltower.clock import Clock
from belltower.errors import Conflict
from belltower.ids import Ids, IncidentId
from belltower.incident.facts import Fact, RosterTaken
from belltower.journal import Draft, Journal
from belltower.people.taking import HeldUp, Ready, Taking
from belltower.store import Transaction

_log = log.get("rosters")

_LOOK = 2.0
"""Seconds between looks: an import may be another process, which rings no bell."""


class RosterDesk:
    """Puts rosters in force, for the lane that writes the desk's journal. `run` is mendable work."""

    def __init__(
        self,
        *,
        taking: Taking,
        journal: Journal[Fact],
        incident_open: Callable[[], bool],
        clock: Clock,
        ids: Ids,
        look_every: float = _LOOK,
    ) -> None:
        self._taking = taking
        self._journal = journal
        self._incident_open = incident_open
        self._clock = clock
        self._ids = ids
        self._look_every = look_every
        self._told = 0

    async def run(self) -> None:
        """For ever: look for a roster that is ready."""
        while True:
            await self.look()
            await asyncio.sleep(self._look_every)

    async def look(self) -> bool:
        """Put in force what is ready and may be; whether anything was. Raises `StoreError`."""
        ready = await self._taking.waiting()
        if ready is None:
            return False
        tx = Transaction()
        try:
            self._taking.settle(tx, ready, incident_open=self._incident_open())
        except HeldUp as held:
            if self._told != ready.revision:
                self._told = ready.revision
                _log.warning(
                    "roster_held_up", revision=ready.revision, why=[one.reason for one in held.stops]
                )
            return False
        fact = taken(ready)
        draft: Draft[Fact] = Draft(
            id=self._ids.fact(), at=self._clock.now(), subject=IncidentId(""), fact=fact
        )
        try:
            await self._journal.commit(tx, [draft])
        except (
            Conflict
        ):  # somebody wrote another meanwhile, or put this one in force: the next look shows which
            return False
        _log.info("roster_taken", revision=ready.revision)
        await self._taking.tidy()
        return True


def taken(ready: Ready) -> RosterTaken:
    """The fact: counts, and nobody's name."""
    return RosterTaken(
        revision=ready.revision,
        before=ready.before,
        source=ready.source,
        format=ready.format,
        counts=ready.counts,
        changes=ready.changes,
        approved_by=ready.approved_by,
    )
