"""The tables of this room, and all of its SQL about deliveries, by what is done with them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from belltower.clock import Instant
from belltower.ids import DeliveryId
from notify import meant, order_store
from notify.counting_store import COUNTED, COUNTED_AT_ONCE, Counting
from notify.delivery import Delivery
from notify.delivery_rows import STEPS, Ordered, Words
from notify.leasing_store import Leasing, Text, Waiting
from notify.planning_store import ADD_DELIVERY, ADD_PERSON, Attempted, Planning
from notify.sealing import owed, seal_first, seal_notice, seal_rest
from notify.settling_store import Settling

__all__ = [
    "ADD_DELIVERY",
    "ADD_PERSON",
    "COUNTED",
    "COUNTED_AT_ONCE",
    "STEPS",
    "Attempted",
    "DeliveryTables",
    "Ordered",
    "Text",
    "Waiting",
    "Words",
]

_EVER = Instant(0)


class DeliveryTables(Planning, Leasing, Settling, Counting):
    """The rows behind every promise this room makes."""

    async def migrate(self, *, since: Instant = _EVER) -> None:
        """Create or bring up to date the tables.

        Addresses that an older program left in clear are sealed, of notices that are still on their way or were ordered
        `since` then; the others by `seal_rest`.
        """
        await self._database.migrate(STEPS)
        await self._database.migrate(order_store.STEPS)
        await self._database.migrate(meant.STEPS)
        await seal_first(self._database, self.addresses, since=since)

    async def of(self, ids: Sequence[DeliveryId]) -> dict[DeliveryId, Delivery]:
        """The deliveries with these ids, as far as there are any; what stands in clear is sealed first."""
        found = await super().of(ids)
        unread = {one.notice for one in found.values() if not one.address}
        for notice in unread:
            await seal_notice(self._database, self.addresses, notice)
        return await super().of(ids) if unread else found

    async def owes_sealing(self) -> bool:
        """Whether `seal_rest` has anything to do."""
        return await owed(self._database)

    async def seal_rest(self) -> None:
        """Seal what is left in clear, and never end. Raises `StoreError`."""
        await seal_rest(self._database, self.addresses)
        await asyncio.Event().wait()
