"""How many messages one peer may send us, so that it holds up nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from belltower.errors import Unreachable

RATE, BURST = 200.0, 400.0
"""Messages a second for long, and at once."""
_AT_ONCE = 20


def _nothing() -> None:
    pass


class Bucket:
    """What one connection may still send. `cut` is called before the error of one that floods us."""

    def __init__(self, *, now: float, cut: Callable[[], None] = _nothing) -> None:
        self._left = BURST
        self._at = now
        self._cut = cut
        self._taken = 0

    async def take(self) -> None:
        """One message more: let others run now and then; `Unreachable` for whoever floods us."""
        now = asyncio.get_running_loop().time()
        self._left = min(BURST, self._left + (now - self._at) * RATE) - 1
        self._at = now
        if self._left < 0:
            self._cut()
            raise Unreachable("it floods us")
        self._taken += 1
        if self._taken % _AT_ONCE == 0:
            await asyncio.sleep(0)

    def spare(self) -> None:
        """The last one does not count: we had asked for it."""
        self._left += 1
