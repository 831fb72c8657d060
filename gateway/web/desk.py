"""What the live page needs of its desk."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from belltower.clock import Instant
from belltower.ids import CallId, IncidentId, LinkName, NoticeId, PersonId, PlaceId, StreamName, VerbId
from belltower.incident.entry import Entry
from belltower.incident.facts import Action, AlertSeen, Mode, Outcome
from gateway.web.answers import Calling
from gateway.web.rooms import Room, RoomText


class LaneState(Struct, frozen=True, kw_only=True):
    """What the desk knows of the alarm lane right now."""

    # Seconds since its last sign of life; infinity: never since this desk started.
    silent_for: float = 0.0
    # Links and intake paths that do not answer, and why.
    lost: Mapping[LinkName, str] = {}
    # Why the alarm lane's journal, or the desk's, cannot keep what happens; "" when it can.
    recording_trouble: str = ""
    # Whose disk is full, with the room kept for that used: the alarm lane's, the desk's.
    reserves_used: Sequence[str] = ()
    # Why what was recorded before is not all there; "" when it is.
    record_broken: str = ""
    # How many units have not been heard for longer than they may be silent.
    units_lost: int = 0
    # How many foreign devices are lost.
    devices_lost: int = 0
    # Those that are not known, because what they hang on is lost.
    devices_unknown: int = 0
    # Devices, units and names with a trouble that stands.
    device_troubles: int = 0
    # Ways to the PSAP that no test has proven for 31 days.
    unproven: Sequence[LinkName] = ()
    # When the window of the drill that runs closes; 0: none runs. What is told in it, where it is, with the PSAP or not.
    drill_until: Instant = Instant(0)
    drill_action: str = ""
    drill_places: Sequence[str] = ()
    drill_psap: bool = False
    # What is not as the settings want it, in either lane.
    faults: Sequence[str] = ()
    # Channels that are pausing, a carrier that answers nothing for instance, and why.
    channels_pausing: Mapping[str, str] = {}
    # Updates that families were promised and wait for: when each is due, and about which incident (0: none).
    promised: Sequence[tuple[Instant, int]] = ()


class ConsoleMessage(Struct, frozen=True, kw_only=True):
    """A notice shown on desktop consoles."""

    id: str
    at: Instant
    text: str
    mode: Mode
    console: str = ""


class Recipient(Struct, frozen=True, kw_only=True):
    """One delivery of one notice. `outcome` is None while nothing is known of it."""

    person: PersonId
    channel: str
    outcome: Outcome | None = None
    reason: str = ""


class AlertsNearby(Struct, frozen=True, kw_only=True):
    """Public alerts of the weather service and neighbours, for a person to judge."""

    # What stands now, the latest first.
    standing: Sequence[AlertSeen] = ()
    # Watched feeds that cannot be read, by name, and why.
    troubles: Mapping[str, str] = {}


class Names(Protocol):
    """What people call places and each other."""

    def place(self, place: PlaceId | None) -> str:
        """The place as it is spoken: "B 204"; "place unknown" where it is."""
        ...

    def places(self) -> Sequence[tuple[PlaceId, str]]:
        """Every place with what people call it, in the order in which they look for it."""
        ...

    def rooms(self) -> Sequence[Room]:
        """Every room whose units show orders, in the order in which people look for it."""
        ...

    def person(self, person: PersonId) -> str:
        """The person's name; the id where it is not known."""
        ...


class DeskView(Protocol):
    """The desk lane as the page sees it.

    Whatever reads may raise `StoreError`: the page then says that it cannot read. A verb may raise `Refused`
    (shown to the person) or `Unreachable` (the alarm lane does not answer); asking it again under the same
    `verb_id` does it once.
    """

    @property
    def site(self) -> str:
        """The school's name."""
        ...

    @property
    def names(self) -> Names:
        """What people call places and each other."""
        ...

    def alarm_lane(self) -> LaneState:
        """Where the alarm lane stands."""
        ...

    def alerts(self) -> AlertsNearby | None:
        """Public alerts that concern us; None: no feed is watched."""
        ...

    async def open_incidents(self) -> Sequence[IncidentId]:
        """Every open incident, oldest first."""
        ...

    async def closed_incidents(self, limit: int) -> Sequence[IncidentId]:
        """Those closed last, newest first."""
        ...

    async def entries(self, incident: IncidentId) -> Sequence[Entry]:
        """Every fact about the incident: the alarm stream's in order, then the desk stream's in order."""
        ...

    async def heads(self) -> Mapping[StreamName, int]:
        """The last position of each stream."""
        ...

    def follow(self, after: Mapping[StreamName, int]) -> AsyncIterator[Entry]:
        """Every later fact of all streams, live, for ever. Facts that have no place yet come with position 0."""
        ...

    async def recipients(self, notice: NoticeId) -> Sequence[Recipient]:
        """Every delivery of the notice, at most one for each person and channel."""
        ...

    async def calling(self) -> Sequence[Calling]:
        """Who asked for help of late and has not said since that they are safe, the newest first."""
        ...

    async def console(self) -> Sequence[ConsoleMessage]:
        """What stands on the consoles now, newest first."""
        ...

    async def order_action(self, verb_id: VerbId, incident: IncidentId, action: Action, by: PersonId) -> None:
        """Order the action for the whole campus."""
        ...

    async def close(self, verb_id: VerbId, incident: IncidentId, by: PersonId, reason: str) -> None:
        """Close the incident."""
        ...

    async def cancel_calls(self, verb_id: VerbId, incident: IncidentId, by: PersonId) -> None:
        """Tell the PSAP that help is not needed; it counts once a telecommunicator has read it back."""
        ...

    async def correct_call(self, verb_id: VerbId, call: CallId, place: PlaceId, by: PersonId) -> None:
        """Tell the PSAP that help is needed at another place."""
        ...

    async def texts(self, incident: IncidentId) -> Sequence[RoomText]:
        """The texts of the incident that still live, oldest first. Raises `Unreachable`."""
        ...

    async def send_text(
        self, verb_id: VerbId, incident: IncidentId, room: PlaceId, words: str, by: PersonId
    ) -> None:
        """Show a short text in a room."""
        ...

    async def note_read_back(
        self, verb_id: VerbId, incident: IncidentId, by: PersonId, operator: str
    ) -> None:
        """A telecommunicator has read the cancellation or correction back on the telephone."""
        ...
