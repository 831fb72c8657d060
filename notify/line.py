"""What is ready to be sent, and those who send it: tasks that take one thing after another, and rest between."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from belltower.tasks import Crew

T = TypeVar("T")


class Line(Generic[T]):
    """At most `most` things are under way at once, the others stand in line. A task begins when it is first needed."""

    def __init__(
        self, *, crew: Crew, most: int, send: Callable[[T], Awaitable[None]], abandon: Callable[[], None]
    ) -> None:
        """`abandon` empties the line, for nobody will serve it any more."""
        self._crew = crew
        self._most = most
        self._send = send
        self._abandon = abandon
        self._ready: deque[T] = deque()
        self._workers = 0
        self._resting: list[asyncio.Future[None]] = []
        self._is_open = False

    def open(self) -> None:
        """From now on those who have sent something wait for more."""
        self._is_open = True
        if self._ready and not self._workers:
            self._hire()

    def close(self) -> None:
        """What stands in line is still served, by those who serve it now."""
        self._is_open = False
        while self._resting:
            self._rouse()
        if not self._workers:
            self._abandon()

    def put(self, one: T) -> None:
        """`one` is ready."""
        self._ready.append(one)
        if self._resting:
            self._rouse()
        elif self._workers < self._most:
            self._hire()

    def pop(self) -> T | None:
        """Whoever is next, if anybody; they are not served."""
        return self._ready.popleft() if self._ready else None

    def _hire(self) -> None:
        self._workers += 1
        self._crew.once("notify.send", self._work())

    def _rouse(self) -> None:
        rest = self._resting.pop()
        if not rest.done():
            rest.set_result(None)

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                while self._ready:
                    await self._send(self._ready.popleft())
                if not self._is_open:
                    return
                rest: asyncio.Future[None] = loop.create_future()
                self._resting.append(rest)
                await rest
        except asyncio.CancelledError:
            self._abandon()
            raise
        finally:
            self._workers -= 1
            if self._ready:  # a surprise ended this one
                self._hire()
