"""`units.toml`: our own units, each at a place."""

from __future__ import annotations

from collections.abc import Container

from msgspec import Struct

from belltower.ids import PlaceId, UnitId
from belltower.values import Reader, Seconds
from gateway.site_package.checks import check_place, check_unique, numbered
from hardware.unit_record import Bearer, UnitRecord

_MOST_NUMBER = 0xFFFF_FFFF
_LEAST_HEARTBEAT = 5.0


class _Unit(Struct, frozen=True, kw_only=True):
    number: int
    place: PlaceId | None = None
    bearer: Bearer = Bearer.MQTT
    heartbeat: Seconds = 30.0
    display: bool = True


class _Units(Struct, frozen=True, kw_only=True):
    unit: tuple[_Unit, ...] = ()


def take_units(reader: Reader, places: Container[PlaceId] | None) -> dict[UnitId, UnitRecord]:
    """The units by id; `places` None: they are not known."""
    tables = reader.load()
    units = None if reader.faults else reader.take(_Units, tables, "")
    if units is None:
        _check_raw_places(reader, tables.get("unit"), places)
        return {}
    records: dict[UnitId, UnitRecord] = {}
    for at, unit in numbered("unit", units.unit):
        if not 1 <= unit.number <= _MOST_NUMBER:
            reader.fault(f"{at}.number", f"{unit.number} is out of range; 1 to {_MOST_NUMBER}")
        if unit.heartbeat < _LEAST_HEARTBEAT:
            reader.fault(f"{at}.heartbeat", f'shorter than {_LEAST_HEARTBEAT:g} s; write "30s" for instance')
        check_place(reader, f"{at}.place", unit.place, places)
        name = UnitId(f"u{unit.number}")
        records[name] = UnitRecord(
            id=name,
            number=unit.number,
            place=unit.place,
            heartbeat=unit.heartbeat,
            bearer=unit.bearer,
            display=unit.display,
        )
    check_unique(reader, "unit", [str(unit.number) for unit in units.unit], "number")
    return records


def _check_raw_places(reader: Reader, tables: object, places: Container[PlaceId] | None) -> None:
    """One faulty unit does not hide the unknown place of another."""
    for at, table in numbered("unit", tables if isinstance(tables, list) else ()):
        place = table.get("place") if isinstance(table, dict) else None
        if isinstance(place, str):
            check_place(reader, f"{at}.place", PlaceId(place), places)
