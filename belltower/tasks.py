"""Supervision in two words.

*Essential* work (the journal, the control socket) takes its lane down when it ends; the supervisor restarts the lane.
*Mendable* work (drivers, links, channels) is restarted for ever, with jittered, capped backoff.
The root of each lane is one `Crew`: an `asyncio.TaskGroup` in which every task bears a name. This is the only module
that catches `Exception` or starts a bare task.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from random import Random
from typing import Any, Self, TypeVar

from belltower import log
from belltower.errors import BelltowerError

_log = log.get("tasks")

T = TypeVar("T")
R = TypeVar("R")

Work = Callable[[], Awaitable[None]]
"""Something that is meant to run for ever."""


def unless_mistaken(call: Callable[[T], R], given: T) -> R | None:
    """Call somebody who must not hold up the caller by a mistake of their own: what it raises is logged, None returned."""
    try:
        return call(given)
    except Exception:  # noqa: BLE001 - the guard
        _log.exception("call_failed")
        return None


async def together(**work: Coroutine[Any, Any, None]) -> None:
    """Run several pieces of work at once, each a task of its name; the first failure ends all and is raised.

    Being cancelled always wins. A task group is not enough here: before Python 3.13, one whose child fails in the moment
    in which its parent is cancelled raises the child's error only, and a parent that goes on after an error never ends.
    """
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(piece, name=name.replace("_", " ")) for name, piece in work.items()]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error


class EndedQuietlyError(BelltowerError):
    """Work that should never end returned without an error."""


class Crew:
    """A lane's tasks. Use as `async with Crew(...) as crew`; leaving the block waits for, or cancels, them all."""

    def __init__(self, *, random: Random | None = None, backoff: tuple[float, float] = (0.1, 15.0)) -> None:
        self._random = random or Random()  # noqa: S311 - jitter, not a secret
        self._first, self._cap = backoff
        self._group = asyncio.TaskGroup()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(self, *details: Any) -> None:
        await self._group.__aexit__(*details)

    def essential(self, name: str, work: Work) -> asyncio.Task[None]:
        """Run `work`; its ending, quietly or not, ends the crew."""
        return self._start(name, self._essential(name, work))

    def mendable(
        self, name: str, work: Work, *, on_failure: Callable[[Exception], None] | None = None
    ) -> asyncio.Task[None]:
        """Run `work` for ever. `on_failure` hears of every failure, before the wait; the log only of a first one."""
        return self._start(name, self._mendable(name, work, on_failure))

    def once(self, name: str, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run a piece of work that is meant to end; what it raises is logged and goes no further."""
        task = self._start(name, self._once(name, work))
        # One that is cancelled before it began would leave its work unawaited, which Python complains of.
        task.add_done_callback(lambda _: work.close())
        return task

    def hanging(self) -> list[str]:
        """Names of the tasks that have not ended, for the last words of a shutdown."""
        return sorted(task.get_name() for task in self._tasks if not task.done())

    def _start(self, name: str, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = self._group.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _essential(self, name: str, work: Work) -> None:
        await work()
        raise EndedQuietlyError(f"{name} ended")

    async def _mendable(self, name: str, work: Work, on_failure: Callable[[Exception], None] | None) -> None:
        loop = asyncio.get_running_loop()
        wait = self._first
        while True:
            began = loop.time()
            try:
                await work()
                raise EndedQuietlyError(f"{name} ended")  # noqa: TRY301 - quiet is treated like loud
            except Exception as error:  # noqa: BLE001 - the guard
                healthy = loop.time() - began > self._cap
                wait = self._first if healthy else wait
                if healthy or wait == self._first:
                    _log.warning("task_failed", task=name, error=type(error).__name__)
                if on_failure is not None:
                    on_failure(error)
            await asyncio.sleep(wait * self._random.uniform(0.5, 1.0))
            wait = min(wait * 2, self._cap)

    async def _once(self, name: str, work: Coroutine[Any, Any, Any]) -> None:
        try:
            await work
        except Exception:  # noqa: BLE001 - the guard
            _log.exception("task_failed", task=name)
