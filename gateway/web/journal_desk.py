"""The desk as the page sees it, read from the desk lane's journal: its copy of the alarm stream and its own.

Which incidents are open stands in a small table of this room, kept by a follower together with its bookmark; the page
begins to follow at that bookmark, so that nothing can fall between the table and what comes after it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Protocol

from belltower.clock import Clock
from belltower.errors import NotFound, StoreError
from belltower.ids import CallId, FactId, Ids, IncidentId, NoticeId, PersonId, PlaceId, StreamName, VerbId
from belltower.incident import facts
from belltower.incident.entry import Draft, Entry
from belltower.incident.facts import Action, Fact
from belltower.journal import Journal
from belltower.store import Transaction
from gateway.web import store
from gateway.web.answers import Calling
from gateway.web.desk import AlertsNearby, ConsoleMessage, LaneState, Names, Recipient
from gateway.web.rooms import RoomText

_KEEP_EVERY = 500


class DeskVerbs(Protocol):
    """What the desk asks of the alarm lane."""

    async def order_action(self, verb_id: VerbId, incident: IncidentId, action: Action, by: PersonId) -> None:
        """See `DeskView.order_action`."""
        ...

    async def close(self, verb_id: VerbId, incident: IncidentId, by: PersonId, reason: str) -> None:
        """See `DeskView.close`."""
        ...

    async def cancel_calls(self, verb_id: VerbId, incident: IncidentId, by: PersonId) -> None:
        """See `DeskView.cancel_calls`."""
        ...

    async def correct_call(self, verb_id: VerbId, call: CallId, place: PlaceId, by: PersonId) -> None:
        """See `DeskView.correct_call`."""
        ...

    async def texts(self, incident: IncidentId) -> Sequence[RoomText]:
        """See `DeskView.texts`."""
        ...

    async def send_text(
        self, verb_id: VerbId, incident: IncidentId, room: PlaceId, words: str, by: PersonId
    ) -> None:
        """See `DeskView.send_text`."""
        ...

    async def note_read_back(
        self, verb_id: VerbId, incident: IncidentId, by: PersonId, operator: str
    ) -> None:
        """See `DeskView.note_read_back`."""
        ...


class DeskNotices(Protocol):
    """What the notice room knows of deliveries."""

    async def recipients(self, notice: NoticeId) -> Sequence[Recipient]:
        """See `DeskView.recipients`."""
        ...

    async def calling(self) -> Sequence[Calling]:
        """See `DeskView.calling`."""
        ...

    async def console(self) -> Sequence[ConsoleMessage]:
        """See `DeskView.console`."""
        ...


class JournalDesk:
    """Satisfies `DeskView`. Keep `run` running, essential, in the desk lane."""

    def __init__(
        self,
        *,
        site: str,
        names: Names,
        journal: Journal[Fact],
        alarm_stream: StreamName,
        verbs: DeskVerbs,
        notices: DeskNotices,
        lane: Callable[[], LaneState],
        ids: Ids,
        clock: Clock,
        former: Sequence[StreamName] = (),
        alerts: Callable[[], AlertsNearby | None] = lambda: None,
    ) -> None:
        self._site = site
        self._names = names
        self._journal = journal
        self._alarm_stream = alarm_stream
        # Each stream has its own: a fresh one is read from its first entry.
        self._bookmark = f"web.incidents:{alarm_stream}"
        self._verbs = verbs
        self._notices = notices
        self._lane = lane
        self._ids = ids
        self._clock = clock
        # What the alarm lane wrote before it had to begin a fresh journal.
        self._former = former
        self._alerts = alerts

    @property
    def site(self) -> str:
        """The school's name."""
        return self._site

    @property
    def names(self) -> Names:
        """What people call places and each other."""
        return self._names

    def alarm_lane(self) -> LaneState:
        """Where the alarm lane stands."""
        return self._lane()

    def alerts(self) -> AlertsNearby | None:
        """Public alerts that concern us."""
        return self._alerts()

    async def run(self) -> None:
        """Keep the table of incidents, for ever."""
        after = await self._journal.bookmark(self._bookmark)
        pending = 0
        async for entry in self._journal.follow(after=after, stream=self._alarm_stream):
            if entry.position == 0:
                continue
            pending += 1
            telling = isinstance(entry.fact, facts.IncidentOpened | facts.IncidentClosed)
            if not telling and pending < _KEEP_EVERY:
                continue
            tx = Transaction()
            match entry.fact:
                case facts.IncidentOpened(incident=incident, number=number):
                    store.incident_opened(tx, incident, number, entry.at)
                case facts.IncidentClosed(incident=incident):
                    store.incident_closed(tx, incident, entry.at)
                case _:
                    pass
            self._journal.keep_bookmark(tx, self._bookmark, entry.position)
            await self._journal.database.submit(tx)
            pending = 0

    async def heads(self) -> Mapping[StreamName, int]:
        """The positions up to which the table of incidents is kept."""
        return {
            self._alarm_stream: await self._journal.bookmark(self._bookmark),
            self._journal.stream: self._journal.head,
        }

    async def open_incidents(self) -> Sequence[IncidentId]:
        """Every open incident, oldest first."""
        return await store.open_incidents(self._journal.database)

    async def closed_incidents(self, limit: int) -> Sequence[IncidentId]:
        """Those closed last, newest first."""
        return await store.closed_incidents(self._journal.database, limit)

    async def entries(self, incident: IncidentId) -> Sequence[Entry]:
        """Every fact about the incident, once, from whichever journal the alarm lane had then."""
        known: dict[FactId, Entry] = {}
        for stream in [*self._former, self._alarm_stream, self._journal.stream]:
            for entry in await self._journal.of(incident, stream=stream):
                known[entry.id] = entry
        return list(known.values())

    async def follow(self, after: Mapping[StreamName, int]) -> AsyncIterator[Entry]:
        """Every later fact of both streams, as they come."""
        merged: asyncio.Queue[Entry | StoreError] = asyncio.Queue(maxsize=1_000)

        async def pour(stream: StreamName) -> None:
            try:
                async for entry in self._journal.follow(after=after.get(stream, 0), stream=stream):
                    await merged.put(entry)
            except StoreError as error:
                await merged.put(error)

        async with asyncio.TaskGroup() as group:
            pouring = [
                group.create_task(pour(stream), name=f"web.follow.{stream}")
                for stream in (self._alarm_stream, self._journal.stream)
            ]
            try:
                while not isinstance(entry := await merged.get(), StoreError):
                    yield entry
            finally:
                for task in pouring:
                    task.cancel()
        raise entry

    async def recipients(self, notice: NoticeId) -> Sequence[Recipient]:
        """Every delivery of the notice."""
        return await self._notices.recipients(notice)

    async def calling(self) -> Sequence[Calling]:
        """Who asked for help of late and has not said since that they are safe, the newest first."""
        return await self._notices.calling()

    async def console(self) -> Sequence[ConsoleMessage]:
        """What stands on the consoles now, newest first."""
        return await self._notices.console()

    async def order_action(self, verb_id: VerbId, incident: IncidentId, action: Action, by: PersonId) -> None:
        """Order the action for the whole campus."""
        await self._verbs.order_action(verb_id, incident, action, by)

    async def cancel_calls(self, verb_id: VerbId, incident: IncidentId, by: PersonId) -> None:
        """Tell the PSAP that help is not needed."""
        await self._verbs.cancel_calls(verb_id, incident, by)

    async def correct_call(self, verb_id: VerbId, call: CallId, place: PlaceId, by: PersonId) -> None:
        """Tell the PSAP that help is needed at another place."""
        await self._verbs.correct_call(verb_id, call, place, by)

    async def note_read_back(
        self, verb_id: VerbId, incident: IncidentId, by: PersonId, operator: str
    ) -> None:
        """A telecommunicator has read it back on the telephone."""
        await self._verbs.note_read_back(verb_id, incident, by, operator)

    async def texts(self, incident: IncidentId) -> Sequence[RoomText]:
        """The texts of the incident, from the alarm lane: they are in no journal."""
        return await self._verbs.texts(incident)

    async def send_text(
        self, verb_id: VerbId, incident: IncidentId, room: PlaceId, words: str, by: PersonId
    ) -> None:
        """Show a short text in a room."""
        await self._verbs.send_text(verb_id, incident, room, words, by)

    async def close(self, verb_id: VerbId, incident: IncidentId, by: PersonId, reason: str) -> None:
        """Close the incident. One that the alarm lane lost with its journal is closed on this desk alone."""
        try:
            await self._verbs.close(verb_id, incident, by, reason)
        except NotFound:
            if not await self._lost(incident):
                raise
            now = self._clock.now()
            closed = facts.IncidentClosed(incident=incident, by=by, reason=reason)
            tx = Transaction()
            store.incident_closed(tx, incident, now)
            draft = Draft(id=self._ids.fact(), at=now, subject=incident, fact=closed)
            await self._journal.commit(tx, [draft])

    async def _lost(self, incident: IncidentId) -> bool:
        """Whether the incident stands in a former journal of the alarm lane only."""
        if await self._journal.of(incident, stream=self._alarm_stream):
            return False
        return incident in await self.open_incidents()
