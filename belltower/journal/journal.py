"""The journal: the one writer of its stream, and everybody's reader."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

from belltower import log
from belltower.clock import Instant
from belltower.errors import Conflict, StoreError
from belltower.ids import FactId, StreamName
from belltower.journal.append import Append, ChainHead
from belltower.journal.checkpoint import EVERY_SECONDS, Signer
from belltower.journal.entry import UNPLACED, Draft, Durability, Entry, F, FactCodec
from belltower.journal.reader import Reader
from belltower.journal.replay import PAGE_RECORDS, Replay
from belltower.journal.signing import Signing
from belltower.journal.spool import RunSpool, Spool, SpoolRecord, frame, survey, unframe, unframe_piece
from belltower.journal.tables import HEAD, STEPS
from belltower.store import Damaged, Database, Transaction

_log = log.get("journal")

_UNRECORDED_LIMIT = 10_000
_SPOOLED_AT_ONCE = 1_000
_RETRY = (0.25, 5.0)
_LANDED = Transaction()


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
        self._replaying = Replay(
            database=database, stream=stream, codec=codec, chain=self._chain, feed=self._own
        )
        self._signing = Signing(database=database, stream=stream, feed=self._own, signer=signer)
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
        await self._signing.open()
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
                elif self._signing.due:
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
            self._hand_over(append)
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
            self._own.give_all(append.rows, append.drafts)
            append.durable = Durability.JOURNALED
            if not append.result.done():
                append.result.set_result(Durability.JOURNALED)
            append.tx = _LANDED  # the transaction holds the append: a ring only the collector would undo
            if self._signing.full:
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
            tried = [append for append in appends if append.handed_over]
            for append in appends:
                if not append.handed_over:
                    append.durable, append.last_chance = None, True
                    append.deadline = self._loop.time() + self._spool_after
                    self._hand_over(append)
            self._give_up(tried)
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
            self._holding = left + len(unrecorded) <= PAGE_RECORDS
            await self._replaying.place(unrecorded)
            del self._unrecorded[: len(unrecorded)]
            await self._replaying.place(records)
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

    async def _sign(self) -> None:
        assert self._run_spool is not None  # noqa: S101 - open() came first
        await self._signing.sign(self._run_spool)


def _nothing() -> None:
    """Work that merely waits for its turn."""
