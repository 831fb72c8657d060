"""The monthly proof: a marked test down every link, and the truth about each."""

import asyncio

from belltower.clock import SECOND
from belltower.incident.facts import (
    CallOrdered,
    LinkProven,
    LinkTestOrdered,
    LinkTestSent,
    LinkUnproven,
    ReceiptLevel,
)
from belltower.incident.verbs import PROOF
from gateway.county import Fault
from tests.gateway.psap.house import House
from tests.peers.virtual_time import in_virtual_time

DAY = 86_400


def test_a_test_proves_the_links_that_answer_and_fails_the_others():
    """One answers, one is silent, one is cut; none of them shows a call."""

    async def story():
        async with House(counties=("county", "mute", "cut")) as house:
            house.peers["mute"].county.fault = Fault.parse("silent")
            house.cables["cut"].pull()
            await asyncio.sleep(1)
            await house.give(LinkTestOrdered(test=1, key="K7Q2MX9A"), subject=PROOF)
            await asyncio.sleep(70)

            (proven,) = await house.facts(LinkProven)
            failed = {fact.link: fact.reason for fact in await house.facts(LinkUnproven)}
            assert ("county", ReceiptLevel.SYSTEM) == (proven.link, proven.level)
            assert {"mute", "cut"} == set(failed)
            assert "nothing came back" in failed["mute"]
            assert "could not be sent" in failed["cut"]
            assert {"county", "mute"} == {fact.link for fact in await house.facts(LinkTestSent)}
            assert [] == await house.facts(CallOrdered)
            assert not any(peer.county.calls for peer in house.peers.values())
            assert 1 == len(house.times("TEST"))

    in_virtual_time(story())


def test_a_link_without_proof_for_31_days_is_shown():
    """Never proven, proven, and proven too long ago, also after a restart."""

    async def story():
        async with House() as house:
            assert ("county",) == house.worker.unproven()
            await house.give(LinkTestOrdered(test=1, key="K7Q2MX9A"), subject=PROOF)
            await asyncio.sleep(2)
            assert () == house.worker.unproven()
            await house.restart()
            await asyncio.sleep(1)
            assert () == house.worker.unproven()
            at = house.worker.proven()["county"]
            later = house.worker._proving.unproven(at + 31 * DAY * SECOND + 1)
            assert ("county",) == later
            assert () == house.worker._proving.unproven(at + 31 * DAY * SECOND)

    in_virtual_time(story())


def test_a_test_that_dies_with_its_process_is_said_to_be_unproven():
    """No outcome is worse than none."""

    async def story():
        async with House() as house:
            house.peers["county"].county.fault = Fault.parse("silent")
            await house.give(LinkTestOrdered(test=1, key="K7Q2MX9A"), subject=PROOF)
            await asyncio.sleep(2)
            await house.restart()
            await asyncio.sleep(2)
            await house.restart()
            await asyncio.sleep(70)

            (failed,) = await house.facts(LinkUnproven)
            assert "ended before" in failed.reason

    in_virtual_time(story())


def test_a_link_without_a_form_for_tests_says_so():
    """And nothing leaves on it."""

    async def story():
        async with House() as house:
            lane = house.worker._lanes["county"]
            lane.link.test = lambda _: "no number for tests is given"
            await house.give(LinkTestOrdered(test=1, key="K7Q2MX9A"), subject=PROOF)
            await asyncio.sleep(70)

            (failed,) = await house.facts(LinkUnproven)
            assert "no number for tests is given" == failed.reason
            assert [] == house.times("TEST")

    in_virtual_time(story())
