"""Units over a radio modem that speaks KISS: the same frames, each the information of an AX.25 UI frame.

A unit addresses its frames to our station; ours go to the address `UNITS`, for the frame itself names its unit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from belltower import log
from belltower.errors import Malformed, Uncertain, Unreachable
from belltower.tasks import together
from gateway.intake.intake import Intake
from hardware.codecs import ax25, kiss
from hardware.transports import Transport

_log = log.get("intake")

UNITS = ax25.Address(callsign="UNITS")
_QUEUE = 256


class RadioPath:
    """A `Path` over one radio modem."""

    def __init__(
        self,
        *,
        name: str,
        intake: Intake,
        transport: Transport,
        station: ax25.Address,
        on_open: Callable[[], None],
    ) -> None:
        self.name = name
        self._intake = intake
        self._transport = transport
        self._station = station
        self._on_open = on_open
        self._queue: asyncio.Queue[bytes] = asyncio.Queue(_QUEUE)
        self.dropped = 0

    def send(self, number: int, frame: bytes) -> None:
        """Queue the frame; a full queue drops it, and the unit repeats."""
        del number
        packet = ax25.UIFrame(destination=UNITS, source=self._station, info=frame)
        try:
            self._queue.put_nowait(kiss.encode(ax25.encode(packet)))
        except asyncio.QueueFull:
            self.dropped += 1

    async def run(self) -> None:
        """Open the modem and serve it; raises `Unreachable` when it goes away."""
        await self._transport.open()
        self._on_open()
        try:
            await together(radio_read=self._read(), radio_write=self._write())
        except (Unreachable, Uncertain) as lost:
            raise Unreachable(f"{self.name}: the modem is gone") from lost
        finally:
            await self._transport.close()

    async def _read(self) -> None:
        decoder = kiss.Decoder()
        while True:
            for found in decoder.feed(await self._transport.read()):
                if isinstance(found, kiss.Frame) and found.command == kiss.DATA and found.data:
                    self._heard(found.data)

    def _heard(self, data: bytes) -> None:
        try:
            packet = ax25.decode(data)
        except Malformed:
            self._intake.unreadable(self)
            return
        if packet.destination == self._station:
            self._intake.receive(packet.info, self)

    async def _write(self) -> None:
        while True:
            await self._transport.write(await self._queue.get())
