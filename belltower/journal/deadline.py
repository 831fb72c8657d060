"""Deadlines: durable promises to look again at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial

from msgspec import Struct

from belltower.clock import SECOND, Clock, Instant
from belltower.journal.tables import CLEAR_DEADLINE, DEADLINES, SET_DEADLINE, STEPS
from belltower.store import Database, Transaction


class Deadline(Struct, frozen=True, kw_only=True):
    """Something to look at again at `due`."""

    key: str
    due: Instant
    body: bytes


class Deadlines:
    """One owner's deadlines.

    For work that is due later than a process may live: the next update that families were promised, the end of a
    disclosure. What is due within seconds is found again in the facts at a restart.

    Set and cleared with a transaction; `follow` yields each when it is due. Once armed, a deadline runs on the event
    loop's monotonic time: a stepped wall clock neither hurries nor delays it. It is armed as soon as it is set, even
    if its transaction then fails: look at the state of things before acting. A due deadline that is not cleared comes
    again at the next start.
    """

    def __init__(self, *, database: Database, clock: Clock, owner: str) -> None:
        self._database = database
        self._clock = clock
        self._owner = owner
        self._armed: dict[str, asyncio.TimerHandle] = {}
        self._due: list[Deadline] = []
        self._more = asyncio.Event()

    async def open(self) -> None:
        """Arm what was promised before."""
        await self._database.migrate(STEPS)
        for key, due, body in await self._database.read(DEADLINES, owner=self._owner):
            self._arm(Deadline(key=key, due=Instant(due), body=bytes(body)))

    def set(self, tx: Transaction, *, key: str, due: Instant, body: bytes = b"") -> None:
        """Look again at `due`; replaces what was set under `key`."""
        tx.add(SET_DEADLINE, owner=self._owner, key=key, due=due, body=body)
        self._arm(Deadline(key=key, due=due, body=body))

    def clear(self, tx: Transaction, *, key: str) -> None:
        """Look no more, from the landing of `tx` on."""
        tx.add(CLEAR_DEADLINE, owner=self._owner, key=key)
        tx.on_landed(partial(self._disarm, key, self._armed.get(key)))

    async def follow(self) -> AsyncIterator[Deadline]:
        """Each deadline when it is due, for ever. One follower at a time."""
        while True:
            while self._due:
                yield self._due.pop(0)
            self._more.clear()
            await self._more.wait()

    def close(self) -> None:
        """Disarm all; the rows stay."""
        for timer in self._armed.values():
            timer.cancel()
        self._armed.clear()

    def _arm(self, deadline: Deadline) -> None:
        self._forget(deadline.key)
        delay = max(0.0, (deadline.due - self._clock.now()) / SECOND)
        self._armed[deadline.key] = asyncio.get_running_loop().call_later(delay, self._ring, deadline)

    def _ring(self, deadline: Deadline) -> None:
        self._armed.pop(deadline.key, None)
        self._due.append(deadline)
        self._more.set()

    def _disarm(self, key: str, timer: asyncio.TimerHandle | None) -> None:
        """Disarm unless it was set anew since."""
        if self._armed.get(key) is timer:
            self._forget(key)

    def _forget(self, key: str) -> None:
        timer = self._armed.pop(key, None)
        if timer is not None:
            timer.cancel()
        self._due = [deadline for deadline in self._due if deadline.key != key]
