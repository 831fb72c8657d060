"""The draft that stands ready for families as soon as an action is ordered; a person reads it and sends it.

An ordered action that takes the place of another drops the other's draft, and so does the end of the incident. A draft
whose promised update has come near is written anew: nobody is promised what is past.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
from msgspec import Struct

from belltower import log
from belltower.clock import SECOND, Clock, Instant
from belltower.errors import Refused, StoreError
from belltower.ids import Ids, IncidentId, NoticeId, PersonId, StreamName, VerbId
from belltower.incident.entry import Entry
from belltower.incident.facts import Action, ActionOrdered, Fact, IncidentClosed, Mode
from belltower.incident.fold import Incident, fold
from belltower.journal import UNPLACED, Deadline, Deadlines, Journal
from belltower.store import Database, Transaction
from notify.choice import Choice
from notify.compose import Composer
from notify.draft import DraftState
from notify.site import NoticeSite

_log = log.get("notify")

BY = PersonId("response plan")
"""Who wrote a draft that no person wrote."""

_OLD = 3600 * SECOND
_LOOKED_AT = 200


class _Ready(Struct, frozen=True, kw_only=True):
    """What lies in a deadline: the draft that is to be written anew."""

    draft: NoticeId
    incident: IncidentId
    number: int
    action: Action


_readies = msgspec.json.Decoder(_Ready)


class Readying:
    """Writes the drafts. Without `[families] audience` in the response plan it writes none.

    `stream` is the alarm lane's.
    """

    def __init__(
        self,
        *,
        database: Database,
        journal: Journal[Fact],
        stream: StreamName,
        composer: Composer,
        site: Callable[[], NoticeSite],
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._database = database
        self._journal = journal
        self._stream = stream
        self._composer = composer
        self._site = site
        self._clock = clock
        self._ids = ids
        self._deadlines = Deadlines(database=database, clock=clock, owner="notify.readying")
        # What is written anew and what the incident says of it take turns.
        self._one_at_a_time = asyncio.Lock()
        # The draft that the deadline of an incident is about.
        self._latest: dict[IncidentId, NoticeId] = {}

    async def open(self) -> None:
        """Arm what was promised before."""
        await self._deadlines.open()

    def close(self) -> None:
        """Write no more in this process."""
        self._deadlines.close()

    async def follow(self) -> None:
        """Make ready what the alarm lane's actions call for; for ever."""
        name = f"notify.readying:{self._stream}"
        after = await self._journal.bookmark(name)
        kinds = (ActionOrdered, IncidentClosed)
        async for entry in self._journal.follow(after=after, kinds=kinds, stream=self._stream):
            async with self._one_at_a_time:
                tx = Transaction()
                if entry.subject and self._clock.now() - entry.at < _OLD:
                    await self._take(tx, entry, IncidentId(entry.subject))
                if entry.position != UNPLACED:
                    self._journal.keep_bookmark(tx, name, entry.position)
                await self._database.submit(tx)

    async def _take(self, tx: Transaction, entry: Entry, id_: IncidentId) -> None:
        known = VerbId(f"vrb_{entry.id.removeprefix('fct_')}")
        await self._drop(id_, but=NoticeId(f"ntc_{entry.id.removeprefix('fct_')}"))
        self._deadlines.clear(tx, key=id_)
        self._latest.pop(id_, None)
        if not isinstance(entry.fact, ActionOrdered):
            return
        incident = await self._incident(id_)
        if incident.mode is Mode.ACTUAL and incident.open:
            await self._write(tx, known, id_, incident.number, entry.fact.action)

    async def _incident(self, id_: IncidentId) -> Incident:
        return fold(id_, await self._journal.of(id_, stream=self._stream))

    async def _write(
        self, tx: Transaction, verb: VerbId, incident: IncidentId, number: int, action: Action
    ) -> None:
        site, template = self._site(), f"families.{action.value}.now"
        families = site.families
        if not families.audience:
            return
        choice = Choice(
            template=template,
            audience=families.audience,
            slots={"action": action.value, "incident": str(number)},
            next_in=max(1, round(families.next_update)) if "next" in site.wording.names(template) else 0,
            incident=incident,
        )
        try:
            draft = await self._composer.write(verb, choice, BY)
        except Refused as error:
            _log.error("draft_refused", incident=incident, reason=type(error).__name__)
            return
        ready = _Ready(draft=draft.id, incident=incident, number=number, action=action)
        again = Instant(self._clock.now() + round(families.next_update * SECOND / 2))
        self._latest[incident] = draft.id
        self._deadlines.set(tx, key=incident, due=again, body=msgspec.json.encode(ready))

    async def _drop(self, incident: IncidentId, *, but: NoticeId) -> None:
        for draft in await self._composer.drafts.open(_LOOKED_AT):
            if draft.order.incident == incident and draft.made_by == BY and draft.id != but:
                await self._drop_one(draft.id)

    async def _drop_one(self, draft: NoticeId) -> None:
        try:
            await self._composer.drop(draft, BY)
        except Refused:
            _log.info("draft_moved_on", notice=draft)

    async def run(self) -> None:
        """Write anew what stood ready for too long, for ever."""
        async for deadline in self._deadlines.follow():
            ready = _readies.decode(deadline.body)
            async with self._one_at_a_time:
                await self._anew(deadline, ready)

    async def _anew(self, deadline: Deadline, ready: _Ready) -> None:
        if self._latest.get(ready.incident, ready.draft) != ready.draft:
            return  # what took its place has a deadline of its own
        tx = Transaction()
        self._deadlines.clear(tx, key=deadline.key)
        try:
            old = await self._composer.drafts.get(ready.draft)
            if old is not None and old.state is DraftState.OPEN:
                if (await self._incident(ready.incident)).open:
                    await self._write(tx, self._ids.verb(), ready.incident, ready.number, ready.action)
                await self._drop_one(old.id)
            await self._database.submit(tx)
        except StoreError:
            _log.error("draft_put_off", incident=ready.incident)
            self._latest[ready.incident] = ready.draft
            due = Instant(self._clock.now() + 2 * SECOND)
            self._deadlines.set(Transaction(), key=deadline.key, due=due, body=deadline.body)
