"""A `Database` without threads: the engine applied on the event loop, for simulated time and disks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from belltower.errors import StoreError
from belltower.store.database import Anchor, Done, Job, Step, Verbs, Waiting, settle
from belltower.store.faults import Unavailable
from belltower.store.sqlite_engine import SQLiteEngine
from belltower.store.statement import Priority, SQLValue, Transaction


class Flush(Struct, frozen=True, kw_only=True):
    """How the disk behaves for one group."""

    delay: float = 0.0
    """Seconds, on the loop's clock, until the sync returns."""
    error: StoreError | None = None
    """What the sync says in the end."""
    lands: bool = False
    """With an error: whether the group is on the disk all the same."""


class InlineDatabase(Verbs):
    """One connection for writing and reading, driven by the loop's own time. What `apply` committed is the disk."""

    def __init__(self, *, engine: SQLiteEngine, flush: Callable[[], Flush] = Flush) -> None:
        self._engine = engine
        self._flush = flush
        self._waiting = Waiting()
        self._anchors: list[Anchor] = []
        self._busy = False
        self._under_way: list[Job] = []
        self._closed = False
        self._quiet = asyncio.Event()
        self._quiet.set()

    def enqueue(self, tx: Transaction, done: Done, *, priority: Priority = Priority.ALARM) -> None:
        """See `Database.enqueue`."""
        loop = asyncio.get_running_loop()
        if self._closed:
            loop.call_soon(done, Unavailable("the database is closed"))
            return
        self._waiting.put(Job(tx, done, priority))
        if not self._busy:
            self._busy = True
            self._quiet.clear()
            loop.call_soon(self._next)

    async def read(self, sql: str, /, **params: SQLValue) -> list[tuple[Any, ...]]:
        """See `Database.read`."""
        await asyncio.sleep(0)
        return self._engine.query(sql, params)

    async def migrate(self, steps: Sequence[Step]) -> None:
        """See `Database.migrate`."""
        self._engine.migrate(steps)

    async def anchor(
        self, sql: str, take: Callable[[list[tuple[Any, ...]]], None], /, **params: SQLValue
    ) -> None:
        """See `Database.anchor`."""
        take(self._engine.query(sql, params))
        self._anchors.append(Anchor(sql, params, take))

    async def claim(self, name: str) -> None:
        """See `Database.claim`. There is nobody else."""

    async def scrub(self, *tables: str) -> None:  # noqa: ARG002 - the contract's
        """See `Database.scrub`. Here it is the whole file."""
        self._engine.scrub()

    async def close(self) -> None:
        """See `Database.close`. The engine stays: it is the disk."""
        self._closed = True
        await self._quiet.wait()

    def abandon(self, *, land: bool = False) -> None:
        """Die as by `kill -9`: nobody hears anything, nothing queued is written; `land`: but for what is under way."""
        self._closed = True
        group, self._under_way = self._under_way, []
        if land and group:
            self._engine.apply([job.tx for job in group])
        while len(self._waiting):
            self._waiting.take()
        self._busy = False
        self._quiet.set()

    def _next(self) -> None:
        group = self._waiting.take()
        if not group:
            self._busy = False
            self._quiet.set()
            return
        self._under_way = group
        flush = self._flush()
        asyncio.get_running_loop().call_later(flush.delay, self._land, group, flush)

    def _land(self, group: list[Job], flush: Flush) -> None:
        if not self._busy:
            return
        self._under_way = []
        outcomes: list[StoreError | None]
        try:
            if flush.error is None or flush.lands:
                outcomes = self._engine.apply([job.tx for job in group])
            if flush.error is not None:
                for anchor in self._anchors:
                    anchor.take(self._engine.query(anchor.sql, anchor.params))
                outcomes = [flush.error] * len(group)
            self.failing = flush.error is not None
        except StoreError as error:
            self.failing = True
            outcomes = [error] * len(group)
        settle(group, outcomes)
        self._next()
