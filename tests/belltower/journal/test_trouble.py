"""What is promised when the store is slow, fails, or the spool does too."""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager

import apsw
import pytest

from belltower.errors import StoreError
from belltower.journal import Durability, SpoolFile
from belltower.store import DiskFailed, Transaction, open_database
from tests.peers.waiting import PATIENCE, until


class Disk:
    """Stands between SQLite and its commits."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.free.set()
        self.error = None
        self.commits = 0

    def __call__(self) -> None:
        self.commits += 1
        assert self.free.wait(10)
        if self.error is not None:
            raise self.error


class BrokenSpool:
    """A spool whose disk has gone."""

    def append(self, data):
        raise DiskFailed("gone")

    def read(self, start=0, size=-1):
        return b""

    def clear(self):
        pass


@pytest.fixture
def disk():
    """The disk of the SQLite store."""
    return Disk()


@pytest.fixture
def url(tmp_path):
    """These tests reach into SQLite's commit."""
    return f"sqlite://{tmp_path}/journal.db"


@asynccontextmanager
async def opened(desk, disk, **options):
    """A journal with its `run` going."""
    journal = await desk.open(database=await open_database(desk.url, before_commit=disk), **options)
    disk.commits = 0
    async with asyncio.TaskGroup() as group:
        running = group.create_task(journal.run())
        try:
            yield journal
        finally:
            disk.free.set()
            running.cancel()
    await desk.shut(journal)


async def healed(journal) -> None:
    """Wait until nothing is outside of the journal."""
    async with asyncio.timeout(PATIENCE):
        while journal.trouble:  # noqa: ASYNC110 - what is observed has no event
            await asyncio.sleep(0.01)


async def placed(journal):
    """What lies in the table."""
    return [(entry.position, entry.fact.text) for entry in await journal.read(after=0, limit=100_000)]


async def test_a_slow_commit_is_spooled_and_lands_once(desk, disk, gathered) -> None:
    """The spool answers in time; the original lands later; there is one of each."""
    async with opened(desk, disk, spool_after=0.05) as journal, asyncio.TaskGroup() as group:
        follower = group.create_task(gathered(journal.follow(after=0), 6))
        disk.free.clear()
        outcomes = await asyncio.gather(*(desk.say(journal, f"{n}") for n in range(3)))
        assert [Durability.SPOOLED] * 3 == outcomes
        assert journal.trouble
        assert ["slow"] == desk.troubles
        disk.free.set()
        await healed(journal)

        assert [(1, "0"), (2, "1"), (3, "2")] == await placed(journal)
        found = await follower
    assert [0, 0, 0, 1, 2, 3] == [entry.position for entry in found]
    assert ["slow", None] == desk.troubles
    assert b"" == desk.spool.read()


async def test_a_failing_store_is_spooled_at_once_and_replayed_with_its_rows(desk, disk) -> None:
    """Facts and the rows that came with them enter once the disk is well, in order."""
    async with opened(desk, disk) as journal:
        await desk.say(journal, "before")
        disk.error = apsw.IOError("fsync")
        tx = Transaction()
        journal.keep_bookmark(tx, "unit", 17)
        assert Durability.SPOOLED is await desk.say(journal, "a", "b", tx=tx)
        assert Durability.SPOOLED is await desk.say(journal, "c")
        disk.error = None
        await healed(journal)
        assert Durability.JOURNALED is await desk.say(journal, "after")

        assert [(1, "before"), (2, "a"), (3, "b"), (4, "c"), (5, "after")] == await placed(journal)
        assert 17 == await journal.bookmark("unit")


async def test_rows_without_a_fact_are_replayed_too(desk, disk) -> None:
    """A commit of statements alone, made while the store was ill, lands; one that conflicts by then is left out."""
    async with opened(desk, disk) as journal:
        await desk.say(journal, "before")
        disk.error = apsw.IOError("fsync")
        tx, late = Transaction(), Transaction()
        journal.keep_bookmark(tx, "unit", 17)
        late.add("UPDATE bookmark SET position = 18 WHERE name = 'nobody'", expect=1)
        assert Durability.SPOOLED is await journal.commit(tx, [])
        assert Durability.SPOOLED is await journal.commit(late, [])
        disk.error = None
        await healed(journal)

        assert 17 == await journal.bookmark("unit")
        assert [(1, "before")] == await placed(journal)


async def test_a_spooled_commit_survives_the_process(desk, disk) -> None:
    """What was spooled enters when the journal is next opened."""
    async with opened(desk, disk) as journal:
        await desk.say(journal, "before")
        disk.error = apsw.FullError("full")
        assert Durability.SPOOLED is await desk.say(journal, "a")
    journal = await desk.open()

    assert [(1, "before"), (2, "a")] == await placed(journal)
    assert not journal.trouble
    await desk.shut(journal)


async def test_a_replay_that_conflicts_keeps_the_facts(desk, disk) -> None:
    """Rows that do not fit any more are left out, facts never."""
    async with opened(desk, disk) as journal:
        disk.error = apsw.IOError("fsync")
        tx = Transaction()
        tx.add("UPDATE bookmark SET position = 1 WHERE name = :name", expect=1, name="nobody")
        assert Durability.SPOOLED is await desk.say(journal, "a", tx=tx)
        disk.error = None
        await healed(journal)

        assert [(1, "a")] == await placed(journal)


async def test_without_a_spool_followers_still_hear(desk, disk, gathered) -> None:
    """Unrecorded is said, followers are fed, and it enters the journal when it can."""
    async with opened(desk, disk, spool=BrokenSpool()) as journal:
        disk.error = apsw.IOError("fsync")
        assert Durability.UNRECORDED is await desk.say(journal, "a")
        assert ["a"] == [entry.fact.text for entry in await gathered(journal.follow(after=0), 1)]
        assert "unrecorded" == desk.troubles[-1]
        disk.error = None
        await healed(journal)

        assert [(1, "a")] == await placed(journal)
    assert desk.troubles[-1] is None


