"""Deadlines: look again, whatever happened in between."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from belltower.clock import SECOND, Instant, SystemClock
from belltower.errors import Conflict
from belltower.journal import Deadlines
from belltower.store import Transaction, open_database
from tests.peers.waiting import PATIENCE


class SteppedClock(SystemClock):
    """A wall clock somebody turns."""

    step = 0

    def now(self) -> Instant:
        return Instant(super().now() + self.step)


@pytest.fixture
async def database(url):
    """An open database."""
    database = await open_database(url)
    yield database
    await database.close()


async def opened(database, clock):
    """Deadlines of the owner `calls`."""
    deadlines = Deadlines(database=database, clock=clock, owner="calls")
    await deadlines.open()
    return deadlines


async def first(deadlines, count=1):
    """The first so many that are due."""
    keys = []
    async with asyncio.timeout(PATIENCE), aclosing(deadlines.follow()) as due:
        async for deadline in due:
            keys.append(deadline.key)
            if len(keys) == count:
                break
    return keys


async def test_deadlines_come_when_they_are_due(database) -> None:
    """In the order of their times, not of their setting."""
    clock = SystemClock()
    deadlines = await opened(database, clock)
    async with database.begin() as tx:
        deadlines.set(tx, key="later", due=Instant(clock.now() + SECOND // 5))
        deadlines.set(tx, key="sooner", due=Instant(clock.now() + SECOND // 20))

    assert ["sooner", "later"] == await first(deadlines, 2)
    deadlines.close()


async def test_a_cleared_deadline_does_not_come(database) -> None:
    """From the landing of its transaction on."""
    clock = SystemClock()
    deadlines = await opened(database, clock)
    async with database.begin() as tx:
        deadlines.set(tx, key="cleared", due=Instant(clock.now() + SECOND // 10))
        deadlines.set(tx, key="kept", due=Instant(clock.now() + SECOND // 5))
    async with database.begin() as tx:
        deadlines.clear(tx, key="cleared")

    assert ["kept"] == await first(deadlines)
    deadlines.close()


async def test_a_clearing_that_conflicts_clears_nothing(database) -> None:
    """The promise stands until the transaction lands."""
    clock = SystemClock()
    deadlines = await opened(database, clock)
    async with database.begin() as tx:
        deadlines.set(tx, key="kept", due=Instant(clock.now() + SECOND // 10))
    tx = Transaction()
    deadlines.clear(tx, key="kept")
    tx.add("UPDATE deadline SET due = 0 WHERE key = :key", key="nothing", expect=1)
    with pytest.raises(Conflict):
        await database.submit(tx)

    assert ["kept"] == await first(deadlines)
    deadlines.close()


async def test_a_restart_arms_what_was_promised(database) -> None:
    """Also what became due while nobody was there."""
    clock = SystemClock()
    before = await opened(database, clock)
    async with database.begin() as tx:
        before.set(tx, key="past", due=Instant(clock.now() - SECOND), body=b"x")
        before.set(tx, key="soon", due=Instant(clock.now() + SECOND // 10))
    before.close()
    after = await opened(database, clock)

    assert ["past", "soon"] == await first(after, 2)
    after.close()


async def test_a_stepped_clock_moves_no_armed_deadline(database) -> None:
    """It runs on monotonic time once armed."""
    clock = SteppedClock()
    deadlines = await opened(database, clock)
    async with database.begin() as tx:
        deadlines.set(tx, key="a", due=Instant(clock.now() + SECOND // 10))
    clock.step = -3600 * SECOND

    assert ["a"] == await first(deadlines)
    deadlines.close()
