"""The worker and the county over the four pipes: whole, byte by byte, lossy, hanging up."""

import asyncio
from random import Random

import pytest

from belltower.incident.facts import CallReceipt, CallSent, TelecommunicatorAcknowledged
from gateway.county import Fault
from gateway.psap.ranges import NONE, union
from hardware.transports.memory import Cable, byte_at_a_time, hang_up, lossy, whole
from tests.gateway.psap.house import House, joined, order
from tests.peers.virtual_time import in_virtual_time

FAULTS = [
    "",
    "late=3",
    "noise=0.0005",
    "half-frames",
    "duplicate-ack",
    "deaf-after=3",
    "wrong-id",
    "bad-mac",
    "silent",
    "negative",
]


def cables():
    """The four, each afresh."""
    return {
        "whole": lambda: Cable(out=whole, back=whole),
        "bytes": lambda: Cable(out=byte_at_a_time, back=byte_at_a_time),
        "lossy": lambda: Cable(out=lossy(Random(5), rate=0.004), back=lossy(Random(6), rate=0.004)),
        "hang-up": lambda: Cable(out=hang_up(330), back=hang_up(200)),
    }


async def covered(house):
    """What receipts say, by call."""
    told = {}
    for receipt in await house.facts(CallReceipt):
        told[receipt.call] = union(told.get(receipt.call, NONE), receipt.covers)
    return told


@pytest.mark.parametrize("pipe", sorted(cables()))
def test_every_press_arrives_over_every_pipe(pipe):
    """Two buildings, sixty presses, a person's answer; whatever the line does, all is told and nothing twice."""

    async def story():
        async with House(cables={"county": cables()[pipe]()}) as house:
            cable = house.cables["county"]
            await house.give(order(1), order(2, building="C"))
            for n in range(2, 32):
                await house.give(joined(n), joined(n, building="C"))
                await asyncio.sleep(0.5)
            peer = house.peers["county"]
            for _ in range(60):
                await asyncio.sleep(10)
                if pipe == "hang-up" and cable.pulled:
                    cable.near._pipe, cable.far._pipe = whole, whole
                    cable.plug()
                if (
                    1 in peer.county.calls
                    and peer.county.calls[1].state == "new"
                    and peer.county.calls[1].key
                ):
                    peer.acknowledge(1, "T1")

            assert {order(1).call: ((1, 31),), order(2).call: ((1, 31),)} == await covered(house)
            assert 1 == len(await house.facts(TelecommunicatorAcknowledged))
            assert peer.county.calls[1].told
            assert {1, 2} == set(peer.county.calls)
            receipts = [(each.call, each.frame, each.level) for each in await house.facts(CallReceipt)]
            assert len(set(receipts)) == len(receipts)
            sent = [(each.call, each.frame) for each in await house.facts(CallSent)]
            assert len(set(sent)) == len(sent)

    in_virtual_time(story())


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("seed", range(3))
def test_with_a_faulty_county_every_press_is_covered_or_loudly_unanswered(fault, seed):
    """Then the county mends, and all is covered without anybody's help."""

    async def story():
        async with House() as house:
            county = house.county
            county._random = Random(seed)
            county.fault = Fault.parse(fault) if fault else None
            await house.give(order(1), joined(2), joined(3))
            await asyncio.sleep(12)
            told = await covered(house)
            counted = await house.counted()
            assert (
                ((1, 3),) == told.get(order(1).call) or counted["CallUnanswered"] or county.calls[1].presses
            )
            assert told or 1 == counted["CallUnanswered"]
            county.fault = None
            await asyncio.sleep(300)

            assert {order(1).call: ((1, 3),)} == await covered(house)
            assert ((1, 3),) == county.calls[1].presses
            assert 1 >= (await house.counted())["CallUnanswered"]

    in_virtual_time(story())
