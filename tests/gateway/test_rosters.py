"""The desk puts a roster in force in the one commit that says so."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import apsw
import pytest

from belltower.clock import SystemClock
from belltower.errors import SettingsError, StoreError
from belltower.ids import Ids, StreamName
from belltower.incident.encoding import FactEncoding
from belltower.incident.facts import PersonChanged, RosterTaken
from belltower.journal import Journal, SpoolFile
from belltower.people.by_hand import HandField
from belltower.people.editing import Editing
from belltower.people.generator import generate
from belltower.people.safety import Approval
from belltower.people.store import RosterStore
from belltower.people.taking import Taking
from belltower.people.vault import Vault, new_ring
from belltower.store import open_database
from gateway.rosters import RosterDesk, open_rosters
from tests.peers.waiting import PATIENCE


@pytest.fixture
async def journal(tmp_path):
    """The desk's journal on its database."""
    database = await open_database(f"sqlite://{tmp_path}/desk.db")
    journal = Journal(
        database=database,
        stream=StreamName("desk"),
        codec=FactEncoding(),
        spool=SpoolFile(path=tmp_path / "desk.spool"),
        spool_after=PATIENCE,
    )
    await journal.open()
    yield journal
    await journal.close()
    await database.close()


async def test_a_lost_key_ring_is_not_made_anew_over_rosters(journal: Journal, tmp_path) -> None:
    """The first start makes it; lost later, it is asked for."""
    path = tmp_path / "people.keys"
    store = await open_rosters(journal._database, path)
    taking = Taking(store=store, clock=SystemClock())
    await taking.prepare(await taking.look(generate(seed=1, students=2)), incident_open=False)
    assert 0o600 == path.stat().st_mode & 0o777
    await open_rosters(journal._database, path)
    path.unlink()

    with pytest.raises(SettingsError, match="take it from the backup"):
        await open_rosters(journal._database, path)
    assert not path.exists()


async def test_a_roster_that_is_ready_comes_in_force_with_its_fact(journal: Journal) -> None:
    """Once, with counts and no names; while an incident is open it waits."""
    store = RosterStore(database=journal._database, vault=Vault(ring=new_ring()))
    await store.open()
    clock = SystemClock()
    taking = Taking(store=store, clock=clock)
    incidents = ["inc_1"]

    async def open_incidents() -> list[str]:
        return incidents

    desk = RosterDesk(
        taking=taking,
        journal=journal,
        open_incidents=open_incidents,
        clock=clock,
    )
    district = generate(seed=1, students=10)
    assert not await desk.look()
    await taking.prepare(await taking.look(district), incident_open=False)
    assert not await desk.look()
    assert 0 == await store.in_force()
    incidents.clear()

    assert await desk.look()
    assert not await desk.look()
    entries = await journal.read(after=0, limit=10)
    assert [RosterTaken] == [type(entry.fact) for entry in entries]
    assert (1, 10) == (entries[0].fact.revision, entries[0].fact.counts["students"])
    assert 1 == await store.in_force()
    told = repr(entries[0].fact)
    assert not [one.family for one in district.humans if one.family in told]


async def test_who_left_with_a_load_is_still_called_by_name(journal: Journal) -> None:
    """What they were told stands in its ledger under their name, not under an id, until the load after."""
    store = RosterStore(database=journal._database, vault=Vault(ring=new_ring()))
    await store.open()
    clock = SystemClock()
    taking = Taking(store=store, clock=clock)

    async def no_incidents() -> list[str]:
        return []

    desk = RosterDesk(taking=taking, journal=journal, open_incidents=no_incidents, clock=clock)
    first = generate(seed=1, students=10)
    await taking.prepare(await taking.look(first), incident_open=False)
    await desk.look()
    names = await store.names_of([known.id async for page in store.humans() for known in page])
    second = generate(seed=1, students=4)
    comparison = await taking.look(second)
    approval = Approval(fingerprint=comparison.diff.fingerprint, by="per_ruth")
    await taking.prepare(comparison, incident_open=False, approval=approval)
    await desk.look()
    known = {known.id async for page in store.humans() for known in page}

    assert 2 == await store.in_force()
    left = {person: name for person, name in names.items() if person not in known}
    assert left
    assert left == await store.names_of(list(left))


