"""The reading half of a journal."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Generic, cast

from belltower.ids import StreamName
from belltower.journal.entry import Entry, F, FactCodec, RawEntry, Row, raw_entry
from belltower.journal.feed import Feed
from belltower.journal.tables import BOOKMARK, FIRST_OF_SUBJECT, KEEP_BOOKMARK, OF_SUBJECT, PAGE
from belltower.store import Database, Transaction


class Reader(Generic[F]):
    """Follows and reads any stream of a database; `stream` is the one meant when none is named."""

    def __init__(self, *, database: Database, stream: StreamName, codec: FactCodec[F]) -> None:
        self._database = database
        self._stream = stream
        self._codec = codec
        self._feeds: dict[StreamName, Feed[F]] = {}

    @property
    def stream(self) -> StreamName:
        """The stream meant when none is named."""
        return self._stream

    @property
    def head(self) -> int:
        """The last position committed."""
        return self.feed(self._stream).head

    @property
    def database(self) -> Database:
        """Where the tables are."""
        return self._database

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
        async for run in self.feed(stream or self._stream).follow(after, kinds):
            for entry, _ in run:
                if not kinds or isinstance(entry.fact, kinds):
                    yield entry

    def tap(self, kinds: tuple[type, ...], tap: Callable[[Entry[F]], None]) -> None:
        """Let `tap` hear of every new fact of `kinds` in the turn in which it is known, ahead of all followers.

        For what must not wait its turn. What it raises is logged and lost: whoever taps follows too, and does
        nothing twice.
        """
        self.feed(self._stream).tap(kinds, tap)

    async def follow_raw(
        self, *, after: int, stream: StreamName | None = None
    ) -> AsyncIterator[list[RawEntry]]:
        """Runs of raw entries behind position `after`, for ever, for a copy elsewhere."""
        async for run in self.feed(stream or self._stream).follow(after):
            yield [raw_entry(row) for _, row in run]

    async def read(self, *, after: int, limit: int, stream: StreamName | None = None) -> list[Entry[F]]:
        """At most `limit` entries behind position `after`, from the table."""
        return [self.entry(row) for row in await self._page(stream or self._stream, after, limit)]

    async def read_raw(self, *, after: int, limit: int, stream: StreamName | None = None) -> list[RawEntry]:
        """Like `read`, as the rows lie in the table."""
        return [raw_entry(row) for row in await self._page(stream or self._stream, after, limit)]

    async def of(self, subject: str, *, stream: StreamName | None = None) -> list[Entry[F]]:
        """All placed entries about `subject`, in order."""
        rows = await self._database.read(OF_SUBJECT, stream=stream or self._stream, subject=subject)
        return [self.entry(cast(Row, row)) for row in rows]

    async def first_of(self, subject: str, tag: str, *, stream: StreamName) -> Entry[F] | None:
        """The first placed entry about `subject` whose fact bears `tag`; None: there is none."""
        rows = await self._database.read(FIRST_OF_SUBJECT, stream=stream, subject=subject, tag=tag)
        return self.entry(cast(Row, rows[0])) if rows else None

    def entry(self, row: Row) -> Entry[F]:
        """`row` with its fact understood."""
        stream, position, fact_id, at, tag, subject, body, _ = row
        return Entry(
            stream=stream,
            position=position,
            id=fact_id,
            at=at,
            subject=subject,
            fact=self._codec.decode(tag, body),
        )

    async def bookmark(self, name: str) -> int:
        """The position kept under `name`, or 0."""
        rows = await self._database.read(BOOKMARK, name=name)
        return int(rows[0][0]) if rows else 0

    def keep_bookmark(self, tx: Transaction, name: str, position: int) -> None:
        """Keep `position` under `name` together with `tx`. A bookmark never moves back."""
        tx.add(KEEP_BOOKMARK, name=name, position=position)

    async def _page(self, stream: StreamName, after: int, limit: int) -> list[Row]:
        return cast(list[Row], await self._database.read(PAGE, stream=stream, after=after, limit=limit))
