"""Several centres: who is called at once, who later, and who not at all."""

import asyncio

from belltower.incident.facts import CallReceipt, CallRejected, CallSent, LinkLost, LinkRestored
from gateway.county import Fault
from tests.gateway.psap.house import House, closed, joined, order
from tests.peers.virtual_time import in_virtual_time

LATER = {"neighbour": 5.0}


def a_house():
    """A first centre and a neighbour whose turn comes after five seconds."""
    return House(counties=("county", "neighbour"), called_after=LATER)


def called(house, name):
    """The calls that a centre's screen shows."""
    return list(house.peers[name].county.calls)


def test_a_neighbour_is_not_called_when_the_first_centre_has_the_call():
    """Not after five seconds, and not by later presses."""

    async def story():
        async with a_house() as house:
            await house.give(order(1))
            await asyncio.sleep(6)
            await house.give(joined(2))
            await asyncio.sleep(60)

            assert [1] == called(house, "county")
            assert [] == called(house, "neighbour")

    in_virtual_time(story())


def test_a_neighbour_is_called_at_five_seconds_when_nobody_has_the_call():
    """With all presses so far; the first centre is tried all the same."""

    async def story():
        async with a_house() as house:
            house.peers["county"].county.fault = Fault.parse("silent")
            await house.give(order(1), joined(2), joined(3))
            await asyncio.sleep(4.9)
            assert [] == called(house, "neighbour")
            await asyncio.sleep(0.2)
            assert [1] == called(house, "neighbour")
            await asyncio.sleep(60)

            assert ((1, 3),) == house.peers["neighbour"].county.calls[1].presses
            receipts = await house.facts(CallReceipt)
            assert {"neighbour"} == {receipt.link for receipt in receipts}
            assert len(house.times("PANIC", name="county")) > 2

    in_virtual_time(story())


def test_a_neighbour_is_called_at_once_when_the_first_centre_refuses():
    """A refusal is no reason to wait."""

    async def story():
        async with a_house() as house:
            house.peers["county"].county.fault = Fault.parse("negative")
            await house.give(order(1))
            await asyncio.sleep(0.5)

            assert [1] == called(house, "neighbour")
            assert ["county"] == [fact.link for fact in await house.facts(CallRejected)]

    in_virtual_time(story())


def test_a_neighbour_is_not_called_for_what_is_over():
    """The incident was closed and its time ran out before anybody's turn came."""

    async def story():
        async with House(counties=("county", "neighbour"), called_after={"neighbour": 100.0}) as house:
            house.peers["county"].county.fault = Fault.parse("silent")
            await house.give(order(1))
            await house.give(closed())
            await asyncio.sleep(200)

            assert [] == called(house, "neighbour")

    in_virtual_time(story())


def test_after_a_restart_the_route_is_the_same():
    """Killed before the neighbour's turn, after it, and once the first centre has the call."""

    async def story():
        async with a_house() as house:
            house.peers["county"].county.fault = Fault.parse("silent")
            await house.give(order(1))
            await asyncio.sleep(2)
            await house.restart()
            await asyncio.sleep(2.9)
            assert [] == called(house, "neighbour")
            await asyncio.sleep(0.3)
            assert [1] == called(house, "neighbour")
            await asyncio.sleep(1)
            await house.restart()
            await house.give(joined(2))
            await asyncio.sleep(5)
            assert ((1, 2),) == house.peers["neighbour"].county.calls[1].presses

        async with a_house() as house:
            await house.give(order(1))
            await asyncio.sleep(1)
            await house.restart()
            await asyncio.sleep(60)
            assert [] == called(house, "neighbour")
            assert {"county"} == {fact.link for fact in await house.facts(CallSent)}

    in_virtual_time(story())


def test_after_a_restart_a_refusal_is_still_no_reason_to_wait():
    """Killed before the refusal's news could leave on the neighbour's line: it leaves as soon as that is back."""

    async def story():
        async with a_house() as house:
            house.peers["county"].county.fault = Fault.parse("negative")
            await asyncio.sleep(1)
            house.cables["neighbour"].pull()
            await house.give(order(1))
            await asyncio.sleep(1)
            await house.restart()
            house.cables["neighbour"].plug()
            await asyncio.sleep(2.5)

            assert [1] == called(house, "neighbour")

    in_virtual_time(story())


def test_a_link_that_cannot_make_its_frame_hurts_itself_only():
    """The others carry the call at once, and the faulty one is shown as lost."""

    async def story():
        async with House(counties=("county", "second")) as house:
            await asyncio.sleep(1)
            link = house.worker._lanes["county"].link
            link.first = link.update = None
            await house.give(order(1))
            await asyncio.sleep(1)

            assert [1] == called(house, "second")
            (lost,) = [fact for fact in await house.facts(LinkLost) if fact.link == "county"]
            assert "could not make the frame" in lost.reason

    in_virtual_time(story())


def test_a_link_that_has_mended_its_mistake_answers_again():
    """Lost by a mistake of its own; the next call it carries puts that right."""

    async def story():
        async with House() as house:
            await asyncio.sleep(1)
            link = house.worker._lanes["county"].link
            plain, link.first = link.first, None
            await house.give(order(1))
            await asyncio.sleep(1)
            assert house.worker.answering()["county"] is False
            link.first = plain
            await house.give(order(2, building="C"))
            await asyncio.sleep(2)

            assert house.worker.answering()["county"] is True
            assert "county" == (await house.facts(LinkRestored))[-1].link

    in_virtual_time(story())


def test_a_summary_that_cannot_be_made_holds_nobody_up():
    """Neither the worker at its start nor the other link, nor that link's own first frames."""

    async def story():
        async with House(counties=("county", "second")) as house:
            await house.give(order(1), joined(2))
            await asyncio.sleep(5)
            house.peers["county"].county.fault = Fault.parse("silent")
            await house.give(joined(3))
            await asyncio.sleep(1)
            await house.stop()
            plain = house.link

            def spoilt(name):
                made = plain(name)
                if name == "county":
                    made.more = None
                return made

            house.link = spoilt
            await house.start()
            await house.give(joined(4), order(2, building="C"))
            await asyncio.sleep(30)

            assert ((1, 4),) == house.peers["second"].county.calls[1].presses
            assert 2 in house.peers["county"].county.calls

    in_virtual_time(story())
