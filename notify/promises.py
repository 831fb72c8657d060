"""The next update that families were promised: somebody is told before it is due, and it is loud once it was missed.

Nothing is ever sent to families by itself: an update says what a person knows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256

import msgspec
from msgspec import Struct

from belltower import log
from belltower.clock import SECOND, Clock, Instant
from belltower.errors import StoreError
from belltower.ids import Ids, IncidentId, NoticeId, StreamName
from belltower.incident.entry import Draft, Entry
from belltower.incident.facts import Fact, Mode, NoticeOrdered
from belltower.incident.told import Readers, readers
from belltower.journal import UNPLACED, Deadline, Deadlines, Durability, Journal
from belltower.store import Database, Step, Transaction
from notify.site import NoticeSite
from notify.store import DeliveryTables

_log = log.get("notify")

STEPS = (
    Step(
        room="notify.promises",
        number=1,
        sql="""
        CREATE TABLE notice_promise (
            about TEXT PRIMARY KEY, notice TEXT NOT NULL, incident TEXT NOT NULL, number TEXT NOT NULL,
            due BIGINT NOT NULL
        );
        """,
    ),
)

BEFORE = 300 * SECOND
"""How long before a promised update somebody is told that it is due."""

DUE = "staff-update-due"
"""The template that tells them."""

_OLD = 24 * 3600 * SECOND
_NOT_YET = 2 * SECOND
_MICROSECONDS = re.compile(r"[0-9]{1,16}")

_KEEP = """
INSERT INTO notice_promise (about, notice, incident, number, due)
VALUES (:about, :notice, :incident, :number, :due)
ON CONFLICT (about) DO UPDATE SET notice = excluded.notice, incident = excluded.incident, number = excluded.number,
    due = excluded.due
