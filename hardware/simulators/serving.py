"""A simulated device on a line: what comes in is handed to it, what it says goes out when its time has come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from belltower.errors import Uncertain, Unreachable
from belltower.tasks import together
from hardware.transports import Transport

_REOPEN = 0.5


class Device(Protocol):
    """A device without a line and without a clock."""

    rung: Callable[[], None]
    """Called whenever there is something to send."""

    def receive(self, octets: bytes, /) -> None:
        """Take what the computer wrote."""
        ...

    def outgoing(self) -> list[tuple[float, bytes]]:
        """What is to be sent, each with the seconds until then."""
        ...


async def serve(device: Device, transport: Transport, opened: Callable[[], None] = lambda: None) -> None:
    """Be the device on this transport until cancelled, reopening it whenever it goes; `opened` is called each time it is there."""
    bell = asyncio.Event()
    loop = asyncio.get_running_loop()
    queue: list[tuple[float, int, bytes]] = []
    order = 0

    async def hear() -> None:
        while True:
            device.receive(await transport.read())
            bell.set()

    async def speak() -> None:
        nonlocal order
        while True:
            now = loop.time()
            for delay, octets in device.outgoing():
                order += 1
                queue.append((now + delay, order, octets))
            queue.sort()
            while queue and queue[0][0] <= now:
                try:
                    await transport.write(queue.pop(0)[2])
                except Uncertain as error:
                    raise Unreachable(str(error)) from error
            bell.clear()
            try:
                async with asyncio.timeout_at(queue[0][0] if queue else None):
                    await bell.wait()
            except TimeoutError:
                pass

    device.rung = bell.set
    try:
        while True:
            try:
                await transport.open()
                opened()
                await together(device_hear=hear(), device_speak=speak())
            except Unreachable:
                pass
            finally:
                await transport.close()
            await asyncio.sleep(_REOPEN)
    finally:
        device.rung = lambda: None
