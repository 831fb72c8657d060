"""W23: a room that its units and its loudspeakers do not reach within 15 s goes on to whoever is nearest."""

import asyncio
from pathlib import Path

import pytest

from belltower.clock import SECOND, Instant
from belltower.ids import AlarmId, FactId, IncidentId, PlaceId, UnitId
from belltower.incident.facts import (
    Action,
    ActionOrdered,
    Fact,
    IncidentOpened,
    Mode,
    NoticeOrdered,
    OrderShown,
    RoomNotReached,
)
from belltower.incident.plan import EscalationPlan
from notify.escalation import MOST_APART, UNREACHED
from notify.provider import Provider
from tests.notify.test_correction import Keeps
from tests.notify.test_escalation import school, teacher
from tests.peers.desk import Desk, DeskOptions, desk, take
from tests.peers.waiting import PATIENCE

FIRE = IncidentId("inc_1")
PEOPLE = (
    teacher(1, "b204"),
    teacher(4, "a101", role="office", kinds=("sms",)),
    teacher(5, "b204", role="office", kinds=("sms",)),
)


def opened(mode: Mode) -> tuple[Fact, ...]:
    """It begins, with an order to every room."""
    return (
        IncidentOpened(incident=FIRE, alarm=AlarmId("alm_1"), mode=mode, number=7),
        ActionOrdered(action=Action.LOCKDOWN),
    )


OPENED = opened(Mode.ACTUAL)


@pytest.fixture
def options(tmp_path: Path) -> DeskOptions:
    return DeskOptions(database=str(tmp_path / "desk.db"))


def missed(place: str) -> RoomNotReached:
    """The lane says so 15 s after the order."""
    return RoomNotReached(
        incident=FIRE, place=PlaceId(place), action=Action.LOCKDOWN, ordered=FactId("fct_2")
    )


async def asked(running: Desk) -> list[NoticeOrdered]:
    """What the desk has ordered so far."""
    return [fact for fact in await running.facts() if isinstance(fact, NoticeOrdered)]


async def said(running: Desk, *facts: Fact, at: Instant | None = None) -> None:
    """The alarm lane's facts of the incident."""
    await take(running.journal, running.copy, facts, at=at or running.clock.now(), subject=FIRE)


@pytest.mark.parametrize("mode", Mode)
async def test_w23_the_nearest_is_asked_to_call_a_room_that_nothing_reaches(
    options: DeskOptions, mode: Mode
) -> None:
    """Whoever is in the room itself or its building first; once, over a restart, in the words of the incident.

    R43: an exercise asks in the words of one.
    """
    sms = Keeps("sms")
    async with desk(options, school=school(*PEOPLE), channels=[Provider(channel=sms)]) as running:
        await said(running, *opened(mode), missed("b204"))
        await running.is_settled(1)
        (order,) = await asked(running)
        rows = await running.rows()
    async with desk(options, school=school(*PEOPLE), channels=[Provider(channel=sms)]) as running:
        await asyncio.sleep(0.2)
        again = await asked(running)

    assert (UNREACHED, "b204", "7", FIRE, mode) == (
        order.template,
        order.slots["place"],
        order.slots["incident"],
        order.incident,
        order.mode,
    )
    assert ["p5"] == [row.person for row in rows]
    assert [order] == again


async def test_w23_nobody_is_asked_for_a_room_that_has_answered_or_where_the_plan_names_nobody(
    options: DeskOptions, tmp_path: Path
) -> None:
    """Nor for what is old: a desk that starts late does not ring people for what was."""
    shown = OrderShown(
        incident=FIRE,
        unit=UnitId("u7"),
        action=Action.LOCKDOWN,
        ordered=FactId("fct_2"),
        path="mqtt",
        place=PlaceId("b204"),
    )
    async with desk(options, school=school(*PEOPLE), channels=[Provider(channel=Keeps("sms"))]) as running:
        await said(running, *OPENED, missed("b204"), shown)
        await said(running, missed("a101"), at=Instant(running.clock.now() - 3_600 * SECOND))
        await asyncio.sleep(0.2)
        answered = await asked(running)
    other = DeskOptions(database=str(tmp_path / "other.db"))
    without = school(*PEOPLE, plan=EscalationPlan())
    async with desk(other, school=without, channels=[Provider(channel=Keeps("sms"))]) as running:
        await said(running, *OPENED, missed("b204"))
        await asyncio.sleep(0.2)
        unplanned = await asked(running)

    assert ([], []) == (answered, unplanned)


async def test_w23_many_rooms_at_once_are_told_of_together(options: DeskOptions) -> None:
    """A dead gateway does not ring the same person fifty times."""
    async with desk(options, school=school(*PEOPLE), channels=[Provider(channel=Keeps("sms"))]) as running:
        await said(running, *OPENED, *(missed(f"room-{number}") for number in range(MOST_APART + 30)))
        async with asyncio.timeout(PATIENCE):
            while len(orders := await asked(running)) <= MOST_APART:  # noqa: ASYNC110 - a journal rings no bell
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.2)
        orders = await asked(running)

    assert MOST_APART + 1 == len(orders)
    assert ("office", "?") == (orders[-1].audience, orders[-1].slots["place"])
