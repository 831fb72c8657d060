"""Invariant I3 at the link: no exercise leaves as live, no live call as an exercise."""

import asyncio
from random import Random

import pytest

from belltower.clock import SECOND
from belltower.incident.facts import DrillBegun, DrillEnded, Mode, ReceiptLevel
from gateway.county import Fault
from gateway.psap.case import CallCase
from gateway.psap.coalesce import Ledger
from gateway.psap.kiss_link import KISSLink
from gateway.psap.link import ExerciseCall, LiveCall, admitted, more_of
from hardware.transports.memory import Cable
from tests.gateway.psap.house import House, joined, order
from tests.peers.county import KEY, PSAP, SCHOOL
from tests.peers.virtual_time import in_virtual_time

EXERCISE = order(2, mode=Mode.EXERCISE, accepted=True)


def test_the_types_cannot_be_made_from_the_other_order():
    """Not by mistake, not by a flag."""
    with pytest.raises(ValueError, match="exercise"):
        LiveCall(order=EXERCISE, place="x")
    for wrong in (order(1), order(1, accepted=True), order(1, mode=Mode.EXERCISE)):
        with pytest.raises(ValueError, match="exercise"):
            ExerciseCall(order=wrong, place="x")


def test_a_summary_never_mixes_them():
    """Nor is it of nothing."""
    both = [
        (LiveCall(order=order(1), place="x"), ((2, 2),)),
        (ExerciseCall(order=EXERCISE, place="x"), ((2, 2),)),
    ]
    for items in (both, []):
        with pytest.raises(ValueError, match="never of both"):
            more_of(items)


def test_ten_thousand_interleavings_of_exercise_and_live():
    """Orders, presses, answers and waits in any order, in one incident or two: the first word tells the truth."""
    random = Random(11)
    link = KISSLink(name="county", transport=Cable().near, key=KEY, us=SCHOOL, them=PSAP)
    orders = [
        order(n, building=building, mode=mode, accepted=mode is Mode.EXERCISE or n == 1, incident=incident)
        for n, (building, mode, incident) in enumerate(
            [
                ("A", Mode.ACTUAL, "inc_1"),
                ("B", Mode.EXERCISE, "inc_1"),
                ("C", Mode.EXERCISE, "inc_2"),
                ("A", Mode.ACTUAL, "inc_2"),
            ],
            start=1,
        )
    ]
    calls = {each.call: admitted(each, place="EXERCISE room") for each in orders}
    first_frames = {each.call: link.first(calls[each.call]) for each in orders}
    live = {each.call for each in orders if each.mode is Mode.ACTUAL}
    left = {True: 0, False: 0}
    for _ in range(10_000):
        cases, now, last = {}, 0.0, None
        ledger = Ledger(link=link, cases=cases)
        for _ in range(random.randint(4, 10)):
            match random.randrange(4):
                case 0:
                    case = CallCase(call=random.choice(list(calls.values())), roads={}, ordered=now)
                    if case.id not in cases:
                        cases[case.id] = case
                        ledger.order(case.id, first_frames[case.id], now=now)
                case 1 if cases:
                    case = random.choice(list(cases.values()))
                    last_press = case.presses[-1][1] + 1
                    cases[case.id] = case.joined(((last_press, last_press),))
                    ledger.joined(case.id, now=now)
                case 2 if last is not None:
                    ledger.receipt(last.id, ReceiptLevel.SYSTEM, now=now)
                case _:
                    now += random.choice([0.0, 2.0, 30.0])
            while (frame := ledger.next(now)) is not None:
                ledger.sent(frame, now=now)
                last = frame
                exercise = frame.text.startswith("EXERCISE ")
                left[exercise] += 1
                assert all((call in live) is not exercise for call, _ in frame.covers)

    assert min(left.values()) > 10_000


def test_an_exercise_call_begun_before_the_window_closes_is_finished_as_an_exercise():
    """Nobody answers; the drill ends, the lane is begun anew, more presses come: every word of it says EXERCISE."""

    async def story():
        async with House() as house:
            house.county.fault = Fault.parse("silent")
            window = {"authorisation": "drill-1", "psap_accepted": True}
            await house.give(DrillBegun(**window, until=house.clock.now() + 10 * SECOND), EXERCISE)
            await asyncio.sleep(10)
            await house.give(DrillEnded(authorisation="drill-1", reason="over"))
            await house.give(joined(2, building=EXERCISE.building))
            await asyncio.sleep(60)
            await house.restart()
            await asyncio.sleep(60)
            house.county.fault = None
            await asyncio.sleep(40)

            said = [text for _, text in house.county.heard if not text.startswith("PING")]
            assert len(said) > 12
            assert all(text.startswith("EXERCISE ") for text in said)
            assert ((1, 2),) == house.county.calls[2].presses
            assert house.county.calls[2].exercise

    in_virtual_time(story())
