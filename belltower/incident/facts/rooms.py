"""Rooms with two-way units: what they say, what is shown there, and short texts."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from belltower.ids import FactId, IncidentId, PersonId, PlaceId, UnitId
from belltower.incident.facts.incidents import Action


class RoomStatus(StrEnum):
    """How a room says that it is."""

    SAFE = "safe"
    NEED_HELP = "need_help"
    INJURED = "injured"
    MISSING = "missing"
    EXTRA = "extra"


def room_of(place: PlaceId | None, unit: UnitId | None) -> PlaceId:
    """The place that stands for the unit's room: its own, or one that bears the unit's name where it has none."""
    return place if place is not None else PlaceId(f"?{unit or ''}")


class StatusReported(Struct, frozen=True, kw_only=True, tag="status.reported"):
    """A room said how it is. The later one of a place stands."""

    # None: no incident was open.
    incident: IncidentId | None
    # None: the unit hangs at no place that is known.
    place: PlaceId | None
    status: RoomStatus
    # How many: injured, missing or extra people; 0 where the status counts none.
    count: int = 0
    unit: UnitId | None = None


class OrderShown(Struct, frozen=True, kw_only=True, tag="order.shown"):
    """A unit has confirmed that it shows an ordered action. Shown is not read."""

    incident: IncidentId
    unit: UnitId
    action: Action
    # The fact that ordered the action.
    ordered: FactId
    path: str
    place: PlaceId | None = None


class RoomNotReached(Struct, frozen=True, kw_only=True, tag="room.not_reached"):
    """No unit of the place has confirmed the ordered action on any way: somebody must go or call."""

    incident: IncidentId
    # `room_of` the unit, where it hangs at no place that is known.
    place: PlaceId
    action: Action
    ordered: FactId


class TextHeard(Struct, frozen=True, kw_only=True, tag="text.heard"):
    """A unit sent a short text. The text itself is a row of the lane, since it may name people."""

    unit: UnitId
    text: str
    incident: IncidentId | None = None


class TextOrdered(Struct, frozen=True, kw_only=True, tag="text.ordered"):
    """Show a short text on a unit. The text itself is a row of the lane."""

    unit: UnitId
    text: str
    incident: IncidentId | None = None
    by: PersonId | None = None


class TextShown(Struct, frozen=True, kw_only=True, tag="text.shown"):
    """The unit has confirmed that it shows a text. Shown is not read."""

    unit: UnitId
    text: str
    incident: IncidentId | None = None


RoomFact = StatusReported | OrderShown | RoomNotReached
TextFact = TextHeard | TextOrdered | TextShown
