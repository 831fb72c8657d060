"""Short texts of rooms, and to them. They may name people: each lives for a day in a row, and in no fact or log."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence

from belltower.clock import Clock, Instant
from belltower.errors import StoreError
from belltower.ids import Ids, IncidentId, PersonId, UnitId
from belltower.incident import facts, store
from belltower.incident.pen import Pen
from belltower.incident.store import KeptText
from belltower.journal import Durability
from belltower.store import Database, Transaction

_AT_HAND = 1_000


class Texts:
    """The texts that still live; those of late in memory too, for when the disk cannot be read."""

    def __init__(self, *, database: Database, pen: Pen, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._pen = pen
        self._clock = clock
        self._ids = ids
        self._at_hand: OrderedDict[str, KeptText] = OrderedDict()

    async def open(self) -> None:
        """Load the latest."""
        living = await store.texts(self._database, self._day_ago())
        self._at_hand.update((text.text, text) for text in living[-_AT_HAND:])

    def hear(
        self, unit: UnitId, words: str, *, incident: IncidentId | None, tx: Transaction
    ) -> asyncio.Future[Durability]:
        """Keep what a room says in its own words, and write down that it did."""
        text = self._keep(tx, unit, words, incident, upward=True)
        heard = facts.TextHeard(unit=unit, text=text.text, incident=incident)
        return self._pen.write(tx, incident, [heard])

    def ordered(
        self,
        tx: Transaction,
        units: Sequence[UnitId],
        words: str,
        *,
        incident: IncidentId | None,
        by: PersonId | None,
    ) -> list[facts.TextOrdered]:
        """Keep what these units are to show; the orders to write with it."""
        kept = [self._keep(tx, unit, words, incident, upward=False) for unit in units]
        return [facts.TextOrdered(unit=text.unit, text=text.text, incident=incident, by=by) for text in kept]

    async def living(self) -> list[KeptText]:
        """Every text that still lives, oldest first."""
        since = self._day_ago()
        try:
            living = {text.text: text for text in await store.texts(self._database, since)}
        except StoreError:
            living = {}  # what is at hand is better than nothing
        living |= {name: text for name, text in self._at_hand.items() if text.said_at >= since}
        return sorted(living.values(), key=lambda text: (text.said_at, text.text))

    def at_hand(self, text: str) -> KeptText | None:
        """One of the texts of late."""
        return self._at_hand.get(text)

    async def forget_old(self) -> None:
        """Drop texts whose day is over."""
        before = self._day_ago()
        for name in [name for name, text in self._at_hand.items() if text.said_at < before]:
            del self._at_hand[name]
        tx = Transaction()
        store.forget_texts(tx, before)
        await self._database.submit(tx)

    def _keep(
        self, tx: Transaction, unit: UnitId, words: str, incident: IncidentId | None, *, upward: bool
    ) -> KeptText:
        text = KeptText(
            text=f"txt_{self._ids.fact()[4:]}",
            said_at=self._clock.now(),
            incident=incident,
            unit=unit,
            upward=upward,
            words=words,
        )
        store.keep_text(tx, text)
        self._at_hand[text.text] = text
        while len(self._at_hand) > _AT_HAND:
            self._at_hand.popitem(last=False)
        return text

    def _day_ago(self) -> Instant:
        return Instant(self._clock.now() - store.TEXTS_KEPT)
