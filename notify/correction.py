"""What takes a notice back, and what says that it is over: one action, to everybody whom the first may have reached.

The notices that they order stand in the desk's own stream, so that neither needs the alarm lane.
"""

from __future__ import annotations

import asyncio
from base64 import b32encode
from collections.abc import Callable, Sequence
from contextlib import suppress
from hashlib import sha256
from itertools import takewhile

from belltower import log
from belltower.clock import Clock
from belltower.errors import Conflict, NotFound, NotPermitted, WrongState
from belltower.ids import Ids, IncidentId, NoticeId, PersonId, StreamName, VerbId
from belltower.incident.entry import Draft
from belltower.incident.facts import Fact, Mode, NoticeOrdered
from belltower.incident.told import Readers, clearing, clears, correcting, corrects_another, readers
from belltower.journal import Durability, Journal
from belltower.people.grant import Allowed, Right, nobody
from belltower.store import Database, Transaction
from notify.concerning import concerns
from notify.family_sites import FamilySites
from notify.order_store import KeptOrder, order_of, orders_of
from notify.planner import bookmark
from notify.site import NoticeSite
from notify.store import DeliveryTables
from notify.wording import about_site

_log = log.get("notify")

_REMEMBERED = 1_000
_PAGE = 1_000
_TRIES = 5


def correction(wrong: NoticeOrdered, *, notice: NoticeId, by: PersonId) -> NoticeOrdered:
    """The order that takes `wrong` back, to its own audience and to all to whom it may have gone. Pure."""
    return NoticeOrdered(
        notice=notice,
        revision=1,
        incident=wrong.incident,
        mode=wrong.mode,
        template=correcting(wrong.template),
        audience=wrong.audience,
        slots=_lasting(wrong.slots),
        by=by,
        corrects=(wrong.notice,),
        routine=wrong.routine,
    )


def all_clear(
    told: Sequence[NoticeOrdered], whose: Readers, *, notice: NoticeId, by: PersonId
) -> NoticeOrdered | None:
    """The order that tells `whose` that it is over; None where they were told nothing, or all of them this. Pure.

    `told` is everything ordered in the incident, the oldest first. It goes to all to whom any of it may have gone, and
    is an exercise only where all of it was.
    """
    own = [order for order in told if readers(order.template) is whose]
    if not own or _all_heard_the_end(own):
        return None
    like = _most_telling(own)
    return NoticeOrdered(
        notice=notice,
        revision=1,
        incident=like.incident,
        mode=like.mode,
        template=clearing(like.template),
        audience=like.audience,
        slots=_lasting(like.slots),
        by=by,
        corrects=tuple(dict.fromkeys(order.notice for order in own)),
        routine=all(order.routine for order in own),
    )


def _all_heard_the_end(own: Sequence[NoticeOrdered]) -> bool:
    """Whether what was said last is that it is over, in the place of everything before."""
    ending = list(takewhile(lambda order: clears(order.template), reversed(own)))
    covered = {notice for order in ending for notice in (*order.corrects, order.notice)}
    return bool(ending) and all(order.notice in covered for order in own)


def _most_telling(own: Sequence[NoticeOrdered]) -> NoticeOrdered:
    """What its end is said like: the last that was meant, rather than one that already said that it is over.

    Rather one of an action, too, than one of where families go: that is never over.
    """
    meant = [order for order in own if order.mode is Mode.ACTUAL] or own
    going_on = [order for order in meant if not clears(order.template)] or meant
    return ([order for order in going_on if not about_site(order.template)] or going_on)[-1]


