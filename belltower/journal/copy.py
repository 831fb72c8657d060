"""A verbatim copy of another lane's stream, in the same table and with the same hashes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic

from belltower.errors import Malformed
from belltower.ids import StreamName
from belltower.journal.chain import GENESIS, entry_hash
from belltower.journal.entry import UNPLACED, F, RawEntry, Row
from belltower.journal.journal import Journal
from belltower.journal.tables import APPEND, HEAD
from belltower.store import Transaction


class ForkedError(Malformed):
    """The stream does not hold what was copied: its journal was put back to an earlier state, and went another way."""


def source_of(stream: StreamName) -> StreamName:
    """The name under which the entries of a copy were written: `alarm` for `alarm~2`, the second copy begun anew."""
    return StreamName(stream.partition("~")[0])


def anew(stream: StreamName) -> StreamName:
    """What the next copy of the same source is called."""
    source, _, number = stream.partition("~")
    return StreamName(f"{source}~{int(number or 0) + 1}")


class Copy(Generic[F]):
    """Takes raw entries of a stream in order; `journal.follow(stream=..)` and `journal.read(stream=..)` show them.

    `stream` is what the copy is called; it may be one begun anew.
    """

    def __init__(self, *, journal: Journal[F], stream: StreamName) -> None:
        self._journal = journal
        self._stream = stream

    @property
    def head(self) -> int:
        """The last position copied: ask the other lane for it again, to be compared, and for what is behind it."""
        return self._journal.feed(self._stream).head

    async def open(self) -> None:
        """Find the head."""
        rows = await self._journal.database.read(HEAD, stream=self._stream)
        head, digest = (rows[0][0], bytes(rows[0][1])) if rows else (0, GENESIS)
        self._journal.feed(self._stream).start(head, digest)

    async def take(self, rows: Sequence[RawEntry]) -> None:
        """Copy `rows`, then feed them to followers. What is there already is passed over; unplaced ones are only fed.

        Raises `ForkedError` when the row at the head is not the one that was copied, `Malformed` when a row is missing in between, or its hash does not continue the chain: then nothing
        was taken. Raises `StoreError` when the copy could not be written.
        """
        feed = self._journal.feed(self._stream)
        source = source_of(self._stream)
        position, digest = feed.head, feed.head_hash
        fresh: list[RawEntry] = []
        for row in rows:
            if row.stream != source:
                raise Malformed(f"an entry of stream {row.stream!r} in the copy of {self._stream!r}")
            if row.position == UNPLACED:
                feed.give(self._row(row))
                continue
            if row.position == feed.head and row.hash != feed.head_hash:
                raise ForkedError(f"{self._stream} {row.position}: it is not the entry that was copied")
            if row.position <= position:
                continue
            if row.position != position + 1:
                raise Malformed(f"{self._stream} {row.position}: {position + 1} expected next")
            digest = entry_hash(
                digest,
                stream=row.stream,
                position=row.position,
                fact_id=row.id,
                at=row.at,
                tag=row.tag,
                subject=row.subject,
                body=row.body,
            )
            if digest != row.hash:
                raise Malformed(f"{self._stream} {row.position}: its hash does not continue the chain")
            position = row.position
            fresh.append(row)
        if not fresh:
            return
        taken = [self._row(raw) for raw in fresh]
        tx = Transaction()
        tx.rows(APPEND, taken)
        await self._journal.database.submit(tx)
        for one in taken:
            feed.give(one)

    def _row(self, raw: RawEntry) -> Row:
        return (self._stream, raw.position, raw.id, raw.at, raw.tag, raw.subject, raw.body, raw.hash)
