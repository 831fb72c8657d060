"""One stream's live end: a bounded ring of recent entries that any number of followers read at their own pace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Generic, cast

from belltower.journal.entry import UNPLACED, Draft, Entry, F, Row
from belltower.tasks import unless_mistaken

RING = 8_192
PAGE_ROWS = 1_000

ReadPage = Callable[[int, int], Awaitable[list[Row]]]
"""Entries after a position, at most so many, from the database."""


class Feed(Generic[F]):
    """Feeds followers from memory, and from the database those further behind than the ring reaches."""

    def __init__(self, *, page: ReadPage, entry: Callable[[Row], Entry[F]], size: int = RING) -> None:
        self._page = page
        self._entry = entry
        self._size = size
        self._rows: list[Row] = []
        self._entries: list[Entry[F] | Draft[F] | None] = []
        self._fed = 0
        # Of each type of fact, behind how many entries fed the last one stands; under None, of what is not decoded.
        self._latest: dict[type | None, int] = {}
        self._forgotten = 0
        self._wakers: list[asyncio.Future[None]] = []
        self._taps: list[tuple[tuple[type, ...], Callable[[Entry[F]], None]]] = []
        self.unplaced: dict[str, tuple[Row, Draft[F] | None]] = {}
        """What was fed without a place and has not got one since, by fact id."""
        self.head = 0
        """The last position known to be committed."""
        self.head_hash = b""

    def start(self, head: int, head_hash: bytes) -> None:
        """Begin behind `head`: all up to it is in the database."""
        self.head = self._forgotten = head
        self.head_hash = head_hash

    def give(self, row: Row) -> None:
        """Feed one entry, decoded once somebody follows."""
        self.give_all((row,), (None,))

    def give_all(self, rows: Sequence[Row], drafts: Sequence[Draft[F] | None]) -> None:
        """Feed entries to every follower, with the drafts they come from. Placed ones come in order of position.

        The taps hear of them first.
        """
        given = {None if draft is None else type(draft.fact) for draft in drafts}
        for kinds, tap in self._taps:
            if any(kind is not None and issubclass(kind, kinds) for kind in given):
                for row, draft in zip(rows, drafts, strict=True):
                    if draft is not None and isinstance(draft.fact, kinds):
                        unless_mistaken(tap, self._made(row, draft))
        for row, draft in zip(rows, drafts, strict=True):
            position = row[1]
            if position == UNPLACED:
                if len(self.unplaced) < self._size:
                    self.unplaced[row[2]] = (row, draft)
            else:
                if self.unplaced:
                    self.unplaced.pop(row[2], None)
                self.head = position
                self.head_hash = row[7]
            if self._fed < self._size:
                self._rows.append(row)
                self._entries.append(draft)
            else:
                slot = self._fed % self._size
                lost = self._rows[slot][1]
                if lost != UNPLACED:
                    self._forgotten = lost
                self._rows[slot] = row
                self._entries[slot] = draft
            self._fed += 1
        for kind in given:
            self._latest[kind] = self._fed
        if self._wakers:
            self.wake()

    def tap(self, kinds: tuple[type, ...], tap: Callable[[Entry[F]], None]) -> None:
        """Let `tap` hear of entries of these kinds ahead of the followers."""
        self._taps.append((kinds, tap))

    def wake(self) -> None:
        """Let every waiting follower look again."""
        wakers, self._wakers = self._wakers, []
        for waker in wakers:
            if not waker.done():
                waker.set_result(None)

    async def follow(
        self, after: int, kinds: tuple[type, ...] = ()
    ) -> AsyncIterator[list[tuple[Entry[F], Row]]]:
        """Runs of entries behind `after`, for ever. An unplaced one comes again when it has its place.

        With `kinds`, facts of other types may be left out, where that spares making them.
        """
        position = after
        while True:
            while position < self._forgotten:
                rows = await self._page(position, PAGE_ROWS)
                if not rows:
                    break
                position = rows[-1][1]
                yield [(self._entry(row), row) for row in rows]
            cursor = max(0, self._fed - self._size)
            outstanding = list(self.unplaced.values())
            if outstanding:
                yield [(self._made(row, draft), row) for row, draft in outstanding]
            while cursor >= self._fed - self._size:
                if kinds and not self._any(kinds, cursor):
                    cursor, position = self._fed, max(position, self.head)
                if cursor == self._fed:
                    await self._more()
                    continue
                stop = min(self._fed, cursor + PAGE_ROWS)
                run = []
                for number in range(cursor, stop):
                    slot = number % self._size
                    row = self._rows[slot]
                    place = row[1]
                    if place == UNPLACED or place > position:
                        position = place or position
                        entry = self._entries[slot]
                        if kinds and entry is not None and not isinstance(entry.fact, kinds):
                            continue
                        if type(entry) is not Entry:
                            entry = self._entries[slot] = self._made(row, cast("Draft[F] | None", entry))
                        run.append((entry, row))
                cursor = stop
                if run:
                    yield run

    def _any(self, kinds: tuple[type, ...], after: int) -> bool:
        """Whether one of `kinds`, or what may be, was fed behind so many entries."""
        return any(
            number > after and (kind is None or issubclass(kind, kinds))
            for kind, number in self._latest.items()
        )

    def _made(self, row: Row, draft: Draft[F] | None) -> Entry[F]:
        if draft is None:
            return self._entry(row)
        return Entry(
            stream=row[0],
            position=row[1],
            id=draft.id,
            at=draft.at,
            subject=draft.subject,
            fact=draft.fact,
        )

    async def _more(self) -> None:
        waker: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._wakers.append(waker)
        await waker
