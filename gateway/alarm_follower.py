"""The desk's end of the lanes' socket: a faithful copy of the alarm stream, and what the alarm lane says of itself."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from belltower import log
from belltower.clock import SECOND, Clock, Instant
from belltower.errors import Malformed, NotAsked, StoreError, Unreachable
from belltower.ids import CallId, IncidentId, PersonId, PlaceId, StreamName, VerbId
from belltower.incident.facts import Action, DrillBegun, DrillEnded, Fact
from belltower.journal import Copy, ForkedError, Journal, anew, source_of
from belltower.journal.tables import HEAD
from belltower.store import Database, Step
from gateway.control import BEAT, Batch, ControlClient, Status
from gateway.web.desk import LaneState
from gateway.web.rooms import RoomText
from gateway.web.view import SILENT

STEPS = [
    Step(
        room="desk",
        number=1,
        sql="CREATE TABLE desk_alarm_stream (name TEXT PRIMARY KEY, stream TEXT NOT NULL);",
    ),
    Step(
        room="desk",
        number=2,
        sql="ALTER TABLE desk_alarm_stream ADD COLUMN begun_at BIGINT NOT NULL DEFAULT 0;",
    ),
]

PUT_BACK_SAID = 86_400 * SECOND
"""How long the page says that the alarm lane's journal was put back."""

ALARM_DISK = "the alarm lane"
DESK_DISK = "the desk"

_log = log.get("alarm_follower")

_texts = msgspec.json.Decoder(tuple[RoomText, ...])

FIRST_STREAM = StreamName("alarm")


class StreamChangedError(Unreachable):
    """The alarm lane's journal is another one: this lane starts anew, to follow it from its first entry."""


class FollowedStream(Struct, frozen=True, kw_only=True):
    """What this desk calls its copy of the alarm stream, and when the copy was begun."""

    name: StreamName = FIRST_STREAM
    begun_at: Instant = Instant(0)


async def followed_stream(database: Database) -> FollowedStream:
    """The stream that was followed last."""
    await database.migrate(STEPS)
    rows = await database.read("SELECT stream, begun_at FROM desk_alarm_stream WHERE name = 'current'")
    if not rows:
        return FollowedStream()
    return FollowedStream(name=StreamName(rows[0][0]), begun_at=Instant(rows[0][1]))


PATIENCE = 15.0
"""Seconds after the start for which an alarm lane that does not answer yet is nothing to warn of."""

SOON = 0.1

_DRILLS = {DrillBegun.__struct_config__.tag, DrillEnded.__struct_config__.tag}


