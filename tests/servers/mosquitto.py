"""A real mosquitto, and its command line clients."""

from __future__ import annotations

import asyncio
import getpass
import signal
from pathlib import Path
from typing import Self

from tests.peers.waiting import PATIENCE
from tests.servers.binaries import require
from tests.servers.ports import free_port


def make_passwords(path: Path, passwords: dict[str, str]) -> None:
    """Write a mosquitto password file."""
    import subprocess

    path.touch(mode=0o600)
    for user, password in passwords.items():
        subprocess.run(
            [require("mosquitto_passwd"), "-b", str(path), user, password], check=True, capture_output=True
        )


class Mosquitto:
    """A broker with its own folder and port; `text` is its configuration, in which PORT and FOLDER are replaced."""

    def __init__(self, folder: Path, text: str) -> None:
        self.folder = folder
        self.text = text
        self.port = 0
        self._process: asyncio.subprocess.Process | None = None
        self._log = folder / "mosquitto.log"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *details: object) -> None:
        await self.kill()

    async def start(self) -> None:
        """Start, on the same port as before if there was one, and wait until it answers."""
        program = require("mosquitto")
        self.port = self.port or free_port()
        config = self.folder / "mosquitto.conf"
        text = self.text.replace("PORT", str(self.port)).replace("FOLDER", str(self.folder))
        config.write_text(f"{text}\nuser {getpass.getuser()}\n")
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                program, "-v", "-c", str(config), stdout=log, stderr=log
            )
        try:
            async with asyncio.timeout(PATIENCE):
                while not await self._answers():  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.01)
        except TimeoutError:
            print(self.output())
            raise

    async def kill(self) -> None:
        """SIGKILL."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """SIGTERM, so that it writes what it holds."""
        await self._end(signal.SIGTERM)

    def output(self) -> str:
        """What it has said so far."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    async def _answers(self) -> bool:
        assert self._process is not None
        if self._process.returncode is not None:
            raise AssertionError(f"mosquitto ended with {self._process.returncode}:\n{self.output()}")
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        await writer.wait_closed()
        return True

    async def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.send_signal(how)
            await process.wait()


async def run(*command: str, within: float = PATIENCE, stdin: bytes | None = None) -> tuple[int, str]:
    """Run a client; its exit code and output."""
    process = await asyncio.create_subprocess_exec(
        require(command[0]),
        *command[1:],
        stdin=asyncio.subprocess.PIPE if stdin is not None else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(within):
            output, _ = await process.communicate(stdin)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    assert process.returncode is not None
    return process.returncode, output.decode(errors="replace")
