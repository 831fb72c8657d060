"""The desk's end of the lanes' socket: a faithful copy of the alarm stream, and what the alarm lane says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from belltower.clock import Clock
from belltower.errors import NotAsked, Unreachable
from belltower.ids import IncidentId, PersonId, StreamName, VerbId
from belltower.incident.facts import Action, Fact
from belltower.journal import Copy, Journal
from belltower.store import Database, Step
from gateway.control import Batch, ControlClient, Status
from gateway.web.desk import LaneState

STEPS = [
    Step(
        room="desk",
        number=1,
        sql="CREATE TABLE desk_alarm_stream (name TEXT PRIMARY KEY, stream TEXT NOT NULL);",
    )
]

FIRST_STREAM = StreamName("alarm")


class StreamChangedError(Unreachable):
    """The alarm lane began a fresh journal: this lane starts anew, to follow it from its first entry."""


async def known_stream(database: Database) -> StreamName:
    """The stream that was followed last."""
    await database.migrate(STEPS)
    rows = await database.read("SELECT stream FROM desk_alarm_stream WHERE name = 'current'")
    return StreamName(rows[0][0]) if rows else FIRST_STREAM


class AlarmFollower:
    """Copies the alarm lane's stream, for ever, and knows how long the lane has been silent."""

    def __init__(
        self,
        *,
        copy: Copy[Fact],
        journal: Journal[Fact],
        stream: StreamName,
        client: ControlClient,
        clock: Clock,
    ) -> None:
        self._copy = copy
        self._journal = journal
        self._stream = stream
        self._client = client
        self._clock = clock
        self._heard: float | None = None
        self._status: Status | None = None

    async def run(self) -> None:
        """Follow until the lane falls silent: then `Unreachable`."""
        await self._take(await self._client.look())
        async for message in self._client.follow(self._copy.head):
            if isinstance(message, Batch):
                await self._copy.take(message.entries)
                self._heard = self._clock.monotonic()
            else:
                await self._take(message)

    def state(self, *, channels_pausing: Mapping[str, str], faults: tuple[str, ...] = ()) -> LaneState:
        """Where the alarm lane stands, as far as this desk knows, and this desk's own channels and `faults`."""
        silent = float("inf") if self._heard is None else self._clock.monotonic() - self._heard
        status = self._status
        desk_trouble = "this desk's own journal" if self._journal.trouble else ""
        if status is None:
            return LaneState(
                silent_for=silent,
                recording_trouble=desk_trouble,
                channels_pausing=channels_pausing,
                faults=faults,
            )
        return LaneState(
            silent_for=silent,
            lost=status.links_lost,
            recording_trouble=status.trouble or desk_trouble,
            record_broken=f"the alarm lane's journal was damaged; it lies in {status.put_aside}"
            if status.put_aside
            else "",
            units_lost=len(status.units_lost),
            channels_pausing=channels_pausing,
            faults=(*status.faults, *(fault for fault in faults if fault not in status.faults)),
        )

    async def _take(self, status: Status) -> None:
        self._status = status
        self._heard = self._clock.monotonic()
        if status.stream == self._stream:
            return
        async with self._journal.database.begin() as tx:
            tx.add(
                "INSERT INTO desk_alarm_stream (name, stream) VALUES ('current', :stream)"
                " ON CONFLICT (name) DO UPDATE SET stream = excluded.stream",
                stream=status.stream,
            )
        raise StreamChangedError(f"the alarm lane writes stream {status.stream!r} now")


class AlarmVerbs:
    """What the desk asks of the alarm lane. An unanswered verb is asked once more: under its id it is done once."""

    def __init__(self, *, client: ControlClient) -> None:
        self._client = client

    async def order_action(self, verb_id: VerbId, incident: IncidentId, action: Action, by: PersonId) -> None:
        """Order the action for the whole campus."""
        await self._ask("order_action", verb_id, incident=incident, action=action.value, places=[], by=by)

    async def close(self, verb_id: VerbId, incident: IncidentId, by: PersonId, reason: str) -> None:
        """Close the incident."""
        await self._ask("close_incident", verb_id, incident=incident, by=by, reason=reason)

    async def _ask(self, name: str, verb: VerbId, **args: Any) -> str:
        try:
            return await self._client.ask(name, verb, **args)
        except NotAsked:
            return await self._client.ask(name, verb, **args)
        except Unreachable as first:
            try:
                return await self._client.ask(name, verb, **args)
            except NotAsked:
                raise first from None  # the first time it was asked, so it may have been done
