"""Hears an Inovonics EchoStream receiver on a serial line. Vector-tested only, as its codec says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hardware.codecs import inovonics
from hardware.codecs.inovonics import Frame
from hardware.transports import Transport

OnFrame = Callable[[Frame], None]
"""Told of every frame. It must not raise and not wait."""


class EchoStream:
    """One receiver. `run` it; mendable."""

    def __init__(self, *, open_transport: Callable[[], Transport], on_frame: OnFrame) -> None:
        self._open = open_transport
        self._on_frame = on_frame
        self.ready = asyncio.Event()
        self.spoilt = 0

    async def run(self) -> None:
        """Listen until the line is lost: `Unreachable`."""
        transport = self._open()
        await transport.open()
        self.ready.set()
        frames = inovonics.Splitter()
        try:
            while True:
                for frame in frames.feed(await transport.read()):
                    self._on_frame(frame)
                self.spoilt = frames.spoilt
        finally:
            self.ready.clear()
            await transport.close()
