"""A disk in virtual time: slow at times, full at times, failing at times. It outlives the lanes that write on it."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any

import apsw

from belltower.errors import StoreError
from belltower.journal.spool import frame, unframe
from belltower.store import Flush, InlineDatabase, SQLiteEngine
from belltower.store.faults import DiskFailed, DiskFull

SOUND, SLOW, FULL, FAILING = "sound", "slow", "full", "failing"
CONDITIONS = (SOUND, SLOW, FULL, FAILING)


class SimDisk:
    """One database and one spool file; what is in them has been synced."""

    def __init__(self, *, random: Random) -> None:
        self.random = random
        self.connection = apsw.Connection(":memory:")
        self.spool = bytearray()
        self.condition = SOUND
        self.spool_fails = False
        self.largest_spool = 0

    def flush(self) -> Flush:
        """How the next group fares."""
        random = self.random
        delay = random.uniform(0.0002, 0.003)
        if random.random() < 0.004:
            delay = random.uniform(0.05, 1.5)
        match self.condition:
            case "slow":
                delay = random.uniform(0.05, 2.0)
            case "full":
                return Flush(delay=delay, error=DiskFull("no space left"))
            case "failing" if random.random() < 0.7:
                return Flush(delay=delay, error=DiskFailed("the disk failed"), lands=random.random() < 0.5)
        return Flush(delay=delay)

    def mount(self) -> Mount:
        """The disk as one process sees it."""
        return Mount(disk=self)


class Mount:
    """A process's view of the disk: its database, its spool and the thread that writes there."""

    def __init__(self, *, disk: SimDisk) -> None:
        self._disk = disk
        self._dead = False
        self._queue: deque[tuple[Callable[[], Any], asyncio.Future[Any]]] = deque()
        self._busy = False
        self.database = InlineDatabase(engine=SQLiteEngine(connection=disk.connection), flush=disk.flush)
        self.spool = SimSpool(disk=disk)

    async def open_database(self) -> InlineDatabase:
        """The database."""
        return self.database

    def run_spool(self, work: Callable[[], Any], /) -> asyncio.Future[Any]:
        """Satisfies `belltower.journal.RunSpool`, with a delay for every piece of work."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Any] = loop.create_future()
        self._queue.append((work, done))
        if not self._busy and not self._dead:
            self._busy = True
            loop.call_later(self._delay(), self._work)
        return done

    def kill(self) -> None:
        """The process is gone: what it had under way is on the disk, or half of it, or none."""
        random = self._disk.random
        self._dead = True
        self.database.abandon(land=random.random() < 0.5)
        if self._queue and random.random() < 0.7:
            self.spool.torn = random.random() if random.random() < 0.5 else None
            with contextlib.suppress(StoreError):
                self._queue[0][0]()
        self._queue.clear()

    def _delay(self) -> float:
        slow = self._disk.condition == SLOW and self._disk.random.random() < 0.3
        return self._disk.random.uniform(0.1, 1.0) if slow else self._disk.random.uniform(0.0003, 0.004)

    def _work(self) -> None:
        if self._dead:
            return
        work, done = self._queue.popleft()
        try:
            result = work()
        except StoreError as error:
            if not done.done():
                done.set_exception(error)
        else:
            if not done.done():
                done.set_result(result)
        if self._queue:
            asyncio.get_running_loop().call_later(self._delay(), self._work)
        else:
            self._busy = False


class SimSpool:
    """Satisfies `belltower.journal.Spool` on a simulated disk, with the file's own care for torn tails."""

    def __init__(self, *, disk: SimDisk) -> None:
        self._disk = disk
        self._opened = False
        self.torn: float | None = None
        """How much of the next piece is written before the process dies, as a share."""

    def append(self, data: bytes) -> None:
        """See `Spool.append`."""
        spool = self._open()
        if self._disk.spool_fails:
            raise DiskFull("no space left for the spool")
        spool += data if self.torn is None else data[: int(len(data) * self.torn)]
        self._disk.largest_spool = max(self._disk.largest_spool, len(spool))

    def read(self, start: int = 0, size: int = -1) -> bytes:
        """See `Spool.read`."""
        spool = self._disk.spool
        return bytes(spool[start:] if size < 0 else spool[start : start + size])

    def clear(self) -> None:
        """See `Spool.clear`."""
        if self.torn is None:
            del self._open()[:]

    def _open(self) -> bytearray:
        spool = self._disk.spool
        if not self._opened:
            self._opened = True
            del spool[sum(len(frame(record)) for record in unframe(bytes(spool))) :]
        return spool