async def test_one_timer_serves_all_commits(desk, disk) -> None:
    """A thousand commits that hang together are spooled together."""
    async with opened(desk, disk, spool_after=0.05) as journal:
        disk.free.clear()
        outcomes = await asyncio.gather(*(desk.say(journal, f"{n}") for n in range(1_000)))
        assert {Durability.SPOOLED} == set(outcomes)
        disk.free.set()
        await healed(journal)

        assert [(n + 1, f"{n}") for n in range(1_000)] == await placed(journal)


async def test_an_error_of_the_disk_reopens_the_file(desk, disk) -> None:
    """After a failed commit the old descriptor is never used again, and the chain goes on."""
    async with opened(desk, disk) as journal:
        await desk.say(journal, "a")
        for n in range(5):
            disk.error = apsw.IOError("fsync")
            await desk.say(journal, f"lost{n}")
            disk.error = None
            await healed(journal)

        assert [1, 2, 3, 4, 5, 6] == [position for position, _ in await placed(journal)]


async def test_the_ballast_makes_room(desk, disk, tmp_path) -> None:
    """A full disk throws the ballast off and tries the group once more."""
    async with opened(desk, disk) as journal:
        assert (tmp_path / "journal.ballast").exists()
        full = apsw.FullError("full")

        def until_dropped() -> None:
            if (tmp_path / "journal.ballast").exists():
                raise full

        journal.database._ballast._size = 1 << 60  # no disk has room for another one
        journal.database._engine._before_commit = until_dropped
        assert Durability.JOURNALED is await desk.say(journal, "a")

        assert not (tmp_path / "journal.ballast").exists()
        assert not journal.trouble
        assert journal.database.reserve_used
        assert not journal.database.failing
        journal.database._ballast._size = 4_096
        await until(lambda: not journal.database.reserve_used)
        assert (tmp_path / "journal.ballast").exists()


async def test_a_store_that_fails_whoever_writes_says_so_until_it_keeps_something_again(
    desk, disk, tmp_path
) -> None:
    """Also when nothing came by the journal, and when nobody writes any more: it tries for itself."""
    async with opened(desk, disk) as journal:
        assert not journal.database.failing
        for error in (apsw.FullError("full"), apsw.IOError("fsync")):
            disk.error = error
            with pytest.raises(StoreError):
                await journal.database.submit(bookmark(journal))
            assert journal.database.failing
            assert not journal.trouble
            disk.error = None
            await until(lambda: not journal.database.failing)


async def test_on_a_full_disk_a_small_commit_that_goes_in_mends_nothing(desk, disk) -> None:
    """The store fails until the reserve is there again: what is larger has no room yet."""
    async with opened(desk, disk) as journal:
        journal.database._ballast._size = 1 << 60
        disk.error = apsw.FullError("full")
        with pytest.raises(StoreError):
            await journal.database.submit(bookmark(journal))
        disk.error = None
        await journal.database.submit(bookmark(journal))

        assert journal.database.failing
        journal.database._ballast._size = 4_096
        await until(lambda: not journal.database.failing)


def bookmark(journal) -> Transaction:
    """Something to write that is no fact."""
    tx = Transaction()
    journal.keep_bookmark(tx, "unit", 17)
    return tx


async def test_a_spool_of_many_is_replayed(desk, disk) -> None:
    """More than one page of records, with some already in."""
    async with opened(desk, disk) as journal:
        await desk.say(journal, "before")
        disk.error = apsw.IOError("x")
        await asyncio.gather(*(desk.say(journal, f"{n}") for n in range(500)))
        data = desk.spool.read()
        disk.error = None
        await healed(journal)
    SpoolFile(path=desk.tmp_path / "alarm.spool").append(data)
    journal = await desk.open()

    assert ["before", *(f"{n}" for n in range(500))] == [text for _, text in await placed(journal)]
    await desk.shut(journal)


async def test_a_crowd_shares_the_flushes_of_the_spool(desk, disk, tmp_path) -> None:
    """What comes while the spool is being synced goes in the next write, all of it."""

    class Counting(SpoolFile):
        writes = 0

        def append(self, data):
            self.writes += 1
            super().append(data)

    spool = Counting(path=tmp_path / "counting.spool")
    async with opened(desk, disk, spool=spool) as journal:
        disk.error = apsw.IOError("x")
        await desk.say(journal, "first")
        outcomes = await asyncio.gather(*(desk.say(journal, f"{n}") for n in range(500)))

        assert {Durability.SPOOLED} == set(outcomes)
        assert spool.writes < 10
        disk.error = None
        await healed(journal)
        assert ["first", *(f"{n}" for n in range(500))] == [text for _, text in await placed(journal)]


async def test_commits_while_the_spool_is_replayed_stay_in_order(desk, disk) -> None:
    """Facts committed during trouble and its mending keep the order they were committed in."""
    async with opened(desk, disk) as journal:
        disk.error = apsw.IOError("x")
        for n in range(300):
            if n == 100:
                disk.error = None
            await desk.say(journal, f"{n}")
            await asyncio.sleep(0.002)
        await healed(journal)

        assert [f"{n}" for n in range(300)] == [text for _, text in await placed(journal)]
    assert b"" == desk.spool.read()


async def test_a_broken_spool_does_not_hide_a_well_store(desk, disk) -> None:
    """In trouble, with no spool, the store is asked before anything is called unrecorded."""
    async with opened(desk, disk, spool=BrokenSpool()) as journal:
        journal._fall_ill("slow")
        assert Durability.JOURNALED is await desk.say(journal, "a")
