"""Push to talk: claim the channel, key, lead, sound, tail, unkey; and a watchdog that nothing can hold up.

The watchdog is a thread of its own. Whatever hangs, the source of the sound or the whole loop, 60 s after keying it
unkeys, and tries again until that has worked. A transmission that tripped it is over: nothing keys again before its
source has ended. All that blocks runs in one thread of the transmitter's own, in order: a key that took its time is
followed by its unkeying although nobody waits for it any more, and nothing that hangs elsewhere holds up a key.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from threading import Event, Lock, Thread
from typing import TypeVar

from belltower import log
from belltower.errors import LinkError, Uncertain, Unreachable
from hardware.drivers.key_line import KeyLine

_log = log.get("ptt")

T = TypeVar("T")

LIMIT = 60.0
"""Seconds on the air at most."""
CLAIM = 3.0
"""Seconds for which a busy channel is waited for; then it is keyed all the same."""
LEAD = 0.35
"""Seconds between keying and the first sound."""
TAIL = 0.1
"""Seconds between the last sound and unkeying."""
_POLL = 0.05
_RETRY = 0.5


class Armed:
    """One transmission, as the watchdog sees it."""

    def __init__(self) -> None:
        """A transmission that has not ended."""
        self.wake = Event()
        # The transmitter is unkeyed, and all is well.
        self.idle = False
        # The source has ended, whatever became of the transmitter.
        self.ended = False


class Watchdog:
    """Unkeys after `limit` seconds from a thread of its own."""

    def __init__(self, *, unkey: Callable[[], None], limit: float = LIMIT) -> None:
        """`unkey` may be called from any thread; what it raises is a `LinkError`, and it is called again."""
        self._unkey = unkey
        self._limit = limit
        self._lock = Lock()
        self._tripped: set[Armed] = set()

    @property
    def tripped(self) -> bool:
        """Whether it had to unkey, and the source has not been idle since."""
        return bool(self._tripped)

    def arm(self) -> Armed:
        """The transmitter is about to be keyed. `Unreachable` while the source that tripped it is not idle."""
        with self._lock:
            if self._tripped:
                raise Unreachable("the watchdog has unkeyed this source; it must go idle first")
            armed = Armed()
            Thread(target=self._watch, args=(armed,), name="ptt watchdog", daemon=True).start()
            return armed

    def watches(self, armed: Armed) -> bool:
        """Whether this transmission may be on the air: it has not ended, and its time is not up."""
        with self._lock:
            return not armed.idle and not armed.ended and armed not in self._tripped

    def idle(self, armed: Armed) -> None:
        """The source of this transmission has ended and the transmitter is unkeyed."""
        with self._lock:
            self._tripped.discard(armed)
            armed.idle = True
            armed.wake.set()

    def abandon(self, armed: Armed) -> None:
        """The source has ended, but the transmitter could not be unkeyed: the watchdog does it, at once."""
        with self._lock:
            armed.ended = True
            armed.wake.set()

    def _watch(self, armed: Armed) -> None:
        armed.wake.wait(self._limit)
        with self._lock:
            if armed.idle:
                return
            self._tripped.add(armed)
        _log.error("transmitter_unkeyed_by_watchdog")
        pause = Event()
        while not self._unkeyed():
            pause.wait(_RETRY)
        if armed.ended:
            self.idle(armed)

    def _unkeyed(self) -> bool:
        try:
            self._unkey()
        except LinkError:
            return False
        return True


class PTT:
    """One transmitter. Its transmissions follow one another."""

    def __init__(
        self,
        *,
        line: KeyLine,
        lead: float = LEAD,
        tail: float = TAIL,
        claim: float = CLAIM,
        limit: float = LIMIT,
    ) -> None:
        """Key by `line`."""
        self._line = line
        self._lead = lead
        self._tail = tail
        self._claim = claim
        self._turn = asyncio.Lock()
        self._known_off = False
        self._thread = ThreadPoolExecutor(1, "ptt")
        self.watchdog = Watchdog(unkey=line.unkey, limit=limit)

    @asynccontextmanager
    async def keyed(self) -> AsyncIterator[None]:
        """The block is on the air: lead before it, tail after it. `Unreachable` where it cannot be keyed.

        `Uncertain` at its end when the watchdog ended it: what was sent after that was not heard.
        """
        async with self._turn:
            await self._claimed()
            armed = self.watchdog.arm()
            try:
                await self._aside(partial(self._key, armed))
                await asyncio.sleep(self._lead)
                yield
                await asyncio.sleep(self._tail)
                if self.watchdog.tripped:
                    raise Uncertain("the watchdog has taken the transmitter off the air")
            finally:
                # Behind a key that is still at work, and to its end also when this task is cancelled.
                await self._aside(partial(self._unkey_and_idle, armed))

    async def check(self) -> None:
        """`Unreachable` when the key line cannot be used.

        The first time it unkeys: a process that was killed may have left the transmitter on the air.
        """
        if not self._known_off and not self._turn.locked():
            await self._aside(self._line.unkey)
            self._known_off = True
        await self._aside(self._line.busy)

    def close(self) -> None:
        """Unkey and let go of the line."""
        self._line.close()
        self._thread.shutdown(wait=False)

    def _key(self, armed: Armed) -> None:
        self._line.key()
        if not self.watchdog.watches(armed):
            self._line.unkey()
            raise Unreachable("the transmitter took longer to key than it may be on the air")

    async def _claimed(self) -> None:
        """Wait for a free channel, for a while."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._claim
        while await self._aside(self._line.busy) and loop.time() < until:  # noqa: ASYNC110 - a line is asked, it does not tell
            await asyncio.sleep(_POLL)

    def _unkey_and_idle(self, armed: Armed) -> None:
        try:
            self._line.unkey()
        except LinkError:
            self.watchdog.abandon(armed)
            raise
        self.watchdog.idle(armed)

    async def _aside(self, work: Callable[[], T]) -> T:
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, work))
