"""Tables that people name: `[psap.links.NAME]`, `[outputs.NAME]`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

from belltower.values import Reader

R = TypeVar("R")

_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")


def named(
    reader: Reader, outer: Any, at: str, key: str, take: Callable[[Any, str], R | None]
) -> dict[str, R]:
    """What `take` makes of each table in `[at.key]`, without those that are at fault."""
    if not isinstance(outer, dict):
        reader.fault(at, f"expected a table such as [{at}.{key}.NAME]")
        return {}
    if at != "psap":
        reader.unknown(outer, {key}, at)
    tables = outer.get(key, {})
    if not isinstance(tables, dict):
        reader.fault(f"{at}.{key}", f"expected tables such as [{at}.{key}.NAME]")
        return {}
    check_names(reader, tables, f"{at}.{key}")
    taken = {name: take(table, f"{at}.{key}.{name}") for name, table in tables.items()}
    return {name: record for name, record in taken.items() if record is not None}


def check_names(reader: Reader, tables: Any, at: str) -> None:
    """Names of tables stand in facts and logs, so they are short and plain."""
    for name in tables if isinstance(tables, dict) else ():
        if not _NAME.fullmatch(name):
            reader.fault(
                f'{at}."{name}"', "a name is 1 to 31 small letters, digits and hyphens, a letter first"
            )
