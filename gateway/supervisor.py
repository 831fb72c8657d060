"""Starts the two lanes as processes of their own, starts a lane that ended again, and ends both in order.

The alarm lane comes first and goes last. A lane that ends because its settings are wrong (exit 78) is not started
again by itself at once: it would end again; it is tried every minute, and the other lane runs on. The supervisor
keeps no state but a lock on the state folder, so that a second one says so and ends. Should it be killed, its lanes end too (their standard input is a pipe that only it holds open), so
that whoever starts the supervisor again never meets a lane of the last one.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from belltower import log
from belltower.errors import SettingsError
from belltower.tasks import Crew
from gateway.process import ANOTHER_RUNS, SETTINGS_EXIT, end_with_parent

_log = log.get("supervisor")

_FIRST_WAIT = 0.1
_LONGEST_WAIT = 5.0
_HEALTHY_AFTER = 10.0
_SETTINGS_WAIT = 60.0
_LAST_CALL = 10.0
_LANES = ("alarm", "desk")


def hold(folder: Path) -> int | None:
    """Be the one supervisor of a state folder, as long as the descriptor is open. Raises `SettingsError`.

    None: the folder cannot be written, so that nothing can be said; that must not keep the lanes from running.
    """
    lock = None
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder / "supervisor.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        if lock is not None:
            os.close(lock)
        raise SettingsError(f"{ANOTHER_RUNS}: {folder}") from error
    except OSError:
        return lock
    return lock


class Lane:
    """One lane's process, for ever."""

    def __init__(self, *, name: str, config: Path, command: Sequence[str] | None = None) -> None:
        self.name = name
        self._command = (
            list(command)
            if command is not None
            else [sys.executable, "-m", f"gateway.{name}_lane", "--config", str(config)]
        )
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """The process that runs now."""
        running = self._process
        return running.pid if running is not None and running.returncode is None else None

    async def run(self) -> None:
        """Start the lane, and again whenever it ends."""
        loop = asyncio.get_running_loop()
        wait = _FIRST_WAIT
        refused = False
        while True:
            began = loop.time()
            try:
                process = await asyncio.create_subprocess_exec(
                    *self._command, stdin=asyncio.subprocess.PIPE, start_new_session=True
                )
            except OSError as error:  # no memory or no process to be had: the other lane must not end over it
                if not refused:
                    _log.error("lane_cannot_start", which=self.name, error=error.strerror)
                refused = True
                await asyncio.sleep(wait)
                wait = min(wait * 2, _LONGEST_WAIT)
                continue
            refused = False
            self._process = process
            _log.info("lane_started", which=self.name, pid=process.pid)
            code = await process.wait()
            _log.error("lane_ended", which=self.name, code=code)
            if code == SETTINGS_EXIT:
                wait = _SETTINGS_WAIT
            elif loop.time() - began > _HEALTHY_AFTER:
                wait = _FIRST_WAIT
            await asyncio.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT)

    async def end(self) -> None:
        """Ask the lane to end; make it after ten seconds."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(_LAST_CALL):
                await process.wait()
        except TimeoutError:
            _log.error("lane_hangs", which=self.name)
            process.kill()
            await process.wait()


async def run(config: Path) -> int:
    """Run both lanes until a signal to end; the exit code."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    end_with_parent(stop.set)
    lanes = [Lane(name=name, config=config) for name in _LANES]
    async with Crew() as crew:
        tasks = [crew.essential(f"{lane.name}-lane", lane.run) for lane in lanes]
        await stop.wait()
        for task, lane in reversed(list(zip(tasks, lanes, strict=True))):
            task.cancel()
            await lane.end()
    return 0
