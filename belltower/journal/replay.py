"""Commits that were written down elsewhere, brought into the journal, each once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Generic

from belltower import log
from belltower.errors import Conflict, StoreError
from belltower.ids import StreamName
from belltower.journal.append import Append, ChainHead, draft_of
from belltower.journal.entry import F, FactCodec
from belltower.journal.feed import Feed
from belltower.journal.spool import SpoolRecord
from belltower.journal.tables import KNOWN
from belltower.store import Database, Statement, Transaction

_log = log.get("journal")

PAGE_RECORDS = 200
"""Records that are brought in together."""


class Replay(Generic[F]):
    """Gives spooled records their places behind `chain`, and feeds them."""

    def __init__(
        self,
        *,
        database: Database,
        stream: StreamName,
        codec: FactCodec[F],
        chain: ChainHead,
        feed: Feed[F],
    ) -> None:
        self._database = database
        self._stream = stream
        self._codec = codec
        self._chain = chain
        self._feed = feed

    async def place(self, records: Sequence[SpoolRecord]) -> None:
        """Journal those of `records` that are not in yet, with the statements they came with. Raises `StoreError`."""
        for start in range(0, len(records), PAGE_RECORDS):
            page = records[start : start + PAGE_RECORDS]
            known = await self._known([record.facts[0].id for record in page if record.facts])
            # Nothing tells whether statements that came without a fact have landed: they are executed again.
            missing = [record for record in page if not record.facts or record.facts[0].id not in known]
            entering = [self._enter(record, with_statements=True) for record in missing]
            outcomes = await asyncio.gather(*entering, return_exceptions=True)
            for record, outcome in zip(missing, outcomes, strict=True):
                if isinstance(outcome, Conflict):
                    if record.facts:
                        await self._enter_alone(record)
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

    async def _enter_alone(self, record: SpoolRecord) -> None:
        """Journal the facts without the statements, which younger ones have overtaken."""
        try:
            await self._enter(record, with_statements=False)
        except Conflict:
            _log.warning("replay_doubled", id=record.facts[0].id)

    def _enter(self, record: SpoolRecord, *, with_statements: bool) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        tx = Transaction()
        for statement in record.statements if with_statements else ():
            params = statement.params
            ordered = tuple(params) if isinstance(params, list) else params
            tx.parts.append(Statement(statement.sql, ordered, statement.expect))
        coded = [(fact.tag, fact.body) for fact in record.facts]
        drafts = [draft_of(fact, self._codec.decode(fact.tag, fact.body)) for fact in record.facts]
        append = Append(self._chain, self._stream, drafts, coded, tx, loop.create_future(), 0.0)
        tx.late(append)
        done: asyncio.Future[None] = loop.create_future()
        self._database.enqueue(tx, partial(self._entered, append, done))
        return done

    def _entered(self, append: Append[F], done: asyncio.Future[None], error: StoreError | None) -> None:
        if error is None:
            self._feed.give_all(append.rows, append.drafts)
        if done.cancelled():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)
