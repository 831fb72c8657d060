"""Waiting for what another process or task will do.

No test fails because the machine is slow. What must merely happen has `PATIENCE`; that something is quick is measured
beside the same without what would make it slow, or in virtual time.
"""

import asyncio
from collections.abc import Callable

PATIENCE = 60.0
"""Seconds for whatever must merely happen."""


async def until(holds: Callable[[], object], *, within: float = PATIENCE) -> None:
    """Return once `holds()` is true."""
    async with asyncio.timeout(within):
        while not holds():  # noqa: ASYNC110 - what is watched knows nothing of tests
            await asyncio.sleep(0.005)


async def everybody_rests() -> None:
    """Return once all has run that waits for nothing but its turn on this loop."""
    for _ in range(100):
        await asyncio.sleep(0)
