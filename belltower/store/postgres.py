"""The PostgreSQL store: one writer connection that commits in groups, and a pool of readers beside it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from typing import Any

import asyncpg

from belltower.errors import Conflict, StoreError
from belltower.store.database import (
    STEP_TAKEN,
    STEPS_TABLE,
    STEPS_TAKEN,
    Anchor,
    Done,
    Job,
    Step,
    Verbs,
    Waiting,
    outstanding,
    overloaded,
    settle,
)
from belltower.store.faults import DiskFailed, DiskFull, Unavailable
from belltower.store.statement import Late, Params, Priority, Rows, SQLValue, Statement, Transaction

_CONNECT_SECONDS = 5.0
_GROUP_SECONDS = 10.0
"""A server silent for so long is taken for gone."""
_LOOK_AGAIN = 1.0
_CLAIM_TRIES = 50
"""Of a tenth of a second each: the session of a killed process takes a moment to go."""
_NAME = re.compile(r"'(?:[^']|'')*'|(?<![:\w]):([A-Za-z_]\w*)")
_LOST = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InternalClientError,
    asyncpg.TooManyConnectionsError,
)
_TROUBLE = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)


class Positional:
    """Rewrites `:name` parameters to `$1` ones; remembers every text it has seen."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, list[str]]] = {}

    def text(self, sql: str) -> tuple[str, list[str]]:
        """`sql` with numbered parameters, and the names in their order."""
        known = self._known.get(sql)
        if known is None:
            names: list[str] = []

            def number(match: re.Match[str]) -> str:
                name = match.group(1)
                if name is None:
                    return match.group(0)
                if name not in names:
                    names.append(name)
                return f"${names.index(name) + 1}"

            known = self._known[sql] = _NAME.sub(number, sql), names
        return known


def translated(error: BaseException) -> StoreError:
    """`error`, as raised by the driver, in the words of the house."""
    text = str(error) or type(error).__name__
    match error:
        case StoreError():
            return error
        case asyncpg.IntegrityConstraintViolationError():
            return Conflict(text)
        case asyncpg.DiskFullError():
            return DiskFull(f"no space left: {text}")
        case asyncpg.PostgresIOError():
            return DiskFailed(f"the disk failed: {text}")
        case TimeoutError():
            return Unavailable("the server is silent")
        case _ if isinstance(error, _LOST):
            return Unavailable(f"the server is away: {text}")
        case _:
            return StoreError(f"{type(error).__name__}: {text}")


