"""For whom a sent notice was: said as it was when it was sent, whatever is loaded later."""

from __future__ import annotations

import asyncio
from pathlib import Path

import apsw
import pytest
from msgspec.structs import replace

from belltower.clock import Instant, SystemClock
from belltower.ids import NoticeId, PersonId, VerbId
from belltower.people.generator import generate
from belltower.people.person import Person
from belltower.people.reach import RosterPeople
from belltower.people.roster import HumanKind, Roster
from belltower.people.vault import Vault, new_ring
from gateway.web.compose_view import spoken_audience, spoken_counted
from notify.audience import AudienceRule
from notify.choice import Choice
from notify.meant import Meant, keep, kept, meant_now, named
from notify.provider import Provider
from notify.reports import Reports
from tests.belltower.people.test_taking import inline, take, without
from tests.peers.desk import DeskOptions, RosterOf, desk, order, site, staff
from tests.peers.waiting import PATIENCE
from tests.peers.writing import NOW, RUTH, Takes

DISTRICT = generate(seed=3, students=60)
ONE, *_ = DISTRICT.classes
OF_ONE = AudienceRule(
    roles=frozenset({"guardian"}), classes=frozenset(one.key for one in DISTRICT.classes[:4])
)


def renamed(roster: Roster, year: int) -> Roster:
    """As it is a year later: every class and school has another name, and a guardian in five has left."""
    guardians = [one.key for one in roster.of_kind(HumanKind.GUARDIAN)]
    return replace(
        without(roster, set(guardians[::5])),
        classes=tuple(
            replace(one, title=f"Year {year} {number}") for number, one in enumerate(roster.classes)
        ),
        schools=tuple(replace(one, name=f"{one.name} {year}") for one in roster.schools),
    )


async def test_three_loads_later_a_sent_notice_is_for_whom_it_was(tmp_path: Path) -> None:
    """The names of classes and schools, and how many they were, stay; what is written now has the new ones."""
    store = inline(apsw.Connection(":memory:"))
    await store.open()
    await take(store, DISTRICT)
    said: list[tuple[str, str]] = []
    options = DeskOptions(database=str(tmp_path / "desk.db"))
    school = site({}, RosterPeople(store=store, clock=SystemClock()))
    async with desk(options, school=school, channels=[Provider(channel=Takes())]) as running:
        reports = Reports(database=running.database, addresses=running.room.tables.addresses)
        composer = running.room.composer(drilling=lambda: False)

        async def sent(verb: str) -> NoticeId:
            draft = await composer.write(VerbId(verb), Choice(template=NOW, rule=OF_ONE), RUTH)
            await composer.ask(draft.id, RUTH, seen=draft.counted.people)
            async with asyncio.timeout(60):
                while await reports.notice(draft.id) is None or await meant(draft.id) is None:  # noqa: ASYNC110 - rows ring no bell
                    await asyncio.sleep(0.02)
            return draft.id

        async def meant(notice: NoticeId) -> Meant | None:
            listed = await reports.notice(notice)
            return await reports.meant(listed) if listed is not None else None

        async def spoken(notice: NoticeId) -> tuple[str, str]:
            found = await meant(notice)
            assert found is not None
            return spoken_audience(found), spoken_counted(found)

        first = await sent("vrb_" + "1" * 26)
        said.append(await spoken(first))
        roster = DISTRICT
        for year in (1, 2, 3):
            roster = renamed(roster, year)
            assert await take(store, roster, approve=True)
            said.append(await spoken(first))
        after = await spoken(await sent("vrb_" + "2" * 26))
        rows = await running.database.read("SELECT meant FROM notice_meant")
    await store.database.close()

    (before,) = set(said)
    assert ONE.title in before[0]
    assert "Year" not in before[0]
    assert "Year 3" in after[0]
    assert before[1] != after[1]
    assert not any(ONE.title.encode() in sealed or b"guardian" in sealed for (sealed,) in rows)


async def test_for_whom_it_was_is_kept_once_and_opens_only_under_its_keys(tmp_path: Path) -> None:
    """Planned again after a kill it says the same; without the keys it is not known, and nothing fails."""
    vault, other = Vault(ring=new_ring()), Vault(ring=new_ring(number=2))
    notice = NoticeId("ntc_1")
    async with desk(DeskOptions(database=str(tmp_path / "desk.db")), channels=[]) as running:
        for people in (1, 2):
            async with running.database.begin() as tx:
                keep(tx, vault, notice, 1, Meant(audience="staff", rule=AudienceRule(), people=people))
        found = await kept(running.database, vault, notice, 1)
        lost = await kept(running.database, other, notice, 1)

    assert found is not None
    assert 1 == found.people
    assert lost is None


@pytest.mark.parametrize(
    ("people", "said"),
    [
        (["p0"], "Person 0 alone"),
        (["p1", "p0"], "Person 0, Person 1"),
        (["per_gone"], "1 named person"),
        (["p0", "per_gone"], "2 named people"),
    ],
)
def test_who_is_named_is_not_everybody(people: list[str], said: str) -> None:
    """By name as far as there is one."""
    rule = AudienceRule(people=frozenset(map(PersonId, people)))

    assert said == spoken_audience(
        named(rule, "", places={}, schools={}, classes={}, people={"p0": "Person 0", "p1": "Person 1"})
    )


async def test_whom_a_notice_named_is_called_so_after_they_left() -> None:
    """By the roster as it was when the notice was planned; the house's own people by the site package."""
    gone = Person(id=PersonId("per_gone"), name="Rosa Lee")
    rule = AudienceRule(people=frozenset({PersonId("p0"), gone.id}))
    now = site(staff(1, kinds=("sms",)), RosterOf(gone))

    assert "Person 0, Rosa Lee" == spoken_audience(await meant_now(rule, "", now, told_before=False))


async def test_the_ledger_says_for_whom_a_notice_of_the_house_was(tmp_path: Path) -> None:
    """A deputy, whom a channel's test went to, and everybody where the site knows no such audience."""
    options = DeskOptions(database=str(tmp_path / "desk.db"), test_to={"sms": "+15550100199"})
    notices = [
        order(1, template="staff-unreached", audience=""),
        order(2, template="staff-alarm", audience="ghost-list"),
    ]
    channels = [Provider(channel=Takes(), given_name="cell")]
    async with desk(options, school=site(staff(2, kinds=("sms",))), channels=channels) as running:
        reports = Reports(database=running.database, addresses=running.room.tables.addresses)
        async with running.database.begin() as tx:
            running.room.tables.add_rule(
                tx, notices[0].notice, AudienceRule(people=frozenset({PersonId("p0")}))
            )
        for one in notices:
            await running.is_ordered(one)
        await running.room.proofs.test(VerbId("vrb_" + "1" * 26), RUTH)
        said = {}
        async with asyncio.timeout(PATIENCE):
            while len(said) < 3:
                for listed in await reports.newest(before=Instant(2**62), limit=9):
                    found = await reports.meant(listed)
                    if found is not None:
                        said[listed.template] = (spoken_audience(found), spoken_counted(found))
                await asyncio.sleep(0.02)

    assert {
        "staff-unreached": ("Person 0 alone", "1 person"),
        "staff-alarm": ("everybody", "2 people"),
        "test": ("Channel test alone", "1 person"),
    } == said
