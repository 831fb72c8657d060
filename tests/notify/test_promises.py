"""The next update that families were promised."""

import asyncio
from pathlib import Path

import pytest

from belltower.clock import SECOND, Instant
from belltower.ids import Ids, IncidentId, NoticeId, PersonId
from belltower.incident.facts import Mode, NoticeOrdered
from belltower.incident.plan import FamiliesPlan
from notify import promises
from notify.audience import AudienceRule
from notify.promises import DUE, promised
from notify.provider import Provider
from tests.notify.test_correction import Keeps, family, until
from tests.peers.desk import DeskOptions, RosterOf, desk, order, site, staff
from tests.peers.waiting import PATIENCE


@pytest.fixture
def options(tmp_path: Path) -> DeskOptions:
    return DeskOptions(database=str(tmp_path / "desk.db"))


def told(n: int, phase: str = "now", **changes: object) -> NoticeOrdered:
    return order(n, audience="families-7b", template=f"families.lockdown.{phase}", **changes)


def school():
    return site(staff(1, kinds=("sms",)), RosterOf(family(1)), families=FamiliesPlan(officer="all-staff"))


@pytest.mark.parametrize("given", ["", "soon", "-5", "1.5", "99999999999999999", "1000"])
def test_only_a_time_to_come_is_a_promise(given: str) -> None:
    """Whatever else stands there promises nothing."""
    assert promised(told(1, slots={"next": given}), Instant(1_000)) is None
    assert Instant(2_000) == promised(told(1, slots={"next": "2000", "incident": "7"}), Instant(1_000)).due


