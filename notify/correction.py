"""What takes a notice back, and what says that it is over: one action, to everybody whom the first may have reached.

The notices that they order stand in the desk's own stream, so that neither needs the alarm lane.
"""

from __future__ import annotations

from base64 import b32encode
from collections.abc import Sequence
from hashlib import sha256

from belltower import log
from belltower.clock import Clock
from belltower.errors import NotFound, WrongState
from belltower.ids import Ids, IncidentId, NoticeId, PersonId, VerbId
from belltower.incident.entry import Draft
from belltower.incident.facts import Fact, NoticeOrdered
from belltower.incident.told import Readers, clearing, clears, correcting, corrects_another, readers
from belltower.journal import Durability, Journal
from belltower.store import Database, Transaction
from notify.order_store import KeptOrder, order_of, orders_of
from notify.store import DeliveryTables

_log = log.get("notify")

_REMEMBERED = 1_000


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
    """The order that tells `whose` that it is over; None where they were told nothing, or this already. Pure.

    `told` is everything ordered in the incident, the oldest first. It goes to all to whom any of it may have gone.
    """
    own = [order for order in told if readers(order.template) is whose]
    if not own or clears(own[-1].template):
        return None
    last = own[-1]
    return NoticeOrdered(
        notice=notice,
        revision=1,
        incident=last.incident,
        mode=last.mode,
        template=clearing(last.template),
        audience=last.audience,
        slots=_lasting(last.slots),
        by=by,
        corrects=tuple(dict.fromkeys(order.notice for order in own)),
        routine=all(order.routine for order in own),
    )


class Corrections:
    """Orders them, each once however often it is asked under one verb id."""

    def __init__(
        self, *, database: Database, journal: Journal[Fact], tables: DeliveryTables, clock: Clock, ids: Ids
    ) -> None:
        self._database = database
        self._journal = journal
        self._tables = tables
        self._clock = clock
        self._ids = ids
        # Those of late, which may not be planned yet.
        self._ordered: dict[NoticeId, None] = {}

    async def correct(self, verb: VerbId, notice: NoticeId, by: PersonId) -> None:
        """Take the notice back. Raises NotFound, WrongState where it was taken back or is a correction itself."""
        wrong = await order_of(self._database, notice)
        if wrong is None:
            raise NotFound("There is no such notice, or it is not planned yet.")
        ordered = correction(wrong.order, notice=_named(verb), by=by)
        told = await self._told(wrong.order)
        if any(kept.order.notice == ordered.notice for kept in told):
            return
        if corrects_another(wrong.order.template):
            raise WrongState("This notice is a correction itself.")
        if any(notice in kept.order.corrects and corrects_another(kept.order.template) for kept in told):
            raise WrongState("This notice was taken back already.")
        await self._order([(ordered, wrong.order)])

    async def all_clear(
        self, verb: VerbId, incident: IncidentId, by: PersonId, whose: Sequence[Readers] = tuple(Readers)
    ) -> None:
        """Tell those of `whose` who were told anything that it is over. Raises NotFound where nobody was."""
        told = [kept.order for kept in await orders_of(self._database, incident)]
        if not any(readers(order.template) in whose for order in told):
            raise NotFound("Nobody was told anything of this incident.")
        orders: list[tuple[NoticeOrdered, NoticeOrdered]] = []
        for each in whose:
            ordered = all_clear(told, each, notice=_named(verb, each), by=by)
            if ordered is not None:
                last = next(order for order in reversed(told) if readers(order.template) is each)
                orders.append((ordered, last))
        await self._order(orders)

    async def _told(self, order: NoticeOrdered) -> list[KeptOrder]:
        """Everything ordered where this notice was."""
        if order.incident:
            return await orders_of(self._database, order.incident)
        later = await order_of(self._database, await self._tables.superseded_by(order.notice))
        return [later] if later is not None else []

    async def _order(self, orders: Sequence[tuple[NoticeOrdered, NoticeOrdered]]) -> None:
        """Write the orders down, each with the rule of the notice that it is like."""
        orders = [pair for pair in orders if pair[0].notice not in self._ordered]
        if not orders:
            return
        self._ordered.update((order.notice, None) for order, _ in orders)
        while len(self._ordered) > _REMEMBERED:
            del self._ordered[next(iter(self._ordered))]
        tx = Transaction()
        drafts = []
        for order, like in orders:
            if not order.audience:
                rule = await self._tables.rule_of(like.notice)
                if rule is not None:
                    self._tables.add_rule(tx, order.notice, rule)
            drafts.append(
                Draft(
                    id=self._ids.fact(),
                    at=self._clock.now(),
                    subject=order.incident or order.notice,
                    fact=order,
                )
            )
        if await self._journal.commit(tx, drafts) is Durability.UNRECORDED:
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
