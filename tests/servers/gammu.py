"""Gammu, somebody else's program for mobile telephones, let loose on a device that is a pseudo-terminal, and no other."""

import asyncio
import os
from pathlib import Path

from tests.peers.waiting import PATIENCE
from tests.servers.binaries import require


class Gammu:
    """Runs `gammu` with a configuration of its own for one device."""

    def __init__(self, *, device: str, folder: Path) -> None:
        # Nothing that could reach a network: a modem on this machine is never opened by a test.
        assert Path(device).resolve().is_relative_to("/dev/pts"), device
        self._program = require("gammu")
        self._config = folder / "gammurc"
        self._config.write_text(f"[gammu]\ndevice = {device}\nconnection = at115200\n")

    async def batch(self, *commands: str) -> str:
        """What it prints of several commands on one connection."""
        file = self._config.with_name("batch")
        file.write_text("".join(f"{command}\n" for command in commands), encoding="utf-8")
        return await self.run("batch", str(file))

    async def run(self, *arguments: str, within: float = PATIENCE) -> str:
        """What it prints; an exit other than 0 is an AssertionError."""
        process = await asyncio.create_subprocess_exec(
            self._program,
            "-c",
            str(self._config),
            *arguments,
            env={**os.environ, "LANG": "C.UTF-8"},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(within):
                printed, _ = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise
        text = printed.decode(errors="replace")
        assert 0 == process.returncode, text
        return text
