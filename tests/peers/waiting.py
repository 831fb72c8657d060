"""Waiting for what another process or task will do."""

import asyncio
from collections.abc import Callable


async def until(holds: Callable[[], object], *, within: float) -> None:
    """Return once `holds()` is true."""
    async with asyncio.timeout(within):
        while not holds():  # noqa: ASYNC110 - what is watched knows nothing of tests
            await asyncio.sleep(0.005)
