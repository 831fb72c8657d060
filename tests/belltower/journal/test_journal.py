"""Commit, follow, read, bookmark: on both engines."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from msgspec.structs import replace

from belltower.errors import Conflict, Malformed
from belltower.ids import StreamName
from belltower.journal import GENESIS, Copy, Durability, entry_hash
from belltower.store import Transaction


def texts(entries):
    """What was said, in order."""
    return [entry.fact.text for entry in entries]


async def test_a_commit_is_journaled_in_order(desk, journal) -> None:
    """Positions run from 1 without a gap, whoever committed."""
    outcomes = await asyncio.gather(*(desk.say(journal, f"a{n}", f"b{n}") for n in range(50)))

    entries = await journal.read(after=0, limit=1_000)
    assert {Durability.JOURNALED} == set(outcomes)
    assert list(range(1, 101)) == [entry.position for entry in entries]
    assert [f"{letter}{n}" for n in range(50) for letter in "ab"] == texts(entries)
    assert 100 == journal.head


async def test_each_hash_continues_the_one_before(desk, journal) -> None:
    """The chain can be recomputed from the rows alone."""
    await asyncio.gather(*(desk.say(journal, f"a{n}") for n in range(20)))

    digest = GENESIS
    for raw in await journal.read_raw(after=0, limit=100):
        digest = entry_hash(
            digest,
            stream=raw.stream,
            position=raw.position,
            fact_id=raw.id,
            at=raw.at,
            tag=raw.tag,
            subject=raw.subject,
            body=raw.body,
        )
        assert digest == raw.hash


async def test_facts_and_rows_land_together(desk, journal) -> None:
    """A transaction that conflicts records no fact, leaves no gap and says so."""
    bad = Transaction()
    bad.add("UPDATE bookmark SET position = 1 WHERE name = :name", expect=1, name="nobody")
    first, broken, last = (
        desk.say(journal, "first"),
        desk.say(journal, "broken", tx=bad),
        desk.say(journal, "last"),
    )
    with pytest.raises(Conflict):
        await broken
    await asyncio.gather(first, last)

    entries = await journal.read(after=0, limit=10)
    assert ["first", "last"] == texts(entries)
    assert [1, 2] == [entry.position for entry in entries]
    assert not journal.trouble


async def test_a_fact_recorded_twice_is_refused(desk, journal) -> None:
    """An id has one place."""
    await journal.commit(Transaction(), [desk.draft(desk.Said("once"), fact_id="fct_x")])
    with pytest.raises(Conflict):
        await journal.commit(Transaction(), [desk.draft(desk.Said("twice"), fact_id="fct_x")])

    assert ["once"] == texts(await journal.read(after=0, limit=10))


async def test_a_follower_gets_old_and_new_exactly_once(desk, journal, gathered) -> None:
    """From the table first, then live, with no seam."""
    for n in range(30):
        await desk.say(journal, f"{n}")
    async with asyncio.TaskGroup() as group:
        follower = group.create_task(gathered(journal.follow(after=10), 60))
        for n in range(30, 70):
            await desk.say(journal, f"{n}")

    assert [f"{n}" for n in range(10, 70)] == texts(follower.result())


async def test_a_follower_far_behind_catches_up_from_the_table(desk, gathered) -> None:
    """More than the ring holds is read in pages while more arrives."""
    journal = await desk.open()
    for start in range(0, 12_000, 1_000):
        await desk.say(journal, *(f"{n}" for n in range(start, start + 1_000)))
    found = texts(await gathered(journal.follow(after=0), 12_000))

    await desk.shut(journal)
    assert [f"{n}" for n in range(12_000)] == found


async def test_a_follower_left_behind_by_the_ring_misses_nothing(desk) -> None:
    """A slow follower, overtaken by a whole ring, goes back to the table."""
    journal = await desk.open()
    await desk.say(journal, "0")
    found = []
    async with asyncio.timeout(60), aclosing(journal.follow(after=0)) as follower:
        async for entry in follower:
            found.append(entry.fact.text)
            if len(found) == 1:
                for start in range(1, 20_001, 1_000):
                    await desk.say(journal, *(f"{n}" for n in range(start, start + 1_000)))
            if len(found) == 20_001:
                break

    await desk.shut(journal)
    assert [f"{n}" for n in range(20_001)] == found


async def test_a_follower_sees_only_its_kinds(desk, journal, gathered) -> None:
    """Other facts pass by."""
    await journal.commit(
        Transaction(),
        [desk.draft(desk.Said("a")), desk.draft(desk.Counted(1)), desk.draft(desk.Said("b"))],
    )

    found = await gathered(journal.follow(after=0, kinds=(desk.Counted,)), 1)
    assert [2] == [entry.position for entry in found]


async def test_no_follower_waits_for_another(desk, journal, gathered) -> None:
    """One that never takes its second entry holds nobody up."""
    stuck = journal.follow(after=0)
    await desk.say(journal, "0")
    await anext(stuck)
    async with asyncio.TaskGroup() as group:
        followers = [group.create_task(gathered(journal.follow(after=0), 101)) for _ in range(20)]
        for n in range(1, 101):
            await desk.say(journal, f"{n}")

    for follower in followers:
        assert [f"{n}" for n in range(101)] == texts(follower.result())
    await stuck.aclose()


async def test_a_bookmark_is_kept_with_the_work_and_never_moves_back(desk, journal) -> None:
    """It lands with its transaction, and a replayed older one changes nothing."""
    assert 0 == await journal.bookmark("psap")
    for position in (7, 5):
        tx = Transaction()
        journal.keep_bookmark(tx, "psap", position)
        await journal.database.submit(tx)

    assert 7 == await journal.bookmark("psap")


async def test_of_gives_one_subjects_entries(desk, journal) -> None:
    """By incident, in order."""
    await desk.say(journal, "a", subject="inc_1")
    await desk.say(journal, "b", subject="inc_2")
    await desk.say(journal, "c", subject="inc_1")

    assert ["a", "c"] == texts(await journal.of("inc_1"))


async def test_a_restart_goes_on_where_it_stopped(desk) -> None:
    """Head and chain survive."""
    journal = await desk.open()
    await desk.say(journal, "a", "b")
    await desk.shut(journal)
    journal = await desk.open()
    assert 2 == journal.head
    await desk.say(journal, "c")
    rows = await journal.read_raw(after=1, limit=10)
    await desk.shut(journal)

    assert [2, 3] == [row.position for row in rows]
    assert rows[1].hash == entry_hash(
        rows[0].hash,
        stream="alarm",
        position=3,
        fact_id=rows[1].id,
        at=rows[1].at,
        tag="said",
        subject="",
        body=rows[1].body,
    )


async def test_a_copy_is_verbatim_and_taken_once(desk, journal, gathered) -> None:
    """The desk's copy has the same rows and hashes, is fed to followers, and passes over what it has."""
    await desk.say(journal, "a", "b", "c")
    rows = [
        type(row)(**{f: getattr(row, f) for f in row.__struct_fields__})
        for row in await journal.read_raw(after=0, limit=10)
    ]
    await desk.shut(journal)
    desk.url = desk.url.replace("journal.db", "desk.db")
    there = await desk.open(stream="desk")
    copy = Copy(journal=there, stream=StreamName("alarm"))
    await copy.open()
    async with asyncio.TaskGroup() as group:
        live = group.create_task(gathered(there.follow(after=0, stream="alarm"), 3))
        await copy.take(rows[:2])
        await copy.take(rows)

    assert ["a", "b", "c"] == texts(live.result())
    assert rows == await there.read_raw(after=0, limit=10, stream="alarm")
    assert 3 == copy.head
    assert [] == await there.read(after=0, limit=10)
    again = Copy(journal=there, stream=StreamName("alarm"))
    await again.open()
    assert 3 == again.head
    await desk.shut(there)


