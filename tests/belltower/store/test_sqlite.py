"""What only the SQLite store must bear: kills, failing disks, a second process."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import apsw
import pytest

from belltower.errors import SettingsError
from belltower.store import (
    DiskFailed,
    DiskFull,
    Flush,
    InlineDatabase,
    SQLiteDatabase,
    SQLiteEngine,
    Step,
    Transaction,
    Unavailable,
    open_database,
    sqlite_engine,
)
from tests.peers.waiting import PATIENCE

ROOT = Path(__file__).parents[3]
TABLE = Step(room="test", number=1, sql="CREATE TABLE thing (name TEXT NOT NULL, PRIMARY KEY (name))")
ADD = "INSERT INTO thing (name) VALUES (:name)"

WRITER = """
import asyncio, sys
from belltower.store import Step, Transaction, open_database

async def main(path):
    database = await open_database(f"sqlite://{path}")
    await database.migrate([Step(room="test", number=1, sql="CREATE TABLE thing (name TEXT NOT NULL, PRIMARY KEY (name))")])
    count = 0
    async def writer():
        nonlocal count
        while True:
            count += 1
            number = count
            async with database.begin() as tx:
                tx.add("INSERT INTO thing (name) VALUES (:name)", name=f"{number}")
            sys.stdout.write(f"{number}\\n")
            sys.stdout.flush()
    await asyncio.gather(*(writer() for _ in range(20)))

asyncio.run(main(sys.argv[1]))
"""


def add(database, name):
    """Submit one row."""
    tx = Transaction()
    tx.add(ADD, name=name)
    return database.submit(tx)


async def names(database):
    """All names in the table."""
    return {name for (name,) in await database.read("SELECT name FROM thing")}


@pytest.mark.parametrize("after", [5, 60, 500, 1_500])
async def test_a_kill_loses_nothing_that_was_reported(tmp_path, after) -> None:
    """Every row whose commit was reported is there after kill -9, and the next writer gets the file."""
    path = tmp_path / "store.db"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITER, path, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    reported = set()
    async with asyncio.timeout(PATIENCE):
        while len(reported) < after and (line := await process.stdout.readline()):
            reported.add(line.decode().strip())
    process.send_signal(signal.SIGKILL)
    rest = (await process.stdout.read()).decode()
    reported |= set(rest[: rest.rfind("\n") + 1].split())
    await process.wait()

    database = await open_database(f"sqlite://{path}")
    found = await names(database)
    assert [("ok",)] == await database.read("PRAGMA integrity_check")
    await database.close()
    assert set() == reported - found
    assert len(reported) >= after


async def test_what_shares_goes_with_what_follows_it_in_one_flush(tmp_path) -> None:
    """And alone where nothing follows."""
    commits: list[None] = []
    database = await open_database(f"sqlite://{tmp_path}/a.db", before_commit=lambda: commits.append(None))
    await database.migrate([TABLE])
    shared, lone = Transaction(shares=True), Transaction(shares=True)
    shared.add(ADD, name="shared")
    lone.add(ADD, name="lone")
    try:
        commits.clear()
        await asyncio.gather(database.submit(shared), add(database, "another"))
        together = len(commits)
        await database.submit(lone)
        rows = await database.read("SELECT name FROM thing ORDER BY name")
    finally:
        await database.close()

    assert (1, 2) == (together, len(commits))
    assert [("another",), ("lone",), ("shared",)] == rows


async def test_a_second_writer_is_refused(tmp_path) -> None:
    """One file has one writing process."""
    database = await open_database(f"sqlite://{tmp_path}/store.db")
    with pytest.raises(Unavailable, match="cannot be had for writing alone"):
        await open_database(f"sqlite://{tmp_path}/store.db")
    await database.close()


async def test_a_reader_beside_the_writer(tmp_path) -> None:
    """It needs no lock, sees what is committed, and writes nothing."""
    database = await open_database(f"sqlite://{tmp_path}/store.db")
    await database.migrate([TABLE])
    await add(database, "a")
    reader = await open_database(f"sqlite://{tmp_path}/store.db", read_only=True)
    assert {"a"} == await names(reader)
    with pytest.raises(Unavailable):
        await add(reader, "b")
    await reader.close()
    await database.close()


async def test_an_old_library_is_refused(tmp_path, monkeypatch) -> None:
    """The WAL-reset race is a reason not to start."""
    monkeypatch.setattr(sqlite_engine.apsw, "sqlite_lib_version", lambda: "3.51.2")
    with pytest.raises(SettingsError, match=r"SQLite 3\.51\.2 can lose commits"):
        await open_database(f"sqlite://{tmp_path}/store.db")


@pytest.mark.parametrize("url", ["mysql://x", "sqlite:///", "sqlite://x.db", ""])
async def test_another_url_is_refused(url) -> None:
    """The message says what is wanted."""
    with pytest.raises(SettingsError, match="want sqlite:///absolute/path.db"):
        await open_database(url)


class FailingFile(apsw.VFSFile):
    """A file whose n-th write or sync fails."""

    def __init__(self, disk, name, flags):
        self.disk = disk
        super().__init__("", name, flags)

    def xWrite(self, data, offset):  # noqa: N802
        self.disk.count()
        super().xWrite(data, offset)

    def xSync(self, flags):  # noqa: N802
        self.disk.count()
        super().xSync(flags)


class FailingDisk(apsw.VFS):
    """SQLite's own file system, until its n-th write or sync."""

    def __init__(self, name):
        self.left = None
        self.failed = 0
        super().__init__(name, "")

    def count(self):
        if self.left is not None:
            self.left -= 1
            if self.left == 0:
                self.failed += 1
                self.left = None
                raise apsw.IOError

    def xOpen(self, name, flags):  # noqa: N802
        return FailingFile(self, name, flags)


