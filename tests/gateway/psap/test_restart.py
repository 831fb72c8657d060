"""kill -9 at any moment: a new worker, from the facts alone, goes on under the same ids."""

import asyncio

import pytest

from belltower.incident.facts import (
    CallReceipt,
    CallSent,
    CallUnanswered,
    CallWithheld,
    Mode,
    TelecommunicatorAcknowledged,
)
from gateway.county import Fault
from gateway.psap.ranges import NONE, union
from tests.gateway.psap.house import House, closed, joined, order
from tests.peers.virtual_time import in_virtual_time


async def die(house):
    """The process is gone: nothing queued is written; then a new one on the same disk."""
    house.database.abandon()
    await house.stop()
    await house.open_journal()
    await house.start()


async def told(house):
    """What receipts cover, by call."""
    covered = {}
    for receipt in await house.facts(CallReceipt):
        covered[receipt.call] = union(covered.get(receipt.call, NONE), receipt.covers)
    return covered


def test_killed_after_any_step_every_press_is_told_under_the_same_ids():
    """After 0, 1, 2 .. turns of the loop since the orders were written down."""

    async def story(turns):
        async with House() as house:
            await asyncio.sleep(1)
            await house.give(order(1), order(2, building="C"), *(joined(n) for n in range(2, 9)))
            for _ in range(turns):
                await asyncio.sleep(0)
            await die(house)
            await asyncio.sleep(10)

            assert {order(1).call: ((1, 8),), order(2).call: ((1, 1),)} == await told(house)
            sent = [(each.call, each.frame) for each in await house.facts(CallSent)]
            assert len(sent) == len(set(sent))
            assert {"C0001", "C0002"} <= {frame for _, frame in sent}
            assert [] == await house.facts(CallUnanswered)

    for turns in range(60):
        in_virtual_time(story(turns))


@pytest.mark.parametrize("after", [0.5, 3, 9.9, 11, 20, 50])
def test_killed_while_nobody_answers_it_calls_again_at_once_and_is_loud_once(after):
    """The repeats start anew with the same id; NOT ACKNOWLEDGED is written once, and in time."""

    async def story():
        async with House() as house:
            house.county.fault = Fault.parse("silent")
            await house.give(order(1), joined(2))
            began = asyncio.get_running_loop().time()
            await asyncio.sleep(after)
            before = len(house.times("PANIC"))
            await die(house)
            await asyncio.sleep(0.2)
            assert before + 1 == len(house.times("PANIC"))
            await asyncio.sleep(100)

            assert {"C0001"} == {
                each.frame for each in await house.facts(CallSent) if each.covers == ((1, 1),)
            }
            assert 1 == len({text for _, text in house.county.heard if text.startswith("MORE")})
            (unanswered,) = await house.entries(CallUnanswered)
            assert 10 <= unanswered.fact.after <= max(after, 10) + 0.5
            assert (unanswered.at / 1e6 - 1_790_000_000 - began) == pytest.approx(
                max(10, min(after, 10)), abs=1
            )

    in_virtual_time(story())


def test_what_is_settled_stays_settled():
    """Receipted and acknowledged calls are not repeated, and late answers are not written twice."""

    async def story():
        async with House() as house:
            await house.give(order(1), joined(2), order(2, building="C"))
            await house.give(order(3, building="D", mode=Mode.EXERCISE))
            await asyncio.sleep(3)
            house.peers["county"].acknowledge(2, "T1")
            await asyncio.sleep(3)
            before = await house.counted()
            heard = len(house.times("PANIC")) + len(house.times("MORE"))
            for _ in range(3):
                await die(house)
                await asyncio.sleep(60)
            house.peers["county"].acknowledge(2, "T1")
            await asyncio.sleep(3)

            assert before == await house.counted()
            assert heard == len(house.times("PANIC")) + len(house.times("MORE"))
            assert 1 == len(await house.facts(TelecommunicatorAcknowledged))
            assert 1 == len(await house.facts(CallWithheld))

    in_virtual_time(story())


def test_a_call_closed_before_the_kill_goes_on_for_what_is_left_of_its_time():
    """Closed 30 s before: 60 s more, then silence."""

    async def story():
        async with House() as house:
            house.county.fault = Fault.parse("silent")
            await house.give(order(1))
            await asyncio.sleep(5)
            await house.give(closed())
            await asyncio.sleep(30)
            await die(house)
            await asyncio.sleep(300)

            assert 95.0 >= house.times("PANIC")[-1] > 60

    in_virtual_time(story())


@pytest.mark.parametrize("hours", [-1, 1, -87_600, 87_600])
def test_a_stepped_wall_clock_moves_no_deadline(hours):
    """An hour or ten years either way while a call waits: loud at 10 s, repeats as ever."""

    async def story():
        async with House() as house:
            house.county.fault = Fault.parse("silent")
            await house.give(order(1))
            await asyncio.sleep(1)
            house.clock.step = hours * 3_600_000_000
            await asyncio.sleep(8)
            assert [] == await house.facts(CallUnanswered)
            await asyncio.sleep(2)
            assert 1 == len(await house.facts(CallUnanswered))
            await asyncio.sleep(40)
            assert [0, 2, 4, 8, 15, 45] == [round(at) for at in house.times("PANIC")]

    in_virtual_time(story())
