"""From an ordered notice to one row per address."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from itertools import islice

from msgspec.structs import replace

from belltower import log
from belltower.clock import Clock
from belltower.ids import Ids, PersonId, PlaceId, StreamName
from belltower.incident.entry import Draft, Entry
from belltower.incident.facts import (
    DeliverySettled,
    Fact,
    Mode,
    NoticeOrdered,
    NoticePlanned,
    Outcome,
)
from belltower.journal import UNPLACED, Durability, Journal
from belltower.store import CHUNK, Transaction
from notify import meant, order_store
from notify.audience import AudienceRule
from notify.filling import everywhere, slots_of, words_of
from notify.ledger import At, nowhere
from notify.overtaking import NOTHING, OF_ACTIONS, Overtaking
from notify.quiet import ROUTINE, quiet_until
from notify.shelves import Shelves
from notify.site import NoticeSite
from notify.snapshot import Batch, Snapshot, Unsendable
from notify.staff import asks_roster, of_roster
from notify.stops import NOBODY, Stops
from notify.store import DeliveryTables, Ordered
from notify.tally import Tally

_log = log.get("notify")


SUPERSEDES: dict[str, frozenset[str]] = {
    "staff-action": frozenset({"staff-action"}),
    "staff-closed": frozenset(
        {"staff-alarm", "staff-action", "staff-acknowledged", "staff-closed", "staff-unreached"}
    ),
}
"""Which earlier notices of the same incident a template makes pointless where they have not left yet."""

_PEOPLE_AT_ONCE = 500
_CHUNKS_UNDER_WAY = 2
_FACTS_AT_ONCE = 500


async def _nobody() -> Stops:
    return NOBODY


_Landing = tuple[Batch, asyncio.Future[None]]


class Planner:
    """Follows one stream and plans every notice ordered there. Planning twice adds nothing."""

    def __init__(
        self,
        *,
        journal: Journal[Fact],
        stream: StreamName,
        tables: DeliveryTables,
        site: Callable[[], NoticeSite],
        channels: frozenset[str],
        clock: Clock,
        ids: Ids,
        bell: Callable[[], None],
        tally: Tally,
        stops: Callable[[], Awaitable[Stops]] = _nobody,
        at: At = nowhere,
    ) -> None:
        self._journal = journal
        self._stream = stream
        self._tables = tables
        self._site = site
        self._channels = channels
        self._clock = clock
        self._ids = ids
        self._bell = bell
        self._stops = stops
        self._tally = tally
        self._at = at

    async def run(self) -> None:
        """For ever, from the bookmark on."""
        after = await self._journal.bookmark(bookmark(self._stream))
        async for entry in self._journal.follow(after=after, kinds=(NoticeOrdered,), stream=self._stream):
            await self.plan(entry)

    async def plan(self, entry: Entry) -> None:
        """Resolve the audience once and write everything down; returns when it is safe."""
        order = entry.fact
        assert isinstance(order, NoticeOrdered)  # noqa: S101 - asked for by kind
        if (
            entry.position == UNPLACED
            and not order.audience
            and await self._tables.rule_of(order.notice) is None
        ):
            return  # its rule lands with its place, and it comes again then: until then nobody knows whom it means
        self._at("planner.got")
        site = self._site()
        ordered = await self._ordered(entry, order)
        tx = Transaction()
        self._tables.add_notice(tx, ordered)
        order_store.keep(tx, order, entry.at)
        self._tables.supersede(tx, ordered, SUPERSEDES.get(order.template, frozenset()))
        overtaking = NOTHING
        if order.corrects or order.template in OF_ACTIONS:
            # Before the attempts are read: what has not begun by now never will. And whatever of the incident is planned
            # beside it meets it.
            await self._record(tx, [])
            tx = Transaction()
            overtaking = await self._tables.met(tx, ordered)
        shelves = Shelves(mint=self._ids.deliveries)
        snapshot = await self._snapshot(order, ordered, site, shelves)
        # What an earlier life has begun is counted by its rows, once all of them are there.
        resumed = snapshot.deliveries > 0
        (self._tally.forget if resumed else self._tally.begin)(order.notice, order.revision)
        tx, last = await self._resolve(tx, snapshot, shelves, order, site, overtaking)
        if entry.position != UNPLACED:
            self._journal.keep_bookmark(tx, bookmark(self._stream), entry.position)
        await self._keep_meant(tx, order, snapshot, site)
        stopped = snapshot.stopped_since(await self._stops())
        self._tables.stop(tx, stopped)
        self._at("planner.before_commit")
        await self._record(tx, [self._planned(order, snapshot)])
        if late := set(snapshot.stopped_since(await self._stops())).difference(stopped):
            # Said while the last rows were on their way to the disk: whoever wrote it down did not find them.
            tx = Transaction()
            self._tables.stop(tx, late)
            await self._record(tx, [])
        self._at("planner.after_commit")
        self._count(order, last)
        if resumed:
            self._tally.forget(order.notice, order.revision)
        self._bell()
        _log.info(
            "notice_planned", notice=order.notice, people=snapshot.people, deliveries=snapshot.deliveries
        )

    async def _snapshot(
        self, order: NoticeOrdered, ordered: Ordered, site: NoticeSite, shelves: Shelves
    ) -> Snapshot:
        rule = await self._rule(order, site)
        slots = slots_of(order, ordered, site)
        snapshot = Snapshot(
            ordered=ordered,
            rule=rule,
            at=None if everywhere(order) else site.places.get(PlaceId(ordered.place)),
            places=site.places,
            served=self._channels,
            language=site.language,
            render=lambda kind, language: words_of(order, site, slots, kind, language),
            new_id=shelves.new_id,
            stops=await self._stops(),
            mark=self._tables.addresses.mark,
            marks=self._tables.addresses.marks,
        )
        async for channel, mark, id_, person in self._tables.planned(order.notice, order.revision):
            snapshot.recall(channel, mark, id_, person)
        return snapshot

    async def _keep_meant(
        self, tx: Transaction, order: NoticeOrdered, snapshot: Snapshot, site: NoticeSite
    ) -> None:
        known = order.audience if order.audience in site.audiences else ""
        said = await meant.meant_now(snapshot.rule, known, site, told_before=bool(order.corrects))
        said = replace(said, people=snapshot.people, unreachable=snapshot.unreachable)
        meant.keep(tx, self._tables.addresses.vault, order.notice, order.revision, said)

    async def _rule(self, order: NoticeOrdered, site: NoticeSite) -> AudienceRule:
        if not order.audience:
            kept = await self._tables.rule_of(order.notice)
            if kept is not None:
                return kept
            if order.template in ROUTINE:  # nobody is meant by a test but whom its rule names
                return AudienceRule(people=frozenset({PersonId("")}))
        rule = site.audiences.get(order.audience)
        if rule is None:  # rather too many of the staff than nobody; `belltower check` refuses such a package
            _log.error("audience_unknown", notice=order.notice, audience=order.audience)
            return AudienceRule(everyone=True)
        return rule

    async def _resolve(
        self,
        tx: Transaction,
        snapshot: Snapshot,
        shelves: Shelves,
        order: NoticeOrdered,
        site: NoticeSite,
        overtaking: Overtaking,
    ) -> tuple[Transaction, list[Batch]]:
        """Write down all but what `tx` can still take; returns the transaction that ends the planning, and of what."""
        pending: list[Batch] = []
        landing: deque[_Landing] = deque()
        size = 0
        try:
            async for batch in self._batches(snapshot, order, site):
                if batch is not None:
                    pending.append(batch)
                    size += len(batch.rows) + len(batch.others)
                if size > (CHUNK if batch is not None else 0):
                    await self._write(tx, pending, shelves, order, landing, overtaking)
                    tx, pending, size = Transaction(), [], 0
            await self._add(shelves.clear(), order, landing, overtaking)
            await self._land(order, landing, 0)
        finally:
            for _, landed in landing:
                landed.cancel()
        self._at("planner.resolved")
        for batch in pending:
            self._tables.add_words(tx, order.notice, order.revision, batch.words)
            self._tables.add_rows(tx, batch.rows, batch.others, overtaking)
            await self._tell_unsendable(order, batch.unsendable)
        return tx, pending

    async def _batches(
        self, snapshot: Snapshot, order: NoticeOrdered, site: NoticeSite
    ) -> AsyncIterator[Batch | None]:
        """The whole audience, some hundred people at a time; never longer on the loop than those take.

        At a None, those before it are told before others are looked for.
        """
        people = iter(site.people.values())
        while chunk := list(islice(people, _PEOPLE_AT_ONCE)):
            yield snapshot.add(chunk)
            await asyncio.sleep(0)
        if asks_roster(site, snapshot.rule):
            yield None  # who stands in the site package is told before a roster is read
            async for more in of_roster(site, snapshot.rule):
                yield snapshot.add(more)
                await asyncio.sleep(0)
        for notice in order.corrects:
            async for attempted in self._tables.attempted(notice):
                yield snapshot.add_attempted(attempted)
                await asyncio.sleep(0)

    async def _write(
        self,
        tx: Transaction,
        batches: list[Batch],
        shelves: Shelves,
        order: NoticeOrdered,
        landing: deque[_Landing],
        overtaking: Overtaking,
    ) -> None:
        """The texts first: a delivery may be sent as soon as its row stands."""
        for batch in batches:
            self._tables.add_words(tx, order.notice, order.revision, batch.words)
        if tx.parts:
            await self._record(tx, [])
        self._at("planner.between_chunks")
        await self._add(shelves.put(batches), order, landing, overtaking)

    async def _add(
        self, batches: Iterable[Batch], order: NoticeOrdered, landing: deque[_Landing], overtaking: Overtaking
    ) -> None:
        for batch in batches:
            landing += [
                (batch, landed) for landed in self._tables.add_many(batch.rows, batch.others, overtaking)
            ]
            await self._land(order, landing, _CHUNKS_UNDER_WAY)

    async def _land(self, order: NoticeOrdered, landing: deque[_Landing], most: int) -> None:
        """Wait until no more than `most` chunks are under way: the next are resolved while these are written."""
        while len(landing) > most:
            batch, landed = landing[0]
            await landed
            landing.popleft()
            self._bell()
            self._at("planner.chunk")
            if not landing or landing[0][0] is not batch:
                self._count(order, [batch])
                await self._tell_unsendable(order, batch.unsendable)

    def _count(self, order: NoticeOrdered, batches: list[Batch]) -> None:
        for batch in batches:
            for (channel, state), load in batch.loads().items():
                self._tally.add(order.notice, order.revision, channel, state, load)

    async def _record(self, tx: Transaction, drafts: list[Draft]) -> None:
        durable = await self._journal.commit(tx, drafts)
        if durable is Durability.UNRECORDED:
            _log.error("plan_unrecorded")

    def _planned(self, order: NoticeOrdered, snapshot: Snapshot) -> Draft:
        return Draft(
            id=self._ids.fact(),
            at=self._clock.now(),
            subject=order.incident or order.notice,
            fact=NoticePlanned(
                notice=order.notice,
                revision=order.revision,
                people=snapshot.people,
                deliveries=snapshot.deliveries,
                unsendable=snapshot.unsendable,
                unreachable=snapshot.unreachable,
            ),
        )

    async def _tell_unsendable(self, order: NoticeOrdered, unsendable: list[Unsendable]) -> None:
        for start in range(0, len(unsendable), _FACTS_AT_ONCE):
            await self._record(
                Transaction(),
                [
                    Draft(
                        id=self._ids.fact(),
                        at=self._clock.now(),
                        subject=order.incident or order.notice,
                        fact=DeliverySettled(
                            delivery=one.delivery,
                            notice=order.notice,
                            revision=order.revision,
                            person=one.person,
                            channel=one.channel,
                            outcome=Outcome.REFUSED,
                            reason=one.reason,
                        ),
                    )
                    for one in unsendable[start : start + _FACTS_AT_ONCE]
                ],
            )

    async def _ordered(self, entry: Entry, order: NoticeOrdered) -> Ordered:
        routine = order.routine or order.template in ROUTINE or order.mode is Mode.EXERCISE
        return Ordered(
            notice=order.notice,
            revision=order.revision,
            incident=order.incident,
            template=order.template,
            place=order.slots.get("place", "") or await self._tables.place_of(order.incident),
            mode=order.mode,
            urgency=int(routine),
            ordered_at=entry.at,
            corrects=order.corrects,
            quiet_until=quiet_until(order, self._site(), self._clock.now()),
        )


def bookmark(stream: StreamName) -> str:
    """The planner's bookmark: each stream has its own, so that a fresh one is planned from its first entry."""
    return f"notify.planner:{stream}"
