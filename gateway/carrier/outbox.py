"""What the simulated carriers tell the desk, on its way there."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Self

import aiohttp

from belltower.tasks import Crew
from gateway.carrier.records import PhoneCall, Posting

_MOST = 200_000
_AT_ONCE = 16
_PATIENCE = 10.0


class Outbox:
    """Posts a few at a time. What finds nobody is lost, and so is what there is no more room for."""

    def __init__(self, *, crew: Crew, hears: Callable[[PhoneCall, str], None]) -> None:
        """`hears` takes what a key press was answered."""
        self._crew = crew
        self._hears = hears
        self._postings: asyncio.Queue[Posting] = asyncio.Queue(maxsize=_MOST)
        self._client: aiohttp.ClientSession | None = None
        self._workers: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        client = self._client = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_PATIENCE))
        self._workers = [
            self._crew.mendable("carrier.callbacks", lambda: self._post(client)) for _ in range(_AT_ONCE)
        ]
        return self

    async def __aexit__(self, *_details: object) -> None:
        for worker in self._workers:
            worker.cancel()
        if self._client is not None:
            await self._client.close()

    def put(self, posting: Posting) -> None:
        """Send it off."""
        with contextlib.suppress(asyncio.QueueFull):
            self._postings.put_nowait(posting)

    async def _post(self, client: aiohttp.ClientSession) -> None:
        while True:
            one = await self._postings.get()
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, ValueError):
                async with client.post(one.url, data=one.body, headers=one.headers) as response:
                    answer = await response.text("utf-8", "replace")
                    if one.call is not None and response.status == 200:
                        self._hears(one.call, answer)