class Corrections:
    """Orders them, each once: under one verb id however often it is asked, and for one notice whoever asks.

    `streams` are those in which notices are ordered.
    """

    def __init__(
        self,
        *,
        database: Database,
        journal: Journal[Fact],
        streams: Sequence[StreamName],
        tables: DeliveryTables,
        sites: FamilySites,
        site: Callable[[], NoticeSite],
        allowed: Allowed = nobody,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._database = database
        self._journal = journal
        self._streams = streams
        self._tables = tables
        self._sites = sites
        self._site = site
        self._allowed = allowed
        self._clock = clock
        self._ids = ids
        # Two people who ask at once are one after the other: the second sees what the first has ordered.
        self._one_at_a_time = asyncio.Lock()
        # Those of late, which may not be planned yet, nor in the journal.
        self._ordered: dict[NoticeId, KeptOrder] = {}

    async def correct(self, verb: VerbId, notice: NoticeId, by: PersonId) -> None:
        """Take the notice back. Raises NotFound, WrongState where it was taken back or is a correction itself.

        A notice of an incident is taken back by whoever ends incidents in any school; another by whose right its people are.
        """
        await self._may(by)
        async with self._one_at_a_time:
            wrong = await order_of(self._database, notice)
            if wrong is None:
                raise NotFound("There is no such notice, or it is not planned yet.")
            if not wrong.order.incident:
                await self._may(by, await concerns(wrong.order, self._site(), self._tables))
            ordered = correction(wrong.order, notice=_named(verb), by=by)
            told = await self._told(wrong.order)
            if any(order.notice == ordered.notice for order in told):
                return
            if corrects_another(wrong.order.template):
                raise WrongState("This notice is a correction itself.")
            if any(notice in order.corrects and corrects_another(order.template) for order in told):
                raise WrongState("This notice was taken back already.")
            await self._take_back(ordered, wrong.order, by)

    async def all_clear(
        self, verb: VerbId, incident: IncidentId, by: PersonId, whose: Sequence[Readers] = tuple(Readers)
    ) -> None:
        """Tell those of `whose` who were told anything that it is over. Raises NotFound where nobody was."""
        await self._may(by)
        async with self._one_at_a_time:
            told = await self._told_of(incident)
            if not any(readers(order.template) in whose for order in told):
                raise NotFound("Nobody was told anything of this incident.")
            orders: list[tuple[NoticeOrdered, NoticeOrdered]] = []
            for each in whose:
                ordered = all_clear(told, each, notice=_named(verb, each), by=by)
                if ordered is not None:
                    own = [order for order in told if readers(order.template) is each]
                    orders.append((ordered, _most_telling(own)))
            await self._order(orders)

    async def _may(self, by: PersonId, schools: frozenset[str] | None = None) -> None:
        """Whoever says that an incident is over, or sends notices: in any school, or in these. Raises `NotPermitted`."""
        try:
            await self._allowed(by, Right.INCIDENT_CLOSE, schools)
        except NotPermitted:
            await self._allowed(by, Right.NOTICE_SEND, schools)

    async def _told(self, wrong: NoticeOrdered) -> list[NoticeOrdered]:
        """Everything ordered where this notice was."""
        if wrong.incident:
            return await self._told_of(wrong.incident)
        recent = [kept.order for kept in await self._recent() if wrong.notice in kept.order.corrects]
        later = await order_of(self._database, await self._tables.superseded_by(wrong.notice))
        return [*recent, later.order] if later is not None else recent

    async def _told_of(self, incident: IncidentId) -> list[NoticeOrdered]:
        """Everything ordered in the incident, planned or not, the oldest first."""
        recent = [kept for kept in await self._recent() if kept.order.incident == incident]
        every = {(kept.order.notice, kept.order.revision): kept for kept in recent}
        for kept in await orders_of(self._database, incident):
            every[kept.order.notice, kept.order.revision] = kept
        return [kept.order for kept in sorted(every.values(), key=_age)]

    async def _recent(self) -> list[KeptOrder]:
        """What is ordered and may not be planned yet."""
        found = list(self._ordered.values())
        for stream in dict.fromkeys(self._streams):
            after = await self._journal.bookmark(bookmark(stream))
            while entries := await self._journal.read(after=after, limit=_PAGE, stream=stream):
                after = entries[-1].position
                found += [
                    KeptOrder(at=entry.at, order=entry.fact)
                    for entry in entries
                    if isinstance(entry.fact, NoticeOrdered)
                ]
                await asyncio.sleep(0)
        return found

    async def _take_back(self, ordered: NoticeOrdered, wrong: NoticeOrdered, by: PersonId) -> None:
        """Order it; where families were told of a place, from now on they go nowhere."""
        tries = _TRIES if await self._sites.has(wrong.notice) else 0
        for _ in range(tries):
            tx = Transaction()
            self._sites.take_back(tx, ordered, by=by)
            with suppress(Conflict):  # somebody told families of a place in this moment
                return await self._order([(ordered, wrong)], tx)
        # Families are told to wait even if that cannot be kept.
        return await self._order([(ordered, wrong)])

    async def _order(
        self, orders: Sequence[tuple[NoticeOrdered, NoticeOrdered]], tx: Transaction | None = None
    ) -> None:
        """Write the orders down, each with the rule of the notice that it is like, and what else `tx` says."""
        orders = [pair for pair in orders if pair[0].notice not in self._ordered]
        if not orders:
            return
        now = self._clock.now()
        tx = tx or Transaction()
        drafts = []
        for order, like in orders:
            if not order.audience:
                rule = await self._tables.rule_of(like.notice)
                if rule is not None:
                    self._tables.add_rule(tx, order.notice, rule)
            drafts.append(
                Draft(id=self._ids.fact(), at=now, subject=order.incident or order.notice, fact=order)
            )
        durable = await self._journal.commit(tx, drafts)
        # What could not be ordered is not remembered: whoever asks again orders it.
        self._ordered.update((order.notice, KeptOrder(at=now, order=order)) for order, _ in orders)
        while len(self._ordered) > _REMEMBERED:
            del self._ordered[next(iter(self._ordered))]
        if durable is Durability.UNRECORDED:
            _log.error("order_unrecorded", count=len(drafts))  # it is planned all the same


def _lasting(slots: dict[str, str]) -> dict[str, str]:
    """What the later notice may say too: the update that the earlier one promised, it is itself."""
    return {name: value for name, value in slots.items() if name != "next"}


def _named(verb: VerbId, whose: Readers = Readers.STAFF) -> NoticeId:
    """The id that asking again under the same verb names again."""
    own = verb.removeprefix("vrb_")
    if whose is Readers.FAMILIES:
        own = own[:10] + b32encode(sha256(verb.encode()).digest()).decode()[:16]
    return NoticeId(f"ntc_{own}")


def _age(kept: KeptOrder) -> tuple[int, str, int]:
    return kept.at, kept.order.notice, kept.order.revision
