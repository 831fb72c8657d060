"""Rosters at the desk: what an import has written and left ready is put in force, with its fact, when it may be."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from belltower import log
from belltower.clock import SECOND, Clock
from belltower.errors import Conflict
from belltower.ids import IncidentId, fact_about
from belltower.incident.facts import Fact, PersonChanged, RosterTaken
from belltower.journal import Draft, Durability, Journal
from belltower.people.by_hand import pair
from belltower.people.doubt import Answer
from belltower.people.hand_store import Change
from belltower.people.safety import Approval
from belltower.people.store import RosterStore
from belltower.people.taking import HeldUp, Ready, Taking
from belltower.store import Database, Transaction
from gateway.keys import open_keys

_log = log.get("rosters")

_LOADING = 900 * SECOND
"""Microseconds for which a load that was begun is left alone."""
_LOOK = 2.0
"""Seconds between looks: an import may be another process, which rings no bell."""


async def open_rosters(database: Database, key_ring: Path) -> RosterStore:
    """The rosters of this database, under the keys of this file; see `keys.open_keys`."""
    return RosterStore(database=database, vault=await open_keys(database, key_ring))


class RosterDesk:
    """Puts rosters in force, for the lane that writes the desk's journal. `run` is mendable work."""

    def __init__(
        self,
        *,
        taking: Taking,
        journal: Journal[Fact],
        open_incidents: Callable[[], Awaitable[Sequence[IncidentId]]],
        clock: Clock,
        look_every: float = _LOOK,
    ) -> None:
        self._taking = taking
        self._journal = journal
        self._open_incidents = open_incidents
        self._clock = clock
        self._look_every = look_every
        self._told = 0

    async def run(self) -> None:
        """For ever: look for a roster that is ready, and for keys that were turned."""
        while True:
            self._taking.store.vault.refresh()
            await self.tell()
            await self.review()
            await self.look()
            await asyncio.sleep(self._look_every)

    async def tell(self) -> None:
        """Write a fact of each thing that was changed by hand, by whatever process. Raises `StoreError`.

        Nothing while facts wait outside of the journal: the table does not know yet what those tell.
        """
        hands = self._taking.store.hands
        while not self._journal.trouble and (changes := await hands.untold()):
            tx = Transaction()
            hands.told(tx, changes)
            drafts: list[Draft[Fact]] = [
                Draft(id=fact_about("by hand", one.id), at=one.at, subject=IncidentId(""), fact=changed(one))
                for one in changes
            ]
            try:
                durable = await self._journal.commit(tx, drafts)
            except Conflict:  # told meanwhile
                return
            if durable is not Durability.JOURNALED:
                return

    async def review(self) -> bool:
        """Put in force what a person said of a contact in a load; whether anything was. Raises `StoreError`."""
        store = self._taking.store
        doubt = await store.doubts.answered()
        if doubt is None:
            return False
        begun, whole = await store.doubts.busy_since()
        if whole or self._clock.now() - begun < _LOADING:
            return False
        taking = Taking(store=store, clock=self._clock, source=doubt.source)
        comparison = await taking.look(doubt.roster())
        if comparison.diff:
            approval = Approval(by=doubt.decided_by, fingerprint=comparison.diff.fingerprint)
            try:
                await taking.prepare(
                    comparison, incident_open=bool(await self._open_incidents()), approval=approval
                )
            except HeldUp:  # until the incident is closed
                return False
            if not await self.look():
                return False
        tx = Transaction()
        store.doubts.taken(tx, doubt)
        if doubt.before != doubt.after and doubt.state == Answer.SAME:
            layer = await store.hands.layer()
            for subject in (doubt.before, pair(doubt.student, doubt.before)):
                now = subject.replace(doubt.before, doubt.after)
                store.hands.carry(tx, subject, now, layer.of(subject))
            await store.words.carry(tx, doubt.before, doubt.after)
        if doubt.state == Answer.OTHER:
            for name in (await store.hands.layer()).of(doubt.before):
                store.hands.unset(tx, doubt.before, name)
        store.hands.counted(tx)
        await store.database.submit(tx)
        return True

    async def look(self) -> bool:
        """Put in force what is ready and may be; whether anything was. Raises `StoreError`."""
        if self._journal.trouble:
            return False
        ready = await self._taking.waiting()
        if ready is None:
            return False
        tx, open_now = Transaction(), await self._open_incidents()
        try:
            self._taking.settle(tx, ready, incident_open=bool(open_now))
        except HeldUp as held:
            if self._told != ready.revision:
                self._told = ready.revision
                _log.warning(
                    "roster_held_up", revision=ready.revision, why=[one.reason for one in held.stops]
                )
            return False
        fact = taken(ready)
        draft: Draft[Fact] = Draft(
            id=fact_about("roster", str(ready.revision)),
            at=self._clock.now(),
            subject=IncidentId(""),
            fact=fact,
        )
        try:
            durable = await self._journal.commit(tx, [draft])
        except (
            Conflict
        ):  # somebody wrote another meanwhile, or put this one in force: the next look shows which
            return False
        if durable is not Durability.JOURNALED:
            return False
        _log.info("roster_taken", revision=ready.revision)
        await self._taking.tidy()
        return True


def changed(change: Change) -> PersonChanged:
    """The fact: who changed which fields of whom, and no value."""
    return PersonChanged(
        person=change.person,
        by=change.by,
        what=change.what,
        adult=change.adult,
        fields=change.fields,
        record=change.record,
    )


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
        kept_by_hand=ready.kept_by_hand,
        to_review=ready.to_review,
    )
