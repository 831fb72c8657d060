"""What screens and exports read of this room: notices, and what became of each delivery. A page of rows at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

from msgspec import Struct

from belltower.clock import Instant
from belltower.ids import DeliveryId, IncidentId, NoticeId, PersonId
from belltower.incident.facts import Mode
from belltower.incident.told import corrects_another
from belltower.store import Database
from notify.addresses import Addresses
from notify.codes import masked
from notify.delivery import State
from notify.meant import Meant, kept
from notify.order_store import KeptOrder, order_of, orders_of
from notify.sealing import seal_notice
from notify.standing import Counts, Row, Standing
from notify.store import Words

PAGE = 1_000
"""Rows of one query."""

_NOTICES = """
SELECT notice, revision, incident, template, place, mode, urgency, ordered_at, superseded_by,
    CASE WHEN released_at > 0 THEN 0 ELSE quiet_until END FROM notice n
WHERE revision = (SELECT MAX(revision) FROM notice WHERE notice = n.notice) AND %s
ORDER BY ordered_at DESC, notice DESC LIMIT :limit
"""
_NEWEST = _NOTICES % "ordered_at <= :before"
_ONE = _NOTICES % "notice = :notice"

_LINES = """
SELECT id, person, channel, provider, sealed, state, reason, attempts, begun_at, acknowledged_at, language, parts,
    address
