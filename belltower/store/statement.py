"""A transaction is a list of statements gathered in memory; it lands whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from typing import Any, Protocol, TypeAlias

from msgspec import Struct

SQLValue: TypeAlias = int | str | bytes | None
"""What a column holds: BIGINT, TEXT, BYTEA or nothing. Times are `Instant`s."""

Params: TypeAlias = Mapping[str, SQLValue]

CHUNK = 1_000
"""Rows of one bulk transaction."""


class Statement(Struct, frozen=True, gc=False):
    """One SQL text with named parameters (`:name`)."""

    sql: str
    params: Params | tuple[SQLValue, ...] = {}
    """By name, or in the order in which the names first appear."""
    expect: int | None = None
    """How many rows it must change; any other number is a `Conflict`."""
    returned: list[tuple[Any, ...]] | None = None
    """Where the writer puts the rows that it returns; the spool keeps no such place."""

    @property
    def alone(self) -> bool:
        """Whether it is executed by itself, for somebody looks at what came of it."""
        return self.expect is not None or self.returned is not None


class Rows(Struct, frozen=True):
    """One SQL text, executed for each of `rows`."""

    sql: str
    rows: Sequence[Params | tuple[SQLValue, ...]]


class Late(Protocol):
    """Statements known only once their place in the commit order is known (journal positions, hashes)."""

    def settle(self) -> Sequence[Statement | Rows]:
        """Take the next place and say the statements. Called by the writer, in commit order; no I/O.

        They are executed behind all others of the group, so that neighbours with the same text go in one step: no
        statement may build on another transaction's late ones. `expect` is not looked at.
        """
        ...

    def undo(self) -> None:
        """Give the place back: the transaction was rolled back. Called in the reverse order."""
        ...


class Priority(IntEnum):
    """Who goes first: alarm transactions overtake bulk ones in the writer's queue."""

    ALARM = 0
    BULK = 1


class Transaction(Struct, eq=False):
    """Statements which land together. Belongs to one task until it is submitted, then to the writer."""

    parts: list[Statement | Rows | Late] = []
    landed: tuple[Callable[[], None], ...] = ()
    synced: bool = True
    """False: a power cut may undo it, though a kill cannot, until a later one has landed that is synced. For the pieces
    of something that counts for nothing before its last piece."""
    shares: bool = False
    """Another one is handed over in this turn of the loop: they go as one group, which is one flush."""

    def add(self, sql: str, /, *, expect: int | None = None, **params: SQLValue) -> None:
        """Add one statement. `expect` is the number of rows it must change, otherwise all fails with `Conflict`."""
        self.parts.append(Statement(sql, params, expect))

    def ask(self, sql: str, /, **params: SQLValue) -> list[tuple[Any, ...]]:
        """Add one statement with RETURNING; what it returns is in the list once this has landed, in no order."""
        returned: list[tuple[Any, ...]] = []
        self.parts.append(Statement(sql, params, returned=returned))
        return returned

    def rows(self, sql: str, rows: Sequence[Params | tuple[SQLValue, ...]], /) -> None:
        """Add one statement to be executed for each of `rows`."""
        self.parts.append(Rows(sql, rows))

    def late(self, late: Late) -> None:
        """Add statements which the writer asks for once this transaction's place is known."""
        self.parts.append(late)

    def on_landed(self, callback: Callable[[], None]) -> None:
        """Call `callback` on the event loop once this has been committed and synced."""
        self.landed += (callback,)

    def statements(self) -> list[Statement]:
        """All but the late ones, for whoever writes them down elsewhere."""
        found: list[Statement] = []
        for part in self.parts:
            if isinstance(part, Statement):
                found.append(part)
            elif isinstance(part, Rows):
                found.extend(Statement(part.sql, row) for row in part.rows)
        return found
