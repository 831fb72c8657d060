"""The store: one SQL text for SQLite and PostgreSQL, written by one writer in groups.

    statement.py      Statement, Late, Transaction, Priority: what is to be written
    database.py       Database, the one contract; Step (numbered table changes); the writer's queue
    sqlite_engine.py  SQLiteEngine: applies a group to a connection, synchronously
    sqlite.py         SQLiteDatabase: the engine in a writer thread, WAL, full sync, ballast
    inline.py         InlineDatabase: the engine on the event loop, for simulated time and disks
    postgres.py       PostgresDatabase: the same contract over asyncpg; loaded when such a URL is opened
    faults.py         what a database can suffer: DiskFull DiskFailed Damaged Overloaded Unavailable Taken

A `Transaction` is gathered in memory and handed to the writer, which commits many at once with one full sync; alarms
overtake bulk work, which goes in chunks of 1,000 rows. A transaction that fails its `expect` is rolled back alone.
SQL is the common subset: `:name` parameters, BIGINT TEXT BYTEA, `ON CONFLICT`, partial indexes. Tables belong to one
room each, which brings its numbered `Step`s to `migrate`; what only one engine has stays in here.

    database = await open_database("sqlite:///var/lib/belltower/alarm.db")
    await database.migrate(STEPS)
    async with database.begin() as tx:
        tx.add("UPDATE unit SET place = :place WHERE id = :id", expect=1, place=place, id=unit)
"""

from __future__ import annotations

from belltower.store.database import Anchor, Database, Done, Progress, Step
from belltower.store.faults import Damaged, DiskFailed, DiskFull, Overloaded, Taken, Unavailable
from belltower.store.inline import Flush, InlineDatabase
from belltower.store.opening import open_beside, open_database, write_beside
from belltower.store.sqlite import SQLiteDatabase
from belltower.store.sqlite_engine import SQLiteEngine
from belltower.store.statement import CHUNK, Late, Params, Priority, Rows, SQLValue, Statement, Transaction

__all__ = [
    "CHUNK",
    "Anchor",
    "Damaged",
    "Database",
    "DiskFailed",
    "DiskFull",
    "Done",
    "Flush",
    "InlineDatabase",
    "Late",
    "Overloaded",
    "Params",
    "Priority",
    "Progress",
    "Rows",
    "SQLValue",
    "SQLiteDatabase",
    "SQLiteEngine",
    "Statement",
    "Step",
    "Taken",
    "Transaction",
    "Unavailable",
    "open_beside",
    "open_database",
    "write_beside",
]
