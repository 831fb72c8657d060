"""What both engines promise, run on each."""

from __future__ import annotations

import asyncio

import pytest

from belltower.errors import Conflict, SettingsError, StoreError
from belltower.store import Priority, Statement, Step, Transaction, open_database

ADD = "INSERT INTO thing (name, size) VALUES (:name, :size)"


async def names(database):
    """All names in the table."""
    return [name for (name,) in await database.read("SELECT name FROM thing ORDER BY name")]


class Counting:
    """A `Late` that numbers things in commit order."""

    def __init__(self, counter, name, *, fail=False):
        self.counter = counter
        self.name = name
        self.fail = fail

    def settle(self):
        self.counter.append(self.name)
        if self.fail:
            return [Statement(ADD, {"name": self.name, "size": None})]
        return [Statement(ADD, {"name": self.name, "size": len(self.counter)})]

    def undo(self):
        assert self.name == self.counter.pop()


async def test_what_was_awaited_can_be_read(database) -> None:
    """A read begun after the commit sees it."""
    async with database.begin() as tx:
        tx.add(ADD, name="bell", size=3)

    assert await database.read("SELECT name, size FROM thing WHERE size = :size", size=3) == [("bell", 3)]


async def test_bytes_texts_and_nothing_come_back_as_they_went(database) -> None:
    """The three column types and NULL survive."""
    await database.migrate(
        [Step(room="kinds", number=1, sql="CREATE TABLE kind (a BIGINT, b TEXT, c BYTEA, d BIGINT)")]
    )
    row = {"a": -(2**63), "b": "Ärger \U0001f514", "c": bytes(range(256)), "d": None}
    async with database.begin() as tx:
        tx.add("INSERT INTO kind (a, b, c, d) VALUES (:a, :b, :c, :d)", **row)

    assert [tuple(row.values())] == await database.read("SELECT a, b, c, d FROM kind")


async def test_a_transaction_lands_whole_or_not_at_all(database) -> None:
    """A second statement that fails takes the first with it."""
    tx = Transaction()
    tx.add(ADD, name="one", size=1)
    tx.add(ADD, name="one", size=2)

    with pytest.raises(Conflict):
        await database.submit(tx)

    assert await names(database) == []


async def test_a_broken_block_submits_nothing(database) -> None:
    """An exception inside `begin` leaves the database alone."""
    with pytest.raises(ZeroDivisionError):
        async with database.begin() as tx:
            tx.add(ADD, name="one", size=1)
            _ = 1 / 0

    assert await names(database) == []


async def test_an_unmet_expectation_fails_its_own_transaction_only(database) -> None:
    """Others of the same group survive a Conflict."""
    futures = []
    for number in range(10):
        tx = Transaction()
        tx.add(ADD, name=f"t{number}", size=number)
        if number == 4:
            tx.add("UPDATE thing SET size = 9 WHERE name = :name", expect=1, name="nobody")
        futures.append(database.submit(tx))

    outcomes = await asyncio.gather(*futures, return_exceptions=True)

    assert [n for n, outcome in enumerate(outcomes) if isinstance(outcome, Conflict)] == [4]
    assert [f"t{n}" for n in range(10) if n != 4] == await names(database)


async def test_what_a_statement_returns_is_known_once_it_has_landed(database) -> None:
    """Also where a neighbour's fault has each transaction of the group taken by itself: told once, not twice."""
    async with database.begin() as tx:
        tx.rows(ADD, [("a", 1), ("b", 1), ("c", 1)])
    tx = Transaction()
    returned = tx.ask("UPDATE thing SET size = size + 1 WHERE name > :after RETURNING name, size", after="a")
    faulty = Transaction()
    faulty.add("INSERT INTO nowhere (name) VALUES (:name)", name="x")
    outcomes = await asyncio.gather(database.submit(tx), database.submit(faulty), return_exceptions=True)

    assert outcomes[0] is None
    assert isinstance(outcomes[1], StoreError)
    assert [("b", 2), ("c", 2)] == sorted(returned)


async def test_faulty_sql_fails_its_own_transaction_only(database) -> None:
    """A mistake is the mistaken one's."""
    good, bad = Transaction(), Transaction()
    good.add(ADD, name="good", size=1)
    bad.add("INSERT INTO nowhere (a) VALUES (:a)", a=1)
    outcomes = await asyncio.gather(database.submit(bad), database.submit(good), return_exceptions=True)

    assert isinstance(outcomes[0], StoreError)
    assert await names(database) == ["good"]


