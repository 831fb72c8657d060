"""The journal: the one writer of its stream, and everybody's reader."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Generic, Protocol

from belltower import log
from belltower.clock import Instant
from belltower.errors import Conflict, StoreError
from belltower.ids import FactId, StreamName
from belltower.journal.append import Append, ChainHead, draft_of
from belltower.journal.entry import Draft, Durability, Entry, F, FactCodec, RawEntry
from belltower.journal.feed import Feed
from belltower.journal.spool import Spool, SpoolRecord, frame, unframe
from belltower.journal.tables import BOOKMARK, HAS_ID, HEAD, KEEP_BOOKMARK, OF_SUBJECT, PAGE, STEPS
from belltower.store import Database, Transaction

_log = log.get("journal")

_UNRECORDED_LIMIT = 10_000
_RETRY = (0.25, 5.0)


class RunSpool(Protocol):
    """Runs the spool's blocking work somewhere else, one piece at a time, in the order given."""

    def __call__(self, work: Callable[[], Any], /) -> asyncio.Future[Any]:
        """Start `work` after all given before it."""
        ...


class Trouble(Protocol):
    """Hears what ails the store."""

    def __call__(self, kind: str | None, /) -> None:
        """`kind`: "slow", "failed" or "unrecorded"; None once everything is in the journal again."""
        ...


