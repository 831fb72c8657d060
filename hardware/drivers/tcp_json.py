"""Devices that open a TCP connection and write JSON into it: one object after the other, or one a line.

Nothing is answered, for none of them expects an answer. Every connection is bounded: in what it may hold, in how
fast it may speak, in how long it may leave an object unfinished, and in how long it may be silent.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from typing import Literal

from belltower import log
from belltower.errors import Unreachable
from hardware.codecs.json_stream import LONGEST, Lines, Objects
from hardware.drivers import OnPublish, Received
from hardware.drivers.rate import Rates
from hardware.drivers.sources import Sources

_log = log.get("tcp_json")

FINISH_WITHIN = 10.0
"""Seconds for an object that was begun."""
SILENT_FOR = 3600.0
"""Seconds after which a silent connection is closed."""
_READ = 8_192
_AT_ONCE = 32


class TCPJSON:
    """Listens, and hands every object to `on_message`; `client` is the address it came from."""

    def __init__(
        self,
        *,
        on_message: OnPublish,
        host: str,
        port: int,
        framing: Literal["newline", "brace"] = "brace",
        sources: Sources,
        connections: int = 64,
        per_second: float = 1_000.0,
        longest: int = LONGEST,
    ) -> None:
        self._on_message = on_message
        self._host = host
        self._port = port
        self._framing = framing
        self._sources = sources
        self._connections = connections
        self._per_second = per_second
        self._longest = longest
        # Who is connected, the one that was silent for longest first.
        self._open: OrderedDict[asyncio.StreamWriter, asyncio.Task[None]] = OrderedDict()
        self.counts: Counter[str] = Counter()
        self.ready = asyncio.Event()
        self.port = port

    async def run(self) -> None:
        """Listen until cancelled; raises `Unreachable` when the port cannot be had."""
        loop = asyncio.get_running_loop()
        self._rates = Rates(per_second=self._per_second, burst=self._per_second, now=loop.time)
        try:
            server = await asyncio.start_server(self._serve, self._host, self._port, limit=_READ)
        except OSError as error:
            raise Unreachable(f"{self._host}:{self._port} cannot be listened on: {error.strerror}") from error
        self.port = server.sockets[0].getsockname()[1]
        self.ready.set()
        try:
            async with server:
                await server.serve_forever()
        finally:
            self.ready.clear()
            for task in list(self._open.values()):
                task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        source = str(peer[0]) if peer else ""
        task = asyncio.current_task()
        if not self._sources.may(source) or task is None:
            self.counts["wrong_source"] += 1
            writer.transport.abort()
            return
        self._open[writer] = task
        if len(self._open) > self._connections:
            _, silent = self._open.popitem(last=False)
            silent.cancel()
            self.counts["crowded_out"] += 1
        try:
            await self._read(reader, writer, source)
        except (OSError, TimeoutError):
            pass
        except asyncio.CancelledError:
            pass  # crowded out, or the lane ends: the streams of Python 3.11 would print it as an error
        finally:
            self._open.pop(writer, None)
            writer.transport.abort()

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, source: str) -> None:
        loop = asyncio.get_running_loop()
        frames = (
            Lines(longest=self._longest) if self._framing == "newline" else Objects(longest=self._longest)
        )
        begun = 0.0
        while True:
            patience = begun + FINISH_WITHIN - loop.time() if begun else SILENT_FOR
            async with asyncio.timeout(max(patience, 0.0)):
                data = await reader.read(_READ)
            if not data:
                return
            if writer in self._open:
                self._open.move_to_end(writer)
            found = frames.feed(data)
            if frames.dropped:
                self.counts["too_long"] += frames.dropped
                frames.dropped = 0
            if not frames.midway:
                begun = 0.0
            elif found or not begun:
                begun = loop.time()
            for nth, payload in enumerate(found, start=1):
                wait = self._rates.take(source)
                self.counts["too_fast"] += wait > 0
                while wait:  # whoever speaks too fast is read more slowly, and loses nothing
                    await asyncio.sleep(wait)
                    wait = self._rates.take(source)
                self.counts["messages"] += 1
                self._on_message(
                    Received(client=source, topic="", payload=payload, retain=False, dup=False, qos=0)
                )
                if nth % _AT_ONCE == 0:
                    await asyncio.sleep(0)
