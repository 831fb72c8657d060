"""Shelves lose no row, double none, and let nothing stand that names a row which is not written yet."""

from __future__ import annotations

import asyncio
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from belltower.ids import DeliveryId, PersonId
from belltower.incident.facts import NoticePlanned
from belltower.people.person import Contact, ContactKind, Person
from notify.ledger import nowhere
from notify.provider import Pace, Provider
from notify.shelves import Shelves
from notify.snapshot import Batch, Unsendable
from tests.notify.test_correction import Keeps
from tests.peers.desk import DeskOptions, RosterOf, desk, order, prepare


@given(
    marks=st.lists(st.tuples(st.sampled_from(("sms", "email")), st.integers(0, 1 << 16)), max_size=300),
    at_once=st.integers(1, 40),
    early=st.integers(0, 60),
    chunk=st.integers(1, 20),
)
def test_what_is_put_comes_out_once_and_in_an_order_that_may_be_written(
    marks: list[tuple[str, int]], at_once: int, early: int, chunk: int
) -> None:
    """Every row, every fact of what cannot be sent behind its row, every sharer behind the delivery they share."""
    minted: list[DeliveryId] = []

    def mint(count: int) -> list[DeliveryId]:
        more = [DeliveryId(f"dlv_{len(minted) + n:05}") for n in range(count)]
        minted.extend(more)
        return more

    shelves = Shelves(mint=mint, early=early, chunk=chunk)
    batches: list[Batch] = []
    for start in range(0, len(marks), at_once):
        batch = Batch()
        for channel, number in marks[start : start + at_once]:
            mark = f"{number:04x}"
            id_ = shelves.new_id(channel, mark)
            batch.rows.append((id_, "ntc", 1, "inc", "p", channel, "to", "pending", "", 0, "en", 1, mark))
            batch.others.append(("ntc", 1, "other", id_, "shared"))
            if number % 3 == 0:
                batch.unsendable.append(
                    Unsendable(delivery=id_, person=PersonId("p"), channel=channel, reason="stopped")
                )
        batches.append(batch)
    written: list[object] = []
    given_out = [one for batch in batches for one in shelves.put([batch])] + list(shelves.clear())
    for batch in given_out:
        written += [row[0] for row in batch.rows]
        assert {one.delivery for one in batch.unsendable} <= {row[0] for row in batch.rows}
        assert {row[3] for row in batch.others} <= set(written)

    assert len(marks) == len(written) == len(set(written))
    assert sum(len(one.unsendable) for one in given_out) == sum(number % 3 == 0 for _, number in marks)
    assert sum(len(one.others) for one in given_out) == len(marks)


def test_a_shelf_gives_out_neighbours_in_the_index_and_among_the_ids() -> None:
    """A chunk has one beginning of its marks, and ids that were minted together; the first rows go as they came."""
    numbers = iter(range(100_000))
    shelves = Shelves(mint=lambda count: [DeliveryId(f"{next(numbers):05}") for _ in range(count)], early=10)
    rows = []
    for n in range(20_010):
        mark = f"{n * 2_654_435_761 % (1 << 32):08x}"
        rows.append((shelves.new_id("sms", mark), *range(4), "sms", *range(6), mark))
    first, *others = shelves.put([Batch(rows=rows[:10]), Batch(rows=rows[10:])])

    assert rows[:10] == first.rows
    assert 16 <= len(others)
    for batch in others:
        marks = [str(row[12]) for row in batch.rows]
        ids = sorted(int(str(row[0])) for row in batch.rows)
        assert 1_000 == len(marks)
        assert 1 == len({mark[0] for mark in marks})
        assert sorted(marks) == marks
        assert 999 == ids[-1] - ids[0]


class Pages(RosterOf):
    """A roster of many, some hundreds at a time."""

    def __init__(self, people: list[Person]) -> None:
        self._people = people

    async def people(self):
        for start in range(0, len(self._people), 500):
            yield self._people[start : start + 500]


async def test_a_large_notice_that_is_killed_halfway_is_planned_whole_and_once(tmp_path: Path) -> None:
    """R20: what stood on shelves is planned anew, under other ids; whoever shares an address names a row that stands."""
    homes = 3_500
    parents = Pages(
        [
            Person(
                id=PersonId(f"g{n}"),
                name="",
                roles=frozenset({"guardian"}),
                classes=frozenset({"7b"}),
                contacts=(
                    Contact(kind=ContactKind.SMS, address=f"+1408{n % homes:07}"),
                    Contact(kind=ContactKind.EMAIL, address=f"g{n}@home.example"),
                ),
            )
            for n in range(homes + 200)
        ]
    )

    class Killed(Exception):
        pass

    passed = 0

    def kills(point: str) -> None:
        nonlocal passed
        if point == "planner.chunk":
            passed += 1
            if passed >= 5:
                raise Killed

    options = DeskOptions(database=str(tmp_path / "desk.db"))
    providers = [Provider(channel=Keeps(name), pace=Pace(per_second=0.01)) for name in ("sms", "email")]
    prepared = order(1, audience="families-7b")
    await prepare(options.database, prepared)
    for at in (kills, nowhere):
        async with desk(options, people={}, roster=parents, channels=providers, at=at) as running:
            async with asyncio.timeout(60):
                while not passed >= 5:  # noqa: ASYNC110 - a number rings no bell
                    await asyncio.sleep(0.01)
                if at is nowhere:
                    while not [fact for fact in await running.facts() if isinstance(fact, NoticePlanned)]:  # noqa: ASYNC110 - as above
                        await asyncio.sleep(0.05)
            rows = await running.database.read("SELECT id, channel, address, person FROM notice_delivery")
            shared = await running.database.read(
                "SELECT person, delivery FROM notice_person WHERE reason = 'shared'"
            )
        if at is kills:
            assert 0 < len(rows) < 2 * homes + 200
            assert {delivery for _, delivery in shared} <= {row[0] for row in rows}

    assert 2 * homes + 200 == len(rows) == len({(channel, mark) for _, channel, mark, _ in rows})
    assert {f"g{n}" for n in range(homes, homes + 200)} == {person for person, _ in shared}
    assert {delivery for _, delivery in shared} <= {row[0] for row in rows}