async def test_late_statements_are_settled_in_commit_order_and_undone_backwards(database) -> None:
    """Numbers given out have no gap, although one in the middle failed."""
    counter: list[str] = []
    futures = []
    for number in range(8):
        tx = Transaction()
        tx.late(Counting(counter, f"l{number}", fail=number in (2, 5)))
        futures.append(database.submit(tx))

    outcomes = await asyncio.gather(*futures, return_exceptions=True)

    assert [n for n, outcome in enumerate(outcomes) if outcome is not None] == [2, 5]
    assert [s for (s,) in await database.read("SELECT size FROM thing ORDER BY name")] == [1, 2, 3, 4, 5, 6]
    assert counter == ["l0", "l1", "l3", "l4", "l6", "l7"]


async def test_landed_callbacks_come_before_the_outcome(database) -> None:
    """Whoever awaited the commit finds the callback done; a failed commit calls none."""
    landed = []
    good, bad = Transaction(), Transaction()
    good.add(ADD, name="good", size=1)
    good.on_landed(lambda: landed.append("good"))
    bad.add(ADD, name="bad", size=None)
    bad.on_landed(lambda: landed.append("bad"))
    await asyncio.gather(database.submit(good), database.submit(bad), return_exceptions=True)

    assert landed == ["good"]


async def test_alarms_overtake_bulk(database) -> None:
    """An alarm submitted behind 20,000 bulk rows lands long before them."""
    rows = [{"name": f"b{n:05}", "size": n} for n in range(20_000)]
    progress = []
    begun = asyncio.Event()

    async def alarm() -> int:
        await begun.wait()
        async with database.begin(priority=Priority.ALARM) as tx:
            tx.add(ADD, name="alarm", size=0)
        return progress[-1][0]

    _, seen = await asyncio.gather(
        database.bulk(ADD, rows, progress=lambda *at: (progress.append(at), begun.set())), alarm()
    )

    assert seen <= 5_000
    assert progress[-1] == (20_000, 20_000)
    assert await database.read("SELECT count(*) FROM thing") == [(20_001,)]


async def test_a_thousand_at_once_all_land(database) -> None:
    """Concurrent submitters each get their own outcome, in order."""
    order = []

    async def add(number: int) -> None:
        async with database.begin() as tx:
            tx.add(ADD, name=f"{number:04}", size=number)
        order.append(number)

    await asyncio.gather(*(add(number) for number in range(1_000)))

    assert list(range(1_000)) == order
    assert len(await names(database)) == 1_000


async def test_what_is_queued_at_closing_is_written(url, database) -> None:
    """Close writes what is queued; afterwards nothing is taken."""
    futures = []
    for number in range(500):
        tx = Transaction()
        tx.add(ADD, name=f"{number:03}", size=number)
        futures.append(database.submit(tx))
    await database.close()
    await asyncio.gather(*futures)
    with pytest.raises(StoreError):
        await database.submit(Transaction())

    again = await open_database(url)
    assert len(await names(again)) == 500
    await again.close()


async def test_steps_are_taken_once(database) -> None:
    """Migrating twice changes nothing; a later step is added."""
    second = Step(
        room="test", number=2, sql="ALTER TABLE thing ADD COLUMN colour TEXT; CREATE TABLE two (a BIGINT)"
    )
    first = Step(
        room="test",
        number=1,
        sql="CREATE TABLE thing (name TEXT NOT NULL, size BIGINT NOT NULL, PRIMARY KEY (name))",
    )
    await database.migrate([first, second])
    await database.migrate([first, second])

    assert await database.read("SELECT colour FROM thing") == []


async def test_a_newer_database_is_refused(database) -> None:
    """An older program does not touch it, and says what to do."""
    with pytest.raises(SettingsError, match="test tables are at step 1, this program knows 0"):
        await database.migrate([Step(room="test", number=0, sql="SELECT 1")])


async def test_an_anchor_is_asked_at_once(database) -> None:
    """`take` hears the answer before `anchor` returns."""
    heard = []
    await database.anchor("SELECT size FROM thing WHERE name = :name", heard.append, name="x")

    assert heard == [[]]
