"""What is ready to be sent, and those who send it: tasks that take one thing after another, and rest between.

What can begin without being waited for needs no task, only a place.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from belltower.tasks import Crew, unless_mistaken

T = TypeVar("T")


class Line(Generic[T]):
    """At most `most` things are under way at once, the others stand in line. A task begins when it is first needed."""

    def __init__(
        self,
        *,
        crew: Crew,
        most: int,
        send: Callable[[T], Awaitable[None]],
        abandon: Callable[[], None],
        begin: Callable[[T], bool] | None = None,
    ) -> None:
        """`abandon` empties the line, for nobody will serve it any more.

        `begin` sends without a task and says whether it could; for each that it did, `ended` is called in the end. What
        it cannot is left to `send`; one at which it raises has left the line.
        """
        self._crew = crew
        self._most = most
        self._send = send
        self._begin = begin
        self._abandon = abandon
        self._ready: deque[T] = deque()
        self._workers = 0
        self._begun = 0
        self._resting: list[asyncio.Future[None]] = []
        self._is_open = False
        self._filling = False

    def open(self) -> None:
        """From now on those who have sent something wait for more."""
        self._is_open = True
        if not self._workers:
            self._fill()

    def close(self) -> None:
        """What stands in line is still served, by those who serve it now: tasks that end, or are cancelled, with the crew.

        Nothing begins without a task any more.
        """
        self._is_open = False
        while self._resting:
            self._rouse()
        if not self._workers or self._begun:
            self._abandon()

    def put(self, one: T) -> None:
        """`one` is ready."""
        self._ready.append(one)
        if self._resting:
            self._rouse()
        else:
            self._fill()

    def ended(self) -> None:
        """The place of something that was begun without a task is free."""
        self._begun -= 1
        self._fill()

    def pop(self) -> T | None:
        """Whoever is next, if anybody; they are not served."""
        return self._ready.popleft() if self._ready else None

    def _fill(self) -> None:
        """Let somebody serve the next in line, where there is anybody and a place is free."""
        if self._filling:
            return  # who was put in line from within is looked at there
        self._filling = True
        try:
            while self._ready and self._workers + self._begun < self._most:
                if self._begin is None:
                    self._hire()
                    return
                if not self._is_open:
                    self._abandon()
                    return
                one = self._ready.popleft()
                began = unless_mistaken(self._begin, one)
                if began:
                    self._begun += 1
                elif began is not None:
                    self._ready.appendleft(one)
                    self._hire()
                    return
        finally:
            self._filling = False

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
                    if self._begin is not None:
                        return
                if self._begin is not None or not self._is_open:
                    return
                rest: asyncio.Future[None] = loop.create_future()
                self._resting.append(rest)
                await rest
        except asyncio.CancelledError:
            self._abandon()
            raise
        finally:
            self._workers -= 1
            self._fill()  # a surprise ended this one, or what follows may need no task
