"""Hears an Inovonics EchoStream receiver on a serial line. Vector-tested only, as its codec says."""

from __future__ import annotations

from collections.abc import Callable

from hardware.codecs import inovonics
from hardware.profiles.signal import Signal
from hardware.transports import Transport

OnSignal = Callable[[Signal], None]
"""Told of everything that was said. It must not raise and not wait."""


class EchoStream:
    """One receiver. `run` it; mendable."""

    def __init__(self, *, transport: Transport, on_signal: OnSignal) -> None:
        self._transport = transport
        self._on_signal = on_signal
        self.spoilt = 0

    async def run(self) -> None:
        """Listen until the line is lost: `Unreachable`."""
        await self._transport.open()
        frames = inovonics.Splitter()
        try:
            while True:
                for frame in frames.feed(await self._transport.read()):
                    for signal in inovonics.signals(frame):
                        self._on_signal(signal)
                self.spoilt = frames.spoilt
        finally:
            await self._transport.close()
