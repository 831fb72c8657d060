"""When the head of a stream is signed."""

from __future__ import annotations

import asyncio
from typing import Generic

from belltower.ids import StreamName
from belltower.journal.checkpoint import EVERY_ENTRIES, EVERY_SECONDS, Signer
from belltower.journal.entry import F
from belltower.journal.feed import Feed
from belltower.journal.spool import RunSpool
from belltower.journal.tables import CHECKPOINT, LAST_CHECKPOINT
from belltower.store import Database, Transaction


class Signing(Generic[F]):
    """Signs the head of `feed` every so many entries, and every so many seconds in which there was one."""

    def __init__(
        self, *, database: Database, stream: StreamName, feed: Feed[F], signer: Signer | None
    ) -> None:
        self._database = database
        self._stream = stream
        self._feed = feed
        self._signer = signer
        self._position = 0
        self._at = 0.0

    async def open(self) -> None:
        """Find what was signed last."""
        last = await self._database.read(LAST_CHECKPOINT, stream=self._stream)
        self._position = int(last[0][0]) if last else 0
        self._at = asyncio.get_running_loop().time()

    @property
    def full(self) -> bool:
        """Whether so many entries have come that it is time."""
        return self._signer is not None and self._feed.head >= self._position + EVERY_ENTRIES

    @property
    def due(self) -> bool:
        """Whether it is time."""
        return self.full or asyncio.get_running_loop().time() >= self._at + EVERY_SECONDS

    async def sign(self, run: RunSpool) -> None:
        """Sign the head, unless it is signed; `run` runs what blocks. Raises `StoreError`."""
        position, digest = self._feed.head, self._feed.head_hash
        self._at = asyncio.get_running_loop().time()
        if self._signer is None or position <= self._position:
            return
        row, write = self._signer.sign(self._stream, position, digest)
        tx = Transaction()
        tx.rows(CHECKPOINT, [row])
        await self._database.submit(tx)
        await run(write)
        self._position = position
