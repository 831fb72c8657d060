"""The link to a station under the worker: what ends retries, what ends the alarm, and what a restart does."""

import asyncio

import pytest

from belltower.ids import LinkName
from belltower.incident.facts import (
    CallReceipt,
    CallRejected,
    CallSent,
    CallUnanswered,
    LinkProven,
    LinkTestOrdered,
    ReceiptLevel,
)
from belltower.incident.verbs import PROOF
from gateway.psap import dc09_text
from hardware.codecs.dc09 import Kind
from hardware.codecs.dc09_events import events_of
from hardware.transports.memory import Cable
from tests.gateway.psap.house import House, joined, order
from tests.peers.station import Station, dc09_link
from tests.peers.virtual_time import in_virtual_time

KEY = b"ABCDEF0123456789"


class StationHouse(House):
    """A worker whose only links lead to a monitoring station."""

    def __init__(self, *, station_counts=False) -> None:
        super().__init__(counties=())
        self.station_counts = station_counts
        self.cable = Cable()

    async def __aenter__(self):
        self.station = Station(self.cable.far, key=KEY, clock=self.clock)
        await super().__aenter__()
        self.spawn(self.station.run())
        await asyncio.sleep(0.1)
        return self

    def links(self):
        """A fresh link."""
        return [
            dc09_link(self.cable.near, key=KEY, clock=self.clock, station_counts=self.station_counts),
        ]


@pytest.mark.parametrize("counts", [False, True])
def test_a_stations_receipt_ends_retries_and_the_alarm_only_where_it_counts(counts):
    """One frame, one receipt of the level station; ten seconds later the alarm, or not."""

    async def story():
        async with StationHouse(station_counts=counts) as house:
            await house.give(order(7))
            await asyncio.sleep(120)
            assert 1 == len(house.station.calls)
            (receipt,) = await house.facts(CallReceipt)
            assert (ReceiptLevel.STATION, "station") == (receipt.level, receipt.link)
            assert (0 if counts else 1) == len(await house.facts(CallUnanswered))
            await house.restart()
            await asyncio.sleep(60)
            assert 1 == len(house.station.calls)

    in_virtual_time(story())


def test_without_a_receipt_it_is_tried_each_five_seconds_under_one_number_also_after_a_restart():
    """The call's own number and key stay, in the text; the frame's number is new after the restart."""

    async def story():
        async with StationHouse() as house:
            house.station.answer = lambda frame: house.station.ack(frame) if frame.kind is Kind.NULL else None
            await house.give(order(7))
            await asyncio.sleep(14)
            began = house.station.calls[0][0]
            assert [0, 5, 10] == [round(time - began) for time, _ in house.station.calls]
            assert 1 == len({frame.sequence for _, frame in house.station.calls})
            await house.restart()
            await asyncio.sleep(4)
            house.station.answer = house.station.ack
            await asyncio.sleep(10)
            texts = {events_of(frame)[0].text for _, frame in house.station.calls}
            assert [(7, "B 204")] == [(told.number, told.place) for told in map(dc09_text.parse, texts)]
            assert 1 == len(await house.facts(CallSent)) == len(await house.facts(CallReceipt))

    in_virtual_time(story())


def test_ten_thousand_presses_are_twelve_calls_and_few_further_reports():
    """First each building, then ranges; all of them confirmed."""

    async def story():
        async with StationHouse(station_counts=True) as house:
            buildings = [f"B{n}" for n in range(12)]
            began = asyncio.get_running_loop().time()
            for n, building in enumerate(buildings, start=1):
                await house.give(order(n, building=building))
            for chunk in range(10):
                await house.give(
                    *[
                        joined(2 + chunk * 83 + k, building=building)
                        for building in buildings
                        for k in range(83)
                    ]
                )
            await asyncio.sleep(60)
            firsts = {
                dc09_text.parse(events_of(frame)[0].text).number: time
                for time, frame in reversed(house.station.calls)
                if " presses " not in events_of(frame)[0].text
            }
            assert 12 == len(firsts)
            assert max(firsts.values()) - began <= 1.0
            told = {}
            for receipt in await house.facts(CallReceipt):
                told.setdefault(receipt.call, set()).update(
                    n for first, last in receipt.covers for n in range(first, last + 1)
                )
            assert [831] * 12 == [len(numbers) for numbers in told.values()]
            assert len(house.station.calls) < 200

    in_virtual_time(story())


def test_the_monthly_test_proves_it_at_the_level_it_has():
    """Station; and the station's operators see a test, no call."""

    async def story():
        async with StationHouse() as house:
            await house.give(LinkTestOrdered(test=1, key="K7Q2MX9A"), subject=PROOF)
            await asyncio.sleep(5)
            (proven,) = await house.facts(LinkProven)
            assert (LinkName("station"), ReceiptLevel.STATION) == (proven.link, proven.level)
            ((_, frame),) = house.station.calls
            assert "RX" == events_of(frame)[0].code

    in_virtual_time(story())


def test_duh_is_written_down_once():
    """And the call goes on being tried."""

    async def story():
        async with StationHouse() as house:
            house.station.answer = lambda frame: house.station.ack(
                frame, kind=Kind.ACK if frame.kind is Kind.NULL else Kind.DUH
            )
            await house.give(order(7))
            await asyncio.sleep(12)
            assert 1 == len(await house.facts(CallRejected))
            assert 2 <= len(house.station.calls) <= 4
            assert 1 == len(await house.facts(CallUnanswered))

    in_virtual_time(story())
