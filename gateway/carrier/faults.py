"""How the simulated carrier goes wrong when it is asked to."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from random import Random

from aiohttp import web

from gateway.carrier.records import CarrierOptions, Faults

Problem = Callable[[int, int, str, dict[str, str] | None], web.Response]
"""An error of one of the APIs: HTTP status, the provider's code, its words, more header fields."""


class Trouble:
    """Holds what was asked for, and meets requests with it."""

    def __init__(self, *, options: CarrierOptions, random: Random) -> None:
        self._options = options
        self._random = random
        self.faults = Faults()
        """What goes wrong now."""
        self.requests = 0
        """How many were met."""
        self._left = -1

    def ask(self, faults: Faults) -> None:
        """Go wrong in these ways from now on."""
        self.faults = faults
        self._left = faults.times

    async def meet(
        self, request: web.Request, take: Callable[[], object], problem: Problem
    ) -> web.StreamResponse | None:
        """Wait, and go wrong, as was asked for; None where nothing was. May `take` all the same."""
        self.requests += 1
        faults = self.faults
        if self._options.latency or faults.slow:
            await asyncio.sleep(self._options.latency + faults.slow)
        if not self._goes_wrong(faults):
            return None
        if faults.accept_anyway:
            take()
        return await self._wrong(request, faults, problem)

    def _goes_wrong(self, faults: Faults) -> bool:
        asked = (
            faults.status
            or faults.lose_answer
            or faults.reset
            or faults.garbage
            or faults.redirect
            or faults.flood
            or faults.trickle
        )
        if not asked or not self._left or self._random.random() >= faults.chance:
            return False
        self._left -= self._left > 0
        return True

    async def _wrong(self, request: web.Request, faults: Faults, problem: Problem) -> web.StreamResponse:
        if faults.lose_answer:
            await asyncio.sleep(3600)
        if faults.reset:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=500)
        if faults.garbage:
            return web.Response(status=201, text="<html>Thank you</html>")
        if faults.redirect:
            return web.Response(status=307, headers={"Location": str(request.url)})
        if faults.flood or faults.trickle:
            return await self._without_end(request, faults)
        headers = {"Retry-After": str(faults.retry_after)} if faults.retry_after >= 0 else {}
        return problem(faults.status, faults.code or 20000 + faults.status, "As asked for", headers)

    @staticmethod
    async def _without_end(request: web.Request, faults: Faults) -> web.StreamResponse:
        response = web.StreamResponse(status=201)
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            while True:
                await response.write(b" " * (65_536 if faults.flood else 1))
                await asyncio.sleep(0 if faults.flood else 1)
        return response
