"""A lane as the process it is, started on settings of the test's own and asked over its socket."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from belltower.errors import Unreachable
from gateway.control import ControlClient, Status
from tests.gateway.cli.house import ENVIRONMENT, ROOT
from tests.peers.waiting import PATIENCE


class RunningLane:
    """A lane's process and what it says."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path, socket: Path) -> None:
        self.process = process
        self._log = log
        self._client = ControlClient(path=socket)

    def log(self) -> str:
        """What it has logged so far."""
        return self._log.read_text(encoding="utf-8")

    async def says(self, wanted: Callable[[Status], object]) -> Status:
        """The first status that is as wanted; fails when the process ends before."""
        async with asyncio.timeout(PATIENCE):
            while self.process.returncode is None:
                with suppress(Unreachable):
                    status = await self._client.look()
                    if wanted(status):
                        return status
                await asyncio.sleep(0.05)
        raise AssertionError(self.log())


@asynccontextmanager
async def alarm_lane(config: Path, **environ: str) -> AsyncIterator[RunningLane]:
    """The alarm lane of these settings, ended at the end."""
    log = config.with_name("alarm.log")
    command = [sys.executable, "-m", "gateway.alarm_lane", "--config", str(config)]
    descriptor = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=ROOT,
            env={**ENVIRONMENT, **environ},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
        )
    finally:
        os.close(descriptor)
    try:
        yield RunningLane(process, log, config.parent / "var" / "control.sock")
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
