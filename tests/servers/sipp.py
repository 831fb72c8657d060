"""A real sipp as the centre itself: it takes every MESSAGE over TCP and says 200."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Self

from tests.peers.waiting import PATIENCE
from tests.servers.binaries import require
from tests.servers.ports import free_port

SCENARIO = """\
<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="takes every MESSAGE">
  <recv request="MESSAGE" crlf="true"/>
  <send>
    <![CDATA[

      SIP/2.0 200 OK
      [last_Via:]
      [last_From:]
      [last_To:];tag=[call_number]
      [last_Call-ID:]
      [last_CSeq:]
      Content-Length: 0

    ]]>
  </send>
</scenario>
"""


class SIPp:
    """A centre on a port of its own; what it got stands in `messages`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = 0
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        program = require("sipp")
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "uas.xml").write_text(SCENARIO)
        self.port = free_port()
        with (self.folder / "sipp.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                program, "-sf", "uas.xml", "-t", "t1", "-i", "127.0.0.1", "-p", str(self.port),
                "-trace_msg", "-message_file", "messages.log", "-nostdin", "-buff_size", "65535",
                cwd=self.folder, stdout=log, stderr=log, stdin=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
        async with asyncio.timeout(PATIENCE):
            while not await self._answers():  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.02)
        return self

    async def __aexit__(self, *details: object) -> None:
        if details[0] is not None:
            print((self.folder / "sipp.log").read_text(errors="replace")[-3000:])
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.send_signal(signal.SIGKILL)
            await process.wait()

    def messages(self) -> str:
        """Everything that it received and sent."""
        path = self.folder / "messages.log"
        return path.read_text(errors="replace") if path.exists() else ""

    async def _answers(self) -> bool:
        assert self._process is not None
        if self._process.returncode is not None:
            raise AssertionError((self.folder / "sipp.log").read_text(errors="replace"))
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        await writer.wait_closed()
        return True
