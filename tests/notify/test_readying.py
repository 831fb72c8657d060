"""The draft for families that stands ready as soon as an action is ordered."""

import asyncio
from pathlib import Path

import pytest

from belltower.clock import SECOND
from belltower.ids import IncidentId, PersonId
from belltower.incident import facts
from belltower.incident.facts import Action, AlarmKind, Mode, NoticeOrdered
from belltower.incident.plan import FamiliesPlan
from notify.draft import Draft, DraftState
from notify.provider import Provider
from notify.readying import BY
from tests.notify.test_correction import Keeps, family, until
from tests.peers.desk import Desk, DeskOptions, RosterOf, desk, site, staff, take
from tests.peers.waiting import PATIENCE

INCIDENT = IncidentId("inc_1")


@pytest.fixture
def options(tmp_path: Path) -> DeskOptions:
    return DeskOptions(database=str(tmp_path / "desk.db"))


def school(next_update: float = 1200.0, audience: str = "families-7b"):
    return site(
        staff(1, kinds=("sms",)),
        RosterOf(*(family(n) for n in range(30))),
        families=FamiliesPlan(audience=audience, next_update=next_update),
    )


def opened(mode: Mode = Mode.ACTUAL) -> list[facts.Fact]:
    alarm = facts.AlarmRaised(
        alarm="alm_1",
        incident=INCIDENT,
        kind=AlarmKind.PANIC,
        mode=mode,
        place=None,
        building="",
        number=1,
    )
    return [alarm, facts.IncidentOpened(incident=INCIDENT, alarm="alm_1", mode=mode, number=7)]


async def said(running: Desk, *given: facts.Fact) -> None:
    """The alarm lane says these of the incident."""
    await take(running.journal, running.copy, given, at=running.clock.now(), subject=INCIDENT)


async def standing(running: Desk, count: int = 1, *, but: str = "") -> list[Draft]:
    """What stands ready, once there is so much."""
    async with asyncio.timeout(PATIENCE):
        while True:
            drafts = [one for one in await running.room.drafts.open(50) if one.id != but]
            if len(drafts) == count:
                return drafts
            await asyncio.sleep(0.01)


async def test_w20_a_draft_stands_ready_when_the_action_is_ordered_and_one_press_sends_it(
    options: DeskOptions,
) -> None:
    """W20: counted, and of the action; it is told apart when it stood ready and when it was sent."""
    sms = Keeps()
    async with desk(options, school=school(), channels=[Provider(channel=sms)]) as running:
        await said(running, *opened(), facts.ActionOrdered(action=Action.LOCKDOWN))
        (draft,) = await standing(running)
        composer = running.room.composer(drilling=lambda: False)
        sent = await composer.ask(draft.id, PersonId("per_ruth"), seen=draft.counted.people)
        await until(lambda: len(sms.sent) == 30)
        (ordered,) = [fact for fact in await running.facts() if isinstance(fact, NoticeOrdered)]

    assert ("families.lockdown.now", BY, 30) == (draft.order.template, draft.made_by, draft.counted.people)
    assert (INCIDENT, "7", "lockdown") == (
        ordered.incident,
        ordered.slots["incident"],
        ordered.slots["action"],
    )
    assert DraftState.SENT is sent.state
    assert draft.made_at <= sent.asked_at


async def test_another_action_and_the_end_take_the_draft_away(options: DeskOptions) -> None:
    """Over a restart as well; asked twice it is written once."""
    channels = [Provider(channel=Keeps())]
    async with desk(options, school=school(), channels=channels) as running:
        await said(running, *opened(), facts.ActionOrdered(action=Action.SECURE))
        (first,) = await standing(running)
    async with desk(options, school=school(), channels=channels) as running:
        await said(running, facts.ActionOrdered(action=Action.EVACUATE))
        (second,) = await standing(running, but=first.id)
        old = await running.room.drafts.get(first.id)
        await said(running, facts.IncidentClosed(incident=INCIDENT, by=PersonId("p1"), reason="over"))
        await standing(running, 0)

    assert "families.evacuate.now" == second.order.template
    assert DraftState.DROPPED is old.state


async def test_a_draft_whose_promise_comes_near_is_written_anew(options: DeskOptions) -> None:
    """Nobody is promised what is nearly past."""
    channels = [Provider(channel=Keeps())]
    async with desk(options, school=school(1.0), channels=channels) as running:
        await said(running, *opened(), facts.ActionOrdered(action=Action.HOLD))
        (first,) = await standing(running)
        (second,) = await standing(running, but=first.id)

    assert int(first.order.slots["next"]) + SECOND // 4 <= int(second.order.slots["next"])


@pytest.mark.parametrize("why", ["exercise", "unnamed"])
async def test_nothing_stands_ready_in_an_exercise_or_without_an_audience(
    options: DeskOptions, why: str
) -> None:
    """W24: families hear of an exercise only where a person says so."""
    mode = Mode.EXERCISE if why == "exercise" else Mode.ACTUAL
    people = school(audience="" if why == "unnamed" else "families-7b")
    async with desk(options, school=people, channels=[Provider(channel=Keeps())]) as running:
        await said(running, *opened(mode), facts.ActionOrdered(action=Action.LOCKDOWN))
        async with asyncio.timeout(PATIENCE):
            while await running.journal.bookmark("notify.readying:alarm") < 3:  # noqa: ASYNC110 - a row rings no bell
                await asyncio.sleep(0.01)

        assert [] == await running.room.drafts.open(50)


async def test_a_draft_that_is_written_anew_while_its_incident_ends_does_not_stand(
    options: DeskOptions,
) -> None:
    """Counting a large roster takes long; what the incident says meanwhile is not forgotten."""
    open_, counting = asyncio.Event(), asyncio.Event()
    open_.set()

    class Slow(RosterOf):
        async def people(self):
            counting.set()
            await open_.wait()
            async for some in RosterOf.people(self):
                yield some

    slow = site(
        staff(1, kinds=("sms",)),
        Slow(family(1)),
        families=FamiliesPlan(audience="families-7b", next_update=1.0),
    )
    async with desk(options, school=slow, channels=[Provider(channel=Keeps())]) as running:
        await said(running, *opened(), facts.ActionOrdered(action=Action.LOCKDOWN))
        await standing(running)
        open_.clear()
        counting.clear()
        await asyncio.wait_for(counting.wait(), PATIENCE)
        await said(running, facts.IncidentClosed(incident=INCIDENT, by=PersonId("p1"), reason="over"))
        await asyncio.sleep(0.1)
        open_.set()
        async with asyncio.timeout(PATIENCE):
            while await running.journal.bookmark("notify.readying:alarm") < 4:  # noqa: ASYNC110 - a row rings no bell
                await asyncio.sleep(0.01)
        left = await running.room.drafts.open(50)
        deadlines = await running.database.read("SELECT key FROM deadline WHERE owner = 'notify.readying'")

    assert ([], []) == (left, list(deadlines))
