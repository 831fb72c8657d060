"""Roles in both databases: somebody is left who gives them, and a refusal is as cheap as a question."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from belltower.clock import Instant, SystemClock
from belltower.errors import NotPermitted, Refused
from belltower.ids import Ids, PersonId
from belltower.people.grant import ADMINISTRATOR, SHIPPED, Grant, Right
from belltower.store import (
    Database,
    SQLValue,
    Transaction,
    open_beside,
    open_database,
)
from belltower.store.postgres import PostgresDatabase
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


async def test_a_refusal_reads_who_may_and_no_session(
    lane_and_beside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names the open accounts that may do it there, by name; a thousand browsers make it no slower."""
    lane, _ = lane_and_beside
    clock = SystemClock()
    grants = Grants(database=lane, roles=SHIPPED, clock=clock, ids=Ids(clock=clock))
    mei, ada = PersonId("per_00000000000000000000000003"), PersonId("per_00000000000000000000000004")
    tx = Transaction()
    for person, name in ((mei, "mei"), (ada, "ada")):
        store.add_account(tx, Account(person=person, sign_in=name, name=name, password="none"), Instant(1))
    for grant in (
        Grant(person=RUTH, role=ADMINISTRATOR),
        Grant(person=TOM, role="office", schools=frozenset({"s1", "s2"})),
        Grant(person=TOM, role="liaison", schools=frozenset({"s3"})),
        Grant(person=mei, role="office", schools=frozenset({"s2"})),
        Grant(person=ada, role="office"),
    ):
        grant_store.add_grant(tx, grant, Instant(1))
    grant_store.close_account(tx, ada, Instant(2))
    await lane.submit(tx)
    asked: list[str] = []
    read = type(lane).read

    async def reading(self: Database, sql: str, /, **params: SQLValue) -> list[tuple]:
        asked.append(sql)
        return await read(self, sql, **params)

    monkeypatch.setattr(type(lane), "read", reading)
    said = []
    for right, schools in (
        (Right.PEOPLE_CHANGE, {"s1"}),
        (Right.PEOPLE_SEE, {"s3"}),
        (Right.PEOPLE_SEE, set()),
    ):
        with pytest.raises(NotPermitted) as refused:
            await grants.allowed(mei, right, schools)
        said.append(str(refused.value).rpartition(" Now: ")[2])
    read_then = list(asked)
    one = await grant_store.one(lane, TOM, clock.now())

    assert ["ruth, tom.", "ruth, tom.", "ruth."] == said
    assert [] == [sql for sql in read_then if "web_session" in sql]
    assert one == next(each for each in await grants.listed() if each.person == TOM)
    assert await grant_store.one(lane, PersonId("per_none"), clock.now()) is None


async def test_the_list_of_accounts_finds_each_ones_browsers_by_their_index(lane_and_beside) -> None:
    """Accounts times sessions is too much for a district."""
    lane, _ = lane_and_beside
    if isinstance(lane, PostgresDatabase):  # few rows are read as they lie, whatever indices there are
        rows = await lane.read("SELECT indexdef FROM pg_indexes WHERE indexname = 'web_session_person'")
        assert "(person, expires_at)" in rows[0][0]
        return
    plan = [row[3] for row in await lane.read("EXPLAIN QUERY PLAN " + grant_store._EVERY, at=1)]

    assert 2 == sum("web_session_person" in step for step in plan)
    assert [] == [step for step in plan if "SCAN s" in step or "AUTOMATIC" in step]
