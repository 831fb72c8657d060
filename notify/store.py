"""The tables of this room, and all of its SQL about deliveries, by what is done with them."""

from __future__ import annotations

from notify import order_store
from notify.counting_store import COUNTED, COUNTED_AT_ONCE, Counting
from notify.delivery_rows import STEPS, Ordered, Words
from notify.leasing_store import Leased, Leasing, Waiting
from notify.planning_store import ADD_DELIVERY, ADD_PERSON, Attempted, Planning
from notify.sealing import seal_clear
from notify.settling_store import Settling

__all__ = [
    "ADD_DELIVERY",
    "ADD_PERSON",
    "COUNTED",
    "COUNTED_AT_ONCE",
    "STEPS",
    "Attempted",
    "DeliveryTables",
    "Leased",
    "Ordered",
    "Waiting",
    "Words",
]


class DeliveryTables(Planning, Leasing, Settling, Counting):
    """The rows behind every promise this room makes."""

    async def migrate(self) -> None:
        """Create or bring up to date the tables; addresses that an older program left in clear are sealed."""
        await self._database.migrate(STEPS)
        await self._database.migrate(order_store.STEPS)
        await seal_clear(self._database, self.addresses)