"""
_DROP = "DELETE FROM notice_promise WHERE about = :about"
_ALL = "SELECT about, notice, incident, number, due FROM notice_promise ORDER BY due, about"


class Promise(Struct, frozen=True, kw_only=True):
    """An update that families wait for."""

    # The incident; where it belongs to none, those who wait for it.
    about: str
    # Where it was promised.
    notice: NoticeId
    incident: IncidentId
    # The incident's number as people say it; "": none.
    number: str
    due: Instant


def promised(order: NoticeOrdered, at: Instant, *, waiting: str = "") -> Promise | None:
    """What a notice ordered `at` promises to those `waiting`; None: nothing that is still to come. Pure."""
    given = order.slots.get("next", "")
    if not _MICROSECONDS.fullmatch(given) or int(given) <= at:
        return None
    return Promise(
        about=order.incident or waiting or order.notice,
        notice=order.notice,
        incident=order.incident,
        number=order.slots.get("incident", ""),
        due=Instant(int(given)),
    )


def is_past(order: NoticeOrdered, now: Instant) -> bool:
    """Whether the notice promises an update at a time that is past. Pure."""
    return bool(_MICROSECONDS.fullmatch(order.slots.get("next", ""))) and promised(order, now) is None


class Promises:
    """Keeps every promise as a row until the next notice to the same families."""

    def __init__(
        self,
        *,
        database: Database,
        journal: Journal[Fact],
        tables: DeliveryTables,
        site: Callable[[], NoticeSite],
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._database = database
        self._journal = journal
        self._tables = tables
        self._site = site
        self._clock = clock
        self._ids = ids
        self._deadlines = Deadlines(database=database, clock=clock, owner="notify.promises")
        self._standing: dict[str, Promise] = {}

    async def open(self) -> None:
        """Bring the table up to date and read what stands."""
        await self._database.migrate(STEPS)
        for about, notice, incident, number, due in await self._database.read(_ALL):
            self._standing[about] = Promise(
                about=about,
                notice=NoticeId(notice),
                incident=IncidentId(incident),
                number=number,
                due=Instant(due),
            )
        await self._deadlines.open()
        tx = Transaction()
        self._drop_old(tx)
        if tx.parts:
            await self._database.submit(tx)

    def close(self) -> None:
        """Look no more in this process."""
        self._deadlines.close()

    def standing(self) -> Sequence[Promise]:
        """Every promise that is not kept yet, the next one first; one that was missed for a day is past keeping."""
        return sorted(
            (one for one in self._standing.values() if not self._is_old(one)),
            key=lambda one: (one.due, one.about),
        )

    async def follow(self, stream: StreamName) -> None:
        """Take what is promised to families in `stream`, for ever."""
        name = f"notify.promises:{stream}"
        after = await self._journal.bookmark(name)
        async for entry in self._journal.follow(after=after, kinds=(NoticeOrdered,), stream=stream):
            tx = Transaction()
            await self._take(tx, entry)
            if entry.position != UNPLACED:
                self._journal.keep_bookmark(tx, name, entry.position)
            try:
                await self._database.submit(tx)
            except StoreError:
                _log.error("promise_unrecorded")  # it stands in this process all the same

    async def _take(self, tx: Transaction, entry: Entry) -> None:
        order = entry.fact
        assert isinstance(order, NoticeOrdered)  # noqa: S101 - asked for by kind
        if readers(order.template) is not Readers.FAMILIES or order.mode is not Mode.ACTUAL:
            return
        if self._clock.now() - entry.at > _OLD:
            return  # read again from the first entry on, as by a newer version
        self._drop_old(tx)
        waiting = await self._waiting(order)
        for about in self._kept_by(order, waiting):
            self._drop(tx, about)
        promise = promised(order, entry.at, waiting=waiting)
        if promise is not None:
            tx.add(
                _KEEP,
                about=promise.about,
                notice=promise.notice,
                incident=promise.incident,
                number=promise.number,
                due=promise.due,
            )
            self._standing[promise.about] = promise
            self._deadlines.set(tx, key=promise.about, due=Instant(promise.due - BEFORE))

    def _kept_by(self, order: NoticeOrdered, waiting: str) -> Iterator[str]:
        """The promises that this notice keeps: it says something to those who wait."""
        for about, promise in list(self._standing.items()):
            if about in {order.incident or order.notice, waiting} or promise.notice in order.corrects:
                yield about

    async def _waiting(self, order: NoticeOrdered) -> str:
        """A name for those whom the notice tells; the same for every notice to the same."""
        if order.audience:
            return f"audience:{order.audience}"
        try:
            rule = await self._tables.rule_of(order.notice)
        except StoreError:
            rule = None
        if rule is None:
            return order.notice
        return f"rule:{sha256(msgspec.json.encode(rule, order='deterministic')).hexdigest()[:32]}"

    def _is_old(self, promise: Promise) -> bool:
        return self._clock.now() - promise.due > _OLD

    def _drop_old(self, tx: Transaction) -> None:
        for about in [about for about, promise in self._standing.items() if self._is_old(promise)]:
            self._drop(tx, about)

    def _drop(self, tx: Transaction, about: str) -> None:
        tx.add(_DROP, about=about)
        self._deadlines.clear(tx, key=about)
        self._standing.pop(about, None)

    async def run(self) -> None:
        """Tell somebody when an update is due soon, for ever."""
        async for deadline in self._deadlines.follow():
            await self._remind(deadline)

    async def _remind(self, deadline: Deadline) -> None:
        promise = self._standing.get(deadline.key)
        tx = Transaction()
        self._deadlines.clear(tx, key=deadline.key)
        drafts = []
        officer = self._site().families.officer
        if promise is not None and officer:
            drafts.append(
                Draft(
                    id=self._ids.fact(),
                    at=self._clock.now(),
                    subject=promise.incident or promise.notice,
                    fact=self._due(promise, officer),
                )
            )
        try:
            durable = await self._journal.commit(tx, drafts)
        except StoreError:
            _log.error("promise_put_off", about=deadline.key)
            self._deadlines.set(
                Transaction(), key=deadline.key, due=Instant(self._clock.now() + _NOT_YET), body=deadline.body
            )
            return
        if durable is Durability.UNRECORDED:
            _log.error("promise_unrecorded")
        if promise is not None:
            _log.warning("update_due", about=promise.about)

    def _due(self, promise: Promise, officer: str) -> NoticeOrdered:
        return NoticeOrdered(
            notice=self._ids.notice(),
            revision=1,
            incident=promise.incident,
            mode=Mode.ACTUAL,
            template=DUE,
            audience=officer,
            slots={"incident": promise.number, "next": str(promise.due)},
        )