FROM notice_delivery
WHERE notice = :notice AND revision = :revision AND (channel, address) > (:channel, :address)
ORDER BY channel, address LIMIT :limit
"""

_ROWS = """
SELECT id, person, channel, provider, prefix, state, reason, acknowledged_at, address FROM notice_delivery
WHERE notice = :notice AND revision = :revision AND (channel, address) > (:channel, :address)
ORDER BY channel, address LIMIT :limit
"""

# Whole pages of the index, so that a page is short however few of its rows are wanted.
_TAKEN = """
SELECT id, provider_id, provider, begun_at, state, address FROM notice_delivery
WHERE notice = :notice AND revision = :revision AND channel = :channel AND address > :address
ORDER BY address LIMIT :limit
"""

_OTHERS = """
SELECT person, delivery, reason FROM notice_person
WHERE notice = :notice AND revision = :revision AND (person, delivery) > (:person, :delivery)
ORDER BY person, delivery LIMIT :limit
"""

_WORDS = """
SELECT channel, language, body, subject FROM notice_words
WHERE notice = :notice AND revision = :revision ORDER BY channel, language
"""


class Listed(Struct, frozen=True, kw_only=True):
    """A notice as it was ordered last."""

    notice: NoticeId
    revision: int
    incident: IncidentId
    template: str
    place: str
    mode: Mode
    routine: bool
    ordered_at: Instant
    superseded_by: str
    # Until when its texts and calls wait; 0: they do not.
    quiet_until: Instant = Instant(0)


class Line(Struct, frozen=True, kw_only=True):
    """One delivery as exports show it."""

    id: DeliveryId
    person: PersonId
    channel: str
    # NAME in the settings; "" before the first attempt, or where one alone serves the channel.
    provider: str
    # "" where its key is lost.
    address: str
    state: State
    reason: str
    attempts: int
    begun_at: Instant
    acknowledged_at: Instant
    language: str
    parts: int


class Reports:
    """Reads only, and waits until nothing of a notice stands in clear any more: pages go by what is sealed meanwhile.

    Raises `StoreError` wherever it cannot.
    """

    def __init__(self, *, database: Database, addresses: Addresses) -> None:
        self._database = database
        self._addresses = addresses

    async def newest(self, *, before: Instant, limit: int) -> list[Listed]:
        """The notices ordered last, the newest first."""
        return [_listed(row) for row in await self._database.read(_NEWEST, before=before, limit=limit)]

    async def notice(self, notice: NoticeId) -> Listed | None:
        """One notice; None: it is not planned, or does not exist."""
        rows = await self._database.read(_ONE, notice=notice, limit=1)
        return _listed(rows[0]) if rows else None

    async def taken_back(self, listed: Listed) -> KeptOrder | None:
        """The order that took it back as a mistake; None: none did."""
        if not listed.superseded_by:
            return None
        if listed.incident:
            later = await orders_of(self._database, listed.incident)
        else:
            found = await order_of(self._database, NoticeId(listed.superseded_by))
            later = [found] if found is not None else []
        return next(
            (
                kept
                for kept in later
                if listed.notice in kept.order.corrects and corrects_another(kept.order.template)
            ),
            None,
        )

    async def order(self, notice: NoticeId) -> KeptOrder | None:
        """How it was ordered; None: it is not planned yet."""
        return await order_of(self._database, notice)

    async def words(self, listed: Listed) -> list[Words]:
        """The filled texts, for each channel and language; a test's without its code."""
        rows = await self._database.read(_WORDS, notice=listed.notice, revision=listed.revision)
        return [
            Words(channel=row[0], language=row[1], body=masked(row[2]), subject=masked(row[3]))
            for row in rows
        ]

    async def meant(self, listed: Listed) -> Meant | None:
        """For whom it was when it was planned; None: an older program planned it, or its key is lost."""
        return await kept(self._database, self._addresses.vault, listed.notice, listed.revision)

    async def lines(self, listed: Listed) -> AsyncIterator[Sequence[Line]]:
        """Every delivery, by channel, in no order that tells anything of the addresses."""
        async for rows in self._pages(_LINES, listed):
            yield [_line(row, self._addresses.open(row[0], row[4])) for row in rows]

    async def _pages(self, sql: str, listed: Listed) -> AsyncIterator[list[tuple[Any, ...]]]:
        await seal_notice(self._database, self._addresses, listed.notice)
        channel = address = ""
        while rows := await self._database.read(
            sql,
            notice=listed.notice,
            revision=listed.revision,
            channel=channel,
            address=address,
            limit=PAGE,
        ):
            channel, address = rows[-1][2], rows[-1][-1]
            yield rows
            if len(rows) < PAGE:
                return

    async def taken(
        self, listed: Listed, channel: str
    ) -> AsyncIterator[list[tuple[DeliveryId, str, str, Instant]]]:
        """Of what providers took and no more is known: the delivery, their id of it, which of them, and since when."""
        await seal_notice(self._database, self._addresses, listed.notice)
        address = ""
        while rows := await self._database.read(
            _TAKEN,
            notice=listed.notice,
            revision=listed.revision,
            channel=channel,
            address=address,
            limit=PAGE,
        ):
            address = rows[-1][5]
            yield [
                (DeliveryId(row[0]), row[1], row[2], Instant(row[3]))
                for row in rows
                if row[4] == State.ACCEPTED and row[1]
            ]
            if len(rows) < PAGE:
                return

    async def others(self, listed: Listed) -> AsyncIterator[tuple[PersonId, DeliveryId, str]]:
        """People whom no delivery of their own names: the delivery they share, or why nothing reaches them."""
        person = delivery = ""
        while rows := await self._database.read(
            _OTHERS,
            notice=listed.notice,
            revision=listed.revision,
            person=person,
            delivery=delivery,
            limit=PAGE,
        ):
            for person, delivery, reason in rows:
                yield PersonId(person), DeliveryId(delivery), str(reason)
            if len(rows) < PAGE:
                return

    async def standing(self, listed: Listed) -> Standing:
        """The notice, counted. No query is long; all of them together are, for a very large notice."""
        standing = Standing(whole=Counts())
        sharing: dict[str, list[PersonId]] = {}
        async for person, delivery, _ in self.others(listed):
            if delivery:
                sharing.setdefault(delivery, []).append(person)
            else:
                standing.unreachable.add(person)
        async for rows in self._pages(_ROWS, listed):
            standing.add(cast("list[Row]", rows), sharing)
        standing.unreachable -= standing.reached.keys()
        return standing


def _listed(row: Sequence[Any]) -> Listed:
    return Listed(
        notice=NoticeId(row[0]),
        revision=int(row[1]),
        incident=IncidentId(row[2]),
        template=str(row[3]),
        place=str(row[4]),
        mode=Mode(row[5]),
        routine=bool(row[6]),
        ordered_at=Instant(row[7]),
        superseded_by=str(row[8]),
        quiet_until=Instant(row[9]),
    )


def _line(row: Sequence[Any], address: str) -> Line:
    return Line(
        id=DeliveryId(row[0]),
        person=PersonId(row[1]),
        channel=row[2],
        provider=row[3],
        address=address,
        state=State(row[5]),
        reason=row[6],
        attempts=row[7],
        begun_at=Instant(row[8]),
        acknowledged_at=Instant(row[9]),
        language=row[10],
        parts=row[11],
    )
