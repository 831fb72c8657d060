"""A journal file read from outside, whether or not its lane runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw

from belltower.errors import NotFound, StoreError
from belltower.ids import StreamName
from belltower.journal import RawEntry
from belltower.journal.tables import HEAD, PAGE

_PAGE = 5_000


class JournalFile:
    """Reads the entries of one stream, in order. Writes nothing."""

    def __init__(self, *, path: Path, stream: str) -> None:
        self._path = path
        self._stream = stream
        self._connection: apsw.Connection | None = None

    def head(self) -> int:
        """The last position; 0 in an empty stream."""
        rows = self._rows(HEAD, {"stream": self._stream})
        return int(rows[0][0]) if rows else 0

    def entries(self) -> Iterator[RawEntry]:
        """Every entry, from the first on."""
        after = 0
        while rows := self._rows(PAGE, {"stream": self._stream, "after": after, "limit": _PAGE}):
            for stream, position, fact, at, tag, subject, body, chain in rows:
                after = position
                yield RawEntry(
                    stream=StreamName(stream),
                    position=position,
                    id=fact,
                    at=at,
                    tag=tag,
                    subject=subject,
                    body=bytes(body),
                    hash=bytes(chain),
                )

    def _rows(self, sql: str, params: dict[str, str | int]) -> list[tuple[Any, ...]]:
        try:
            if self._connection is None:
                if not self._path.is_file():
                    raise NotFound(f"{self._path}: there is no journal; has the lane ever run?")
                self._connection = apsw.Connection(str(self._path), flags=apsw.SQLITE_OPEN_READONLY)
            return list(self._connection.execute(sql, params))
        except apsw.Error as error:
            raise StoreError(f"{self._path}: {error}") from error
