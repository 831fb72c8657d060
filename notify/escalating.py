"""Follows ordered notices, and looks again at the times at which people should have been reached or have answered.

What is to be looked at when is a row, so that a kill loses no step. A step writes its deliveries, its facts and the next
time in one transaction. What is done is decided in `elsewhere.py` and `climbing.py`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
from msgspec import Struct

from belltower import log
from belltower.clock import SECOND, Clock, Instant
from belltower.errors import StoreError
from belltower.ids import Ids, IncidentId, NoticeId, StreamName
from belltower.incident.entry import Entry
from belltower.incident.facts import Fact, Mode, NoticeOrdered
from belltower.incident.fold import Incident, fold
from belltower.journal import UNPLACED, Deadline, Deadlines, Journal
from belltower.store import Database, Transaction
from notify.climbing import Climbing
from notify.elsewhere import Elsewhere
from notify.escalation import ladder
from notify.escalation_pen import EscalationPen, Help
from notify.escalation_store import EscalationTables, Standing
from notify.order_store import KeptOrder, order_of
from notify.site import NoticeSite
from notify.snapshot import Batch
from notify.stops import Stops
from notify.store import DeliveryTables
from notify.tally import Tally

_log = log.get("notify")

FIRST_LOOK = 15.0
"""Seconds after the order at which it is first looked at whether anything failed."""

LOOK_EVERY = 10.0
"""Seconds between two such looks, while anything may still fail: what became uncertain is helped within 30 s."""

LOOK_FOR = 900.0
"""Seconds after the order from which on nobody looks any more."""

_NOT_YET = 2.0
_OLD = 3600.0


class _Look(Struct, frozen=True, kw_only=True):
    """What lies in a deadline."""

    notice: NoticeId
    revision: int
    ordered_at: Instant
    # The rung of the ladder, from 1; 0: whether anything failed.
    rung: int


_looks = msgspec.json.Decoder(_Look)


class Escalation:
    """Tells in another way, or others, where nothing is known to have arrived or nobody answers."""

    def __init__(
        self,
        *,
        database: Database,
        journal: Journal[Fact],
        alarm_stream: StreamName,
        tables: DeliveryTables,
        site: Callable[[], NoticeSite],
        served: Callable[[], frozenset[str]],
        paused: Callable[[], frozenset[str]],
        stops: Callable[[], Awaitable[Stops]],
        tally: Tally,
        clock: Clock,
        ids: Ids,
        bell: Callable[[], None],
    ) -> None:
        """`paused` are the channels none of whose providers takes anything now."""
        self._database = database
        self._journal = journal
        self._alarm_stream = alarm_stream
        self._site = site
        self._clock = clock
        self._tables = EscalationTables(database=database)
        self._pen = EscalationPen(
            journal=journal,
            tables=tables,
            site=site,
            served=served,
            stops=stops,
            tally=tally,
            clock=clock,
            ids=ids,
            bell=bell,
        )
        self._elsewhere = Elsewhere(tables=self._tables, pen=self._pen, paused=paused)
        self._climbing = Climbing(tables=self._tables, pen=self._pen, ids=ids)
        self._deadlines = Deadlines(database=database, clock=clock, owner="notify.escalation")

    async def open(self) -> None:
        """Bring the tables up to date and arm what was promised before."""
        await self._tables.migrate()
        await self._deadlines.open()

    def close(self) -> None:
        """Look no more in this process."""
        self._deadlines.close()

    async def follow(self, stream: StreamName) -> None:
        """Note when to look after each notice that is ordered in `stream`, for ever."""
        name = f"notify.escalation:{stream}"
        after = await self._journal.bookmark(name)
        async for entry in self._journal.follow(after=after, kinds=(NoticeOrdered,), stream=stream):
            tx = Transaction()
            self._promise(tx, entry)
            if entry.position != UNPLACED:
                self._journal.keep_bookmark(tx, name, entry.position)
            try:
                await self._database.submit(tx)
            except StoreError:
                _log.error("escalation_unrecorded")  # armed in this process all the same

    def _promise(self, tx: Transaction, entry: Entry) -> None:
        order = entry.fact
        assert isinstance(order, NoticeOrdered)  # noqa: S101 - asked for by kind
        if self._clock.now() - entry.at > _OLD * SECOND:
            return  # read again from the first entry on, as by a newer version
        plan = self._site().escalation
        if order.template in plan.templates:
            self._set(tx, order.notice, order.revision, entry.at, 1, ladder(plan)[0].after)
        if not order.routine and order.mode is Mode.ACTUAL:
            self._set(tx, order.notice, order.revision, entry.at, 0, FIRST_LOOK)

    def _set(
        self, tx: Transaction, notice: NoticeId, revision: int, at: Instant, rung: int, after: float
    ) -> None:
        look = _Look(notice=notice, revision=revision, ordered_at=at, rung=rung)
        due = Instant(at + round(after * SECOND))
        self._deadlines.set(tx, key=_key(look), due=due, body=msgspec.json.encode(look))

    async def run(self) -> None:
        """Look when it is time, for ever."""
        async for deadline in self._deadlines.follow():
            try:
                await self._look(deadline)
            except StoreError:
                _log.error("escalation_put_off", key=deadline.key)
                due = Instant(self._clock.now() + round(_NOT_YET * SECOND))
                # Armed, whether or not it can be written down: the row stands as it was.
                self._deadlines.set(Transaction(), key=deadline.key, due=due, body=deadline.body)

    async def _look(self, deadline: Deadline) -> None:
        look = _looks.decode(deadline.body)
        standing = await self._tables.standing(look.notice, look.revision)
        kept = await order_of(self._database, look.notice)
        age = (self._clock.now() - look.ordered_at) / SECOND
        tx = Transaction()
        if standing is None or kept is None:
            if age < LOOK_FOR:
                self._again(tx, look, age + _NOT_YET)
            else:
                self._deadlines.clear(tx, key=deadline.key)
            await self._pen.commit(tx)
            return
        incident = await self._incident(standing.ordered.incident)
        if standing.superseded_by or (incident is not None and not incident.open):
            self._deadlines.clear(tx, key=deadline.key)
            await self._pen.commit(tx)
        elif look.rung:
            await self._climb(tx, look, standing, kept, incident)
        else:
            help_ = await self._elsewhere.help(tx, standing, kept)
            if help_.more and age < LOOK_FOR:
                self._again(tx, look, age + LOOK_EVERY)
            else:
                self._deadlines.clear(tx, key=deadline.key)
            await self._pen.done(tx, standing.ordered, help_)

    async def _climb(
        self, tx: Transaction, look: _Look, standing: Standing, kept: KeptOrder, incident: Incident | None
    ) -> None:
        """Take one rung with whoever has not answered, and promise the next."""
        rungs = ladder(self._site().escalation)
        help_ = Help(batch=Batch())
        if look.rung <= len(rungs):
            help_ = await self._climbing.climb(tx, rungs[look.rung - 1], standing, kept, incident)
        if help_.more and look.rung < len(rungs):
            self._set(tx, look.notice, look.revision, look.ordered_at, look.rung + 1, rungs[look.rung].after)
        else:
            self._deadlines.clear(tx, key=_key(look))
        await self._pen.done(tx, standing.ordered, help_)

    def _again(self, tx: Transaction, look: _Look, after: float) -> None:
        self._set(tx, look.notice, look.revision, look.ordered_at, look.rung, after)

    async def _incident(self, incident: IncidentId) -> Incident | None:
        """The incident as the alarm lane says; its stream is short, the deliveries lie in our own."""
        if not incident:
            return None
        return fold(incident, await self._journal.of(incident, stream=self._alarm_stream))


def _key(look: _Look) -> str:
    return f"{look.notice}:{look.revision}:{'ladder' if look.rung else 'elsewhere'}"
