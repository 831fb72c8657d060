"""A second process that writes much beside the lane whose file it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from belltower.errors import Conflict
from belltower.store import Priority, Step, Taken, Transaction, Unavailable, open_database, write_beside

STEPS = [Step(room="test", number=1, sql="CREATE TABLE thing (id BIGINT PRIMARY KEY, name TEXT NOT NULL)")]
INSERT = "INSERT INTO thing (id, name) VALUES (:id, :name)"


async def test_two_write_to_one_file_and_each_sees_what_the_other_wrote(tmp_path: Path) -> None:
    """One owns it, and nobody else can; the other comes and goes without touching what keeps the file in order."""
    url, path = f"sqlite://{tmp_path}/desk.db", tmp_path / "desk.db"
    lane = await open_database(url)
    try:
        await lane.migrate(STEPS)
        ballast = tmp_path / "desk.ballast"
        ballast.unlink()
        beside = await write_beside(path)
        try:
            for piece in range(20):
                tx = Transaction(synced=piece % 8 == 0)
                tx.rows(INSERT, [(piece * 100 + one, "x") for one in range(100)])
                await beside.submit(tx, priority=Priority.BULK)
                async with lane.begin() as own:
                    own.add(INSERT, id=10_000 + piece, name="y")
            with pytest.raises(Taken):
                await open_database(url)
        finally:
            await beside.close()

        assert [(2_020,)] == await lane.read("SELECT count(*) FROM thing")
        assert not ballast.exists()
    finally:
        await lane.close()


async def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """Whoever writes beside a lane does not begin a database of its own."""
    with pytest.raises(Unavailable):
        await write_beside(tmp_path / "desk.db")

    assert not (tmp_path / "desk.db").exists()


async def test_what_need_not_be_synced_fails_and_lands_as_all_else(tmp_path: Path) -> None:
    """A conflict among them is still one, and what comes after is synced again."""
    lane = await open_database(f"sqlite://{tmp_path}/desk.db")
    try:
        await lane.migrate(STEPS)
        lazy = Transaction(synced=False)
        lazy.add(INSERT, id=1, name="a")
        await lane.submit(lazy)
        again = Transaction(synced=False)
        again.add(INSERT, id=1, name="b")
        with pytest.raises(Conflict):
            await lane.submit(again)
        async with lane.begin() as tx:
            tx.add(INSERT, id=2, name="c")

        assert [(1, "a"), (2, "c")] == await lane.read("SELECT id, name FROM thing ORDER BY id")
    finally:
        await lane.close()