class PostgresDatabase(Verbs):
    """`Database` on a PostgreSQL server. Make it with `open_database`, or call `start` first."""

    def __init__(self, *, dsn: str, queue_limit: int = 50_000, readers: int = 4) -> None:
        self._dsn = dsn
        self._queue_limit = queue_limit
        self._reader_count = readers
        self._claim_tries = _CLAIM_TRIES
        self._positional = Positional()
        self._waiting = Waiting()
        self._more = asyncio.Event()
        self._turn = asyncio.Lock()
        self._anchors: list[Anchor] = []
        self._claims: list[str] = []
        self._connection: asyncpg.Connection[Any] | None = None
        self._pool: asyncpg.Pool[Any] | None = None
        self._closed = False

    async def start(self) -> None:
        """Connect and start the writer."""
        self._loop = asyncio.get_running_loop()
        try:
            async with self._turn:
                await self._connected()
            self._pool = await asyncpg.create_pool(
                self._dsn, min_size=0, max_size=self._reader_count, timeout=_CONNECT_SECONDS
            )
        except _TROUBLE as error:
            raise translated(error) from error
        # The writer belongs to the database, not to a crew: it must outlive the crew's last transaction.
        self._writer = self._loop.create_task(self._write(), name="store-write")

    def enqueue(self, tx: Transaction, done: Done, *, priority: Priority = Priority.ALARM) -> None:
        """See `Database.enqueue`."""
        if self._closed:
            self._loop.call_soon(done, Unavailable("the database is closed"))
        elif len(self._waiting) >= self._queue_limit:
            self._loop.call_soon(done, overloaded(self._queue_limit))
        else:
            self._waiting.put(Job(tx, done, priority))
            self._more.set()

    async def read(self, sql: str, /, **params: SQLValue) -> list[tuple[Any, ...]]:
        """See `Database.read`."""
        if self._closed or self._pool is None:
            raise Unavailable("the database is closed")
        text, names = self._positional.text(sql)
        try:
            rows = await self._pool.fetch(text, *[params[name] for name in names], timeout=_GROUP_SECONDS)
        except (*_TROUBLE, KeyError) as error:
            raise translated(error) from error
        return [tuple(row) for row in rows]

    async def migrate(self, steps: Sequence[Step]) -> None:
        """See `Database.migrate`."""
        async with self._turn:
            try:
                connection = await self._connected()
                async with connection.transaction():
                    await connection.execute("SELECT pg_advisory_xact_lock(hashtext('belltower steps'))")
                    await connection.execute(STEPS_TABLE)
                    taken = [tuple(row) for row in await connection.fetch(STEPS_TAKEN)]
                    text, _ = self._positional.text(STEP_TAKEN)
                    for step in outstanding(steps, taken):
                        await connection.execute(step.sql)
                        await connection.execute(text, step.room, step.number)
            except _TROUBLE as error:
                raise translated(error) from error

    async def scrub(self, *tables: str) -> None:
        """See `Database.scrub`. What the server's own log keeps goes with its next segments."""
        async with self._turn:
            try:
                for table in tables:
                    await (await self._connected()).execute(f'VACUUM FULL "{table}"')
            except _TROUBLE as error:
                raise translated(error) from error

    async def anchor(
        self, sql: str, take: Callable[[list[tuple[Any, ...]]], None], /, **params: SQLValue
    ) -> None:
        """See `Database.anchor`."""
        anchor = Anchor(sql, params, take)
        async with self._turn:
            try:
                await self._ask(await self._connected(), anchor)
            except _TROUBLE as error:
                raise translated(error) from error
        self._anchors.append(anchor)

    async def claim(self, name: str) -> None:
        """See `Database.claim`. A session lock, taken again after each reconnect."""
        async with self._turn:
            connection = await self._connected()
            for _ in range(self._claim_tries):
                if await self._lock(connection, name):
                    self._claims.append(name)
                    return
                await asyncio.sleep(0.1)
        raise Unavailable(f"another process holds {name}")

    async def close(self) -> None:
        """See `Database.close`."""
        if self._closed:
            return
        self._closed = True
        self._more.set()
        await self._writer
        if self._pool is not None:
            await self._pool.close()
        async with self._turn:
            await self._part()

    # -- the writer

    async def _write(self) -> None:
        while True:
            try:
                async with asyncio.timeout(_LOOK_AGAIN if self.failing else None):
                    await self._more.wait()
            except TimeoutError:
                await self._land([])
            self._more.clear()
            while len(self._waiting):
                await self._land(self._waiting.take())
            if self._closed:
                return

    async def _land(self, group: list[Job]) -> None:
        """Commit `group`; an empty one finds out whether the server is back."""
        outcomes: list[StoreError | None]
        async with self._turn:
            try:
                async with asyncio.timeout(_GROUP_SECONDS):
                    outcomes = await self._apply([job.tx for job in group])
                self.failing = False
            except (StoreError, *_TROUBLE) as error:
                await self._part()  # what landed is unknown: begin afresh, and ask
                self.failing = True
                outcomes = [translated(error)] * len(group)
        settle(group, outcomes)

    async def _apply(self, batch: Sequence[Transaction]) -> list[StoreError | None]:
        """Commit `batch`, first in one go, then, if a statement fails, one by one."""
        connection = await self._connected()
        settled: list[Late] = []
        try:
            await connection.execute("BEGIN")
            await self._run(connection, batch, settled)
            await connection.execute("COMMIT")
        except (Conflict, *_TROUBLE, KeyError) as error:
            _undo(settled)
            if _everybodys(error):
                raise
            await connection.execute("ROLLBACK")
        except BaseException:
            _undo(settled)
            raise
        else:
            return [None] * len(batch)
        return await self._one_by_one(connection, batch)

    async def _one_by_one(
        self, connection: asyncpg.Connection[Any], batch: Sequence[Transaction]
    ) -> list[StoreError | None]:
        outcomes: list[StoreError | None] = []
        kept: list[Late] = []
        try:
            await connection.execute("BEGIN")
            for tx in batch:
                own: list[Late] = []
                await connection.execute("SAVEPOINT one")
                try:
                    await self._run(connection, (tx,), own)
                except (Conflict, *_TROUBLE, KeyError) as error:
                    _undo(own)
                    if _everybodys(error):
                        raise
                    await connection.execute("ROLLBACK TO one")
                    outcomes.append(translated(error))
                else:
                    kept += own
                    outcomes.append(None)
                await connection.execute("RELEASE one")
            await connection.execute("COMMIT")
        except BaseException:
            _undo(kept)
            raise
        return outcomes

    async def _run(
        self, connection: asyncpg.Connection[Any], batch: Sequence[Transaction], settled: list[Late]
    ) -> None:
        """Execute all of `batch`, neighbours with the same text in one round trip, then what was late."""
        text = ""
        run: list[Params | tuple[SQLValue, ...]] = []
        late_runs: dict[str, list[Params | tuple[SQLValue, ...]]] = {}
        for tx in batch:
            for part in tx.parts:
                if not isinstance(part, (Statement, Rows)):
                    pieces = part.settle()
                    settled.append(part)
                    for piece in pieces:
                        late_runs.setdefault(piece.sql, []).extend(
                            piece.rows if isinstance(piece, Rows) else (piece.params,)
                        )
                    continue
                if part.sql != text:
                    await self._flush(connection, text, run)
                    text, run = part.sql, []
                if isinstance(part, Rows):
                    run += part.rows
                elif part.alone:
                    await self._flush(connection, text, run)
                    run = []
                    await self._alone(connection, part)
                else:
                    run.append(part.params)
        await self._flush(connection, text, run)
        for text, run in late_runs.items():
            await self._flush(connection, text, run)

    async def _alone(self, connection: asyncpg.Connection[Any], statement: Statement) -> None:
        sql, names = self._positional.text(statement.sql)
        params = _ordered(statement.params, names)
        if statement.returned is not None:
            statement.returned[:] = map(tuple, await connection.fetch(sql, *params))
            return
        status = await connection.execute(sql, *params)
        changed = int(status.rsplit(" ", 1)[-1])
        if changed != statement.expect:
            raise Conflict(f"{changed} rows changed, {statement.expect} expected")

    async def _flush(
        self, connection: asyncpg.Connection[Any], text: str, run: Sequence[Params | tuple[SQLValue, ...]]
    ) -> None:
        if not run:
            return
        sql, names = self._positional.text(text)
        if len(run) == 1:
            await connection.execute(sql, *_ordered(run[0], names))
        else:
            await connection.executemany(sql, [_ordered(params, names) for params in run])

    # -- the writer's connection

    async def _connected(self) -> asyncpg.Connection[Any]:
        if self._connection is not None and not self._connection.is_closed():
            return self._connection
        try:
            connection = await asyncpg.connect(
                self._dsn, timeout=_CONNECT_SECONDS, server_settings={"synchronous_commit": "on"}
            )
        except (TimeoutError, *_TROUBLE) as error:
            raise Unavailable(f"the server cannot be reached: {error}") from error
        self._connection = connection
        for name in self._claims:
            if not await self._lock(connection, name):
                await self._part()
                raise Unavailable(f"another process holds {name}")
        for anchor in self._anchors:
            await self._ask(connection, anchor)
        return connection

    async def _part(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def _ask(self, connection: asyncpg.Connection[Any], anchor: Anchor) -> None:
        text, names = self._positional.text(anchor.sql)
        rows = await connection.fetch(text, *[anchor.params[name] for name in names])
        anchor.take([tuple(row) for row in rows])

    @staticmethod
    async def _lock(connection: asyncpg.Connection[Any], name: str) -> bool:
        return bool(await connection.fetchval("SELECT pg_try_advisory_lock(hashtextextended($1, 0))", name))


def _ordered(params: Params | tuple[SQLValue, ...], names: Sequence[str]) -> Sequence[SQLValue]:
    """The values in the order of `names`."""
    return params if isinstance(params, tuple) else [params[name] for name in names]


def _undo(settled: Sequence[Late]) -> None:
    for late in reversed(settled):
        late.undo()


def _everybodys(error: BaseException) -> bool:
    """Whether it is trouble of the server rather than of one transaction."""
    return isinstance(translated(error), (DiskFull, DiskFailed, Unavailable))
