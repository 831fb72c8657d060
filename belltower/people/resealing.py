"""What lies sealed in tables, counted by key and sealed anew: for when keys are turned.

Every sealed field stands in a place that is its table, its row's key and its column, so that one description of a table
is enough. Marks are made of what is sealed in their row, and anew together with it. Some rows at a time, each time a commit: it may be broken off anywhere and begun again, beside a lane that
reads and writes the same rows.
"""
# ruff: noqa: S608 - every name in these texts is one of ours

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from belltower.people.vault import Unreadable, Vault, key_of
from belltower.store import Database, Priority, SQLValue, Transaction

_AT_ONCE = 500

Row = dict[str, Any]
"""A row's columns by their names."""

Told = Callable[[str, int], None]
"""Called with a table and how many of its rows were looked at since the last time."""


class SealedTable(Struct, frozen=True, kw_only=True):
    """A table with sealed columns."""

    name: str
    # The primary key, in its order; joined by "|" it is the row's name in the vault.
    key: tuple[str, ...]
    fields: tuple[str, ...]
    # Whether a column `sealed_with` names the key.
    named: bool = True
    # What else marks are made of, and how: under the vault's current key, by the names of their columns.
    beside: tuple[str, ...] = ()
    marks: Callable[[Vault, Row], Mapping[str, SQLValue]] = lambda _vault, _row: {}
    # The columns that `marks` makes.
    marked: tuple[str, ...] = ()

    def place(self, key: Iterable[Any]) -> str:
        """The row's name in the vault."""
        return "|".join(bytes(one).hex() if isinstance(one, bytes) else str(one) for one in key)

    @property
    def otherwise(self) -> str:
        """The rows that another key may have sealed."""
        return "sealed_with <> :current AND sealed_with <> ''" if self.named else "1 = 1"

    def page(self, *, first: bool, where: str) -> str:
        """Some rows behind a key, in the order of keys."""
        key, marks = ", ".join(self.key), ", ".join(f":{name}" for name in self.key)
        behind = "1 = 1" if first else f"({key}) > ({marks})"
        return (
            f"SELECT {', '.join(self.columns)} FROM {self.name}"
            f" WHERE {behind} AND {where} ORDER BY {key} LIMIT :count"
        )

    def write(self) -> str:
        """The fields anew, unless somebody wrote one of them meanwhile."""
        sets = ", ".join(f"{name} = :now_{name}" for name in (*self.fields, *self.marked))
        named = ", sealed_with = :current" if self.named else ""
        same = [f"{name} = :{name}" for name in self.key]
        same += [f"({name} = :before_{name} OR {name} IS NULL)" for name in self.fields]
        return f"UPDATE {self.name} SET {sets}{named} WHERE {' AND '.join(same)}"

    @property
    def columns(self) -> tuple[str, ...]:
        """What is read of a row: its key, its sealed fields, and what else its marks are made of."""
        return *self.key, *self.fields, *self.beside


class Resealed(Struct, kw_only=True):
    """What became of the rows of a table."""

    sealed: int = 0
    # Rows whose key is in no ring any more, or that are not as they were sealed: left as they are.
    unreadable: int = 0


class Resealing:
    """The sealed tables of one database under one vault."""

    def __init__(self, *, database: Database, vault: Vault, tables: Sequence[SealedTable]) -> None:
        self._database = database
        self._vault = vault
        self._tables = tables

    async def outstanding(self) -> int:
        """How many rows `reseal` will look at."""
        count = 0
        for table in self._tables:
            sql = f"SELECT COUNT(*) FROM {table.name} WHERE {table.otherwise}"
            count += int((await self._database.read(sql, **self._current(table)))[0][0])
        return count

    async def keys(self) -> dict[str, Counter[str]]:
        """By table: how many rows are sealed with which key."""
        found: dict[str, Counter[str]] = {}
        for table in self._tables:
            counted = found[table.name] = Counter()
            if table.named:
                asked = f"SELECT sealed_with, COUNT(*) FROM {table.name} GROUP BY sealed_with"
                rows = await self._database.read(asked)
                counted.update({str(key): int(count) for key, count in rows if str(key)[:1] == "k"})
                continue
            async for page in self._pages(table, "1 = 1", {}):
                counted.update(key for row in page for key in _keys(table, row))
        return found

    async def reseal(self, told: Told = lambda _table, _count: None) -> dict[str, Resealed]:
        """Seal with the vault's current key what another key sealed."""
        found: dict[str, Resealed] = {}
        for table in self._tables:
            became = found[table.name] = Resealed()
            async for page in self._pages(table, table.otherwise, self._current(table)):
                await self._anew(table, page, became)
                told(table.name, len(page))
        return found

    def _current(self, table: SealedTable) -> dict[str, SQLValue]:
        return {"current": self._vault.current} if table.named else {}

    async def _pages(
        self, table: SealedTable, where: str, more: Mapping[str, SQLValue]
    ) -> AsyncIterator[list[tuple[Any, ...]]]:
        behind: dict[str, SQLValue] = {}
        while rows := await self._database.read(
            table.page(first=not behind, where=where), count=_AT_ONCE, **behind, **more
        ):
            behind = dict(zip(table.key, rows[-1], strict=False))
            yield rows

    async def _anew(self, table: SealedTable, page: list[tuple[Any, ...]], became: Resealed) -> None:
        anew = []
        current = self._vault.current
        for row in page:
            if all(key == current for key in _keys(table, row)):
                continue
            try:
                anew.append(self._row(table, row))
            except Unreadable:
                became.unreadable += 1
        if anew:
            tx = Transaction()
            tx.rows(table.write(), anew)
            await self._database.submit(tx, priority=Priority.BULK)
            became.sealed += len(anew)

    def _row(self, table: SealedTable, columns: tuple[Any, ...]) -> dict[str, SQLValue]:
        row = dict(zip(table.columns, columns, strict=True))
        marks = table.marks(self._vault, row)
        at = table.place(row[name] for name in table.key)
        after = table.place(marks.get(name, row[name]) for name in table.key)
        params: dict[str, SQLValue] = {name: row[name] for name in table.key}
        if table.named:
            params["current"] = self._vault.current
        for name in table.fields:
            before = params[f"before_{name}"] = row[name]
            params[f"now_{name}"] = None
            if before is not None:
                plain = self._vault.open(table.name, at, name, bytes(before))
                params[f"now_{name}"] = self._vault.seal(table.name, after, name, plain)
        return params | {f"now_{name}": mark for name, mark in marks.items()}


def _keys(table: SealedTable, row: tuple[Any, ...]) -> list[str]:
    """The keys with which a row's fields are sealed."""
    found = []
    for sealed in row[len(table.key) : len(table.key) + len(table.fields)]:
        if sealed is not None:
            try:
                found.append(key_of(bytes(sealed)))
            except Unreadable:
                found.append("")
    return found
