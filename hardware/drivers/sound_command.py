"""Sound into a program of this machine, a sound card's player for instance: 16 bits, 8,000 a second, one channel.

aplay -q -t raw -f S16_LE -r 8000 -c 1 -D plughw:1
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from belltower.errors import Unreachable
from hardware.codecs import g711
from hardware.codecs.sound import pcm_octets
from hardware.codecs.voice import PayloadFormat

DRAIN = 3.0
"""Seconds the program has for what it still holds, once all has been handed to it."""


class SoundCommand:
    """A `PageWire` that hands each frame to a program's standard input as it is due."""

    def __init__(self, *, command: tuple[str, ...]) -> None:
        """The program and its arguments."""
        self._command = command
        # Ending may take the program a while; whatever hangs elsewhere does not hold it up.
        self._thread = ThreadPoolExecutor(1, "sound command")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def form(self) -> PayloadFormat:
        """Decoded on its way: any telephone sound does."""
        return PayloadFormat.PCMU

    def fault(self) -> str:
        """Whether the program is there."""
        program = self._command[0]
        return (
            ""
            if shutil.which(program)
            else f"{program} is not installed; install it, or give another command"
        )

    async def begin(self) -> None:
        """Start the program."""
        await self.end()
        starting = asyncio.get_running_loop().run_in_executor(self._thread, self._start)
        try:
            self._process = await asyncio.shield(starting)
        except OSError as error:
            raise Unreachable(f"{self._command[0]} cannot be started: {error.strerror}") from error
        except asyncio.CancelledError:
            starting.add_done_callback(_discard)
            raise

    def send(self, frame: bytes, *, first: bool) -> None:
        """Hand it over; a frame that the program does not take in time is lost."""
        del first
        process = self._process
        if process is None or process.stdin is None or process.poll() is not None:
            raise Unreachable(f"{self._command[0]} has ended")
        try:
            os.write(process.stdin.fileno(), pcm_octets(g711.mu_decode(frame)))
        except BlockingIOError:
            pass
        except OSError as error:
            raise Unreachable(f"{self._command[0]} takes no sound: {error.strerror}") from error

    async def end(self) -> None:
        """Let the program play what it holds, and end it."""
        process, self._process = self._process, None
        if process is None:
            return
        waiting = asyncio.get_running_loop().run_in_executor(self._thread, _drained, process)
        await asyncio.shield(waiting)

    def _start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(  # noqa: S603 - the settings name it
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            bufsize=0,
        )
        if process.stdin is not None:
            os.set_blocking(process.stdin.fileno(), False)
        return process


def _drained(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()
    try:
        process.wait(DRAIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _discard(starting: asyncio.Future[subprocess.Popen[bytes]]) -> None:
    if not starting.cancelled() and starting.exception() is None:
        starting.result().kill()
        _drained(starting.result())
