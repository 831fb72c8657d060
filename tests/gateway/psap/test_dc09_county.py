"""Our link against the county's end of it, by TCP and UDP, in clear and sealed, with every fault there is."""

import asyncio
from random import Random

import pytest

from belltower.clock import SystemClock
from belltower.incident.facts import AlarmKind, Mode, UpdateKind, UpdateOrdered
from gateway.county.dc09 import FAULTS, DC09End
from gateway.county.end import Fault
from gateway.county.screen import Screen
from gateway.psap.link import LinkTest, Lost, Receipt, Refusal, Spot, admitted, more_of, update_of
from hardware.codecs.dc09 import Kind
from hardware.transports.tcp import TCPTransport
from hardware.transports.udp import UDPTransport
from tests.gateway.psap.house import INCIDENT, order
from tests.peers.station import dc09_link
from tests.peers.waiting import until

KEY = b"ABCDEF0123456789"
CALL = admitted(order(7), place="B 204")


class Rehearsal:
    """A county's end, its screen, and a link to it."""

    def __init__(self, *, key=None, udp=False, kind=Kind.SIA, timeout=0.2) -> None:
        self.end = DC09End(
            name="dc09", host="127.0.0.1", port=0, clock=SystemClock(), random=Random(1), key=key
        )
        self.screen = Screen(now=lambda: 0.0)
        self._made = {"key": key, "kind": kind, "timeout": timeout, "clock": SystemClock()}
        self._transport = UDPTransport if udp else TCPTransport
        self.heard = []

    async def __aenter__(self):
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self.end.run(self.screen))]
        await self.end.ready.wait()
        port = int(self.end.address.rpartition(":")[2])
        self.link = dc09_link(self._transport(host="127.0.0.1", port=port), **self._made)
        self._tasks.append(loop.create_task(self.link.run(self.heard.append)))
        await until(lambda: self.link.answering)
        return self

    async def __aexit__(self, *details):
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        await asyncio.sleep(0)

    async def send(self, frame):
        """And its receipt."""
        before = len(self.of(Receipt))
        assert await self.link.send(frame)
        await until(lambda: len(self.of(Receipt)) > before)

    def of(self, kind):
        """What was reported of one kind."""
        return [each for each in self.heard if isinstance(each, kind)]


@pytest.mark.parametrize("udp", [False, True])
@pytest.mark.parametrize("key", [None, KEY])
@pytest.mark.parametrize("kind", [Kind.SIA, Kind.CID])
async def test_all_that_is_reported_is_on_the_screen(kind, key, udp):
    """The call, further presses, the corrected place, the cancellation, an exercise, a test."""
    async with Rehearsal(kind=kind, key=key, udp=udp) as at:
        link = at.link

        def update(what, spot=None):
            ordered = UpdateOrdered(call=CALL.order.call, incident=INCIDENT, update=1, kind=what)
            return link.update(update_of(CALL, ordered, spot=spot))

        drill = admitted(order(8, mode=Mode.EXERCISE, accepted=True), place="A 1")
        for frame in (
            link.first(CALL),
            link.more(more_of([(CALL, ((2, 14), (16, 16)))])),
            update(UpdateKind.PLACE, Spot(spoken="B 305")),
            link.first(drill),
            link.first(admitted(order(9, kind=AlarmKind.MEDICAL), place="Gym")),
            link.test(LinkTest(number=3, key="K7Q2M9XW", at=0)),
        ):
            await at.send(frame)
        call, exercise, medical = (at.screen.calls[n] for n in (7, 8, 9))
        assert ("panic", 12, "B 305", "B 204", "correct") == (
            call.kind,
            call.incident,
            call.place,
            call.was,
            call.asked,
        )
        assert ((1, 14), (16, 16)) == call.presses
        assert (True, "A 1", "medical", False) == (
            exercise.exercise,
            exercise.place,
            medical.kind,
            medical.exercise,
        )
        assert [(3, "K7Q2M9XW")] == [(test.number, test.key) for test in at.screen.tests]
        at.screen.read_back(7)
        await at.send(update(UpdateKind.CANCEL))
        assert "cancel" == call.asked


EXPECTED = {
    "silent": Lost,
    "half-open": Lost,
    "wrong-id": Lost,
    "half-frames": None,
    "deaf-after": Lost,
    "cut": None,
    "busy": None,
    "negative": Refusal,
    "late": Receipt,
    "duplicate-ack": Receipt,
    "skew": Receipt,
    "noise": None,
}


@pytest.mark.parametrize("name", sorted(FAULTS))
async def test_each_fault(name):
    """Loud, or borne; never a receipt that was not earned, and all is well once it is over."""
    async with Rehearsal() as at:
        value = {"late": 0.3, "noise": 0.02}.get(name, FAULTS[name])
        at.end.fault = Fault(name=name, value=value)
        frame = at.link.first(CALL)
        await at.link.send(frame)
        expected = EXPECTED[name]
        if expected is not None:
            await asyncio.sleep(0.05)
            for _ in range(500):
                if at.of(expected):
                    break
                await at.link.send(frame)
                await asyncio.sleep(0.1)
            assert at.of(expected)
        if expected is not Receipt and name != "half-frames":
            await asyncio.sleep(0.1)
            assert not at.of(Receipt) or name == "noise"
        if name in {"half-open", "cut", "deaf-after", "busy", "negative"}:
            assert not at.screen.calls
        at.end.fault = None
        for _ in range(500):
            if at.of(Receipt):
                break
            await at.link.send(frame)
            await asyncio.sleep(0.1)
        assert {frame.id} == {receipt.frame for receipt in at.of(Receipt)}
        assert [7] == list(at.screen.calls)


async def test_a_call_that_the_centre_rejects_is_refused():
    """By a person at the screen."""
    async with Rehearsal() as at:
        await at.send(at.link.first(CALL))
        at.screen.reject(7)
        await at.link.send(at.link.more(more_of([(CALL, ((2, 3),))])))
        await until(lambda: at.of(Refusal))
