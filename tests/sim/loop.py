"""An event loop on which a day passes in a moment: no selector, no threads, time jumps to the next timer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context
from heapq import heappop, heappush
from random import Random
from typing import Any

from belltower.clock import SECOND, Instant


class Stuck(Exception):
    """Nothing is ready and nothing is due: everybody waits for somebody."""


class Runaway(Exception):
    """More callbacks ran than any sound day needs."""


class SimLoop(asyncio.BaseEventLoop):
    """Virtual time, seeded.

    Timers of the same instant fire in an order drawn by the seed. `after_callbacks` runs something between two
    callbacks, wherever that is; `limit` bounds how many callbacks may run in all.
    """

    def __init__(self, *, random: Random, limit: int = 5_000_000) -> None:
        super().__init__()
        self._random = random
        self._virtual = 0.0
        self._limit = limit
        self._timers: list[tuple[float, float, asyncio.TimerHandle]] = []
        self._cuts: list[tuple[int, Callable[[], None]]] = []
        self.callbacks = 0
        self.failures: list[dict[str, Any]] = []
        self.set_exception_handler(lambda _, context: self.failures.append(context))

    def time(self) -> float:
        """Seconds since the world began."""
        return self._virtual

    @property
    def timers(self) -> int:
        """How many timers wait."""
        return sum(not timer.cancelled() for _, _, timer in self._timers)

    def after_callbacks(self, count: int, work: Callable[[], None]) -> None:
        """Run `work` once `count` more callbacks have run, between that one and the next."""
        self._cuts.append((self.callbacks + count, work))

    def call_soon(self, callback: Any, *args: Any, context: Context | None = None) -> asyncio.Handle:
        """See `AbstractEventLoop.call_soon`."""
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(
        self, delay: float, callback: Any, *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """See `AbstractEventLoop.call_later`."""
        return self.call_at(self._virtual + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Any, *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """See `AbstractEventLoop.call_at`."""
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        timer._scheduled = True
        heappush(self._timers, (when, self._random.random(), timer))
        return timer

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It is passed over when its time comes."""

    def _run_once(self) -> None:
        """Run what is ready; when nothing is, jump to the next timer."""
        ready, timers = self._ready, self._timers
        if not ready:
            while timers and timers[0][2]._cancelled:
                heappop(timers)
            if not timers:
                raise Stuck(f"at {self._virtual:.3f} s everybody waits for somebody")
            self._virtual = max(self._virtual, timers[0][0])
        while timers and timers[0][0] <= self._virtual:
            timer = heappop(timers)[2]
            if not timer._cancelled:
                ready.append(timer)
        for _ in range(len(ready)):
            if self._cuts:
                self._cut()
            handle = ready.popleft()
            if not handle._cancelled:
                self.callbacks += 1
                handle._run()
        if self.callbacks > self._limit:
            raise Runaway(f"at {self._virtual:.3f} s, after {self.callbacks} callbacks")

    def _cut(self) -> None:
        due = [cut for cut in self._cuts if cut[0] <= self.callbacks]
        for cut in due:
            self._cuts.remove(cut)
            cut[1]()

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        """Threads have no place in virtual time."""
        raise AssertionError(f"{func} asks for a thread")

    async def getaddrinfo(self, *args: Any, **kwargs: Any) -> Any:
        """Nothing is looked up."""
        raise AssertionError("a name was looked up")

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """There is none."""


class SimClock:
    """Satisfies `belltower.clock.Clock`: the wall clock can be stepped, the monotonic one is the loop's time."""

    def __init__(self, *, loop: SimLoop, base: int = 1_790_000_000) -> None:
        self._loop = loop
        self._offset = base * SECOND

    def now(self) -> Instant:
        """The wall clock."""
        return Instant(self._offset + int(self._loop.time() * SECOND))

    def monotonic(self) -> float:
        """The loop's time."""
        return self._loop.time()

    def step(self, seconds: float) -> None:
        """Move the wall clock."""
        self._offset += int(seconds * SECOND)
