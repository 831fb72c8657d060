"""One commit's entries on their way into the chain."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Generic

from msgspec import Struct

from belltower.clock import Instant
from belltower.ids import FactId, StreamName
from belltower.journal.chain import GENESIS, link
from belltower.journal.entry import UNPLACED, Draft, Durability, F, Row
from belltower.journal.spool import SpooledFact, SpoolRecord, spooled
from belltower.journal.tables import APPEND
from belltower.store import Rows, Transaction


class ChainHead:
    """Where the writer stands: the last position given out and its hash. Touched by the writer only."""

    __slots__ = ("hash", "position")

    def __init__(self) -> None:
        self.position = 0
        self.hash = GENESIS

    def take(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Stand where the database says."""
        self.position, self.hash = (rows[0][0], bytes(rows[0][1])) if rows else (0, GENESIS)


class Append(Struct, Generic[F], eq=False):
    """A `Late` that gives drafts their positions and hashes, and remembers who waits for it."""

    head: ChainHead
    stream: StreamName
    drafts: Sequence[Draft[F]]
    coded: Sequence[tuple[str, bytes]]
    tx: Transaction
    result: asyncio.Future[Durability]
    deadline: float
    settled: bool = False
    handed_over: bool = False
    last_chance: bool = False
    durable: Durability | None = None
    rows: list[Row] = []
    """With their places, once the writer has settled it."""
    before: tuple[int, bytes] = (0, GENESIS)

    @property
    def waiting(self) -> bool:
        """Whether neither the store nor the spool has answered for it."""
        return not self.settled and self.durable is None

    def settle(self) -> tuple[Rows]:
        """See `Late.settle`."""
        head, stream = self.head, self.stream
        position, digest = self.before = head.position, head.hash
        rows: list[Row] = []
        for draft, (tag, body) in zip(self.drafts, self.coded, strict=True):
            position += 1
            fact_id, at, subject = draft.id, draft.at, draft.subject
            digest = link(digest, stream, position, fact_id, at, tag, subject, body)
            rows.append((stream, position, fact_id, at, tag, subject, body, digest))
        head.position, head.hash = position, digest
        self.rows = rows
        return (Rows(APPEND, rows),)

    def undo(self) -> None:
        """See `Late.undo`."""
        self.head.position, self.head.hash = self.before

    def unplaced(self) -> list[Row]:
        """The rows without a place."""
        return [
            (self.stream, UNPLACED, draft.id, draft.at, tag, draft.subject, body, b"")
            for draft, (tag, body) in zip(self.drafts, self.coded, strict=True)
        ]

    def record(self) -> SpoolRecord:
        """What the spool keeps of it."""
        return SpoolRecord(
            [
                SpooledFact(draft.id, draft.at, tag, draft.subject, body)
                for draft, (tag, body) in zip(self.drafts, self.coded, strict=True)
            ],
            [spooled(statement) for statement in self.tx.statements()],
        )


def draft_of(fact: SpooledFact, decoded: F) -> Draft[F]:
    """The draft a spooled fact once was."""
    return Draft(id=FactId(fact.id), at=Instant(fact.at), subject=fact.subject, fact=decoded)
