"""The one contract of both engines."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol, TypeAlias

from msgspec import Struct

from belltower.errors import SettingsError, StoreError
from belltower.store.faults import Overloaded
from belltower.store.statement import CHUNK, Params, Priority, Rows, SQLValue, Transaction

Done: TypeAlias = Callable[[StoreError | None], None]
"""Called on the event loop, in commit order: with nothing once synced, or with the reason it was not kept."""

Progress: TypeAlias = Callable[[int, int], None]
"""Called with (done, of how many)."""


class Step(Struct, frozen=True, kw_only=True):
    """One numbered change of a room's tables. Steps are never edited, only added."""

    room: str
    number: int
    sql: str
    """One or more statements in the common subset. `/* clustered */` after a table's closing bracket asks for its
    rows to be kept in the order of the primary key, where the engine can."""


class Anchor(Struct, frozen=True):
    """A question the writer puts to the database whenever what it last wrote is in doubt."""

    sql: str
    params: Params
    take: Callable[[list[tuple[Any, ...]]], None]
    """Called with the answer, by the writer, before the next transaction."""


class Database(Protocol):
    """One writer with group commit, and readers beside it."""

    @property
    def failing(self) -> bool:
        """Whether what was last given to the writer could not be kept, and nothing has been since.

        On a full disk whose reserve is used it stays so although something is kept, until the reserve is there again.
        """
        ...

    @property
    def reserve_used(self) -> bool:
        """Whether the room kept for a full disk is used, or was never there to be kept."""
        ...

    def enqueue(self, tx: Transaction, done: Done, *, priority: Priority = Priority.ALARM) -> None:
        """Hand `tx` to the writer; `done` hears of its outcome. Never blocks."""
        ...

    def submit(self, tx: Transaction, *, priority: Priority = Priority.ALARM) -> asyncio.Future[None]:
        """Hand `tx` to the writer; resolves after the full sync, or raises `StoreError` (`Conflict`: `expect`)."""
        ...

    def begin(self, *, priority: Priority = Priority.ALARM) -> AbstractAsyncContextManager[Transaction]:
        """A transaction submitted and awaited when the block ends without an error."""
        ...

    async def read(self, sql: str, /, **params: SQLValue) -> list[tuple[Any, ...]]:
        """Rows of a query, on a connection of its own; sees everything committed before it was called."""
        ...

    async def bulk(
        self, sql: str, rows: Sequence[Params | tuple[SQLValue, ...]], *, progress: Progress | None = None
    ) -> None:
        """Execute `sql` for each of `rows`, each 1,000 as a transaction of its own that alarms overtake."""
        ...

    async def migrate(self, steps: Sequence[Step]) -> None:
        """Take the steps not yet taken. A database newer than `steps` is a `SettingsError`."""
        ...

    async def anchor(
        self, sql: str, take: Callable[[list[tuple[Any, ...]]], None], /, **params: SQLValue
    ) -> None:
        """Ask now, and again each time the writer reconnects or an outcome is in doubt; `take` gets the rows."""
        ...

    async def claim(self, name: str) -> None:
        """Become the one process that writes what `name` names; `Unavailable` if another is."""
        ...

    async def scrub(self, *tables: str) -> None:
        """Rewrite the files so that nothing that was changed or deleted in `tables` can be found in them any more.

        Takes a second for each few hundred megabytes, and nobody else writes meanwhile: for before the work begins.
        """
        ...

    async def close(self) -> None:
        """Write what is queued, then let go of everything."""
        ...


class Job(Struct, frozen=True, gc=False):
    """A transaction in the writer's queue."""

    tx: Transaction
    done: Done
    priority: Priority


class Waiting:
    """The writer's queue: alarms first, at most one bulk transaction in a group."""

    def __init__(self, *, group_limit: int = 4_096) -> None:
        self._group_limit = group_limit
        self._alarm: deque[Job] = deque()
        self._bulk: deque[Job] = deque()

    def __len__(self) -> int:
        return len(self._alarm) + len(self._bulk)

    def put(self, job: Job) -> None:
        """Queue `job` behind those of its priority."""
        (self._alarm if job.priority is Priority.ALARM else self._bulk).append(job)

    def put_all(self, jobs: Sequence[Job]) -> None:
        """Queue `jobs`, each behind those of its priority."""
        for job in jobs:
            (self._alarm if job.priority is Priority.ALARM else self._bulk).append(job)

    def take(self) -> list[Job]:
        """The next group to be committed together."""
        if len(self._alarm) <= self._group_limit:
            group = list(self._alarm)
            self._alarm.clear()
        else:
            group = [self._alarm.popleft() for _ in range(self._group_limit)]
        if self._bulk:
            group.append(self._bulk.popleft())
        return group


def settle(group: Sequence[Job], outcomes: Sequence[StoreError | None]) -> None:
    """Tell everybody in `group` how it went, in commit order. On the event loop."""
    for job, error in zip(group, outcomes, strict=True):
        if error is None and job.tx.landed:
            for callback in job.tx.landed:
                callback()
        job.done(error)


class Verbs:
    """What both engines do alike on top of `enqueue`."""

    failing = False
    reserve_used = False

    def enqueue(self, tx: Transaction, done: Done, *, priority: Priority = Priority.ALARM) -> None:
        """See `Database.enqueue`."""
        raise NotImplementedError

    def submit(self, tx: Transaction, *, priority: Priority = Priority.ALARM) -> asyncio.Future[None]:
        """See `Database.submit`."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def done(error: StoreError | None) -> None:
            if future.done():
                return
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)

        self.enqueue(tx, done, priority=priority)
        return future

    @asynccontextmanager
    async def begin(self, *, priority: Priority = Priority.ALARM) -> AsyncIterator[Transaction]:
        """See `Database.begin`."""
        tx = Transaction()
        yield tx
        await self.submit(tx, priority=priority)

    async def bulk(
        self, sql: str, rows: Sequence[Params | tuple[SQLValue, ...]], *, progress: Progress | None = None
    ) -> None:
        """See `Database.bulk`."""
        for start in range(0, len(rows), CHUNK):
            tx = Transaction()
            tx.parts.append(Rows(sql, rows[start : start + CHUNK]))
            await self.submit(tx, priority=Priority.BULK)
            if progress is not None:
                progress(min(start + CHUNK, len(rows)), len(rows))


STEPS_TABLE = "CREATE TABLE IF NOT EXISTS store_step (room TEXT NOT NULL, number BIGINT NOT NULL, PRIMARY KEY (room, number))"
STEPS_TAKEN = "SELECT room, number FROM store_step"
STEP_TAKEN = "INSERT INTO store_step (room, number) VALUES (:room, :number)"


def outstanding(steps: Sequence[Step], taken: Sequence[tuple[Any, ...]]) -> list[Step]:
    """The steps still to be taken, in order. Raises `SettingsError` when the database is newer than the program."""
    known = {step.room: 0 for step in steps}
    for step in steps:
        known[step.room] = max(known[step.room], step.number)
    for room, number in taken:
        if number > known.get(room, number):
            raise SettingsError(
                f"the database's {room} tables are at step {number}, this program knows {known[room]}: "
                "start the newer program, or restore the backup taken before it"
            )
    done = {(room, number) for room, number in taken}
    return [
        step for step in sorted(steps, key=lambda step: step.number) if (step.room, step.number) not in done
    ]


def overloaded(limit: int) -> Overloaded:
    """The refusal of one transaction too many."""
    return Overloaded(f"{limit} transactions are waiting already")
