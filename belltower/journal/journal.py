"""The journal: the one writer of its stream, and everybody's reader."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

from belltower import log
from belltower.clock import Instant
from belltower.errors import Conflict, StoreError
from belltower.ids import FactId, StreamName
from belltower.journal.append import Append, ChainHead, draft_of
from belltower.journal.checkpoint import EVERY_ENTRIES, EVERY_SECONDS, Signer
from belltower.journal.entry import UNPLACED, Draft, Durability, Entry, F, FactCodec
from belltower.journal.reader import Reader
from belltower.journal.spool import Spool, SpoolRecord, frame, survey, unframe, unframe_piece
from belltower.journal.tables import CHECKPOINT, HEAD, KNOWN, LAST_CHECKPOINT, STEPS
from belltower.store import Damaged, Database, Statement, Transaction

_log = log.get("journal")

_UNRECORDED_LIMIT = 10_000
_PAGE_RECORDS = 200
_SPOOLED_AT_ONCE = 1_000
_RETRY = (0.25, 5.0)
_LANDED = Transaction()


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


class Journal(Reader[F]):
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
        signer: Signer | None = None,
    ) -> None:
        super().__init__(database=database, stream=stream, codec=codec)
        self._own = self.feed(stream)
        self._spool = spool
        self._run_spool = run_spool
        self._spool_after = spool_after
        self._on_trouble = on_trouble
        self._pool: ThreadPoolExecutor | None = None
        self._chain = ChainHead()
        self._pending: deque[Append[F]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._progressed = 0.0
        self._spooling = False
        self._to_spool: list[Append[F]] = []
        self.waiting: list[Entry[F]] = []
        """What a dead process left in the spool and `open` could not bring in: it happened, and has no place yet."""
        self.damaged = False
        """Whether `open` found the store's file damaged when it brought the spool in; all is still in the spool."""
        self._spooled = 0
        self._unrecorded: list[SpoolRecord] = []
        self._holding = False
        self._held: list[Append[F]] = []
        self._signer = signer
        self._signed = 0
        self._signed_at = 0.0
        self._stir = asyncio.Event()
        self._kind: str | None = None

    @property
    def trouble(self) -> bool:
        """Whether facts wait outside of the journal."""
        return self._kind is not None

    async def open(self) -> None:
        """Find the head, then bring in what the spool still holds, if the store takes it. Raises `StoreError`."""
        self._loop = asyncio.get_running_loop()
        if self._run_spool is None:
            self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spool")
            self._run_spool = partial(self._loop.run_in_executor, self._pool)
        await self._database.migrate(STEPS)
        await self._database.claim(f"stream {self._stream}")
        await self._database.anchor(HEAD, self._chain.take, stream=self._stream)
        self._own.start(self._chain.position, self._chain.hash)
        last = await self._database.read(LAST_CHECKPOINT, stream=self._stream)
        self._signed = int(last[0][0]) if last else 0
        self._spooled, _ = await self._run_spool(partial(survey, self._spool))
        if self._spooled:
            self._fall_ill("slow")
            try:
                await self._replay()
            except StoreError as error:  # a disk still ill: `run` tries again, and what comes now is spooled
                self.damaged = isinstance(error, Damaged)
                self.waiting = [
                    Entry(
                        stream=self._stream,
                        position=UNPLACED,
                        id=FactId(fact.id),
                        at=Instant(fact.at),
                        subject=fact.subject,
                        fact=self._codec.decode(fact.tag, fact.body),
                    )
                    for record in await self._run_spool(self._spooled_records)
                    for fact in record.facts
                ]

    async def run(self) -> None:
        """For ever: once the store is well again, bring in what was spooled; now and then, sign the head."""
        wait = _RETRY[0]
        self._signed_at = self._loop.time()
        while True:
            try:
                async with asyncio.timeout(wait if self.trouble else EVERY_SECONDS):
                    await self._stir.wait()
            except TimeoutError:
                pass
            self._stir.clear()
            try:
                if self.trouble:
                    await self._replay()
                elif (
                    self.head >= self._signed + EVERY_ENTRIES
                    or self._loop.time() >= self._signed_at + EVERY_SECONDS
                ):
                    await self._sign()
                wait = _RETRY[0]
            except StoreError as error:
                if wait == _RETRY[0]:
                    _log.warning("mending_failed", error=type(error).__name__)
                wait = min(wait * 2, _RETRY[1])

    async def close(self) -> None:
        """Sign the head and let go of the spool's thread. The database is its owner's to close, afterwards."""
        if not self.trouble:
            with suppress(StoreError):
                await self._sign()
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
        behind younger ones, and left out if they then conflict. Statements without any draft may then be executed a
        second time: they must bear that. Raises (in the future) only `Conflict`.
        """
        encode, loop = self._codec.encode, self._loop
        result: asyncio.Future[Durability] = loop.create_future()
        append = Append(
            self._chain,
            self._stream,
            drafts,
            [encode(draft.fact) for draft in drafts],
            tx,
            result,
            loop.time() + self._spool_after,
        )
        if self._kind is None:
            append.handed_over = True
            tx.parts.append(append)
            self._database.enqueue(tx, partial(self._settled, append))
            self._pending.append(append)
            if self._timer is None:
                self._timer = loop.call_at(append.deadline, self._look)
        elif self._holding:
            self._held.append(append)
            self._wait_for(append)
        else:
            self._spool_away([append], self._kind)
        return result

    def _hand_over(self, append: Append[F]) -> None:
        append.handed_over = True
        append.tx.parts.append(append)
        self._database.enqueue(append.tx, partial(self._settled, append))
        self._wait_for(append)

    def _wait_for(self, append: Append[F]) -> None:
        """Let the shared timer look after `append`, oldest deadline first."""
        self._pending.append(append)
        if self._timer is None:
            self._timer = self._loop.call_at(append.deadline, self._look)

    def _settled(self, append: Append[F], error: StoreError | None) -> None:
        """The store's answer. May come long after the spool's."""
        append.settled = True
        self._progressed = self._loop.time()
        pending = self._pending
        while pending and (pending[0].settled or pending[0].durable is not None):
            pending.popleft()
        if error is None:
            feed = self._own
            feed.give_all(append.rows, append.drafts)
            append.durable = Durability.JOURNALED
            if not append.result.done():
                append.result.set_result(Durability.JOURNALED)
            append.tx = _LANDED  # the transaction holds the append: a ring only the collector would undo
            if self._signer is not None and feed.head >= self._signed + EVERY_ENTRIES:
                self._stir.set()
        elif isinstance(error, Conflict):
            if append.durable is None and not append.result.done():
                append.result.set_exception(error)
        elif append.durable is None:
            _log.warning("commit_failed", error=type(error).__name__)
            if append.last_chance:
                self._give_up([append])
            else:
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
        patience = self._progressed + self._spool_after
        late: list[Append[F]] = []
        while self._pending:
            first = self._pending[0]
            # A store that works through a burst is not slow: what counts is how long it has settled nothing.
            if first.waiting and max(first.deadline, patience) > now:
                break
            self._pending.popleft()
            if first.waiting:
                late.append(first)
        self._give_up([append for append in late if append.last_chance])
        spooling = [append for append in late if not append.last_chance]
        if spooling:
            self._held = [append for append in self._held if append not in spooling]
            self._spool_away(spooling, "slow")
        if self._pending:
            self._timer = self._loop.call_at(max(self._pending[0].deadline, patience), self._look)

    def _spool_away(self, appends: Sequence[Append[F]], kind: str) -> None:
        for append in appends:
            append.durable = Durability.SPOOLED
        self._fall_ill(kind)
        self._to_spool += appends
        if not self._spooling:
            self._write_spool()

    def _write_spool(self) -> None:
        """Sync all that waits for the spool in one go; what comes meanwhile goes in the next."""
        waiting = [append for append in self._to_spool if append.durable is not Durability.JOURNALED]
        appends, self._to_spool = waiting[:_SPOOLED_AT_ONCE], waiting[_SPOOLED_AT_ONCE:]
        if not appends:
            return
        records = [append.record() for append in appends]
        self._spooling = True
        assert self._run_spool is not None  # noqa: S101 - open() came first
        data = b"".join(frame(record) for record in records)
        written = self._run_spool(partial(self._spool.append, data))
        written.add_done_callback(partial(self._spooled_away, appends, records))

    def _spooled_away(
        self, appends: list[Append[F]], records: list[SpoolRecord], written: asyncio.Future[Any]
    ) -> None:
        self._spooling = False
        error = None if written.cancelled() else written.exception()
        if written.cancelled() or error is not None:
            _log.error("spool_failed", error=type(error).__name__)
            untried = [append for append in appends if not append.handed_over]
            for append in untried:
                append.durable, append.last_chance = None, True
                append.deadline = self._loop.time() + self._spool_after
                self._hand_over(append)
            self._give_up([append for append in appends if append.handed_over and append not in untried])
        else:
            self._spooled += len(records)
            self._feed_unplaced(appends, Durability.SPOOLED)
        if self._to_spool and not self._spooling:
            self._write_spool()

    def _give_up(self, appends: Sequence[Append[F]]) -> None:
        """Neither store nor spool took `appends`: keep them in memory, for a better time."""
        if not appends:
            return
        room = max(_UNRECORDED_LIMIT - len(self._unrecorded), 0)
        self._unrecorded += [append.record() for append in appends[:room]]
        self._fall_ill("unrecorded")
        self._feed_unplaced(appends, Durability.UNRECORDED)

    def _feed_unplaced(self, appends: Sequence[Append[F]], durable: Durability) -> None:
        for append in appends:
            if append.durable is not Durability.JOURNALED:
                self._own.give_all(append.unplaced(), append.drafts)
                self._resolve(append, durable)

    # -- trouble and its mending

    def _fall_ill(self, kind: str) -> None:
        if self._kind == kind or (self._kind == "unrecorded" and kind != "unrecorded"):
            return
        self._kind = kind
        self._stir.set()
        _log.error("store_trouble", kind=kind, stream=self._stream)
        if self._on_trouble is not None:
            self._on_trouble(kind)

    def _recover(self) -> None:
        self._kind = None
        _log.warning("store_recovered", stream=self._stream)
        if self._on_trouble is not None:
            self._on_trouble(None)

    async def _replay(self) -> None:
        """Bring in what waits outside, in order. Raises `StoreError` when the store is still ill; then all is kept."""
        try:
            await self._bring_in()
        finally:
            self._holding = False
            held, self._held = self._held, []
            waiting = [append for append in held if append.waiting]
            if self._kind is None:
                for append in waiting:
                    self._hand_over(append)
            elif waiting:
                self._spool_away(waiting, self._kind)

    async def _bring_in(self) -> None:
        """Replay until nothing is left; for the last few, new commits are held back so that they stay behind."""
        assert self._run_spool is not None  # noqa: S101 - open() came first
        done = start = 0
        while True:
            await self._database.submit(Transaction())  # behind everything queued: its outcome is known now
            if self._spooling:
                await self._run_spool(_nothing)
            unrecorded = list(self._unrecorded)
            records, start = await self._run_spool(partial(unframe_piece, self._spool, start))
            left = max(len(records), self._spooled - done)
            self._holding = left + len(unrecorded) <= _PAGE_RECORDS
            await self._place(unrecorded)
            del self._unrecorded[: len(unrecorded)]
            await self._place(records)
            done += len(records)
            if self._holding and not self._spooling and done >= self._spooled and not self._unrecorded:
                cleared = self._spooled
                await self._run_spool(self._spool.clear)
                self._spooled -= cleared  # what came meanwhile stands alone in the spool now
                done = start = 0
                if not self._spooling and not self._spooled and not self._unrecorded:
                    self._recover()
                    return

    def _spooled_records(self) -> list[SpoolRecord]:
        """All that the spool holds. In the spool's thread."""
        return unframe(self._spool.read())

    async def _place(self, records: Sequence[SpoolRecord]) -> None:
        """Journal those of `records` that are not in yet, with the statements they came with."""
        for start in range(0, len(records), _PAGE_RECORDS):
            page = records[start : start + _PAGE_RECORDS]
            known = await self._known([record.facts[0].id for record in page if record.facts])
            # Nothing tells whether statements that came without a fact have landed: they are executed again.
            missing = [record for record in page if not record.facts or record.facts[0].id not in known]
            entering = [(record, self._enter(record, with_statements=True)) for record in missing]
            outcomes = await asyncio.gather(*(future for _, future in entering), return_exceptions=True)
            for (record, _), outcome in zip(entering, outcomes, strict=True):
                if isinstance(outcome, Conflict):
                    if record.facts:
                        await self._enter_again(record)
                elif outcome is not None:
                    raise outcome

    async def _known(self, ids: Sequence[str]) -> set[str]:
        """Those of `ids` that have a place."""
        if not ids:
            return set()
        names = {f"id{number}": fact_id for number, fact_id in enumerate(ids)}
        rows = await self._database.read(
            KNOWN.format(ids=", ".join(f":{name}" for name in names)), stream=self._stream, **names
        )
        return {row[0] for row in rows}

    async def _enter_again(self, record: SpoolRecord) -> None:
        try:
            await self._enter(record, with_statements=False)
        except Conflict:
            _log.warning("replay_doubled", id=record.facts[0].id)

    def _enter(self, record: SpoolRecord, *, with_statements: bool) -> asyncio.Future[None]:
        tx = Transaction()
        if with_statements:
            for statement in record.statements:
                params = statement.params
                tx.parts.append(
                    Statement(
                        statement.sql, tuple(params) if isinstance(params, list) else params, statement.expect
                    )
                )
        coded = [(fact.tag, fact.body) for fact in record.facts]
        drafts = [draft_of(fact, self._codec.decode(fact.tag, fact.body)) for fact in record.facts]
        append = Append(self._chain, self._stream, drafts, coded, tx, self._loop.create_future(), 0.0)
        tx.late(append)
        done = self._loop.create_future()
        self._database.enqueue(tx, partial(self._entered, append, done))
        return done

    def _entered(self, append: Append[F], done: asyncio.Future[None], error: StoreError | None) -> None:
        if error is None:
            self._own.give_all(append.rows, append.drafts)
        if done.cancelled():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    async def _sign(self) -> None:
        position, digest = self._own.head, self._own.head_hash
        self._signed_at = self._loop.time()
        if self._signer is None or position <= self._signed:
            return
        row, write = self._signer.sign(self._stream, position, digest)
        tx = Transaction()
        tx.rows(CHECKPOINT, [row])
        await self._database.submit(tx)
        assert self._run_spool is not None  # noqa: S101 - open() came first
        await self._run_spool(write)
        self._signed = position


def _nothing() -> None:
    """Work that merely waits for its turn."""
