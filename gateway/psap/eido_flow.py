"""How messages flow on a WebSocket without one peer holding up another: how many are taken, how long one may wait."""

from __future__ import annotations

import asyncio

from belltower.errors import Unreachable
from gateway.psap.eido_sockets import Wire

_TAKEN_WITHIN = 5.0
_RATE, _BURST, _AT_ONCE = 200.0, 400.0, 20


class Bucket:
    """How many messages a peer may send: `_RATE` a second, `_BURST` at once."""

    def __init__(self, *, now: float) -> None:
        self._left = _BURST
        self._at = now
        self._taken = 0

    async def take(self, wire: Wire) -> None:
        """One message more: let others run now and then, and cut off whoever floods us."""
        now = asyncio.get_running_loop().time()
        self._left = min(_BURST, self._left + (now - self._at) * _RATE) - 1
        self._at = now
        if self._left < 0:
            wire.abort()
            raise Unreachable("it floods us")
        self._taken += 1
        if self._taken % _AT_ONCE == 0:
            await asyncio.sleep(0)


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