class AlarmFollower:
    """Copies the alarm lane's stream, for ever, and knows how long the lane has been silent."""

    def __init__(
        self,
        *,
        copy: Copy[Fact],
        journal: Journal[Fact],
        stream: FollowedStream,
        client: ControlClient,
        clock: Clock,
    ) -> None:
        self._copy = copy
        self._journal = journal
        self._stream = stream
        self._client = client
        self._clock = clock
        self._heard: float | None = None
        self._began = clock.monotonic()
        self._status: Status | None = None
        self._not_copied = ""
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Follow until the lane falls silent: then `Unreachable`."""
        while True:
            try:
                await self._follow()
            except NotAsked:
                if self._heard is not None or self._clock.monotonic() - self._began > PATIENCE:
                    raise
                await asyncio.sleep(SOON)  # the lanes start together, and the other one opens its socket last
                continue
            except ForkedError:
                await self._change(anew(self._stream.name))
            except (StoreError, Malformed) as error:
                if str(error) != self._not_copied:
                    _log.error("not_copied", error=type(error).__name__)
                self._not_copied = str(error)
            await asyncio.sleep(BEAT)

    async def attend(self) -> None:
        """Wait until another stream is to be followed: then `StreamChangedError`, which ends the lane."""
        await self._changed.wait()
        raise StreamChangedError("the alarm lane writes another stream")

    def state(self, *, channels_pausing: Mapping[str, str], faults: tuple[str, ...] = ()) -> LaneState:
        """Where the alarm lane stands, as far as this desk knows, and this desk's own channels and `faults`."""
        silent = float("inf") if self._heard is None else self._clock.monotonic() - self._heard
        status = self._status
        unkept = self._journal.trouble or self._journal.database.failing
        desk_trouble = "this desk's own journal" if unkept else ""
        if self._not_copied:
            desk_trouble = f"this desk cannot copy the alarm lane's journal: {self._not_copied}"
        full = (DESK_DISK,) if self._journal.database.reserve_used else ()
        if status is None:
            return LaneState(
                silent_for=silent,
                recording_trouble=desk_trouble,
                reserves_used=full,
                channels_pausing=channels_pausing,
                faults=faults,
            )
        return LaneState(
            silent_for=silent,
            lost=status.links_lost,
            recording_trouble=status.trouble or desk_trouble,
            reserves_used=(ALARM_DISK, *full) if status.reserve_used else full,
            record_broken=self._broken(status),
            units_lost=len(status.units_lost),
            devices_lost=len(status.devices_lost),
            devices_unknown=status.devices_unknown,
            device_troubles=len(status.troubles),
            unproven=status.links_unproven,
            drill_until=Instant(status.drill_until),
            drill_action=status.drill_action,
            drill_places=status.drill_places,
            drill_psap=status.drill_psap,
            channels_pausing=channels_pausing,
            faults=(*status.faults, *(fault for fault in faults if fault not in status.faults)),
        )

    def drilling(self) -> bool:
        """Whether a drill runs. Not while the alarm lane is silent: it alone knows whether somebody presses in earnest."""
        if self._status is None or self._heard is None or self._clock.monotonic() - self._heard > SILENT:
            return False
        return self._clock.now() < self._status.drill_until

    def _broken(self, status: Status) -> str:
        stream = self._stream
        if status.put_aside:
            return f"the alarm lane's journal was damaged; it lies in {status.put_aside}"
        if stream.name != source_of(stream.name) and self._clock.now() < stream.begun_at + PUT_BACK_SAID:
            return "the alarm lane's journal was put back to an earlier state; this desk keeps what it held before"
        return ""

    async def _follow(self) -> None:
        await self._take(await self._client.look())
        # The last entry copied comes again, and is compared: a journal put back from a backup holds another there.
        async for message in self._client.follow(max(self._copy.head - 1, 0)):
            if isinstance(message, Batch):
                await self._copy.take(message.entries)
                self._not_copied = ""
                self._heard = self._clock.monotonic()
                self._drill_over(message)
            else:
                await self._take(message)

    def _drill_over(self, batch: Batch) -> None:
        """Believe at once that a drill is over; that one runs, the next beat says."""
        tags = [row.tag for row in batch.entries if row.tag in _DRILLS]
        if self._status is not None and tags and tags[-1] == DrillEnded.__struct_config__.tag:
            self._status = replace(
                self._status, drill_until=0, drill_action="", drill_places=(), drill_psap=False
            )

    async def _take(self, status: Status) -> None:
        self._status = status
        self._heard = self._clock.monotonic()
        if status.stream != source_of(self._stream.name):
            await self._change(status.stream)
        if status.head < self._copy.head:
            raise ForkedError(f"{status.stream} ends at {status.head}, {self._copy.head} entries were copied")

    async def _change(self, stream: StreamName) -> None:
        """Keep the name of the stream to follow from now on, and let the lane start anew."""
        database = self._journal.database
        while await database.read(HEAD, stream=stream):
            stream = anew(stream)
        _log.error("stream_changed", stream=stream)
        async with database.begin() as tx:
            tx.add(
                "INSERT INTO desk_alarm_stream (name, stream, begun_at) VALUES ('current', :stream, :at)"
                " ON CONFLICT (name) DO UPDATE SET stream = excluded.stream, begun_at = excluded.begun_at",
                stream=stream,
                at=self._clock.now(),
            )
        self._changed.set()
        raise StreamChangedError(f"the alarm lane's stream is followed as {stream!r} from now on")


class AlarmVerbs:
    """What the desk asks of the alarm lane. An unanswered verb is asked once more: under its id it is done once."""

    def __init__(self, *, client: ControlClient) -> None:
        self._client = client

    async def order_action(self, verb_id: VerbId, incident: IncidentId, action: Action, by: PersonId) -> None:
        """Order the action for the whole campus."""
        await self._ask("order_action", verb_id, incident=incident, action=action.value, places=[], by=by)

    async def order_output(self, verb_id: VerbId, incident: IncidentId, output: str) -> None:
        """Let an output say what stands."""
        await self._ask("order_output", verb_id, incident=incident, output=output)

    async def close(self, verb_id: VerbId, incident: IncidentId, by: PersonId, reason: str) -> None:
        """Close the incident."""
        await self._ask("close_incident", verb_id, incident=incident, by=by, reason=reason)

    async def cancel_calls(self, verb_id: VerbId, incident: IncidentId, by: PersonId) -> None:
        """Tell the PSAP that help is not needed."""
        await self._ask("cancel_calls", verb_id, incident=incident, by=by)

    async def correct_call(self, verb_id: VerbId, call: CallId, place: PlaceId, by: PersonId) -> None:
        """Tell the PSAP that help is needed elsewhere."""
        await self._ask("correct_call", verb_id, call=call, place=place, by=by)

    async def texts(self, incident: IncidentId) -> Sequence[RoomText]:
        """What rooms said in their own words, and what they were told."""
        said = await self._client.ask("room_texts", VerbId("room_texts"), incident=incident)
        try:
            return _texts.decode(said)
        except msgspec.MsgspecError as error:
            raise Unreachable("the alarm lane's texts cannot be read") from error

    async def send_text(
        self, verb_id: VerbId, incident: IncidentId, room: PlaceId, words: str, by: PersonId
    ) -> None:
        """Show a short text in a room."""
        await self._ask("send_text", verb_id, incident=incident, room=room, words=words, by=by)

    async def note_read_back(
        self, verb_id: VerbId, incident: IncidentId, by: PersonId, operator: str
    ) -> None:
        """A telecommunicator has read it back on the telephone."""
        await self._ask("note_read_back", verb_id, incident=incident, by=by, operator=operator)

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
