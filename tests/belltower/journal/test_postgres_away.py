"""A PostgreSQL that dies and comes back."""

from __future__ import annotations

import asyncio

import pytest

from belltower.errors import StoreError
from belltower.ids import StreamName
from belltower.journal import Durability, Journal, SpoolFile
from belltower.store import open_database
from tests.peers.waiting import PATIENCE
from tests.servers.postgres import running


@pytest.fixture
def url() -> str:
    """Set by each test, once its server runs."""
    return ""


@pytest.fixture
def server():
    """A server of this test's own, to be killed."""
    with running() as server:
        yield server


async def test_a_server_killed_and_restarted_loses_nothing(desk, server) -> None:
    """What was journaled is there, what was spooled follows, the chain has no gap, and no one lent a hand."""
    desk.url = server.database()
    journal = await desk.open()
    async with asyncio.TaskGroup() as group:
        running_journal = group.create_task(journal.run())
        said = [await desk.say(journal, f"{n}") for n in range(20)]
        burst = [desk.say(journal, f"{n}") for n in range(20, 220)]
        await asyncio.to_thread(server.kill)
        said += await asyncio.gather(*burst)
        said += [await desk.say(journal, f"{n}") for n in range(220, 240)]
        assert Durability.SPOOLED is said[-1]
        await asyncio.to_thread(server.start)
        async with asyncio.timeout(PATIENCE):
            while journal.trouble:  # noqa: ASYNC110 - what is observed has no event
                await asyncio.sleep(0.05)
        assert Durability.JOURNALED is await desk.say(journal, "240")
        running_journal.cancel()

    rows = await journal.read(after=0, limit=1_000)
    assert list(range(1, 242)) == [row.position for row in rows]
    assert {f"{n}" for n in range(241)} == {row.fact.text for row in rows}
    await desk.shut(journal)


async def test_a_stream_has_one_writer(desk, server) -> None:
    """A second process finds the stream taken."""
    desk.url = server.database()
    journal = await desk.open()
    other = await open_database(desk.url)
    other._claim_tries = 2
    second = Journal(
        database=other,
        stream=StreamName("alarm"),
        codec=journal._codec,
        spool=SpoolFile(path=desk.tmp_path / "other.spool"),
    )
    with pytest.raises(StoreError, match="another process holds stream alarm"):
        await second.open()
    await second.close()
    await other.close()
    await desk.shut(journal)
