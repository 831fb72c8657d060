"""The units of this campus, found by the number in their frames."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from belltower.ids import PlaceId
from floorplans import Place
from hardware.unit_record import UnitRecord


class KnownUnit(Struct, frozen=True, kw_only=True):
    """A unit with its key, and the place it is bound to. A unit without a place alarms all the same."""

    record: UnitRecord
    key: bytes
    place: PlaceId | None
    building: str


def known_units(
    records: Iterable[UnitRecord], *, keys: Mapping[int, bytes], places: Mapping[PlaceId, Place]
) -> dict[int, KnownUnit]:
    """Units by number. A record without a key is left out: nothing it says could be believed."""
    known: dict[int, KnownUnit] = {}
    for record in records:
        key = keys.get(record.number)
        if key is None:
            continue
        place = places.get(record.place) if record.place is not None else None
        known[record.number] = KnownUnit(
            record=record,
            key=key,
            place=place.id if place else None,
            building=place.building if place else "",
        )
    return known
