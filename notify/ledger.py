"""The honest ledger: the one place where something learned of a delivery becomes a row and a fact."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable
from itertools import islice

from msgspec import Struct
from msgspec.structs import replace

from belltower import log
from belltower.clock import Clock, Instant
from belltower.errors import StoreError
from belltower.ids import DeliveryId, Ids, NoticeId
from belltower.incident.entry import Draft
from belltower.incident.facts import DeliverySettled, Fact
from belltower.journal import Durability, Journal
from belltower.store import Transaction
from notify.delivery import OUTCOMES, Delivery, Evidence, State, advance
from notify.forecast import Load
from notify.stops import CARRIER_STOPS
from notify.store import DeliveryTables
from notify.tally import Counts, Key, Tally

_log = log.get("notify")

At = Callable[[str], None]
"""Called with the name of each point at which a kill must lose nothing; does nothing outside of tests."""

Moved = tuple[NoticeId, int, str, State, State, int]
"""Notice, revision, kind of address, the states before and after, and the parts of each message."""

_REMEMBERED = 20_000
_AT_ONCE = Instant(0)
# Seconds for which what was learned waits at most for another commit to go with: the flush to disk is shared.
_LINGER = 0.02


def nowhere(_point: str) -> None:
    """The `At` of every day."""


class _Learned(Struct):
    evidence: Evidence
    # For a return to `pending`: when it may be tried again.
    due_at: Instant
    told: asyncio.Future[Delivery | None] | None = None


class Ledger:
    """Settles deliveries in groups: one transaction for all that was learned since the last one."""

    def __init__(
        self,
        *,
        tables: DeliveryTables,
        journal: Journal[Fact],
        clock: Clock,
        ids: Ids,
        at: At = nowhere,
        group: int = 500,
        stopped: Callable[[Transaction, Delivery], None] = lambda _tx, _delivery: None,
    ) -> None:
        """`stopped` writes down that a carrier says that the delivery's address wants nothing from its sender."""
        self._tables = tables
        self._journal = journal
        self._clock = clock
        self._ids = ids
        self._at = at
        self._group = group
        self._stopped = stopped
        self._learned: deque[_Learned] = deque()
        self._more = asyncio.Event()
        self._hurry = asyncio.Event()
        self._known: OrderedDict[DeliveryId, Delivery] = OrderedDict()
        self.tally = Tally()
        """How many deliveries of each notice stand where."""
        self._to_count: dict[Key, asyncio.Future[None]] = {}

    @property
    def backlog(self) -> int:
        """How much was learned and is not yet written; whoever learns more should wait while this is high."""
        return len(self._learned)

    def remember(self, deliveries: Iterable[Delivery]) -> None:
        """These are the rows as they now stand: spares reading them again."""
        known = self._known
        known.update({delivery.id: delivery for delivery in deliveries})
        while len(known) > _REMEMBERED:
            known.popitem(last=False)

    def meet(self, deliveries: Iterable[Delivery]) -> None:
        """Rows as the store has them, which lags behind while the disk is ill: what is known of a row already stays."""
        self.remember([one for one in deliveries if one.id not in self._known])

    def note(self, evidence: Evidence, *, due_at: Instant | None = None) -> None:
        """Write this down soon. A kill before that leaves the row as it is, which says less, never more."""
        self._learned.append(_Learned(evidence=evidence, due_at=due_at or _AT_ONCE))
        self._more.set()

    def learn(self, evidence: Evidence) -> asyncio.Future[Delivery | None]:
        """Write this down; resolves with the delivery as it then stands, None if there is no such delivery."""
        told: asyncio.Future[Delivery | None] = asyncio.get_running_loop().create_future()
        self._learned.append(_Learned(evidence=evidence, due_at=_AT_ONCE, told=told))
        self._hurry.set()
        self._more.set()
        return told

    def share(self) -> None:
        """Another commit is about to go: write down now, with it, what was learned."""
        if self._learned:
            self._hurry.set()

    async def counts(self, notice: NoticeId, revision: int) -> Counts:
        """How many deliveries of the notice stand where. Counts rows only where that is not known."""
        while (known := self.tally.of(notice, revision)) is None:
            counting = self._to_count.get((notice, revision))
            if counting is None:
                counting = self._to_count[notice, revision] = asyncio.get_running_loop().create_future()
                self._more.set()
            await asyncio.shield(counting)
        return known

    async def run(self) -> None:
        """For ever: write down what was learned, in the order it was learned."""
        while True:
            await self._more.wait()
            await self._count()
            while self._learned:
                await self._company()
                group = list(islice(self._learned, self._group))
                await self._write(group)
                for one in group:
                    self._learned.popleft()
                    if one.told is not None and not one.told.done():
                        one.told.set_result(self._known.get(one.evidence.delivery))
                await self._count()
            self._more.clear()

    async def _company(self) -> None:
        try:
            async with asyncio.timeout(_LINGER):
                await self._hurry.wait()
        except TimeoutError:
            pass
        self._hurry.clear()

    async def flush(self) -> None:
        """Write down what is left; for the moment in which `run` runs no more."""
        while self._learned:
            group = list(islice(self._learned, self._group))
            await self._write(group)
            for _ in group:
                self._learned.popleft()

    async def _count(self) -> None:
        """Between two groups: no row changes its state but to `sending` and back, which is counted as one."""
        while self._to_count:
            (notice, revision), counting = next(iter(self._to_count.items()))
            try:
                self.tally.set(notice, revision, await self._tables.counted(notice, revision))
            finally:
                del self._to_count[notice, revision]
                if not counting.done():
                    counting.set_result(None)

    async def _write(self, group: list[_Learned]) -> None:
        # Not by `-`: a view of all keys would be walked for every group.
        unknown = {one.evidence.delivery for one in group if one.evidence.delivery not in self._known}
        if unknown:
            self.remember((await self._tables.of(sorted(unknown))).values())
        tx = Transaction()
        settled: list[tuple[Delivery, Delivery, bool]] = []
        after: dict[DeliveryId, Delivery] = {}
        moved: list[Moved] = []
        for one in group:
            evidence = one.evidence
            before = after.get(evidence.delivery) or self._known.get(evidence.delivery)
            now = before and _learned(before, evidence)
            if before is None or now is None:
                continue
            after[before.id] = now
            moved.append(
                (before.notice, before.revision, before.channel, before.state, now.state, before.parts)
            )
            if now.state is State.PENDING:  # no row was settled before it: only what is being sent returns
                self._tables.give_back(tx, now, due_at=one.due_at, passed_to=evidence.passed_to)
            else:
                settled.append((before, now, now.state is State.UNCERTAIN and not evidence.final))
                if now.state is State.REFUSED and evidence.reason in CARRIER_STOPS:
                    self._stopped(tx, now)
        if after:
            self._tables.settle(tx, settled)
            self.remember(after.values())
            self._at("ledger.before_commit")
            await self._commit(tx, self._drafts([now for _, now, _ in settled]))
            self._at("ledger.after_commit")
            self._move(Counter(moved))

    def _move(self, moved: Counter[Moved]) -> None:
        for (notice, revision, channel, before, after, parts), count in moved.items():
            self.tally.moved(notice, revision, channel, before, after, Load(count, count * parts))

    def _drafts(self, settled: list[Delivery]) -> list[Draft]:
        at = self._clock.now()
        return [
            Draft(
                id=id_,
                at=at,
                subject=delivery.incident,
                fact=DeliverySettled(
                    delivery=delivery.id,
                    notice=delivery.notice,
                    revision=delivery.revision,
                    person=delivery.person,
                    channel=delivery.channel,
                    outcome=OUTCOMES[delivery.state],
                    reason=delivery.reason,
                    begun_at=delivery.begun_at,
                ),
            )
            for id_, delivery in zip(self._ids.facts(len(settled)), settled, strict=True)
        ]

    async def _commit(self, tx: Transaction, drafts: list[Draft]) -> None:
        try:
            durable = await self._journal.commit(tx, drafts)
        except StoreError:  # nothing here expects a row count; were it so, the rows say less than we know
            durable = Durability.UNRECORDED
        if durable is Durability.UNRECORDED:
            _log.error("settlement_unrecorded", count=len(drafts))


def _learned(before: Delivery, evidence: Evidence) -> Delivery | None:
    """The delivery after this was learned of it, or None where that changes nothing."""
    if evidence.provider_id and before.provider_id not in {"", evidence.provider_id}:
        _log.warning("delivery_of_another_message", delivery=before.id)
        return None
    state = advance(before.state, evidence.state)
    if state is None:
        if not (evidence.final and before.state is State.UNCERTAIN is evidence.state):
            return None
        state = State.UNCERTAIN
    return replace(
        before,
        state=state,
        reason=evidence.reason,
        provider_id=before.provider_id or evidence.provider_id,
    )
