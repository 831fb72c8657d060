"""From a URL to an open database."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import apsw

from belltower.errors import SettingsError
from belltower.store.database import Database
from belltower.store.faults import Unavailable
from belltower.store.inline import InlineDatabase
from belltower.store.sqlite import SQLiteDatabase
from belltower.store.sqlite_engine import SQLiteEngine, refuse_old_library

_PATIENCE = 5_000
"""Milliseconds to wait for another process's commit."""


async def open_database(
    url: str, *, read_only: bool = False, before_commit: Callable[[], None] | None = None
) -> Database:
    """Open `sqlite:///absolute/path.db`, `sqlite://:memory:` or `postgresql://user@host/name`.

    `read_only` needs no lock, so a SQLite file can be read while its lane writes; it then migrates nothing.
    `before_commit` is called by SQLite's writer before each commit (slow disks in tests and benches).
    Raises `SettingsError` for another kind of URL, `StoreError` when the database cannot be had.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite" and rest == ":memory:":
        refuse_old_library()
        return InlineDatabase(engine=SQLiteEngine(connection=apsw.Connection(":memory:")))
    if scheme == "sqlite" and rest.startswith("/") and rest.strip("/"):
        database = SQLiteDatabase(
            path=Path("/" + rest.lstrip("/")), read_only=read_only, before_commit=before_commit
        )
        await database.start()
        return database
    if scheme in ("postgresql", "postgres"):
        # asyncpg costs a lane on SQLite a seventh of its start.
        from belltower.store.postgres import PostgresDatabase  # noqa: PLC0415 - see above

        district = PostgresDatabase(dsn=url)
        await district.start()
        return district
    raise SettingsError(f"store url {url!r}: want sqlite:///absolute/path.db or postgresql://user@host/name")


async def write_beside(path: Path) -> Database:
    """As `open_beside`, for much to write: by a thread of its own, until it is closed.

    Raises `StoreError` when it is not there or cannot be written.
    """
    database = SQLiteDatabase(path=path, beside=True)
    await database.start()
    return database


def open_beside(path: Path) -> Database:
    """A SQLite file that its lane may be writing to at this moment, for one short write. Migrates nothing.

    Raises `StoreError` when it is not there or cannot be written.
    """
    refuse_old_library()
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    except apsw.Error as error:
        raise Unavailable(f"{path}: {error}") from error
    connection.set_busy_timeout(_PATIENCE)
    return InlineDatabase(engine=SQLiteEngine(connection=connection))
