"""The desk puts a roster in force in the one commit that says so."""

from __future__ import annotations

import pytest

from belltower.clock import SystemClock
from belltower.ids import Ids, StreamName
from belltower.incident.encoding import FactEncoding
from belltower.incident.facts import RosterTaken
from belltower.journal import Journal, SpoolFile
from belltower.people.generator import generate
from belltower.people.store import RosterStore
from belltower.people.taking import Taking
from belltower.people.vault import Vault, new_ring
from belltower.store import open_database
from gateway.rosters import RosterDesk


@pytest.fixture
async def journal(tmp_path):
    """The desk's journal on its database."""
    database = await open_database(f"sqlite://{tmp_path}/desk.db")
    journal = Journal(
        database=database,
        stream=StreamName("desk"),
        codec=FactEncoding(),
        spool=SpoolFile(path=tmp_path / "desk.spool"),
    )
    await journal.open()
    yield journal
    await journal.close()
    await database.close()


async def test_a_roster_that_is_ready_comes_in_force_with_its_fact(journal: Journal) -> None:
    """Once, with counts and no names; while an incident is open it waits."""
    store = RosterStore(database=journal._database, vault=Vault(ring=new_ring()))
    await store.open()
    clock = SystemClock()
    taking = Taking(store=store, clock=clock)
    incidents = ["inc_1"]
    desk = RosterDesk(
        taking=taking,
        journal=journal,
        incident_open=lambda: bool(incidents),
        clock=clock,
        ids=Ids(clock=clock),
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
