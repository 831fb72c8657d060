"""What becomes of a damaged journal: its files are put aside, never deleted, and a fresh one begins a stream of its own.

The stream's name is kept in the database. Files that lie beside it only say which name the next fresh one takes.
"""

from __future__ import annotations

import re
from pathlib import Path

from msgspec import Struct

from belltower import log
from belltower.clock import Instant
from belltower.ids import StreamName
from belltower.store import Database, Step

_log = log.get("damage")

STREAM = StreamName("alarm")

_STEPS = (
    Step(
        room="stream",
        number=1,
        sql="CREATE TABLE stream_begun (name TEXT PRIMARY KEY, at BIGINT NOT NULL, put_aside TEXT NOT NULL)",
    ),
)
_HAS_TABLE = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = :name"


class HeldStream(Struct, frozen=True, kw_only=True):
    """The stream that a journal holds, and the damaged file that was put aside when it began, if there was one."""

    name: StreamName = STREAM
    begun_at: Instant = Instant(0)
    put_aside: str = ""


class Aside:
    """Where the damaged files of one database lie: `alarm.db.damaged-1`, with its log `alarm.db.damaged-1-wal`."""

    def __init__(self, *, file: Path) -> None:
        self._file = file
        self._name = re.compile(re.escape(file.name) + r"\.damaged-(\d+)(-wal|-shm)?")

    @property
    def last(self) -> int:
        """The number of the file put aside last; 0: none."""
        return max(
            (int(name[1]) for name in map(self._match, self._file.parent.iterdir()) if name), default=0
        )

    def name(self, number: int) -> str:
        """What the file with this number is called."""
        return f"{self._file.name}.damaged-{number}"

    def put(self, damage: Exception) -> None:
        """Put the database file and its log aside. The database must be closed."""
        name = self.name(self.last + 1)
        _log.error("journal_damaged", put_aside=name, error=str(damage))
        for part in ("-shm", "-wal", ""):
            file = self._file.with_name(self._file.name + part)
            if file.exists():
                file.rename(self._file.with_name(name + part))

    def _match(self, file: Path) -> re.Match[str] | None:
        return self._name.fullmatch(file.name)


async def held_stream(database: Database, aside: Aside | None, now: Instant) -> HeldStream:
    """Which stream `database` holds; an empty one behind a damaged one begins a new stream. Raises `StoreError`."""
    if await _has(database, "stream_begun"):
        rows = await database.read("SELECT name, at, put_aside FROM stream_begun ORDER BY at DESC LIMIT 1")
        if rows:
            return HeldStream(name=StreamName(rows[0][0]), begun_at=Instant(rows[0][1]), put_aside=rows[0][2])
    if await _has(database, "journal_entry"):
        (last,) = (await database.read("SELECT max(stream) FROM journal_entry"))[0]
        if last is not None:
            return HeldStream(name=StreamName(last))
    if aside is None or not (number := aside.last):
        return HeldStream()
    fresh = HeldStream(name=StreamName(f"{STREAM}.{number}"), begun_at=now, put_aside=aside.name(number))
    await database.migrate(_STEPS)
    async with database.begin() as tx:
        tx.add(
            "INSERT INTO stream_begun (name, at, put_aside) VALUES (:name, :at, :put_aside)",
            name=fresh.name,
            at=fresh.begun_at,
            put_aside=fresh.put_aside,
        )
    return fresh


async def _has(database: Database, table: str) -> bool:
    return bool((await database.read(_HAS_TABLE, name=table))[0][0])
