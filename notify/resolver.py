"""Asks the provider what became of uncertain messages, and stops asking after a while."""

from __future__ import annotations

import asyncio

from belltower.ids import DeliveryId
from notify.channels.channel import Later, Message, Refused, Settled, Uncertain
from notify.delivery import Delivery, Evidence, State
from notify.ledger import At, Ledger, nowhere
from notify.provider import Provider
from notify.store import DeliveryTables


class Resolver:
    """Settles what is uncertain with one provider within `within` seconds: found, or for ever unknown.

    A callback may settle it earlier, or much later. Nothing here ever sends.
    """

    def __init__(
        self,
        *,
        provider: Provider,
        first: bool,
        tables: DeliveryTables,
        ledger: Ledger,
        within: float = 30.0,
        every: float = 3.0,
        at_once: int = 16,
        at: At = nowhere,
    ) -> None:
        self._name = provider.name
        self._first = first
        self._channel = provider.channel
        self._tables = tables
        self._ledger = ledger
        self._within = within
        self._every = every
        self._at_once = at_once
        self._at = at
        # Loop time at which each delivery under question is given up.
        self._until: dict[DeliveryId, float] = {}

    async def run(self) -> None:
        """For ever."""
        while True:
            asking = await self._tables.asking(
                self._channel.name, provider=self._name, first=self._first, count=1_000
            )
            self._until = {one.id: self._until[one.id] for one in asking if one.id in self._until}
            await self._ask(asking)
            await asyncio.sleep(self._every)

    async def _ask(self, asking: list[Delivery]) -> None:
        waiting = list(reversed(asking))

        async def ask_one_after_another() -> None:
            while waiting:
                await self._look_for(waiting.pop())

        async with asyncio.TaskGroup() as group:
            for _ in range(min(self._at_once, len(waiting))):
                group.create_task(ask_one_after_another(), name="notify.resolve")

    async def _look_for(self, delivery: Delivery) -> None:
        loop = asyncio.get_running_loop()
        until = self._until.setdefault(delivery.id, loop.time() + self._within)
        subject, body, ordered_at, template = await self._tables.text(delivery)
        message = Message(
            delivery=delivery.id,
            notice=delivery.notice,
            revision=delivery.revision,
            address=delivery.address,
            language=delivery.language,
            incident=delivery.incident,
            template=template,
            subject=subject,
            body=body,
            ordered_at=ordered_at,
            begun_at=delivery.begun_at,
        )
        answer = None
        if delivery.address:
            known = await self._tables.known_ids(delivery)
            answer = await self._channel.find(message, known=known)
        self._at("resolver.asked")
        match answer:
            case Settled(state=state, provider_id=provider_id, reason=reason):
                evidence = Evidence(delivery=delivery.id, state=state, reason=reason, provider_id=provider_id)
            case Refused(reason=reason):
                evidence = Evidence(delivery=delivery.id, state=State.REFUSED, reason=reason)
            case Uncertain() | Later() | None:
                if loop.time() < until:
                    return
                evidence = Evidence(
                    delivery=delivery.id, state=State.UNCERTAIN, reason="unresolved", final=True
                )
        await self._ledger.learn(evidence)
