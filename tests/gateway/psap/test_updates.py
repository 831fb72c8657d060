"""Cancellations and corrections go where the call went, and count once a person has read them back."""

import asyncio

from belltower.ids import PersonId, PlaceId
from belltower.incident.facts import (
    CallReceipt,
    CallSent,
    UpdateKind,
    UpdateOrdered,
    UpdateReadBack,
)
from gateway.county import Fault
from gateway.psap.link import ReadBack
from gateway.psap.radio_text import key_of
from tests.gateway.psap.house import INCIDENT, House, closed, order
from tests.peers.virtual_time import in_virtual_time


def update(number=1, *, kind=UpdateKind.CANCEL, call=1):
    """An `UpdateOrdered`."""
    return UpdateOrdered(
        call=order(call).call,
        incident=INCIDENT,
        update=number,
        kind=kind,
        place=PlaceId("b206") if kind is UpdateKind.PLACE else None,
        building="B" if kind is UpdateKind.PLACE else "",
        by=PersonId("p1"),
    )


async def said(house, heard, *, name="county"):
    """What the worker answers to what a link heard."""
    lane = house.worker._lanes[name]
    return await house.worker._hearing.report(lane, heard)


def test_a_cancellation_goes_where_the_call_went_and_nowhere_else():
    """The neighbour was never called, so it is not told; the receipt is written once per link."""

    async def story():
        async with House(
            counties=("county", "second", "neighbour"), called_after={"neighbour": 5.0}
        ) as house:
            await house.give(order(1))
            await asyncio.sleep(1)
            await house.give(update())
            await asyncio.sleep(120)

            sent = [fact for fact in await house.facts(CallSent) if fact.update]
            receipts = [fact for fact in await house.facts(CallReceipt) if fact.update]
            assert ["county", "second"] == sorted(fact.link for fact in sent)
            assert ["county", "second"] == sorted(fact.link for fact in receipts)
            assert 1 == len(house.times("CANCEL"))
            assert [] == house.times("CANCEL", name="neighbour")

    in_virtual_time(story())


def test_a_cancellation_follows_the_call_it_cancels_on_a_line_that_was_down():
    """The call leaves first, whatever came in the meantime."""

    async def story():
        async with House() as house:
            house.cables["county"].pull()
            await asyncio.sleep(1)
            await house.give(order(1))
            await house.give(update())
            await asyncio.sleep(5)
            house.cables["county"].plug()
            await asyncio.sleep(30)

            said = [text.split()[0] for _, text in house.county.heard if not text.startswith("PING")]
            assert ["PANIC", "CANCEL"] == said

    in_virtual_time(story())


def test_only_a_person_ends_a_cancellation():
    """A machine's receipt does not; a wrong update does not; a read-back does, once, and nothing is sent any more."""

    async def story():
        async with House() as house:
            await house.give(order(1))
            await asyncio.sleep(1)
            assert not await said(house, ReadBack(number=1, key=key_of(order(1).call), by="T4"))
            await house.give(update())
            await asyncio.sleep(5)
            assert [] == await house.facts(UpdateReadBack)

            assert not await said(house, ReadBack(number=1, key="XXXXXXXX", by="T4"))
            assert not await said(house, ReadBack(number=1, key=key_of(order(1).call), update=2, by="T4"))
            for _ in range(2):
                assert await said(house, ReadBack(number=1, key=key_of(order(1).call), update=1, by="T4"))
            (fact,) = await house.facts(UpdateReadBack)
            assert ("county", "T4", 1) == (fact.link, fact.by, fact.update)

    in_virtual_time(story())


def test_an_unread_update_is_repeated_also_after_a_restart_and_after_closing():
    """The same frame under the same id, until the far end confirms it."""

    async def story():
        async with House() as house:
            await house.give(order(1))
            await asyncio.sleep(1)
            house.peers["county"].county.fault = Fault.parse("silent")
            await house.give(update())
            await house.give(closed())
            await asyncio.sleep(20)
            await house.restart()
            await asyncio.sleep(20)
            assert len(house.times("CANCEL")) > 4
            house.peers["county"].county.fault = None
            await asyncio.sleep(40)
            heard = len(house.times("CANCEL"))
            await asyncio.sleep(300)

            assert heard == len(house.times("CANCEL"))
            (sent,) = [fact for fact in await house.facts(CallSent) if fact.update]
            (receipt,) = [fact for fact in await house.facts(CallReceipt) if fact.update]
            assert sent.frame == receipt.frame

    in_virtual_time(story())


