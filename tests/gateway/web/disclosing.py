"""A house with a roster of nobody on its desk, and the pages that give records to somebody outside."""

from __future__ import annotations

from functools import partial
from random import Random
from zoneinfo import ZoneInfo

from belltower.people import disclosure_tables
from belltower.people.disclosure_register import Register
from belltower.people.generator import generate
from belltower.people.roster import Roster
from belltower.people.store import RosterStore
from belltower.people.taking import Taking
from belltower.people.vault import Vault, new_ring
from belltower.store import Transaction
from gateway.disclosing import incident_known
from gateway.web.disclosure_pages import DisclosureRoom
from gateway.web.disclosure_papers import Papers
from tests.gateway.web.granting import grants_of
from tests.gateway.web.house import ALARM, House

DISTRICT = generate(seed=11, students=60)


async def disclosing(house: House, district: Roster = DISTRICT) -> Register:
    """Take the district's roster, and let the page have its register."""
    store = RosterStore(database=house.database, vault=Vault(ring=new_ring(Random(2).randbytes)))
    await store.open()
    await house.database.migrate(disclosure_tables.STEPS)
    taking = Taking(store=store, clock=house.clock)
    ready = await taking.prepare(await taking.look(district), incident_open=False)
    tx = Transaction()
    taking.settle(tx, ready, incident_open=False)
    await house.database.submit(tx)
    register = Register(
        roster=store,
        incident=partial(incident_known, house.desk_journal, [ALARM]),
        allowed=grants_of(house).allowed,
        clock=house.clock,
        ids=house.ids,
    )
    papers = Papers(
        register=register, roster=store, name=house.names.person, zone=ZoneInfo("America/Chicago")
    )
    house.disclosures = DisclosureRoom(register=register, papers=papers, roster=store)
    return register
