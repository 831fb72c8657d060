"""What is pending and will not be sent any more: too late, or a later notice took its place."""

from __future__ import annotations

import asyncio

from belltower.ids import DeliveryId, NoticeId
from belltower.tasks import Crew
from notify.delivery import Evidence, State
from notify.ledger import At, Ledger
from notify.store import DeliveryTables, Waiting

_AT_ONCE = 500


class Dropping:
    """Drops beside the sending: what is in danger does not wait until all that is too late is written down."""

    def __init__(self, *, tables: DeliveryTables, ledger: Ledger, crew: Crew, channel: str, at: At) -> None:
        self._tables = tables
        self._ledger = ledger
        self._crew = crew
        self._channel = channel
        self._at = at
        self._under_way: set[tuple[NoticeId, int, int]] = set()

    def drop(self, waiting: Waiting, state: State, reason: str) -> None:
        """Begin to drop all that is pending of a notice, unless that is under way."""
        key = (waiting.notice, waiting.revision, waiting.urgency)
        if key not in self._under_way:
            self._under_way.add(key)
            self._crew.once("notify.drop", self._drop_all(waiting, state, reason, key))

    async def _drop_all(
        self, waiting: Waiting, state: State, reason: str, key: tuple[NoticeId, int, int]
    ) -> None:
        seen: set[DeliveryId] = set()
        try:
            while some := await self._tables.pending_of(waiting, channel=self._channel, count=_AT_ONCE):
                if seen.issuperset(one.id for one in some):
                    return  # the store lags behind the ledger; the next look begins again
                seen.update(one.id for one in some)
                self._at("sender.dropping")
                self._ledger.meet(some)
                await asyncio.gather(
                    *(
                        self._ledger.learn(Evidence(delivery=one.id, state=state, reason=reason))
                        for one in some
                    )
                )
        finally:
            self._under_way.discard(key)
