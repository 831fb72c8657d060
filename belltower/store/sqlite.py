"""The SQLite store: one writer thread that drains its queue as one commit, and read-only connections beside it."""

from __future__ import annotations

import asyncio
import fcntl
import os
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import apsw
from msgspec import Struct

from belltower import log
from belltower.errors import StoreError
from belltower.store.ballast import Ballast
from belltower.store.database import Anchor, Done, Job, Step, Verbs, Waiting, overloaded, settle
from belltower.store.faults import DiskFailed, DiskFull, Taken, Unavailable
from belltower.store.sqlite_engine import SQLiteEngine, connect, refuse_old_library, translated
from belltower.store.statement import Priority, SQLValue, Transaction

T = TypeVar("T")
_log = log.get("store")

_IDLE = 0.05
_PAGES_IDLE = 1_000
_PAGES_FORCED = 16_000
_LOOK_EVERY = 60.0
_LOOK_AGAIN = 1.0


class _Ask(Struct, frozen=True):
    """Something other than a transaction for the writer to do, between groups."""

    work: Callable[[], Any]
    done: Callable[[Any, BaseException | None], None]


class _Stop(Struct, frozen=True):
    """The end of the queue."""


class SQLiteDatabase(Verbs):
    """`Database` on one SQLite file. Make it with `open_database`, or call `start` first."""

    def __init__(
        self,
        *,
        path: Path,
        vfs: str | None = None,
        read_only: bool = False,
        queue_limit: int = 50_000,
        before_commit: Callable[[], None] | None = None,
        beside: bool = False,
    ) -> None:
        """`beside`: another process has the file for its own and keeps it in order; this one only writes there too."""
        self._path = path
        self._beside = beside
        self._vfs = vfs
        self._read_only = read_only
        self._queue_limit = queue_limit
        self._before_commit = before_commit
        self._queue: queue.SimpleQueue[list[Job] | _Ask | _Stop] = queue.SimpleQueue()
        self._gathered: list[Job] = []
        self._unsettled = 0
        self._crowd = 0
        self._waiting = Waiting()
        self._anchors: list[Anchor] = []
        self._ballast = Ballast(database=path)
        self._local = threading.local()
        self._readers: list[apsw.Connection] = []
        self._read_pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="store-read")
        self._engine: SQLiteEngine | None = None
        self._pages = 0
        self._full = False
        self._looked = 0.0
        self._closed = False
        self._lock: int | None = None
        self._ended = asyncio.Event()

    async def start(self) -> None:
        """Open the file and start the writer. Raises `Taken` when another process writes here."""
        refuse_old_library()
        self._loop = asyncio.get_running_loop()
        if (self._read_only or self._beside) and not self._path.exists():
            raise Unavailable(f"{self._path}: no such database")
        if self._read_only:
            return
        if not self._beside:
            self._take_lock()
        self._thread = threading.Thread(target=self._write, name="store-write", daemon=True)
        self._thread.start()
        try:
            await self._ask(self._open)
        except BaseException:
            await self.close()
            raise

    def enqueue(self, tx: Transaction, done: Done, *, priority: Priority = Priority.ALARM) -> None:
        """See `Database.enqueue`."""
        if self._closed or self._read_only:
            self._loop.call_soon(done, Unavailable("the database is closed, or open for reading only"))
        elif self._unsettled >= self._queue_limit:
            self._loop.call_soon(done, overloaded(self._queue_limit))
        else:
            self._unsettled += 1
            self._gathered.append(Job(tx, done, priority))
            if self._unsettled == 1 and self._crowd <= 1 and not tx.shares:
                self._hand_over()
            elif len(self._gathered) == 1:
                # In a crowd, all that this turn of the loop brings goes as one group: a group is a flush.
                self._loop.call_soon(self._hand_over)

    async def read(self, sql: str, /, **params: SQLValue) -> list[tuple[Any, ...]]:
        """See `Database.read`."""
        if self._closed:
            raise Unavailable("the database is closed")
        return await self._loop.run_in_executor(self._read_pool, self._query, sql, params)

    async def migrate(self, steps: Sequence[Step]) -> None:
        """See `Database.migrate`."""
        if not self._read_only:
            await self._ask(lambda: self._opened().migrate(steps))

    async def anchor(
        self, sql: str, take: Callable[[list[tuple[Any, ...]]], None], /, **params: SQLValue
    ) -> None:
        """See `Database.anchor`."""
        anchor = Anchor(sql, params, take)

        def ask() -> None:
            take(self._opened().query(sql, params))
            self._anchors.append(anchor)

        await self._ask(ask)

    async def claim(self, name: str) -> None:
        """See `Database.claim`. The file has one writing process, which thereby claims all."""

    async def scrub(self, *tables: str) -> None:  # noqa: ARG002 - the contract's
        """See `Database.scrub`. Here it is the whole file."""
        await self._ask(lambda: self._opened().scrub())

    async def close(self) -> None:
        """See `Database.close`."""
        if self._closed:
            return
        self._hand_over()
        self._closed = True
        self._read_pool.shutdown(wait=True)
        for reader in self._readers:  # before the writer, which as the last to leave empties the log
            reader.close()
        if not self._read_only:
            self._queue.put(_Stop())
            await self._ended.wait()
            self._thread.join()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # -- readers

    def _query(self, sql: str, params: dict[str, SQLValue]) -> list[tuple[Any, ...]]:
        try:
            connection = getattr(self._local, "connection", None)
            if connection is None:
                connection = connect(str(self._path), read_only=True, vfs=self._vfs)
                self._local.connection = connection
                self._readers.append(connection)
            return connection.cursor().execute(sql, params).fetchall()
        except (apsw.Error, TypeError, KeyError, ValueError) as error:
            raise translated(error) from error

    # -- the writer thread

    async def _ask(self, work: Callable[[], T]) -> T:
        future: asyncio.Future[T] = self._loop.create_future()

        def done(answer: T, error: BaseException | None) -> None:
            if future.cancelled():
                return
            if error is None:
                future.set_result(answer)
            else:
                future.set_exception(error)

        self._hand_over()
        self._queue.put(_Ask(work, done))
        return await future

    def _hand_over(self) -> None:
        """Give the writer what was gathered."""
        jobs, self._gathered = self._gathered, []
        if not jobs:
            return
        if self._ended.is_set():
            self._settle(jobs, [Unavailable("the writer ended")] * len(jobs))
        else:
            self._queue.put(jobs)

    def _settle(self, group: Sequence[Job], outcomes: Sequence[StoreError | None]) -> None:
        """Tell `group` how it went."""
        self._unsettled -= len(group)
        self._crowd = len(group)
        settle(group, outcomes)

    def _write(self) -> None:
        """Serve the queue until told to stop; whatever happens, nobody is left waiting."""
        group: list[Job] = []
        try:
            stop = False
            while not stop:
                stop, asks = self._gather()
                while len(self._waiting):
                    group = self._waiting.take()
                    self._land(group)
                    group = []
                    if self._pages >= _PAGES_FORCED:
                        self._checkpoint()
                    if not stop and not asks:
                        stop, asks = self._gather(wait=False)
                for ask in asks:
                    self._answer(ask)
                self._look()
        finally:
            self._closed = True
            self._shut()
            while len(self._waiting):
                group += self._waiting.take()
            if group:
                self._tell(group, [Unavailable("the writer ended")] * len(group))
            self._post(self._end)

    def _gather(self, *, wait: bool = True) -> tuple[bool, list[_Ask]]:
        """Move what was queued to `_waiting`; up to the first thing that is not a transaction."""
        item: list[Job] | _Ask | _Stop
        try:
            item = self._queue.get(timeout=self._patience()) if wait else self._queue.get_nowait()
            while True:
                if type(item) is list:
                    self._waiting.put_all(item)
                elif type(item) is _Ask:
                    return False, [item]
                else:
                    return True, []
                item = self._queue.get_nowait()
        except queue.Empty:
            if wait and not len(self._waiting):
                self._idle()
            return False, []

    def _patience(self) -> float:
        return _IDLE if self._pages >= _PAGES_IDLE else self._look_every()

    def _look_every(self) -> float:
        return _LOOK_AGAIN if self.failing or self.reserve_used else _LOOK_EVERY

    def _idle(self) -> None:
        if self._pages >= _PAGES_IDLE:
            self._checkpoint()

    def _look(self) -> None:
        """Now and then, take the ballast aboard again, and find out whether the disk keeps anything again."""
        if self._loop.time() < self._looked + self._look_every():
            return
        self._load_ballast()
        if self.failing and not self.reserve_used:
            try:
                self._opened().probe()
            except StoreError as error:
                self._fail(error)
        self._looked = self._loop.time()

    def _fail(self, error: StoreError) -> None:
        """Nothing of what was to be committed was kept."""
        self.failing, self._full = True, isinstance(error, DiskFull)
        if isinstance(error, DiskFailed):
            self._shut()  # what a failed sync left behind is unknown: never again on this descriptor

    def _load_ballast(self) -> None:
        if not self._beside:
            self.reserve_used = not self._ballast.load()

    def _drop_ballast(self) -> bool:
        """Throw the ballast off; say whether there was any."""
        if self._beside or not self._ballast.drop():
            return False
        self.reserve_used = True
        _log.error("disk_full", ballast="dropped")
        return True

    def _land(self, group: list[Job]) -> None:
        batch = [job.tx for job in group]
        outcomes: list[StoreError | None]
        try:
            try:
                outcomes = self._opened().apply(batch)
            except DiskFull:
                if not self._drop_ballast():
                    raise
                self._checkpoint()
                outcomes = self._opened().apply(batch)
        except StoreError as error:
            self._fail(error)
            outcomes = [error] * len(group)
        self._tell(group, outcomes)

    def _tell(self, group: Sequence[Job], outcomes: Sequence[StoreError | None]) -> None:
        self._post(partial(self._settle, group, outcomes))

    def _post(self, callback: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(callback)
        except RuntimeError:
            return  # the loop has ended; so has everybody who could be told

    def _answer(self, ask: _Ask) -> None:
        try:
            answer = ask.work()
        except (StoreError, apsw.Error) as error:
            self._post(partial(ask.done, None, translated(error)))
        except BaseException as error:
            self._post(partial(ask.done, None, error))
            if not isinstance(error, Exception):
                raise
        else:
            self._post(partial(ask.done, answer, None))

    def _end(self) -> None:
        """The writer has ended: refuse what came after. On the event loop."""
        self._ended.set()
        self._hand_over()
        while not self._queue.empty():
            item = self._queue.get_nowait()
            if isinstance(item, list):
                self._settle(item, [Unavailable("the database is closed")] * len(item))
            elif isinstance(item, _Ask):
                item.done(None, Unavailable("the database is closed"))

    # -- the connection, touched by the writer only

    def _opened(self) -> SQLiteEngine:
        return self._engine or self._open()

    def _open(self) -> SQLiteEngine:
        """Open the file afresh; what its log holds is copied and synced before anything is built on it."""
        connection: apsw.Connection | None = None
        try:
            connection = connect(str(self._path), vfs=self._vfs)
            connection.set_wal_hook(self._count_pages)
            engine = SQLiteEngine(connection=connection, before_commit=self._before_commit)
            if not self._beside:
                self._catch_up(engine)
            for anchor in self._anchors:
                anchor.take(engine.query(anchor.sql, anchor.params))
        except (apsw.Error, StoreError) as error:
            if connection is not None:
                connection.close(True)
            raise translated(error) from error
        self._engine = engine
        self._load_ballast()
        return engine

    def _catch_up(self, engine: SQLiteEngine) -> None:
        """Copy what the log holds into the file. Without room it stays in the log, where it can be read as well."""
        try:
            engine.checkpoint(truncate=True)
        except DiskFull:
            if self._drop_ballast():
                with suppress(DiskFull):
                    engine.checkpoint(truncate=True)
            else:
                _log.error("disk_full", ballast="none")

    def _shut(self) -> None:
        if self._engine is not None:
            engine, self._engine = self._engine, None
            try:
                engine.connection.close(True)
            except apsw.Error as error:
                _log.warning("close_failed", error=type(error).__name__)

    def _count_pages(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        """The log has grown by a commit. On a full disk that says little: a small one may go where a large one does not."""
        self._pages = pages
        if self.failing and not (self._full and self.reserve_used):
            self.failing = False
        return apsw.SQLITE_OK

    def _checkpoint(self) -> None:
        self._pages = 0
        if self._engine is None:
            return
        try:
            self._engine.checkpoint()
        except StoreError as error:
            _log.warning("checkpoint_failed", error=type(error).__name__)

    def _take_lock(self) -> None:
        try:
            self._lock = os.open(
                self._path.with_name(self._path.name + ".lock"), os.O_CREAT | os.O_RDWR, 0o600
            )
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if self._lock is not None:
                os.close(self._lock)
                self._lock = None
            said = f"{self._path} cannot be had for writing alone: {error.strerror}"
            raise (Taken if isinstance(error, BlockingIOError) else Unavailable)(said) from error
