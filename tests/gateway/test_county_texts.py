"""The county's ends of text wires: a call is seen, taken, cancelled and corrected there, and the answers come back."""

import asyncio
import contextlib

import pytest

from belltower.clock import Instant
from belltower.ids import CallId
from belltower.incident.facts import Mode, UpdateKind, UpdateOrdered
from gateway.county.end import Fault
from gateway.county.ends import ENDS
from gateway.county.fleetsync import FleetSyncEnd
from gateway.county.modem import ModemEnd
from gateway.county.screen import Screen
from gateway.county.tetra import TetraEnd
from gateway.psap.fleetsync_link import FleetSyncLink
from gateway.psap.link import (
    LinkTest,
    Lost,
    Opened,
    PersonAnswered,
    ReadBack,
    Receipt,
    Spot,
    admitted,
    more_of,
    update_of,
)
from gateway.psap.modem_link import ModemLink
from gateway.psap.tetra_link import TetraLink
from hardware.simulators.port import port_at
from hardware.transports import open_transport
from tests.gateway.psap.house import INCIDENT, order
from tests.peers.waiting import PATIENCE

CALL = admitted(order(7), place="B 204")


def modem(url):
    return ModemLink(
        name="road",
        transport=open_transport(url),
        number="+12065550100",
        test_number="+12065550101",
        exercise_number="+12065550102",
    )


def tetra(url):
    return TetraLink(name="road", transport=open_transport(url), to="2345678")


def fleetsync(url):
    return FleetSyncLink(name="road", transport=open_transport(url), to="1001002")


def nexedge(url):
    return FleetSyncLink(name="road", transport=open_transport(url), to="03001", nexedge=True)


ROADS = {
    "modem": (ModemEnd, modem),
    "tetra": (TetraEnd, tetra),
    "fleetsync": (FleetSyncEnd, fleetsync),
    "nexedge": (FleetSyncEnd, nexedge),
}


class Road:
    """A school's link and the county's end, on a pseudo-terminal or a TCP port."""

    def __init__(self, kind, address) -> None:
        make_end, make_link = ROADS[kind]
        self.end = make_end(name=kind, port=port_at(address))
        self.make_link = make_link
        self.screen = Screen(now=asyncio.get_running_loop().time)
        self.heard = asyncio.Queue()

    def report(self, heard):
        self.heard.put_nowait(heard)
        written = asyncio.get_running_loop().create_future()
        written.set_result(True)
        return written

    async def wants(self, kind):
        """The next thing of this kind that the link says."""
        async with asyncio.timeout(PATIENCE):
            while not isinstance(found := await self.heard.get(), kind):
                pass
        return found

    async def __aenter__(self):
        loop = asyncio.get_running_loop()
        self.tasks = [loop.create_task(self.end.run(self.screen))]
        await self.end.ready.wait()
        path = self.end.address
        self.link = self.make_link(f"serial://{path}" if path.startswith("/") else f"tcp://{path}")
        self.tasks.append(loop.create_task(self.link.run(self.report)))
        await self.wants(Opened)
        return self

    async def __aexit__(self, *details):
        for task in self.tasks:
            task.cancel()
        await asyncio.wait(self.tasks)


@pytest.mark.parametrize("kind", sorted(ROADS))
@pytest.mark.parametrize("line", ["pty", "tcp"])
async def test_a_call_goes_there_and_a_person_comes_back(kind, line, tmp_path):
    """With receipt, more presses, correction, cancellation, read-back and the marked test."""
    async with Road(kind, str(tmp_path / "port") if line == "pty" else "127.0.0.1:0") as road:
        link, screen = road.link, road.screen
        frame = link.first(CALL)
        assert await link.send(frame)
        assert frame.id == (await road.wants(Receipt)).frame
        call = screen.calls[7]
        assert ("B 204", "panic", False, {kind}) == (call.place, call.kind, call.exercise, set(call.roads))

        screen.acknowledge(7, "T4")
        assert PersonAnswered(number=7, key="", by="T4") == await road.wants(PersonAnswered)

        assert await link.send(link.more(more_of([(CALL, ((2, 9),))])))
        await road.wants(Receipt)
        assert ((1, 9),) == screen.calls[7].presses

        for number, what in ((1, UpdateKind.PLACE), (2, UpdateKind.CANCEL)):
            update = UpdateOrdered(
                call=CallId(CALL.order.call), incident=INCIDENT, update=number, kind=what, building="C"
            )
            spot = Spot(spoken="C 101") if what is UpdateKind.PLACE else None
            assert await link.send(link.update(update_of(CALL, update, spot=spot)))
            await road.wants(Receipt)
            screen.read_back(7, "T5")
            assert ReadBack(number=7, update=number, key="", by="T5") == await road.wants(ReadBack)
        assert ("cancelled", "C 101") == (screen.calls[7].state, screen.calls[7].place)

        assert await link.send(link.test(LinkTest(number=3, key="0A1B2C3D", at=Instant(0))))
        await road.wants(Receipt)
        assert [(3, "0A1B2C3D")] == [(test.number, test.key) for test in screen.tests]
        assert [7] == list(screen.calls)


@pytest.mark.parametrize("kind", sorted(ROADS))
async def test_an_exercise_is_shown_as_one(kind):
    """To the number or radio that takes it."""
    async with Road(kind, "127.0.0.1:0") as road:
        exercise = admitted(order(8, mode=Mode.EXERCISE, accepted=True), place="B 204")
        assert await road.link.send(road.link.first(exercise))
        await road.wants(Receipt)
        assert road.screen.calls[8].exercise


@pytest.mark.parametrize("kind", sorted(ROADS))
async def test_an_end_that_says_nothing_gives_no_receipt(kind):
    """A text may leave, and nothing comes of it."""
    async with Road(kind, "127.0.0.1:0") as road:
        road.end.fault = Fault(name="silent")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(road.link.send(road.link.first(CALL)), 0.3)
        while not road.heard.empty():
            assert not isinstance(road.heard.get_nowait(), Receipt | PersonAnswered | Lost)


def test_the_county_program_knows_these_ends():
    """By the names of the links."""
    assert set(ROADS) <= set(ENDS)
