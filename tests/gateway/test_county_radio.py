"""The county's radio end: cancellations, corrections and tests of the link, over a cable in memory."""

import asyncio
import functools

from belltower.clock import Instant
from belltower.incident.facts import UpdateKind, UpdateOrdered
from gateway.county import Screen
from gateway.psap.kiss_link import KISSLink
from gateway.psap.link import Answered, LinkTest, PersonAnswered, ReadBack, Receipt, Spot, admitted, update_of
from hardware.transports.memory import Cable
from tests.gateway.psap.house import INCIDENT, order
from tests.peers.county import KEY, PSAP, SCHOOL, CountyPeer, a_county
from tests.peers.virtual_time import in_virtual_time


def virtual(test):
    """Run the test in virtual time."""

    @functools.wraps(test)
    def run():
        in_virtual_time(test())

    return run


class School:
    """A link to a county at the other end of a cable; what the link reports is written down at once."""

    async def __aenter__(self):
        cable = Cable()
        self.screen = Screen(now=asyncio.get_running_loop().time)
        self.peer = CountyPeer(county=a_county(), transport=cable.far)
        self.link = KISSLink(
            name="county", transport=cable.near, key=KEY, us=SCHOOL, them=PSAP, channel=None, heartbeat=30.0
        )
        self.heard = asyncio.Queue()
        loop = asyncio.get_running_loop()
        self.tasks = [
            loop.create_task(self.peer.run(self.screen)),
            loop.create_task(self.link.run(self.report)),
        ]
        await self.wants(Answered)
        return self

    async def __aexit__(self, *_):
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def report(self, heard):
        self.heard.put_nowait(heard)
        written = asyncio.get_running_loop().create_future()
        written.set_result(True)
        return written

    async def wants(self, kind):
        async with asyncio.timeout(60):
            while not isinstance(heard := await self.heard.get(), kind):
                pass
        return heard


@virtual
async def test_a_cancellation_is_read_back_and_a_correction_before_it():
    """Each is receipted by the machine first; only the person's word, with the update's number, settles it."""
    async with School() as school:
        call = admitted(order(7), place="B 204")
        assert await school.link.send(school.link.first(call))
        await school.wants(Receipt)
        corrected = UpdateOrdered(
            call=call.order.call, incident=INCIDENT, update=1, kind=UpdateKind.PLACE, building="D"
        )
        update = update_of(call, corrected, spot=Spot(spoken="D 101"))
        assert await school.link.send(school.link.update(update))
        await school.wants(Receipt)
        shown = school.screen.calls[7]
        assert ("D 101", "B 204", "correct") == (shown.place, shown.was, shown.asked)
        school.screen.read_back(7, "T2")
        told = await school.wants(ReadBack)
        assert (7, 1, "T2") == (told.number, told.update, told.by)

        cancelled = UpdateOrdered(
            call=call.order.call, incident=INCIDENT, update=2, kind=UpdateKind.CANCEL, building="D"
        )
        assert await school.link.send(school.link.update(update_of(call, cancelled, spot=None)))
        await school.wants(Receipt)
        school.screen.read_back(7, "T3")

        assert 2 == (await school.wants(ReadBack)).update
        assert "cancelled" == school.screen.calls[7].state


@virtual
async def test_an_acknowledgement_on_the_screen_leaves_by_radio():
    """And the screen shows on which road the school confirmed it."""
    async with School() as school:
        await school.link.send(school.link.first(admitted(order(7), place="B 204")))
        await school.wants(Receipt)
        school.screen.acknowledge(7, "T4")

        assert "T4" == (await school.wants(PersonAnswered)).by
        await asyncio.sleep(1)
        assert ["kiss"] == school.screen.calls[7].told_on


@virtual
async def test_a_test_of_the_link_is_listed_apart():
    """It is receipted and never a call."""
    async with School() as school:
        frame = school.link.test(LinkTest(number=3, key="7K2M9QXA", at=Instant(0)))
        await school.link.send(frame)

        assert frame.id == (await school.wants(Receipt)).frame
        assert {} == dict(school.screen.calls)
        assert [("kiss", 3, "7K2M9QXA")] == [
            (test.end, test.number, test.key) for test in school.screen.tests
        ]
