"""Lines of text from a serial line, or from a device server over TCP: a keypad interface, a receiver."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from belltower import log
from belltower.errors import Unreachable
from hardware.codecs.json_stream import Lines
from hardware.drivers import OnPublish, Received
from hardware.transports import Transport

_log = log.get("serial_lines")

LONGEST = 4_096
_AT_ONCE = 64


class SerialLines:
    """Hands every line to `on_line`. Nothing is answered: such devices expect nothing."""

    def __init__(
        self,
        *,
        name: str,
        open_transport: Callable[[], Transport],
        on_line: OnPublish,
        longest: int = LONGEST,
    ) -> None:
        self.name = name
        self._open = open_transport
        self._on_line = on_line
        self._longest = longest
        self.ready = asyncio.Event()
        self.dropped = 0

    async def run(self) -> None:
        """Open the line and read it; raises `Unreachable` when it goes away."""
        transport = self._open()
        await transport.open()
        lines = Lines(longest=self._longest)
        self.ready.set()
        try:
            while True:
                found = lines.feed(await transport.read())
                self._count(lines)
                for nth, line in enumerate(found, start=1):
                    self._on_line(Received(client="", topic="", payload=line, retain=False, dup=False, qos=0))
                    if nth % _AT_ONCE == 0:
                        await asyncio.sleep(0)
        except Unreachable as lost:
            raise Unreachable(f"{self.name}: the line is gone") from lost
        finally:
            self.ready.clear()
            await transport.close()

    def _count(self, lines: Lines) -> None:
        if lines.dropped:
            if not self.dropped:
                _log.warning("line_too_long", line=self.name, longest=self._longest)
            self.dropped += lines.dropped
            lines.dropped = 0
