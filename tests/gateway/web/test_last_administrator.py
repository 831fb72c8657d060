"""Who is left when accounts change: in both databases, and while another process changes them too."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from belltower.clock import Instant, SystemClock
from belltower.errors import Refused
from belltower.ids import Ids, PersonId
from belltower.people.grant import ADMINISTRATOR, SHIPPED, Grant
from belltower.store import Transaction, open_beside, open_database
from gateway.web import grant_store, store
from gateway.web.grants import Grants
from gateway.web.store import Account, Invitation
from tests.servers.postgres import postgres  # noqa: F401 - a fixture

RUTH, TOM = PersonId("per_00000000000000000000000001"), PersonId("per_00000000000000000000000002")
TRIES = 15


@pytest.fixture(params=["sqlite", "postgres"])
async def lane_and_beside(tmp_path: Path, request: pytest.FixtureRequest):
    """The same database for the lane and for a command beside it."""
    if request.param == "postgres":
        url = request.getfixturevalue("postgres").database()
        lane, beside = await open_database(url), await open_database(url)
    else:
        lane = await open_database(f"sqlite://{tmp_path}/desk.db")
        beside = open_beside(tmp_path / "desk.db")
    await lane.migrate(store.STEPS)
    tx = Transaction()
    for person, name in ((RUTH, "ruth"), (TOM, "tom")):
        store.add_account(tx, Account(person=person, sign_in=name, name=name, password="none"), Instant(1))
    await lane.submit(tx)
    yield lane, beside
    await beside.close()
    await lane.close()


async def test_two_who_take_each_others_role_from_two_processes_leave_one(lane_and_beside) -> None:
    """By taking and by closing: the second is refused, however close they are."""
    clock = SystemClock()
    one, other = (
        Grants(database=each, roles=SHIPPED, clock=clock, ids=Ids(clock=clock)) for each in lane_and_beside
    )
    lane = lane_and_beside[0]
    ended, left = [], []
    for n in range(TRIES):
        tx = Transaction()
        tx.add("UPDATE web_account SET closed_at = NULL")
        for person in (RUTH, TOM):
            grant_store.add_grant(tx, Grant(person=person, role=ADMINISTRATOR), Instant(1))
        await lane.submit(tx)
        second = other.close(RUTH, TOM) if n % 2 else other.take(RUTH, ADMINISTRATOR, TOM)
        both = await asyncio.gather(one.take(TOM, ADMINISTRATOR, RUTH), second, return_exceptions=True)
        ended.append(sum(isinstance(each, Refused) for each in both))
        left.append(len([each for each in await one.listed() if each.grants and each.closed_at is None]))

    assert [1] * TRIES == left
    assert TRIES == sum(ended)


async def test_a_closed_account_leaves_no_link_that_it_made(lane_and_beside) -> None:
    """Its link is void for good; one made at the command line is nobody's, and holds."""
    clock = SystemClock()
    lane, beside = lane_and_beside
    grants = Grants(database=beside, roles=SHIPPED, clock=clock, ids=Ids(clock=clock))
    held = []
    for made_by in (TOM, None):
        tx = Transaction()
        tx.add("UPDATE web_account SET closed_at = NULL")
        for person in (RUTH, TOM):
            grant_store.add_grant(tx, Grant(person=person, role=ADMINISTRATOR), Instant(1))
        store.add_invitation(tx, "a token", Instant(1), Instant(9), Invitation(role="staff", made_by=made_by))
        await lane.submit(tx)
        found = await store.invited(lane, "a token", Instant(2))
        await grants.close(TOM, RUTH)
        await grants.reopen(TOM, RUTH)
        held.append((found, await store.invited(lane, "a token", Instant(2))))

    assert (Invitation(role="staff", made_by=TOM), None) == held[0]
    assert (Invitation(role="staff"), Invitation(role="staff")) == held[1]
