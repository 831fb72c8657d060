"""What people answer becomes rows and facts: that they are safe, need help, have heard, want no more."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Container
from functools import partial

from belltower import log
from belltower.clock import Clock
from belltower.errors import Conflict, StoreError
from belltower.ids import DeliveryId, Ids, PersonId
from belltower.incident.entry import Draft
from belltower.incident.facts import Fact, Reply, ReplyHeard
from belltower.journal import Durability, Journal
from belltower.store import Transaction
from notify.channels.inbox import Incoming
from notify.delivery import Evidence, State
from notify.ledger import At, Ledger, nowhere
from notify.replies import says_more, understood
from notify.reply_tables import Answered, ReplyTables

_log = log.get("notify")

_READ = frozenset({Reply.SAFE, Reply.NEED_HELP, Reply.ACKNOWLEDGED, Reply.STOP, Reply.START})
_REMEMBERED = 20_000
_ACKNOWLEDGES = frozenset({Reply.SAFE, Reply.NEED_HELP, Reply.ACKNOWLEDGED})


class Hearing:
    """Writes down what people answer. An answer counts only from an address to which something was sent."""

    def __init__(
        self,
        *,
        tables: ReplyTables,
        ledger: Ledger,
        journal: Journal[Fact],
        clock: Clock,
        ids: Ids,
        staff: Callable[[], Container[PersonId]] = frozenset,
        at: At = nowhere,
    ) -> None:
        """`staff` are the school's own people: their bare "help" is never a question about who we are."""
        self._tables = tables
        self._ledger = ledger
        self._journal = journal
        self._clock = clock
        self._ids = ids
        self._staff = staff
        self._at = at
        # What was heard lately, by id: a store that is slow or ill cannot tell that it was heard before.
        self._lately: OrderedDict[str, Reply | None] = OrderedDict()
        self._under_way: dict[str, asyncio.Event] = {}
        self.ignored: Counter[str] = Counter()
        """Messages of which nothing was kept, by reason."""

    async def hear(self, provider: str, incoming: Incoming) -> Reply | None:
        """Write down an answer; None where nothing was sent to its sender. Hearing it twice changes nothing.

        Raises:
            StoreError: it cannot be known what was sent, or be kept anywhere what was heard.
        """
        id_ = self._tables.name_of(provider, incoming.message)
        return await self._once(id_, partial(self._hear, id_, incoming))

    async def _hear(self, id_: str, incoming: Incoming) -> Reply | None:
        channel, address, text = incoming.channel, incoming.address, incoming.text
        now = self._clock.now()
        answered = await self._tables.answered(channel, address, now=now)
        reply = incoming.meant or understood(
            text,
            urgent=answered is not None and (answered.urgent or answered.person in self._staff()),
            stopped=await self._tables.is_stopped(channel, address),
        )
        tx = Transaction()
        if reply is Reply.STOP:
            self._tables.stop(tx, channel, address, person=answered.person if answered else "", at=now)
        elif reply is Reply.START:
            self._tables.start(tx, channel, address)
        elif answered is None:
            self.ignored["stranger"] += 1
            return None
        return await self._keep(tx, id_, answered, channel, reply, text if says_more(text, reply) else "")

    async def acknowledge(self, delivery: DeliveryId) -> bool:
        """Somebody who was called or shown this delivery has pressed or tapped that they heard; False: no such one."""
        answered = await self._tables.delivery(delivery)
        if answered is None:
            self.ignored["delivery"] += 1
            return False
        id_ = self._tables.name_of("acknowledged", delivery)
        reply = Reply.ACKNOWLEDGED
        await self._once(id_, partial(self._keep, Transaction(), id_, answered, answered.channel, reply, ""))
        return True

    async def _once(self, id_: str, work: Callable[[], Awaitable[Reply | None]]) -> Reply | None:
        while (other := self._under_way.get(id_)) is not None:
            await other.wait()
        if id_ in self._lately:
            self.ignored["again"] += 1
            return self._lately[id_]
        ended = self._under_way[id_] = asyncio.Event()
        try:
            reply = self._lately[id_] = await work()
        finally:
            del self._under_way[id_]
            ended.set()
        if len(self._lately) > _REMEMBERED:
            self._lately.popitem(last=False)
        return reply

    async def _keep(
        self, tx: Transaction, id_: str, answered: Answered | None, channel: str, reply: Reply, text: str
    ) -> Reply:
        now = self._clock.now()
        self._tables.add(tx, id_, answered, channel, reply, text, now)
        drafts = []
        if answered is not None:
            if reply in _ACKNOWLEDGES:
                self._tables.acknowledge(tx, answered.delivery, now)
            drafts.append(self._draft(answered, channel, reply, id_ if text else ""))
        self._at("reply.before_commit")
        try:
            durable = await self._journal.commit(tx, drafts)
        except Conflict:  # it was heard before
            self.ignored["again"] += 1
            return reply
        self._at("reply.after_commit")
        if durable is Durability.UNRECORDED:
            _log.error("reply_unrecorded")
            raise StoreError("what was heard could not be written down")
        if answered is not None and reply in _READ:
            self._ledger.note(Evidence(delivery=answered.delivery, state=State.READ, reason="answered"))
        _log.info("reply_heard", reply=reply.value, notice=answered.notice if answered else "")
        return reply

    def _draft(self, answered: Answered, channel: str, reply: Reply, text: str) -> Draft:
        return Draft(
            id=self._ids.fact(),
            at=self._clock.now(),
            subject=answered.incident or answered.notice,
            fact=ReplyHeard(
                person=answered.person,
                channel=channel,
                reply=reply,
                incident=answered.incident or None,
                notice=answered.notice,
                text=text,
            ),
        )
