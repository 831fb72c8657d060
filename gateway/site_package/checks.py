"""What the files of a site package are held to alike. Each function notes what is at fault in the file's reader."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from typing import TypeVar

from msgspec import Struct

from belltower.ids import PlaceId
from belltower.values import Reader

R = TypeVar("R")
S = TypeVar("S", bound=Struct)

NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
"""A telephone number in E.164."""

ID = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
"""What a campus, a place, a person and a device is called by."""


def take_file(reader: Reader, kind: type[S]) -> S | None:
    """The file as a `kind`; None where something in it is at fault."""
    tables = reader.load()
    return None if reader.faults else reader.take(kind, tables, "")


def numbered(table: str, records: Iterable[R]) -> list[tuple[str, R]]:
    """Each record with what it is called in faults: `place[1]`."""
    return [(f"{table}[{number}]", record) for number, record in enumerate(records, start=1)]


def check_id(reader: Reader, at: str, text: str) -> None:
    """An id is short and plain, for it stands in facts and logs."""
    if not ID.fullmatch(text):
        reader.fault(at, f'"{text[:60]}" is no id; use 1 to 40 small letters, digits and hyphens')


def check_unique(reader: Reader, table: str, values: Iterable[str], what: str) -> None:
    """No two records of a table have the same value."""
    seen: dict[str, int] = {}
    for number, value in enumerate(values, start=1):
        if value in seen:
            reader.fault(
                f"{table}[{number}]", f'its {what} "{value.strip()}" is that of {table}[{seen[value]}] too'
            )
        seen.setdefault(value, number)


def check_place(reader: Reader, at: str, place: PlaceId | None, places: Container[PlaceId] | None) -> None:
    """A place that is named is one of site.toml; `places` None: they are not known."""
    if place is not None and places is not None and place not in places:
        reader.fault(at, f'site.toml has no place "{place}"')


def check_position(reader: Reader, at: str, position: tuple[float, float] | None) -> None:
    """A position lies on earth."""
    if position is not None and not (abs(position[0]) <= 90 and abs(position[1]) <= 180):
        reader.fault(at, "write latitude and longitude in degrees, [44.9778, -93.2650]")


def listed(names: Iterable[str]) -> str:
    """What is known, for a mend."""
    return ", ".join(sorted(names)) or "none"