class Journal(Generic[F]):
    """The one writer of `stream`. `open` it, keep `run` running, `close` it."""

    def __init__(
        self,
        *,
        database: Database,
        stream: StreamName,
        codec: FactCodec[F],
        spool: Spool,
        run_spool: RunSpool | None = None,
        spool_after: float = 0.25,
        on_trouble: Trouble | None = None,
    ) -> None:
        self._database = database
        self._stream = stream
        self._codec = codec
        self._spool = spool
        self._run_spool = run_spool
        self._spool_after = spool_after
        self._on_trouble = on_trouble
        self._pool: ThreadPoolExecutor | None = None
        self._chain = ChainHead()
        self._feeds: dict[StreamName, Feed[F]] = {}
        self._pending: deque[Append[F]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._spooling = 0
        self._spooled = 0
        self._unrecorded: list[SpoolRecord] = []
        self._ailing = asyncio.Event()
        self._kind: str | None = None

    @property
    def stream(self) -> StreamName:
        """The stream written here."""
        return self._stream

    @property
    def head(self) -> int:
        """The last position committed."""
        return self.feed(self._stream).head

    @property
    def trouble(self) -> bool:
        """Whether facts wait outside of the journal."""
        return self._kind is not None

    @property
    def database(self) -> Database:
        """Where the tables are."""
        return self._database

    async def open(self) -> None:
        """Find the head, then bring in what the spool still holds. Raises `StoreError`."""
        self._loop = asyncio.get_running_loop()
        if self._run_spool is None:
            self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spool")
            self._run_spool = partial(self._loop.run_in_executor, self._pool)
        await self._database.migrate(STEPS)
        await self._database.claim(f"stream {self._stream}")
        await self._database.anchor(HEAD, self._chain.take, stream=self._stream)
        self.feed(self._stream).start(self._chain.position, self._chain.hash)
        records = unframe(await self._run_spool(self._spool.read))
        if records:
            self._spooled = len(records)
            self._fall_ill("slow")
            await self._replay()

    async def run(self) -> None:
        """For ever: once the store is well again, bring in what was spooled."""
        wait = _RETRY[0]
        while True:
            await self._ailing.wait()
            await asyncio.sleep(wait)
            try:
                await self._replay()
                wait = _RETRY[0]
            except StoreError as error:
                if wait == _RETRY[0]:
                    _log.warning("replay_failed", error=type(error).__name__)
                wait = min(wait * 2, _RETRY[1])

    async def close(self) -> None:
        """Let go of the spool's thread. The database is its owner's to close."""
        if self._timer is not None:
            self._timer.cancel()
        if self._pool is not None:
            self._pool.shutdown(wait=False)

    # -- writing

    def commit(self, tx: Transaction, drafts: Sequence[Draft[F]]) -> asyncio.Future[Durability]:
        """Record `drafts` and the rest of `tx` together; resolves once it is known how safely.

        JOURNALED after the store's full sync. If the store fails, or takes longer than `spool_after`, the facts and
        statements are synced to the spool: SPOOLED; if that fails too, UNRECORDED. Either way followers get the
        entries, unplaced at first. The statements of a spooled transaction are executed when it is replayed, perhaps
        behind younger ones, and left out if they then conflict. Raises (in the future) only `Conflict`.
        """
        encode = self._codec.encode
        result: asyncio.Future[Durability] = self._loop.create_future()
        append = Append(
            head=self._chain,
            stream=self._stream,
            drafts=drafts,
            coded=[encode(draft.fact) for draft in drafts],
            tx=tx,
            result=result,
            deadline=self._loop.time() + self._spool_after,
        )
        tx.late(append)
        self._pending.append(append)
        self._database.enqueue(tx, partial(self._settled, append))
        if self._kind is not None:
            self._spool_away([append], self._kind)
        elif self._timer is None:
            self._timer = self._loop.call_at(append.deadline, self._look)
        return result

    def _settled(self, append: Append[F], error: StoreError | None) -> None:
        """The store's answer. May come long after the spool's."""
        append.settled = True
        pending = self._pending
        while pending and pending[0].settled:
            pending.popleft()
        if error is None:
            give = self.feed(self._stream).give
            for entry, raw in append.placed():
                give(entry, raw)
            self._resolve(append, Durability.JOURNALED)
        elif isinstance(error, Conflict):
            if append.durable is None and not append.result.done():
                append.result.set_exception(error)
        elif append.durable is None:
            _log.warning("commit_failed", error=type(error).__name__)
            self._spool_away([append], "failed")

    @staticmethod
    def _resolve(append: Append[F], durable: Durability) -> None:
        append.durable = durable
        if not append.result.done():
            append.result.set_result(durable)

    def _look(self) -> None:
        """The shared timer: spool whatever has waited too long."""
        self._timer = None
        now = self._loop.time()
        late = [a for a in self._pending if a.deadline <= now and not a.settled and a.durable is None]
        if late:
            self._spool_away(late, "slow")
        for append in self._pending:
            if append.durable is None and not append.settled and append.deadline > now:
                self._timer = self._loop.call_at(append.deadline, self._look)
                break

    def _spool_away(self, appends: Sequence[Append[F]], kind: str) -> None:
        for append in appends:
            append.durable = Durability.SPOOLED
        records = [append.record() for append in appends]
        self._spooling += 1
        self._fall_ill(kind)
        assert self._run_spool is not None  # noqa: S101 - open() came first
        data = b"".join(frame(record) for record in records)
        written = self._run_spool(partial(self._spool.append, data))
        written.add_done_callback(partial(self._spooled_away, list(appends), records))

    def _spooled_away(
        self, appends: list[Append[F]], records: list[SpoolRecord], written: asyncio.Future[Any]
    ) -> None:
        self._spooling -= 1
        error = None if written.cancelled() else written.exception()
        if written.cancelled() or error is not None:
            _log.error("spool_failed", error=type(error).__name__)
            room = _UNRECORDED_LIMIT - len(self._unrecorded)
            self._unrecorded += records[: max(room, 0)]
            self._fall_ill("unrecorded")
            durable = Durability.UNRECORDED
        else:
            self._spooled += len(records)
            durable = Durability.SPOOLED
        give = self.feed(self._stream).give
        for append in appends:
            if append.durable is not Durability.JOURNALED:
                for entry, raw in append.unplaced():
                    give(entry, raw)
                self._resolve(append, durable)

    # -- trouble and its mending

    def _fall_ill(self, kind: str) -> None:
        if self._kind == kind or (self._kind == "unrecorded" and kind != "unrecorded"):
            return
        self._kind = kind
        self._ailing.set()
        _log.error("store_trouble", kind=kind, stream=self._stream)
        if self._on_trouble is not None:
            self._on_trouble(kind)

    def _recover(self) -> None:
        self._kind = None
        self._ailing.clear()
        _log.warning("store_recovered", stream=self._stream)
        if self._on_trouble is not None:
            self._on_trouble(None)

    async def _replay(self) -> None:
        """Bring in what waits outside. Raises `StoreError` when the store is still ill; then all is kept."""
        assert self._run_spool is not None  # noqa: S101 - open() came first
        while True:
            await self._database.submit(Transaction())  # behind everything queued: its outcome is known now
            if self._spooling:
                await self._run_spool(_nothing)
            before = self._spooled
            unrecorded = len(self._unrecorded)
            await self._place(list(self._unrecorded))
            await self._place(unframe(await self._run_spool(self._spool.read)))
            if not self._spooling and before == self._spooled and unrecorded == len(self._unrecorded):
                self._spooled = 0
                self._unrecorded.clear()
                await self._run_spool(self._spool.clear)
                if not self._spooled and not self._spooling and not self._unrecorded:
                    self._recover()
                    return

    async def _place(self, records: Sequence[SpoolRecord]) -> None:
        """Journal those of `records` that are not in yet, with the statements they came with."""
        for start in range(0, len(records), 200):
            missing = [
                record
                for record in records[start : start + 200]
                if record.facts and not await self._has(record.facts[0].id)
            ]
            entering = [(record, self._enter(record, with_statements=True)) for record in missing]
            outcomes = await asyncio.gather(*(future for _, future in entering), return_exceptions=True)
            for (record, _), outcome in zip(entering, outcomes, strict=True):
                if isinstance(outcome, Conflict):
                    await self._enter_again(record)
                elif outcome is not None:
                    raise outcome

    async def _has(self, fact_id: str) -> bool:
        return bool(await self._database.read(HAS_ID, stream=self._stream, id=fact_id))

    async def _enter_again(self, record: SpoolRecord) -> None:
        try:
            await self._enter(record, with_statements=False)
        except Conflict:
            _log.warning("replay_doubled", id=record.facts[0].id)

    def _enter(self, record: SpoolRecord, *, with_statements: bool) -> asyncio.Future[None]:
        tx = Transaction()
        if with_statements:
            for statement in record.statements:
                tx.add(statement.sql, expect=statement.expect, **statement.params)
        coded = [(fact.tag, fact.body) for fact in record.facts]
        append = Append(
            head=self._chain,
            stream=self._stream,
            drafts=[draft_of(fact, self._codec.decode(fact.tag, fact.body)) for fact in record.facts],
            coded=coded,
            tx=tx,
            result=self._loop.create_future(),
            deadline=0.0,
        )
        tx.late(append)
        done = self._loop.create_future()
        self._database.enqueue(tx, partial(self._entered, append, done))
        return done

    def _entered(self, append: Append[F], done: asyncio.Future[None], error: StoreError | None) -> None:
        if error is None:
            give = self.feed(self._stream).give
            for entry, raw in append.placed():
                give(entry, raw)
        if done.cancelled():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    # -- reading

    def feed(self, stream: StreamName) -> Feed[F]:
        """The live end of `stream`, for this package only."""
        feed = self._feeds.get(stream)
        if feed is None:
            feed = self._feeds[stream] = Feed(page=partial(self._page, stream), entry=self.entry)
        return feed

    async def follow(
        self, *, after: int, kinds: tuple[type, ...] = (), stream: StreamName | None = None
    ) -> AsyncIterator[Entry[F]]:
        """Entries behind position `after`, for ever; only facts of `kinds`, if given.

        An unplaced entry comes again once it has its place: follow idempotently, by fact id.
        """
        async for run in self.feed(stream or self._stream).follow(after):
            for entry, _ in run:
                if not kinds or isinstance(entry.fact, kinds):
                    yield entry

    async def follow_raw(
        self, *, after: int, stream: StreamName | None = None
    ) -> AsyncIterator[list[RawEntry]]:
        """Runs of raw entries behind position `after`, for ever, for a copy elsewhere."""
        async for run in self.feed(stream or self._stream).follow(after):
            yield [raw for _, raw in run]

    async def read(self, *, after: int, limit: int, stream: StreamName | None = None) -> list[Entry[F]]:
        """At most `limit` entries behind position `after`, from the table."""
        return [self.entry(raw) for raw in await self._page(stream or self._stream, after, limit)]

    async def read_raw(self, *, after: int, limit: int, stream: StreamName | None = None) -> list[RawEntry]:
        """Like `read`, as the rows lie in the table."""
        return await self._page(stream or self._stream, after, limit)

    async def of(self, subject: str, *, stream: StreamName | None = None) -> list[Entry[F]]:
        """All placed entries about `subject`, in order."""
        rows = await self._database.read(OF_SUBJECT, stream=stream or self._stream, subject=subject)
        return [self.entry(raw_entry(row)) for row in rows]

    def entry(self, raw: RawEntry) -> Entry[F]:
        """`raw` with its fact understood."""
        return Entry(
            stream=raw.stream,
            position=raw.position,
            id=raw.id,
            at=raw.at,
            subject=raw.subject,
            fact=self._codec.decode(raw.tag, raw.body),
        )

    async def bookmark(self, name: str) -> int:
        """The position kept under `name`, or 0."""
        rows = await self._database.read(BOOKMARK, name=name)
        return int(rows[0][0]) if rows else 0

    def keep_bookmark(self, tx: Transaction, name: str, position: int) -> None:
        """Keep `position` under `name` together with `tx`. A bookmark never moves back."""
        tx.add(KEEP_BOOKMARK, name=name, position=position)

    async def _page(self, stream: StreamName, after: int, limit: int) -> list[RawEntry]:
        rows = await self._database.read(PAGE, stream=stream, after=after, limit=limit)
        return [raw_entry(row) for row in rows]


def raw_entry(row: tuple[Any, ...]) -> RawEntry:
    """A row of the table."""
    stream, position, id_, at, tag, subject, body, digest = row
    return RawEntry(
        stream=StreamName(stream),
        position=position,
        id=FactId(id_),
        at=Instant(at),
        tag=tag,
        subject=subject,
        body=bytes(body),
        hash=bytes(digest),
    )


def _nothing() -> None:
    """Work that merely waits for its turn."""