async def test_whichever_write_fails_nothing_reported_is_lost(tmp_path) -> None:
    """EIO at the n-th write or sync, for every n a few commits need; then the store heals by itself."""
    disk = FailingDisk("failing")
    n = 0
    while True:
        n += 1
        path = tmp_path / f"{n}.db"
        database = SQLiteDatabase(path=path, vfs="failing")
        await database.start()
        await database.migrate([TABLE])
        disk.left, disk.failed = n, 0
        kept = set()
        for name in "abcd":
            try:
                await add(database, name)
            except DiskFailed:
                continue
            kept.add(name)
        disk.left = None
        await add(database, "after")
        assert kept | {"after"} <= await names(database), n
        await database.close()
        plain = await open_database(f"sqlite://{path}", read_only=True)
        assert kept | {"after"} <= await names(plain), n
        assert [("ok",)] == await plain.read("PRAGMA integrity_check")
        await plain.close()
        if not disk.failed:
            break
    assert n > 8


async def test_the_inline_database_keeps_the_contract_in_virtual_time() -> None:
    """Late, failed and in-doubt flushes, without a thread."""
    flushes = [
        Flush(delay=0.01),
        Flush(error=DiskFull("full")),
        Flush(error=DiskFailed("in doubt"), lands=True),
        Flush(),
    ]
    engine = SQLiteEngine(connection=apsw.Connection(":memory:"))
    database = InlineDatabase(engine=engine, flush=lambda: flushes.pop(0))
    await database.migrate([TABLE])
    heads = []
    await database.anchor("SELECT count(*) FROM thing", lambda rows: heads.append(rows[0][0]))
    await add(database, "a")
    with pytest.raises(DiskFull):
        await add(database, "b")
    with pytest.raises(DiskFailed):
        await add(database, "c")
    await add(database, "d")

    assert {"a", "c", "d"} == await names(database)
    assert [0, 1, 2] == heads
    await database.close()
    again = InlineDatabase(engine=engine)
    assert {"a", "c", "d"} == await names(again)
