"""Verbs asked by people, each done once: whoever asks twice is answered the same."""

from __future__ import annotations

import asyncio

from belltower.clock import SECOND, Clock, Instant
from belltower.errors import StoreError
from belltower.ids import VerbId
from belltower.incident import store
from belltower.journal import Durability
from belltower.store import Database, Transaction

_AT_HAND = 10_000
_KEPT = 7 * 24 * 3600 * SECOND


class Once:
    """What each verb answered: of late in memory, for a week in the store."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._answers: dict[VerbId, str] = {}
        self._underway: dict[VerbId, asyncio.Future[Durability]] = {}

    async def before(self, verb: VerbId) -> str | None:
        """What the verb answered when it was asked before; None if it never was, as far as can be read.

        Where it is still being written down, that is waited for.
        """
        if verb not in self._answers:
            try:
                before = await store.result_of(self._database, verb)
            except StoreError:
                before = None  # an alarm is not held up by a disk
            # Asked twice at the same time, the other asking may have been done while we read.
            if verb not in self._answers:
                return before
        if (underway := self._underway.get(verb)) is not None:
            await underway
        return self._answers[verb]

    def answer(self, tx: Transaction, verb: VerbId, answer: str) -> None:
        """From now on the verb has this answer; its row lands with `tx`."""
        store.done(tx, verb, self._clock.now(), answer)
        self._answers[verb] = answer
        while len(self._answers) > _AT_HAND:
            del self._answers[next(iter(self._answers))]

    async def written(self, verb: VerbId, durability: asyncio.Future[Durability]) -> Durability:
        """Wait until what the verb did is written down; whoever asks again meanwhile waits too."""
        self._underway[verb] = durability
        try:
            return await durability
        finally:
            del self._underway[verb]

    async def forget_old(self) -> None:
        """Drop answers that nobody will ask for any more."""
        tx = Transaction()
        store.forget_verbs(tx, Instant(self._clock.now() - _KEPT))
        await self._database.submit(tx)
