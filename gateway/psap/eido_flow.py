"""How messages flow on a WebSocket without one peer holding up another."""

from __future__ import annotations

import asyncio

from belltower.errors import Unreachable
from gateway.psap.eido_sockets import Wire

_TAKEN_WITHIN = 5.0


async def send(wire: Wire, octets: bytes) -> None:
    """Send a message; `Unreachable` also when the other side takes nothing for five seconds."""
    try:
        async with asyncio.timeout(_TAKEN_WITHIN):
            await wire.send(octets)
    except TimeoutError:
        raise Unreachable(f"nothing was taken for {_TAKEN_WITHIN:g} s") from None


async def bell_or(bell: asyncio.Event, until: float | None) -> None:
    """Wait for the bell, or until that loop time."""
    try:
        async with asyncio.timeout_at(until):
            await bell.wait()
    except TimeoutError:
        pass
