"""What an escalation writes down: rows for more addresses in the words of the notice, and a fact for each step."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from msgspec import Struct

from belltower import log
from belltower.clock import Clock
from belltower.ids import Ids, PersonId
from belltower.incident.entry import Draft
from belltower.incident.facts import DeliveryEscalated, DeliverySettled, Fact, Outcome
from belltower.journal import Durability, Journal
from belltower.people.person import Contact, Person
from belltower.store import Transaction
from notify.audience import AudienceRule
from notify.filling import slots_of, words_of
from notify.order_store import KeptOrder
from notify.site import NoticeSite
from notify.snapshot import Batch, Snapshot
from notify.stops import Stops
from notify.store import DeliveryTables, Ordered
from notify.tally import Tally

_log = log.get("notify")

_FACTS_AT_ONCE = 500


class Help(Struct, frozen=True, kw_only=True):
    """What is done for those whom a notice is not known to have reached."""

    batch: Batch
    drafts: Sequence[Draft] = ()
    # Whether there is more to be done for them, or may be.
    more: bool = False


class EscalationPen:
    """Writes it all in one transaction with the next time to look."""

    def __init__(
        self,
        *,
        journal: Journal[Fact],
        tables: DeliveryTables,
        site: Callable[[], NoticeSite],
        served: Callable[[], frozenset[str]],
        stops: Callable[[], Awaitable[Stops]],
        tally: Tally,
        clock: Clock,
        ids: Ids,
        bell: Callable[[], None],
    ) -> None:
        self.tables = tables
        self.site = site
        self.served = served
        self._journal = journal
        self._stops = stops
        self._tally = tally
        self._clock = clock
        self._ids = ids
        self._bell = bell

    async def add(
        self,
        tx: Transaction,
        given: Sequence[tuple[Person, Contact]],
        ordered: Ordered,
        kept: KeptOrder,
    ) -> Batch:
        """Rows for these addresses, in the words of the notice."""
        if not given:
            return Batch()
        site = self.site()
        slots = slots_of(kept.order, ordered, site)
        snapshot = Snapshot(
            ordered=ordered,
            rule=AudienceRule(),
            at=None,
            places=site.places,
            served=self.served(),
            language=site.language,
            render=lambda kind, language: words_of(kept.order, site, slots, kind, language),
            new_id=lambda _channel, _mark: self._ids.delivery(),
            stops=await self._stops(),
            mark=self.tables.addresses.mark,
        )
        batch = snapshot.add_contacts(given)
        self.tables.add_words(tx, ordered.notice, ordered.revision, batch.words)
        self.tables.add_rows(tx, batch.rows, batch.others, await self.tables.met(tx, ordered))
        return batch

    async def done(self, tx: Transaction, ordered: Ordered, help_: Help) -> None:
        """Commit it, and have it sent."""
        batch, drafts = help_.batch, help_.drafts
        refused = [
            self.draft(
                ordered,
                DeliverySettled(
                    delivery=one.delivery,
                    notice=ordered.notice,
                    revision=ordered.revision,
                    person=one.person,
                    channel=one.channel,
                    outcome=Outcome.REFUSED,
                    reason=one.reason,
                ),
            )
            for one in batch.unsendable
        ]
        await self.commit(tx, [*drafts, *refused])
        for (channel, state), load in batch.loads().items():
            self._tally.add(ordered.notice, ordered.revision, channel, state, load)
        if batch.rows:
            self._bell()
        if drafts:
            _log.warning("escalated", notice=ordered.notice, count=len(drafts))

    async def commit(self, tx: Transaction, drafts: Sequence[Draft] = ()) -> None:
        """Write the facts down, some hundreds at a time."""
        # The rows go with the first facts: a deadline that comes again finds the addresses taken.
        durable = await self._journal.commit(tx, drafts[:_FACTS_AT_ONCE])
        for start in range(_FACTS_AT_ONCE, len(drafts), _FACTS_AT_ONCE):
            await self._journal.commit(Transaction(), drafts[start : start + _FACTS_AT_ONCE])
        if durable is Durability.UNRECORDED:
            _log.error("escalation_unrecorded")

    def escalated(
        self, ordered: Ordered, person: PersonId, step: int, to: str, next_person: PersonId | None = None
    ) -> Draft:
        """That this step was taken for somebody."""
        known = self.site().people.get(person)
        return self.draft(
            ordered,
            DeliveryEscalated(
                notice=ordered.notice,
                incident=ordered.incident,
                person=person,
                step=step,
                to=to,
                next_person=next_person,
                place=min(known.places, default=None) if known is not None else None,
            ),
        )

    def draft(self, ordered: Ordered, fact: Fact) -> Draft:
        """A fact about the notice, or its incident."""
        return Draft(
            id=self._ids.fact(), at=self._clock.now(), subject=ordered.incident or ordered.notice, fact=fact
        )
