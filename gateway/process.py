"""What every lane's process does alike: end in order, and say why it cannot start."""

from __future__ import annotations

import asyncio
import gc
import os
import select
import selectors
import signal
import stat
import sys
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

from belltower import log
from belltower.errors import LinkError, SettingsError
from belltower.store import Taken

_log = log.get("process")

LAST_CALL = 8.0
"""Seconds that a lane has to end in order."""

SETTINGS_EXIT = 78
"""How a process ends that cannot run with these settings (sysexits.h, EX_CONFIG)."""

NO_ANSWER_EXIT = 69
"""How a process ends that did not get what it needs, a port for instance (sysexits.h, EX_UNAVAILABLE)."""

TAKEN_EXIT = 75
"""How a lane ends that meets another one on its state folder, perhaps one that is just ending (sysexits.h, EX_TEMPFAIL)."""

ANOTHER_RUNS = "another Belltower runs with this state folder"

TIED = "BELLTOWER_TIED"
"""Set in the environment of a process that ends when the pipe on its standard input is closed."""

_TIED_LAST_CALL = 2.0

TURN = 0.0005
"""Seconds for which a busy loop may keep the writer's thread from the interpreter; Python's own 5 ms add up."""

_COLLECT = (10_000, 20, 50)
"""How many objects until the collector looks; its default of 700 falls into the middle of a press."""

_AT_ONCE = 64
"""Descriptors served in one turn of a lane's loop; see `fair_loop`."""

Lane = Callable[[Path, asyncio.Event], Awaitable[None]]
"""Runs a lane on a settings file until the event is set."""


def main(lane: Lane) -> int:
    """Run a lane on the settings file given as `--config`, until a signal or its supervisor ends it; the exit code."""
    arguments = sys.argv[1:]
    if len(arguments) != 2 or arguments[0] != "--config":
        print("usage: --config FILE", file=sys.stderr)  # noqa: T201 - no log yet
        return 2
    return run_lane(lane, Path(arguments[1]))


class _FewAtOnce(selectors.EpollSelector):
    """Tells of some descriptors that are ready, the kernel taking turns among them; the rest comes next time."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """See `selectors.BaseSelector.select`."""
        wait = -1.0 if timeout is None else max(timeout, 0.0)
        try:
            events = self._selector.poll(wait, _AT_ONCE)  # type: ignore[attr-defined]
        except InterruptedError:
            return []
        known = self.get_map()
        ready = []
        for number, event in events:
            key = known.get(number)
            if key is not None:
                wanted = selectors.EVENT_WRITE if event & ~select.EPOLLIN else 0
                wanted |= selectors.EVENT_READ if event & ~select.EPOLLOUT else 0
                ready.append((key, wanted & key.events))
        return ready


def fair_loop() -> asyncio.AbstractEventLoop:
    """A loop on which a crowd at the door does not keep what is done for those inside.

    When 10,000 units press at once, a turn of asyncio's own loop serves them all before it comes to what the first
    press has set off, its commit and its call: seconds. Here a turn serves few, and the call leaves in between.
    """
    return asyncio.SelectorEventLoop(_FewAtOnce())


def run_lane(lane: Lane, config: Path) -> int:
    """Run a lane until a signal or its supervisor ends it; the exit code."""
    code = 0
    try:
        with asyncio.Runner(loop_factory=fair_loop) as runner:
            runner.run(_until_stopped(lane, config))
    except* SettingsError as faults:
        _say(faults)
        code = SETTINGS_EXIT
    except* Taken:
        print(ANOTHER_RUNS, file=sys.stderr)  # noqa: T201 - as below
        code = TAKEN_EXIT
    except* LinkError as faults:
        _say(faults)
        code = NO_ANSWER_EXIT
    return code


def _say(faults: BaseExceptionGroup[Exception]) -> None:
    """The last words of a process that cannot start, a line each."""
    for fault in faults.exceptions:
        if isinstance(fault, BaseExceptionGroup):
            _say(fault)
        else:
            print(fault, file=sys.stderr)  # noqa: T201 - it has no log to say it in


async def _until_stopped(lane: Lane, config: Path) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    _at_end_of_input(stop.set)
    await lane(config, stop)


async def run_until(
    work: Coroutine[Any, Any, None], stop: asyncio.Event, ready: asyncio.Event | None = None
) -> None:
    """Run `work` until it ends or `stop` is set; what it raises is raised.

    Once `ready` is set, the collector is told that what stands then stays.
    Work that has not ended `LAST_CALL` seconds after it was told to is left behind: its tasks are named in the log,
    and the process ends all the same.
    """
    sys.setswitchinterval(TURN)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(work, name="lane")
        running.add_done_callback(lambda _: stop.set())
        settling = group.create_task(_settle_memory(ready), name="settle-memory") if ready else None
        await stop.wait()
        if settling is not None:
            settling.cancel()
        running.cancel()
        await asyncio.wait({running}, timeout=LAST_CALL)
        if not running.done():
            hanging = sorted(task.get_name() for task in asyncio.all_tasks() if not task.done())
            _log.error("tasks_hang", tasks=hanging)
            os._exit(1)


async def _settle_memory(ready: asyncio.Event) -> None:
    await ready.wait()
    settle_memory()


def settle_memory() -> None:
    """Tell the collector that what stands now stays, and that it need not look so often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT)


def tied(work: Coroutine[Any, Any, None]) -> None:
    """Run `work` until it ends, or until whoever started this process is gone, if they asked for that by `TIED`."""

    async def run() -> None:
        running = asyncio.current_task()
        gone = asyncio.Event()

        def end() -> None:
            gone.set()
            if running is not None:
                running.cancel()
            # A task group whose wire breaks in the same moment may swallow the cancellation.
            asyncio.get_running_loop().call_later(_TIED_LAST_CALL, os._exit, 1)

        end_with_parent(end)
        try:
            await work
        except asyncio.CancelledError:
            if not gone.is_set():
                raise

    asyncio.run(run())


def end_with_parent(end: Callable[[], object]) -> None:
    """Call `end` once whoever started this process is gone, if they asked for that by `TIED` in our environment."""
    if os.environ.get(TIED):
        _at_end_of_input(end)


def _at_end_of_input(end: Callable[[], object]) -> None:
    """Call `end` when the pipe on standard input is closed; a terminal, a file or nothing there is nobody's pipe."""
    try:
        if not stat.S_ISFIFO(os.fstat(0).st_mode) and not stat.S_ISSOCK(os.fstat(0).st_mode):
            return
    except OSError:
        return
    loop = asyncio.get_running_loop()

    def readable() -> None:
        try:
            said = os.read(0, 1024)
        except OSError:  # what was a pipe's or a socket's other end is broken
            said = b""
        if not said:
            loop.remove_reader(0)
            end()

    loop.add_reader(0, readable)
