"""The demo's parts: each a `belltower` of its own, kept running."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from belltower.errors import BelltowerError
from gateway.process import TIED

_START = 60.0
_END = 12.0
_AGAIN = 1.0

Told = dict[str, Any]
"""What a part prints once it runs: its ports and addresses."""

Command = Callable[[Told], Sequence[str]]
"""The arguments of a part, by what it told when it was first started; at that time, of nothing."""


class ChildEndedError(BelltowerError):
    """A part of the demo could not be started."""


class _Part:
    """One part: how it is started, and its process."""

    def __init__(self, *, name: str, command: Command, speaks: bool) -> None:
        self.name = name
        self.command = command
        self.speaks = speaks
        self.told: Told = {}
        self.process: asyncio.subprocess.Process | None = None

    @property
    def running(self) -> asyncio.subprocess.Process | None:
        return self.process if self.process is not None and self.process.returncode is None else None


class Parts:
    """The demo's processes. Each is told to end by its own id, the last started first."""

    def __init__(self, *, folder: Path) -> None:
        self._folder = folder
        self._parts: list[_Part] = []

    async def start(self, name: str, command: Command, *, speaks: bool = True) -> Told:
        """Start `belltower` with the arguments `command` gives; returns the line it prints, as JSON, if it `speaks`.

        `command` is asked again at each later start, with what the first one told, so that ports stay.
        """
        part = _Part(name=name, command=command, speaks=speaks)
        self._parts.append(part)
        part.told = await self._start(part)
        return part.told

    async def _start(self, part: _Part) -> Told:
        log = self._log(part.name)
        process = part.process = await _spawned(part.command(part.told), log, speaks=part.speaks)
        if process.stdout is None:
            return {}
        try:
            async with asyncio.timeout(_START):
                line = await process.stdout.readline()
            told: Told = json.loads(line)
        except (TimeoutError, ValueError) as error:
            raise ChildEndedError(f"{part.name} did not start; {_last_words(log)}") from error
        return told

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    async def once(self, name: str, *words: str) -> tuple[int, str]:
        """Run `belltower` with the arguments `words` to its end, and not again: its exit code, and what it said last.

        Raises `OSError` where no process can be started. It is killed when we are cancelled.
        """
        log = self._log(name)
        process = await _spawned(words, log, speaks=False)
        try:
            return await process.wait(), _last_line(log)
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):  # it ends just now
                    os.killpg(process.pid, signal.SIGKILL)  # and what it has started
                await process.wait()

    async def wait_for(self, port: int) -> None:
        """Wait until somebody listens on the port; `ChildEndedError` if a part ends before, or if that takes too long."""
        try:
            async with asyncio.timeout(_START):
                while not await _listens(port):
                    self._all_alive()
                    await asyncio.sleep(0.05)
        except TimeoutError as error:
            raise ChildEndedError(f"nothing listens on port {port} after {_START:g} s") from error

    async def keep(self) -> None:
        """Read what the parts print and start again what ends, for ever."""
        async with asyncio.TaskGroup() as group:
            for part in self._parts:
                group.create_task(self._keep(part), name=f"demo.{part.name}")

    async def _keep(self, part: _Part) -> None:
        while True:
            if part.process is not None:
                if part.process.stdout is not None:
                    while await part.process.stdout.read(4096):
                        continue
                await part.process.wait()
            await asyncio.sleep(_AGAIN)
            try:
                await self._start(part)
            except ChildEndedError:
                if part.running is not None:  # it runs, and said nothing
                    part.running.kill()

    def _all_alive(self) -> None:
        for part in self._parts:
            if part.running is None:
                raise ChildEndedError(f"{part.name} has ended; {_last_words(self._log(part.name))}")

    async def end(self) -> None:
        """End every part, the last started first."""
        for part in reversed(self._parts):
            process = part.running
            if process is None:
                continue
            process.send_signal(signal.SIGTERM)
            draining = process.stdout.read() if process.stdout is not None else asyncio.sleep(0)
            try:
                async with asyncio.timeout(_END):
                    await asyncio.gather(process.wait(), draining)
            except TimeoutError:
                process.kill()
                await process.wait()


async def _spawned(words: Sequence[str], log: Path, *, speaks: bool) -> asyncio.subprocess.Process:
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "gateway.cli",
            *words,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE if speaks else descriptor,
            stderr=descriptor,
            env=os.environ | {TIED: "1"},
            start_new_session=True,  # the terminal's Ctrl-C is ours: we end them in order
        )
    finally:
        os.close(descriptor)


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.transport.abort()
    return True


def _last_words(log: Path) -> str:
    line = _last_line(log)
    return f"its last words: {line}" if line else "it said nothing"


def _last_line(log: Path) -> str:
    with suppress(OSError):
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        if lines:
            return lines[-1][:300]
    return ""