def test_a_correction_names_the_right_place_and_a_later_update_replaces_it():
    """A wrong room is corrected, then the whole call cancelled while the correction still waits."""

    async def story():
        async with House() as house:
            await house.give(order(1))
            await asyncio.sleep(1)
            await house.give(update(kind=UpdateKind.PLACE))
            await asyncio.sleep(1)
            assert 1 == len(house.times("CORRECT"))
            house.peers["county"].county.fault = Fault.parse("silent")
            await house.give(update(2, kind=UpdateKind.PLACE))
            await asyncio.sleep(1)
            await house.give(update(3))
            await asyncio.sleep(0.1)
            corrected = len(house.times("CORRECT"))
            await asyncio.sleep(60)

            assert corrected == len(house.times("CORRECT"))
            assert house.times("CANCEL")

    in_virtual_time(story())


TWO = {"counties": ("county", "neighbour"), "centres": {"county": "linden", "neighbour": "birch"}}


def test_a_later_centre_is_told_what_was_said_since():
    """The first centre is silent and the place was corrected before the neighbour's turn: it hears both."""

    async def story():
        async with House(**TWO, called_after={"neighbour": 5.0}) as house:
            house.peers["county"].county.fault = Fault.parse("silent")
            await house.give(order(1))
            await asyncio.sleep(2)
            await house.give(update(kind=UpdateKind.PLACE))
            await asyncio.sleep(10)

            said = [text.split()[0] for _, text in house.peers["neighbour"].county.heard]
            assert ["PANIC", "CORRECT"] == [word for word in said if word != "PING"]

    in_virtual_time(story())


def test_nobody_is_given_a_call_that_is_called_off():
    """Ordered off at two seconds: the neighbour's turn never comes, nor after a restart."""

    async def story():
        async with House(**TWO, called_after={"neighbour": 5.0}) as house:
            house.peers["county"].county.fault = Fault.parse("silent")
            await house.give(order(1))
            await asyncio.sleep(2)
            await house.give(update())
            await asyncio.sleep(1)
            await house.restart()
            await asyncio.sleep(30)

            assert {} == dict(house.peers["neighbour"].county.calls)

    in_virtual_time(story())


def test_one_centres_read_back_does_not_speak_for_another():
    """The second centre's line was down: it is told when it is back, and only then does the read-back count."""

    async def story():
        async with House(**TWO) as house:
            key = key_of(order(1).call)
            await house.give(order(1))
            await asyncio.sleep(1)
            house.cables["neighbour"].pull()
            await house.give(update())
            await asyncio.sleep(1)
            assert await said(house, ReadBack(number=1, key=key, update=1, by="T4"))
            (first,) = await house.facts(UpdateReadBack)
            assert ("birch",) == first.awaiting
            house.cables["neighbour"].plug()
            await asyncio.sleep(5)
            assert house.times("CANCEL", name="neighbour")
            assert await said(house, ReadBack(number=1, key=key, update=1, by="N2"), name="neighbour")
            second = (await house.facts(UpdateReadBack))[-1]
            assert () == second.awaiting

    in_virtual_time(story())


def test_a_read_back_without_a_number_is_only_of_what_can_be_meant():
    """One update that left on that link: that one. Two, or one that never left there: neither."""

    async def story():
        async with House() as house:
            key = key_of(order(1).call)
            await house.give(order(1))
            await asyncio.sleep(1)
            house.cables["county"].pull()
            await house.give(update(kind=UpdateKind.PLACE))
            await asyncio.sleep(1)
            assert not await said(house, ReadBack(number=1, key=key, by="T4"))
            house.cables["county"].plug()
            await asyncio.sleep(5)
            await house.give(update(2))
            await asyncio.sleep(5)
            assert not await said(house, ReadBack(number=1, key=key, by="T4"))
            assert [] == await house.facts(UpdateReadBack)
            assert await said(house, ReadBack(number=1, key=key, update=1, by="T4"))
            assert [1] == [fact.update for fact in await house.facts(UpdateReadBack)]

    in_virtual_time(story())


def test_a_cancellation_is_not_heard_alone():
    """The incident was closed and the call given up before the line came back: nothing is said."""

    async def story():
        async with House() as house:
            house.cables["county"].pull()
            await asyncio.sleep(1)
            await house.give(order(1))
            await house.give(update())
            await house.give(closed())
            await asyncio.sleep(120)
            house.cables["county"].plug()
            await asyncio.sleep(60)

            assert [] == house.times("CANCEL")

    in_virtual_time(story())


def test_a_read_back_that_overtakes_our_own_writing_counts():
    """It comes in the very moment in which the update has left: that it left is written down first."""

    async def story():
        async with House() as house:
            await house.give(order(1))
            await asyncio.sleep(1)
            house.county.fault = Fault.parse("silent")
            await house.give(update())
            for _ in range(20):
                await asyncio.sleep(0)
            assert [] == [fact for fact in await house.facts(CallSent) if fact.update]

            assert await said(house, ReadBack(number=1, key=key_of(order(1).call), update=1, by="T4"))
            told = [fact for fact in await house.facts(CallSent, UpdateReadBack) if fact.update]
            assert [CallSent, UpdateReadBack] == [type(fact) for fact in told]

    in_virtual_time(story())
