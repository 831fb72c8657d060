"""Taking a roster: what it would change, whether a person must look first, then all of it in force at one stroke.

    look      compares the roster with what is in force, and says what would change
    prepare   writes what changes under the next revision, in bounded pieces; nobody sees it
    settle    adds the statements that put it in force to a transaction, for the journal to commit with the fact
    tidy      forgets what is older than the revision before

A kill before `settle` landed leaves the old roster wholly in force, and the next `prepare` takes back what lies beyond
it; a kill after it leaves the new one. Whoever prepares ends another who does: their next piece is a `Conflict`.
All is done a slice at a time, so that a loop which has other work can do it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence

import msgspec
from msgspec import Struct

from belltower.clock import Clock
from belltower.errors import Conflict, WrongState
from belltower.ids import PersonId
from belltower.people.comparing import Comparison, Progress, compare, slices
from belltower.people.diff import Difference
from belltower.people.roster import Roster
from belltower.people.safety import Approval, Reason, Stop, held_up
from belltower.people.store import RosterStore
from belltower.people.tables import (
    BEGUN,
    GIVEN_UP,
    LAST,
    NEVER,
    NUMBER_TAKEN,
    READY,
    STILL_OURS,
    SWITCHED,
    TAKEN,
    UNFINISHED,
    UNINDEXED,
    WAITING,
    Kept,
    end,
    ended_beyond,
    indexed,
    insert,
    outdated,
    unend,
    unwrite,
    written_beyond,
)
from belltower.store import CHUNK, Params, Priority, Rows, SQLValue, Transaction

_SYNCED_EVERY = 8
_UNDER_WAY = 3
"""Pieces that may be landing while the next is made."""


class HeldUp(WrongState):
    """A load waits for a person, or for the end of an incident."""

    def __init__(self, stops: tuple[Stop, ...]) -> None:
        super().__init__("; ".join(stop.message for stop in stops))
        self.stops = stops


class Ready(Struct, frozen=True, kw_only=True):
    """A revision written whole, which waits to be put in force."""

    revision: int
    # The revision that it was made against, and whose place it takes.
    before: int
    source: str
    format: str
    version: str
    # What the load held, and what it changes: by table added, changed, removed. No names.
    counts: dict[str, int]
    changes: dict[str, tuple[int, int, int]]
    # Of how many persons and links something stays as it was changed by hand, though the load says otherwise.
    kept_by_hand: int = 0
    # How many contacts stay as they stand until a person says who they are.
    to_review: int = 0
    # It may be put in force while an incident is open.
    despite_incident: bool = False
    approved_by: PersonId | None = None


class Taking:
    """Takes the rosters of one source: a name the district gives it, never one that a file says of itself."""

    def __init__(self, *, store: RosterStore, clock: Clock, source: str = "sis") -> None:
        self.store = store
        self._clock = clock
        self._source = source
        self._landing: deque[asyncio.Future[None]] = deque()
        self._pieces = 0

    async def look(self, roster: Roster, *, progress: Progress | None = None) -> Comparison:
        """What would change. Writes nothing."""
        return await compare(self.store, roster, source=self._source, progress=progress)

    async def prepare(
        self,
        comparison: Comparison,
        *,
        incident_open: bool,
        approval: Approval | None = None,
        progress: Progress | None = None,
    ) -> Ready | None:
        """Write what changes, invisibly; None: nothing does.

        Raises `HeldUp`, and `Conflict` where another roster came in force, or is being prepared, meanwhile.
        """
        diff = comparison.diff
        found = held_up(diff, incident_open=incident_open, approval=approval)
        if found:
            raise HeldUp(found)
        if not comparison.roster.delta:
            await self.store.doubts.found(self._source, comparison.doubts, self._clock.now())
        if not diff:
            return None
        revision = await self._begin(comparison)
        total = sum(len(one.added) + len(one.changed) for one in comparison.differences.values())
        done = 0
        try:
            for kept, difference in comparison.differences.items():
                async for count in self._write(comparison, kept, difference, revision):
                    done += count
                    if progress is not None:
                        progress(done, total)
            await self._landed()
        finally:
            await asyncio.gather(*self._landing, return_exceptions=True)
            self._landing.clear()
        ready = Ready(
            revision=revision,
            before=comparison.before,
            source=self._source,
            format=comparison.roster.format,
            version=comparison.roster.version,
            counts=comparison.roster.counts(),
            changes=diff.counts,
            kept_by_hand=diff.kept_by_hand,
            to_review=diff.to_review,
            despite_incident=approval is not None and not diff.takes,
            approved_by=None if approval is None else approval.by,
        )
        tx = Transaction()
        told = msgspec.json.encode(ready).decode()
        tx.add(READY, expect=1, revision=revision, at=self._clock.now(), told=told)
        await self.store.database.submit(tx, priority=Priority.BULK)
        return ready

    async def waiting(self) -> Ready | None:
        """What is prepared, of whatever source, and not in force yet."""
        rows = await self.store.database.read(WAITING)
        return msgspec.json.decode(rows[-1][3], type=Ready) if rows else None

    def settle(self, tx: Transaction, ready: Ready, *, incident_open: bool) -> None:
        """Put it in force with `tx`, which is a `Conflict` if that was done before. Raises `HeldUp`."""
        if incident_open and not ready.despite_incident:
            message = "an incident is open and its roster is frozen: this one waits for its end"
            raise HeldUp((Stop(reason=Reason.FROZEN, message=message, final=True),))
        tx.add(TAKEN, expect=1, revision=ready.revision, at=self._clock.now())
        tx.add(SWITCHED, expect=1, revision=ready.revision, before=ready.before)

    async def tidy(self) -> int:
        """Forget what ended before the revision that came before this one; how many pieces that took."""
        in_force, pieces = await self.store.in_force(), 0
        for kept in Kept:
            ask, forget = outdated(kept)
            while await self.store.database.read(ask, in_force=in_force):
                tx = Transaction()
                tx.add(forget, in_force=in_force, limit=CHUNK)
                await self.store.database.submit(tx, priority=Priority.BULK)
                pieces += 1
        return pieces

    # -- pieces

    async def _begin(self, comparison: Comparison) -> int:
        """Take the next number, and back what others left unfinished."""
        database, in_force = self.store.database, await self.store.in_force()
        if in_force != comparison.before:
            raise Conflict("another roster came in force meanwhile: look again")
        last = int((await database.read(LAST))[0][0])
        revision = last + 1
        unfinished = bool(await database.read(UNFINISHED))
        tx = Transaction()
        tx.add(NUMBER_TAKEN, expect=1, revision=revision, last=last)
        tx.add(GIVEN_UP, in_force=in_force)
        tx.add(BEGUN, revision=revision, before=in_force, source=self._source, at=self._clock.now())
        for sql in () if in_force else UNINDEXED:
            tx.add(sql)
        await database.submit(tx, priority=Priority.BULK)
        if unfinished:
            await self._take_back(in_force, revision)
        return revision

    async def _take_back(self, in_force: int, revision: int) -> None:
        """What others wrote beyond the revision in force: some new versions at a time, then the ends of old ones."""
        database = self.store.database
        for kept in Kept:
            source, ident = "", ""
            while rows := await database.read(
                written_beyond(kept), in_force=in_force, source=source, ident=ident, limit=CHUNK
            ):
                await self._ours(
                    revision,
                    unwrite(kept),
                    [{"source": row[0], "ident": row[1], "in_force": in_force} for row in rows],
                )
                source, ident = str(rows[-1][0]), str(rows[-1][1])
            while await database.read(ended_beyond(kept), in_force=in_force):
                await self._ours(revision, unend(kept), [{"in_force": in_force, "limit": CHUNK}])

    async def _ours(self, revision: int, sql: str, rows: Sequence[Params]) -> None:
        tx = Transaction()
        tx.add(STILL_OURS, expect=1, revision=revision)
        tx.rows(sql, rows)
        await self.store.database.submit(tx, priority=Priority.BULK)

    async def _write(
        self, comparison: Comparison, kept: Kept, difference: Difference, revision: int
    ) -> AsyncIterator[int]:
        """New versions, each in the commit that ends the one before it; then the ends of what goes."""
        records, changed = comparison.records, difference.changed
        rows: list[tuple[SQLValue, ...]] = []
        ended: list[str] = []
        for piece in slices(comparison.changes[kept]):
            rows += records.rows(kept, piece, revision, NEVER)
            ended += [item.ident for item in piece if item.ident in changed]
            if len(rows) + len(ended) >= CHUNK:
                await self._piece(kept, revision, ended, rows)
                yield len(rows)
                rows, ended = [], []
            await asyncio.sleep(0)
        if rows:
            await self._piece(kept, revision, ended, rows)
            yield len(rows)
        for gone in slices(sorted(difference.removed), CHUNK):
            await self._piece(kept, revision, gone, [])
        for sql in () if comparison.before else indexed(kept):
            await self._land(revision, Rows(sql, [{}]))

    async def _piece(
        self, kept: Kept, revision: int, ended: list[str], rows: list[tuple[SQLValue, ...]]
    ) -> None:
        ends = [(revision, self._source, ident, NEVER) for ident in ended]
        await self._land(revision, Rows(end(kept), ends), Rows(insert(kept), rows))

    async def _land(self, revision: int, *parts: Rows) -> None:
        """Some pieces land while the next is made."""
        self._pieces += 1
        # None of them counts before the revision is ready, and that is synced.
        tx = Transaction(synced=not self._pieces % _SYNCED_EVERY)
        tx.add(STILL_OURS, expect=1, revision=revision)
        tx.parts += [part for part in parts if part.rows]
        self._landing.append(self.store.database.submit(tx, priority=Priority.BULK))
        await self._landed(but=_UNDER_WAY)

    async def _landed(self, *, but: int = 0) -> None:
        """Until all pieces, or all but so many, stand. Raises what befell one."""
        while len(self._landing) > but:
            await self._landing.popleft()
