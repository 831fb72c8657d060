"""What came too late to be sent is held for a person: who has it sent after all, or leaves it, and that is written down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from belltower import log
from belltower.clock import Clock
from belltower.errors import NotFound, StoreError, WrongState
from belltower.ids import DeliveryId, Ids, NoticeId, PersonId
from belltower.incident.entry import Draft
from belltower.incident.facts import Fact, HeldDecided, Mode
from belltower.journal import Durability, Journal
from belltower.people.grant import Allowed, Right
from belltower.store import Database, Priority, Transaction
from notify.audience import AudienceRule, concerned
from notify.delivery import LEFT, TOO_LATE, State
from notify.order_store import KeptOrder, order_of
from notify.overtaking import OVERTAKEN
from notify.sealing import seal_notice
from notify.site import NoticeSite
from notify.stops import STOPPED
from notify.store import DeliveryTables
from notify.tally import Tally

_log = log.get("notify")

_PAGE = 1_000

RELEASED = "released"
"""Why a delivery is pending that was held before."""

# Whole pages of the index, so that a page is short however few of its rows are held.
_ROWS = """
SELECT channel, address, id, state, reason, urgency FROM notice_delivery
WHERE notice = :notice AND revision = :revision AND (channel, address) > (:channel, :address)
ORDER BY channel, address LIMIT :count
"""
_LOOK = 5.0
"""Seconds between looks whether a decision was begun and not ended."""

_DECIDING = "UPDATE notice SET deciding = :reason WHERE notice = :notice AND revision = :revision"
_DECIDED = "SELECT notice, revision, deciding FROM notice WHERE deciding <> '' ORDER BY notice, revision"
_RELEASED_AT = "UPDATE notice SET released_at = :at WHERE notice = :notice AND revision = :revision"
_DECIDE = """
UPDATE notice_delivery SET state = :state, reason = :reason, due_at = 0, passed = 0
WHERE id = :id AND state = 'refused' AND reason = 'too_late'
"""


_Row = tuple[DeliveryId, int]
"""A delivery and its urgency."""


class Held:
    """Decides about them: a new attempt for each, on a person's word, or none."""

    def __init__(
        self,
        *,
        database: Database,
        journal: Journal[Fact],
        tables: DeliveryTables,
        site: Callable[[], NoticeSite],
        tally: Tally,
        allowed: Allowed,
        bell: Callable[[], None],
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._database = database
        self._journal = journal
        self._tables = tables
        self._site = site
        self._tally = tally
        self._allowed = allowed
        self._bell = bell
        self._clock = clock
        self._ids = ids
        self._one_at_a_time = asyncio.Lock()

    async def send(self, notice: NoticeId, by: PersonId) -> int:
        """Have what is held of the notice sent after all; how many that are. Asking twice sends once.

        A kill in between leaves the rest to `run`. Raises `Refused`: `by` may not, or it is not to be said any more.
        """
        return await self._decide(notice, by, send=True)

    async def leave(self, notice: NoticeId, by: PersonId) -> int:
        """Leave what is held of the notice unsent for good. Raises `Refused`: `by` may not."""
        return await self._decide(notice, by, send=False)

    async def run(self) -> None:
        """For ever: carry out the rest of what was decided, where a kill or the disk came in between."""
        while True:
            async with self._one_at_a_time:
                for notice, revision, reason in await self._database.read(_DECIDED):
                    await self._carry_out(NoticeId(notice), revision, reason)
            await asyncio.sleep(_LOOK)

    async def _decide(self, notice: NoticeId, by: PersonId, *, send: bool) -> int:
        kept = await order_of(self._database, notice)
        if kept is None:
            raise NotFound("There is no such notice.")
        await self._allowed(by, Right.NOTICE_SEND, concerned(await self._rule(kept), self._site().schools))
        async with self._one_at_a_time:
            if send:
                await self._check(kept)
            begun = {(row[0], row[1]): row[2] for row in await self._database.read(_DECIDED)}
            reason = begun.get((kept.order.notice, kept.order.revision))
            if reason is not None:
                await self._carry_out(kept.order.notice, kept.order.revision, reason)
            return await self._write(kept, by, send=send)

    async def _check(self, kept: KeptOrder) -> None:
        if await self._tables.superseded_by(kept.order.notice):
            raise WrongState("A later notice took its place: what this one says does not stand any more.")
        if kept.order.mode is Mode.EXERCISE:
            raise WrongState("What is practised is not sent late.")

    async def _rule(self, kept: KeptOrder) -> AudienceRule:
        known = self._site().audiences.get(kept.order.audience) if kept.order.audience else None
        return known or await self._tables.rule_of(kept.order.notice) or AudienceRule(everyone=True)

    async def _write(self, kept: KeptOrder, by: PersonId, *, send: bool) -> int:
        order, now = kept.order, self._clock.now()
        pages = [page async for page in self._held(order.notice, order.revision) if page]
        if not pages:
            return 0
        count = sum(urgency < OVERTAKEN or not send for page in pages for _, urgency in page)
        reason = RELEASED if send else LEFT
        tx = Transaction()
        tx.add(_DECIDING, reason=reason, notice=order.notice, revision=order.revision)
        tx.rows(_DECIDE, _rows(pages[0], reason))
        if send:
            tx.add(_RELEASED_AT, at=now, notice=order.notice, revision=order.revision)
        decided = HeldDecided(
            notice=order.notice,
            revision=order.revision,
            incident=order.incident,
            by=by,
            sent=send,
            deliveries=count,
        )
        fact = Draft(id=self._ids.fact(), at=now, subject=order.incident or order.notice, fact=decided)
        if await self._journal.commit(tx, [fact]) is Durability.UNRECORDED:
            raise StoreError("who decided could not be written down")
        await self._carry_out(order.notice, order.revision, reason)
        _log.info("held_decided", notice=order.notice, person=by, sent=send, count=count)
        return count

    async def _carry_out(self, notice: NoticeId, revision: int, reason: str) -> None:
        async for page in self._held(notice, revision):
            if page:
                tx = Transaction()
                tx.rows(_DECIDE, _rows(page, reason))
                await self._database.submit(tx, priority=Priority.BULK)
        tx = Transaction()
        tx.add(_DECIDING, reason="", notice=notice, revision=revision)
        await self._database.submit(tx, priority=Priority.BULK)
        self._tally.forget(notice, revision)
        self._bell()

    async def _held(self, notice: NoticeId, revision: int) -> AsyncIterator[list[_Row]]:
        await seal_notice(self._database, self._tables.addresses, notice)
        channel = address = ""
        while rows := await self._database.read(
            _ROWS,
            notice=notice,
            revision=revision,
            channel=channel,
            address=address,
            count=_PAGE,
        ):
            channel, address = rows[-1][:2]
            yield [
                (DeliveryId(row[2]), row[5]) for row in rows if (row[3], row[4]) == (State.REFUSED, TOO_LATE)
            ]


def _rows(page: Sequence[_Row], reason: str) -> list[tuple[str, str, str]]:
    """What becomes of them: on no person's word is sent what was stopped since, or what a later notice overtook."""
    pending, refused, superseded = State.PENDING.value, State.REFUSED.value, State.SUPERSEDED.value
    if reason != RELEASED:
        return [(refused, reason, id_) for id_, _ in page]
    became = {STOPPED: (refused, "stopped"), OVERTAKEN: (superseded, "")}
    return [(*became.get(urgency, (pending, reason)), id_) for id_, urgency in page]