async def test_a_copy_refuses_a_gap_and_a_forgery(desk, journal) -> None:
    """A row missing in between, or altered on the way, is not taken."""
    await desk.say(journal, "a", "b", "c")
    rows = await journal.read_raw(after=0, limit=10)
    copy = Copy(journal=journal, stream=StreamName("other"))
    await copy.open()
    renamed = [replace(row, stream=StreamName("other")) for row in rows]

    with pytest.raises(Malformed, match="1 expected next"):
        await copy.take(renamed[1:])
    with pytest.raises(Malformed, match="does not continue the chain"):
        await copy.take(renamed)
    assert 0 == copy.head


async def test_raw_runs_carry_the_rows_of_the_table(desk, journal) -> None:
    """What crosses to the other lane is what lies in the table."""
    await desk.say(journal, "a")
    async with aclosing(journal.follow_raw(after=0)) as runs:
        first = await anext(runs)
        await desk.say(journal, "b")
        second = await anext(runs)

    assert first + second == await journal.read_raw(after=0, limit=10)


async def test_a_tap_hears_of_a_commit_before_anybody_else(desk, journal, gathered) -> None:
    """All of a commit's entries, in order, before a follower gets the first and before the caller is told."""
    heard = []
    journal.tap((desk.Said,), lambda entry: heard.append((entry.fact.text, told.done() or bool(followed))))
    followed = []

    async def follow():
        async with aclosing(journal.follow(after=0)) as entries:
            async for entry in entries:
                followed.append(entry)
                if len(followed) == 2:
                    return

    following = asyncio.get_running_loop().create_task(follow())
    await asyncio.sleep(0)
    told = desk.say(journal, "a", "b")
    await asyncio.gather(told, following)

    assert [("a", False), ("b", False)] == heard


async def test_a_mistaken_tap_harms_nobody(desk, journal) -> None:
    """What it raises is lost; the commit and the taps behind it go on."""
    heard = []
    journal.tap((desk.Said,), lambda entry: entry.nothing)
    journal.tap((desk.Counted,), heard.append)
    journal.tap((desk.Said,), heard.append)

    assert Durability.JOURNALED == await desk.say(journal, "a")
    assert ["a"] == texts(heard)
