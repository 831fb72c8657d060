"""Faults R10 and R11 on real pseudo-terminals: a cable pulled in the middle of a frame, a far end frozen."""

import asyncio

from belltower.clock import SystemClock
from belltower.incident.facts import CallReceipt, CallSent, LinkLost, LinkRestored
from gateway.county import Fault
from gateway.psap.link import admitted
from hardware.transports import open_transport
from tests.gateway.psap.house import House, joined, order
from tests.peers.waiting import until
from tests.servers.pty import cable, socat_cable

__all__ = ["cable"]


class Wire:
    """The two ends of a socat cable as transports."""

    def __init__(self, ends) -> None:
        self.near = open_transport(f"serial://{ends.near}?baud=115200")
        self.far = open_transport(f"serial://{ends.far}?baud=115200")


def at_home(*cables):
    """A house on real lines."""
    names = tuple(f"line{n}" for n in range(len(cables)))
    house = House(counties=names, cables={name: Wire(ends) for name, ends in zip(names, cables, strict=True)})
    house.clock = house.ids._clock = SystemClock()
    return house


async def test_a_call_over_a_real_line(cable):
    """Order, receipt, person."""
    async with at_home(cable) as house:
        await house.facts_until(LinkRestored, 1)
        await house.give(order(1), joined(2))
        await house.facts_until(CallReceipt, 2)
        house.peers["line0"].acknowledge(1, "T7")
        await house.peers["line0"].wants(1, state="acknowledged")

        await until(lambda: house.county.calls[1].told)


async def test_a_cable_pulled_in_the_middle_of_a_frame(cable, tmp_path):
    """Noticed; the other line carries the call; back after its return."""
    (tmp_path / "other").mkdir()
    with socat_cable(tmp_path / "other") as other:
        async with at_home(cable, other) as house:
            await house.facts_until(LinkRestored, 2)
            half = house.link("line0").first(admitted(order(9), place="x")).octets[:40]
            await house.worker._lanes["line0"].link._transport.write(half)
            cable.pull()
            lost = await house.facts_until(LinkLost, 1)
            await house.give(order(1))
            receipts = await house.facts_until(CallReceipt, 1)
            cable.plug()
            await house.facts_until(CallReceipt, 2)

            assert ["line0"] == [each.link for each in lost]
            assert ["line1"] == [each.link for each in receipts]
            assert {1} == set(house.peers["line0"].county.calls)


async def test_a_frozen_far_end_holds_nobody(cable, tmp_path):
    """The line is stopped and filled; the other line's calls and the loop never notice; thawed, it is told too."""
    (tmp_path / "other").mkdir()
    with socat_cable(tmp_path / "other") as other:
        async with at_home(cable, other) as house:
            await house.facts_until(LinkRestored, 2)
            cable.freeze()
            loop = asyncio.get_running_loop()
            stalls = []

            async def watch():
                while True:
                    before = loop.time()
                    await asyncio.sleep(0.001)
                    stalls.append(loop.time() - before)

            house.spawn(watch())
            count = 120
            for n in range(1, count + 1):
                await house.give(order(n, building=f"b{n}"))
            receipts = await house.facts_until(CallReceipt, count)
            assert {"line1"} == {each.link for each in receipts}
            cable.thaw()
            await house.facts_until(CallReceipt, 2 * count)

            stalls.sort()
            assert 0.25 > stalls[len(stalls) // 2]
            assert count == len(house.peers["line0"].county.calls)


async def test_a_silent_county_on_a_real_line_is_tried_again(cable):
    """Fault R11's timer: the second try no sooner than after two seconds, under the same id."""
    async with at_home(cable) as house:
        await house.facts_until(LinkRestored, 1)
        house.county.fault = Fault.parse("silent")
        await house.give(order(1))
        await until(lambda: len(house.times("PANIC")) >= 2)
        house.county.fault = None
        await house.facts_until(CallReceipt, 1)

        first, second = house.times("PANIC")[:2]
        assert 1.9 <= second - first
        assert 1 == len(await house.facts(CallSent))
