"""An event loop whose clock jumps to the next timer, so that an hour passes at once. Not for real sockets."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any

from belltower.clock import Instant

START = Instant(1_790_000_000_000_000)


class Stuck(Exception):
    """Everybody waits for somebody."""


class _Jump(selectors.BaseSelector):
    def __init__(self, loop: "VirtualLoop") -> None:
        self._loop = loop
        self._real = selectors.SelectSelector()

    def register(self, fileobj, events, data=None):
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj):
        return self._real.unregister(fileobj)

    def modify(self, fileobj, events, data=None):
        return self._real.modify(fileobj, events, data)

    def get_map(self):
        return self._real.get_map()

    def close(self):
        self._real.close()

    def select(self, timeout=None):
        found = self._real.select(0)
        if not found and timeout is None:
            raise Stuck(f"at {self._loop.time():.3f} s everybody waits for somebody")
        if not found and timeout > 0:
            self._loop.now += timeout
        return found


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time is what the timers say."""

    def __init__(self) -> None:
        self.now = 0.0
        super().__init__(_Jump(self))

    def time(self) -> float:
        return self.now


class LoopClock:
    """A clock on the running loop's time."""

    def __init__(self) -> None:
        self.step = 0

    def now(self) -> Instant:
        return Instant(START + int(asyncio.get_running_loop().time() * 1_000_000) + self.step)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


def in_virtual_time(work: Coroutine[Any, Any, Any]) -> Any:
    """Run `work` on a virtual loop."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)
