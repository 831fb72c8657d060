"""A broker that knows MQTT 3.1.1 only, as The Things Stack's: what is said in version 5 it takes for rubbish."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tests.servers.ports import free_port

REFUSED = b"\x20\x02\x00\x01"


class OldBroker:
    """Stands before a newer broker at `port`; `polite` says why it lets nobody in, else it hangs up."""

    def __init__(self, port: int, *, polite: bool = False) -> None:
        self._behind = port
        self._polite = polite
        self.port = free_port()
        self.levels: list[int] = []
        self._writers: list[asyncio.StreamWriter] = []

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Look at the CONNECT of one client, and pass it on with all that follows."""
        self._writers.append(writer)
        begun = await reader.read(4096)
        level = begun[begun.index(b"MQTT") + 4]
        self.levels.append(level)
        if level != 4:
            writer.write(REFUSED if self._polite else b"")
            writer.close()
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._behind)
        self._writers.append(far_writer)
        far_writer.write(begun)
        await asyncio.gather(self._pass(reader, far_writer), self._pass(far_reader, writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(4096):
                writer.write(data)
        writer.close()

    def drop(self) -> None:
        """Lose everybody."""
        for writer in self._writers:
            writer.close()


@asynccontextmanager
async def old_broker(port: int, *, polite: bool = False) -> AsyncIterator[OldBroker]:
    """One before the broker at `port`."""
    broker = OldBroker(port, polite=polite)
    server = await asyncio.start_server(broker.meet, "127.0.0.1", broker.port)
    try:
        yield broker
    finally:
        server.close()
        broker.drop()
        await server.wait_closed()
