"""Asks the provider about messages it took and never reported on. What it does not know stays unknown."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from msgspec import Struct

from belltower.clock import SECOND, Clock, Instant
from belltower.ids import DeliveryId, NoticeId
from notify.channels.channel import Settled
from notify.delivery import Evidence, State
from notify.ledger import Ledger
from notify.provider import Provider
from notify.reports import Listed, Reports

OLDEST = 24 * 3600 * SECOND
"""How long after its order a notice is asked about."""

_NOTICES = 500
_AT_ONCE = 20
# Seconds that so many questions take at least.
_EVERY = 1.0


class _Taken(Struct, frozen=True, kw_only=True):
    delivery: DeliveryId
    provider_id: str


class Unreported:
    """Serves one provider that can be asked, of whose row it is the `first` or not.

    A notice is gone through once its messages are as old as the provider is given for its reports, and again whenever
    that has doubled. Questions are spread, and wait while somebody in danger has yet to be told. Nothing here ever
    sends.
    """

    def __init__(
        self,
        *,
        provider: Provider,
        first: bool,
        reports: Reports,
        ledger: Ledger,
        clock: Clock,
        urgent: Callable[[str], Awaitable[bool]],
        every: float = 30.0,
    ) -> None:
        """`urgent` says whether something about a danger waits to be sent to a kind of address."""
        self._provider = provider
        self._first = first
        self._reports = reports
        self._ledger = ledger
        self._clock = clock
        self._urgent = urgent
        self._every = every
        # When each notice is gone through next.
        self._due: dict[tuple[NoticeId, int], Instant] = {}

    async def run(self) -> None:
        """For ever; returns at once where the provider cannot be asked."""
        while True:
            await self.look()
            await asyncio.sleep(self._every)

    async def look(self) -> None:
        """Ask about what is due now."""
        now = self._clock.now()
        asking = self._provider.asking
        if asking is None or not asking.after:
            return
        after = round(asking.after * SECOND)
        listed = await self._reports.newest(before=Instant(now - after), limit=_NOTICES)
        recent = [one for one in listed if now - one.ordered_at <= OLDEST + after]
        self._due = {
            key: self._due[key] for one in recent if (key := (one.notice, one.revision)) in self._due
        }
        for one in recent:
            key = (one.notice, one.revision)
            if now < self._due.get(key, now) or not await self._taken(one):
                continue
            if not await self._go_through(one, Instant(now - after)):
                return
            self._due[key] = Instant(now + max(after, now - one.ordered_at))

    async def _taken(self, listed: Listed) -> bool:
        counts = await self._ledger.counts(listed.notice, listed.revision)
        return bool(counts.get(self._provider.channel.name, {}).get(State.ACCEPTED))

    async def _go_through(self, listed: Listed, before: Instant) -> bool:
        """False where it is not the time to ask: something urgent waits, or the provider answers nothing."""
        names = {self._provider.name, ""} if self._first else {self._provider.name}
        channel = self._provider.channel.name
        async for rows in self._reports.taken(listed, channel):
            asked = [
                _Taken(delivery=id_, provider_id=provider_id)
                for id_, provider_id, provider, begun_at in rows
                if provider in names and begun_at <= before
            ]
            for start in range(0, len(asked), _AT_ONCE):
                if await self._urgent(channel) or not await self._ask(asked[start : start + _AT_ONCE]):
                    return False
        return True

    async def _ask(self, some: Iterable[_Taken]) -> bool:
        answered = False
        began = asyncio.get_running_loop().time()

        async def ask(one: _Taken) -> None:
            nonlocal answered
            asking = self._provider.asking
            found = await asking.fetch(one.provider_id) if asking is not None else None
            if found is not None:
                answered = True
                await self._ledger.learn(_evidence(one.delivery, found))

        async with asyncio.TaskGroup() as group:
            for one in some:
                group.create_task(ask(one), name="notify.ask")
        await asyncio.sleep(max(0.0, began + _EVERY - asyncio.get_running_loop().time()))
        return answered


def _evidence(delivery: DeliveryId, found: Settled) -> Evidence:
    return Evidence(delivery=delivery, state=found.state, reason=found.reason, provider_id=found.provider_id)