async def test_w22_somebody_is_told_before_it_is_due_and_it_stands_until_families_hear_more(
    options: DeskOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """W22: once, over a restart; families themselves get nothing that a person did not write."""
    monkeypatch.setattr(promises, "BEFORE", SECOND)
    sms = Keeps()
    async with desk(options, school=school(), channels=[Provider(channel=sms)]) as running:
        due = Instant(running.clock.now() + 3 * SECOND)
        await running.is_ordered(told(1, slots={"next": str(due), "incident": "7"}))
        await until(running.room.promises.standing)
        await running.is_settled(2)
        assert [] == [fact for fact in await running.facts() if isinstance(fact, NoticeOrdered)]
    async with desk(options, school=school(), channels=[Provider(channel=sms)]) as running:
        standing = running.room.promises.standing()
        await until(lambda: running.clock.now() > due)
        reminded = [fact for fact in await running.facts() if isinstance(fact, NoticeOrdered)]
        missed = running.room.promises.standing()
        await running.is_ordered(told(2, "update"))
        await until(lambda: not running.room.promises.standing())
        await running.is_settled(5)

    assert [(due, "7", "inc_1")] == [(one.due, one.number, one.incident) for one in standing]
    assert list(standing) == list(missed)
    assert [(DUE, "all-staff")] == [(fact.template, fact.audience) for fact in reminded]
    assert ["ntc_001", "ntc_002"] == [
        notice for address, notice in sms.sent if address == "+1555" + "1".zfill(7)
    ]


async def test_w22_the_officer_is_told_five_minutes_before(options: DeskOptions) -> None:
    """W22: by a deadline that outlives the process."""
    async with desk(options, school=school(), channels=[Provider(channel=Keeps())]) as running:
        due = Instant(running.clock.now() + 600 * SECOND)
        await running.is_ordered(told(1, slots={"next": str(due)}))
        await until(running.room.promises.standing)
        async with asyncio.timeout(PATIENCE):
            while not (  # noqa: ASYNC110 - rows ring no bell
                rows := await running.database.read(
                    "SELECT due FROM deadline WHERE owner = 'notify.promises'"
                )
            ):
                await asyncio.sleep(0.01)

    assert [(due - 5 * 60 * SECOND,)] == [tuple(row) for row in rows]


async def test_a_later_promise_takes_the_place_of_an_earlier_and_drills_promise_nothing(
    options: DeskOptions,
) -> None:
    """A correction ends it too, for notices without an incident as well, and promises nothing of its own."""
    sms = Keeps()
    async with desk(options, school=school(), channels=[Provider(channel=sms)]) as running:
        soon, later = (str(running.clock.now() + seconds * SECOND) for seconds in (600, 1200))
        standing = running.room.promises.standing
        await running.is_ordered(
            told(1, slots={"next": soon}),
            told(2, "update", slots={"next": later}),
            told(3, slots={"next": soon}, incident=IncidentId("inc_2"), mode=Mode.EXERCISE),
            told(4, slots={"next": soon}, incident=IncidentId("")),
        )
        await running.is_settled(8)
        await until(lambda: len(standing()) == 2)
        both = [(one.notice, str(one.due)) for one in standing()]
        ids = Ids(clock=running.clock)
        await running.room.corrections.correct(ids.verb(), NoticeId("ntc_004"), PersonId("p1"))
        await until(lambda: len(standing()) == 1)
        await running.room.corrections.all_clear(ids.verb(), IncidentId("inc_1"), PersonId("p1"))
        await until(lambda: not standing())
        async with asyncio.timeout(PATIENCE):
            while await running.database.read("SELECT 1 FROM notice_promise"):  # noqa: ASYNC110 - rows ring no bell
                await asyncio.sleep(0.01)
        ordered = [fact for fact in await running.facts() if isinstance(fact, NoticeOrdered)]

    assert [("ntc_004", soon), ("ntc_002", later)] == both
    assert ["families.lockdown.correction", "families.lockdown.cleared"] == [one.template for one in ordered]
    assert not any("next" in one.slots for one in ordered)


@pytest.mark.parametrize("audience", ["families-7b", ""])
async def test_a_promise_without_an_incident_is_kept_by_the_next_notice_to_the_same_families(
    options: DeskOptions, audience: str
) -> None:
    """Named in the site package or put together for this once; another audience keeps nothing."""
    rule = AudienceRule(roles=frozenset({"guardian"}), classes=frozenset({"7a", "7b", "7c"}))
    async with desk(options, school=school(), channels=[Provider(channel=Keeps())]) as running:
        async with running.database.begin() as tx:
            for n in range(1, 4):
                running.room.tables.add_rule(tx, NoticeId(f"ntc_{n:03}"), rule)
            running.room.tables.add_rule(tx, NoticeId("ntc_004"), AudienceRule(roles=frozenset({"staff"})))
        due = str(running.clock.now() + 600 * SECOND)
        given = {"incident": IncidentId(""), "slots": {"next": due}}
        named = {"audience": audience, "template": "families.secure.update"}
        await running.is_ordered(*(order(n, **{**given, **named}) for n in range(1, 4)))
        await until(lambda: "ntc_003" in [one.notice for one in running.room.promises.standing()])
        promised_by = [one.notice for one in running.room.promises.standing()]
        await running.is_ordered(order(4, **{**given, **named, "audience": "", "slots": {}}))
        await running.is_ordered(order(5, **{**given, **named, "audience": "families-7b"}))
        await until(lambda: "ntc_005" in [one.notice for one in running.room.promises.standing()])
        at_last = [one.notice for one in running.room.promises.standing()]

    assert ["ntc_003"] == promised_by
    assert (["ntc_005"] if audience else ["ntc_003", "ntc_005"]) == sorted(at_last)


async def test_a_promise_that_was_missed_for_a_day_is_past_keeping(
    options: DeskOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not stand on the screens for ever, nor after a restart."""
    async with desk(options, school=school(), channels=[Provider(channel=Keeps())]) as running:
        due = Instant(running.clock.now() + 600 * SECOND)
        await running.is_ordered(told(1, slots={"next": str(due)}))
        await until(running.room.promises.standing)
        await running.is_settled(2)
        monkeypatch.setattr(promises, "_OLD", -700 * SECOND)
        assert [] == running.room.promises.standing()
    async with desk(options, school=school(), channels=[Provider(channel=Keeps())]) as running:
        rows = await running.database.read("SELECT 1 FROM notice_promise")
        assert [] == running.room.promises.standing()

    assert [] == list(rows)