async def test_what_was_changed_by_hand_becomes_a_fact_without_a_value(journal: Journal) -> None:
    """Whoever wrote it, page or command; told once."""
    store = RosterStore(database=journal._database, vault=Vault(ring=new_ring()))
    await store.open()
    clock = SystemClock()
    ids = Ids(clock=clock)
    taking = Taking(store=store, clock=clock)

    async def no_incidents() -> list[str]:
        return []

    desk = RosterDesk(taking=taking, journal=journal, open_incidents=no_incidents, clock=clock)
    await taking.prepare(await taking.look(generate(seed=1, students=2)), incident_open=False)
    await desk.look()
    person, *_ = [known.id async for page in store.humans() for known in page]
    await Editing(store=store, clock=clock, ids=ids).set(
        ids.verb(), person, HandField.GIVEN, ["Quetzal"], by="per_ruth"
    )

    await desk.tell()
    await desk.tell()
    facts = [entry.fact for entry in await journal.read(after=0, limit=10)]
    assert [RosterTaken, PersonChanged] == [type(fact) for fact in facts]
    assert (person, "per_ruth", ("given",)) == (facts[1].person, facts[1].by, facts[1].fields)
    assert "Quetzal" not in repr(facts[1])


async def test_an_ill_disk_is_told_of_each_thing_once(tmp_path) -> None:
    """However often the desk looks meanwhile, and when a new process looks too: one fact for one edit and one roster."""
    ill: list[Exception] = []

    def commit() -> None:
        if ill:
            raise ill[0]

    async def no_incidents() -> list[str]:
        return []

    clock = SystemClock()
    async with asyncio.timeout(PATIENCE):
        database = await open_database(f"sqlite://{tmp_path}/desk.db", before_commit=commit)
        spool = SpoolFile(path=tmp_path / "desk.spool")
        journal = Journal(
            database=database, stream=StreamName("desk"), codec=FactEncoding(), spool=spool, spool_after=0.05
        )
        await journal.open()
        store = RosterStore(database=database, vault=Vault(ring=new_ring()))
        await store.open()
        ids, taking = Ids(clock=clock), Taking(store=store, clock=clock)
        desk = RosterDesk(taking=taking, journal=journal, open_incidents=no_incidents, clock=clock)
        await taking.prepare(await taking.look(generate(seed=1, students=2)), incident_open=False)
        await desk.look()
        person, *_ = [known.id async for page in store.humans() for known in page]
        await taking.prepare(await taking.look(generate(seed=1, students=3)), incident_open=False)
        await Editing(store=store, clock=clock, ids=ids).set(
            ids.verb(), person, HandField.GIVEN, ["Quetzal"], by="per_ruth"
        )

        ill.append(apsw.IOError("fsync"))
        other = RosterDesk(taking=taking, journal=journal, open_incidents=no_incidents, clock=clock)
        for one in (desk, other) * 5:
            with suppress(StoreError):
                await asyncio.gather(one.tell(), one.look())
        assert journal.trouble
        ill.clear()
        async with asyncio.TaskGroup() as group:
            mending = group.create_task(journal.run())
            while journal.trouble:  # noqa: ASYNC110 - nothing else says when it is well
                await asyncio.sleep(0.01)
            mending.cancel()
        for _ in range(2):
            await desk.tell()
            await desk.look()
        entries = await journal.read(after=0, limit=100)
        left = await store.hands.untold()
        in_force = await store.in_force()
        await journal.close()
        await database.close()

    facts = sorted(type(entry.fact).__name__ for entry in entries)
    assert ["PersonChanged", "RosterTaken", "RosterTaken"] == facts
    assert ([], 2) == (left, in_force)
