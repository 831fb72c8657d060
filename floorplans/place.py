"""A spot on a plan."""

from __future__ import annotations

from msgspec import Struct

from belltower.ids import PlaceId


class Place(Struct, frozen=True, kw_only=True):
    """A room, a hall, a gate or a field. Responders read `building` and `label`, so both are what the doors say."""

    id: PlaceId
    # What stands at the door: "204", "Gym".
    label: str
    # The building's short name as responders know it: "B"; "" for the open campus.
    building: str = ""
    level: str = ""
    # Rectangle on the drawn plan: x, y, width, height in plan units; None where it is not drawn.
    box: tuple[float, float, float, float] | None = None
    # WGS 84 latitude and longitude, where they are known for this very spot.
    position: tuple[float, float] | None = None
    # The output that pages this place when its units are silent; "": the building's, if it names one.
    paging: str = ""


def spoken(place: Place | None) -> str:
    """The place as one short text: "B 204", or "place unknown"."""
    if place is None:
        return "place unknown"
    return f"{place.building} {place.label}".strip()
