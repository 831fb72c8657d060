"""What every kind of output must do: one suite over all of them, each with a device at its far end."""

import asyncio
import os
from functools import partial

import pytest
from msgspec.structs import replace

from belltower.incident.facts import Mode, OutputFailed, OutputLevel, OutputReceipt
from gateway.outputs.rules import DrillVariant, FailSafe
from gateway.outputs.settings import OUTPUTS
from gateway.outputs.switching import SwitchWorker
from hardware.codecs import sip
from hardware.codecs.sip import Response
from hardware.drivers.page_multicast import MulticastPage
from hardware.drivers.page_polycom import PolycomPage
from hardware.drivers.page_sip import SIPPage
from hardware.drivers.switch import Switches
from tests.gateway.outputs.test_outputs import MARK, Loudspeakers
from tests.gateway.outputs.test_outputs import ordered as announced
from tests.gateway.outputs.test_switching import ordered
from tests.gateway.psap.house import House
from tests.peers.switch_rigs import TOLD, WIRED
from tests.peers.virtual_time import in_virtual_time
from tests.peers.voice import Legible
from tests.peers.waiting import until


class Bench(House):
    """A lane's worker with one output."""

    def __init__(self, rig, **rule) -> None:
        super().__init__(counties=())
        self.rig = rig
        self.rule = replace(rig.rule, **{"fail_safe": FailSafe.HOLD, **rule})

    async def start(self):
        owed = await self.journal.read(after=0, limit=100_000)
        self.worker = SwitchWorker(
            journal=self.journal,
            switches=Switches(switches={"siren": self.rig.switch}),
            rules={"siren": self.rule},
            ids=self.ids,
            clock=self.clock,
            random_bytes=os.urandom,
            owed=owed,
            after=owed[-1].position if owed else 0,
        )
        self._worker_task = asyncio.get_running_loop().create_task(self.worker.run())

    async def is_on(self, *, on=True):
        """Once the device is so."""
        await until(lambda: self.rig.on is on, within=self.rig.patience)

    async def receipts(self, count):
        """The receipts, once there are so many; there must be no more."""
        await self.facts_until(OutputReceipt, count, within=self.rig.patience)
        await asyncio.sleep(0.05)
        every = await self.facts(OutputReceipt)
        assert count == len(every)
        return every

    async def failure(self):
        """The first failure."""
        return (await self.facts_until(OutputFailed, 1, within=self.rig.patience))[0]


async def receipt_and_release(rig):
    """On until it is ordered off; only the device's own answer confirms."""
    async with Bench(rig) as house:
        level = OutputLevel.DEVICE if rig.confirms else OutputLevel.SENT
        await house.give(ordered())
        await house.receipts(1)
        await house.is_on()
        await house.give(ordered(on=False, order=2))
        every = await house.receipts(2)
        await house.is_on(on=False)
        assert [(True, level, rig.confirms), (False, level, rig.confirms)] == [
            (each.on, each.level, each.confirmed) for each in every
        ]
        assert {} == house.worker.faults()


async def failing(rig, how):
    """It is one fact, with the level reached; it is seen in the status; the answer that comes at last is one receipt."""
    async with Bench(rig) as house:
        rig.misbehave(how)
        await house.give(ordered())
        failed = await house.failure()
        assert failed.reason
        assert failed.level in (OutputLevel.QUEUED, OutputLevel.SENT)
        assert "siren" in house.worker.faults()
        if how == "late":
            await asyncio.sleep(rig.rule.within * 1.5)  # the answer that is too late comes here
        assert [] == await house.facts(OutputReceipt)
        rig.misbehave("well")
        await house.receipts(1)
        await house.is_on()
        await until(lambda: {} == house.worker.faults(), within=rig.patience)
        await house.give(ordered(on=False, order=2))
        await house.receipts(2)
        await house.is_on(on=False)


async def repeated_answers(rig):
    """An answer that comes twice is one receipt, and proves nothing of the next order."""
    async with Bench(rig) as house:
        rig.misbehave("twice")
        await house.give(ordered())
        await house.receipts(1)
        await house.give(ordered(on=False, order=2))
        await house.receipts(2)
        await house.is_on(on=False)
        rig.misbehave("well")


async def restart_in_the_middle(rig):
    """What was ordered and not carried out is, once; what was said is not said again."""
    async with Bench(rig) as house:
        if rig.interruption in rig.ways:
            rig.misbehave(rig.interruption)
            await house.give(ordered())
            await house.failure()
            await house.restart()
            rig.misbehave("well")
        else:
            await house.give(ordered())
        await house.receipts(1)
        await house.is_on()
        await house.restart()
        await asyncio.sleep(0.2)
        await house.receipts(1)
        await house.give(ordered(on=False, order=2))
        await house.receipts(2)
        await house.is_on(on=False)


async def drills(rig):
    """Withheld: nothing is sent. Chirp: on, and off by itself. What is real is not withheld."""
    before = rig.orders
    async with Bench(rig, exercise=DrillVariant.WITHHELD) as house:
        await house.give(ordered(mode=Mode.EXERCISE))
        (receipt,) = await house.receipts(1)
        assert OutputLevel.WITHHELD is receipt.level
        assert not receipt.confirmed
        assert before == rig.orders
    async with Bench(rig, exercise=DrillVariant.CHIRP, pulse=0.3, fail_safe=FailSafe.OFF) as house:
        await house.give(ordered(mode=Mode.EXERCISE))
        await house.is_on()
        await house.is_on(on=False)
        await house.receipts(1)


async def rest(rig):
    """What nothing orders is put to rest, and nothing is written down of it."""
    for on in (True, False):
        async with Bench(rig, fail_safe=FailSafe.ON if on else FailSafe.OFF) as house:
            await house.is_on(on=on)
            assert [] == await house.facts(OutputReceipt)


OBLIGATIONS = {
    "receipt and release": receipt_and_release,
    "refused": partial(failing, how="refusing"),
    "silent": partial(failing, how="silent"),
    "late": partial(failing, how="late"),
    "twice": repeated_answers,
    "restart": restart_in_the_middle,
    "drills": drills,
    "rest": rest,
}
_NEEDS = {"refused": "refusing", "silent": "silent", "late": "late", "twice": "twice"}


async def keeps_all(kind, opened, folder):
    """Hold one output to all that it can be held to."""
    async with opened(folder) as rig:
        for name, holds in OBLIGATIONS.items():
            if _NEEDS.get(name, "well") in rig.ways:
                try:
                    await holds(rig)
                except BaseException as error:
                    error.add_note(f"{kind}: {name}")
                    raise


async def test_what_is_switched_on_a_wire_keeps_every_obligation(tmp_path):
    """Receipt, refusal, silence, lateness, repetition, restart, drills, release, rest; all kinds at once."""
    await asyncio.gather(*(keeps_all(kind, opened, tmp_path) for kind, opened in WIRED.items()))


@pytest.mark.soak
async def test_an_osdp_output_that_falls_silent_is_found_again(tmp_path):
    """Which takes its line some seconds."""
    async with WIRED["osdp"](tmp_path) as rig:
        await failing(rig, "silent")


@pytest.mark.parametrize("model", TOLD)
def test_a_device_that_is_told_keeps_every_obligation(model, tmp_path):
    """The same, whatever its profile."""
    in_virtual_time(keeps_all(model, TOLD[model], tmp_path))


class Telephone(asyncio.DatagramProtocol):
    """Answers every call at once; counts what is spoken to it."""

    def __init__(self) -> None:
        self.asked = []

    def connection_made(self, transport):
        self.transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, octets, address):
        request = sip.decode(octets)
        self.asked.append(request.method)
        if request.method != "ACK":
            body = b"c=IN IP4 127.0.0.1\r\nm=audio 9 RTP/AVP 0\r\n" if request.method == "INVITE" else b""
            headers = (*sip.answer_headers(request, tag="t1"), ("Contact", "<sip:x@127.0.0.1>"))
            answered = Response(status=200, reason="OK", headers=headers, body=body)
            self.transport.sendto(sip.encode(answered), address)


class Listener(asyncio.DatagramProtocol):
    """Hears whatever comes."""

    def __init__(self) -> None:
        self.asked = []

    def connection_made(self, transport):
        self.transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, octets, address):
        self.asked.append(len(octets))


def multicast(port):
    """Plain RTP."""
    return MulticastPage(host="127.0.0.1", port=port, random_bytes=os.urandom)


def polycom(port):
    """A group page."""
    return PolycomPage(host="127.0.0.1", port=port, channel=50, sender=1, caller="School alarm")


def telephone(port):
    """A call."""
    return SIPPage(user="x", host="127.0.0.1", port=port, us="b", random_bytes=os.urandom, answer=1.0)


PAGES = {
    "multicast-page": (multicast, Listener),
    "polycom-page": (polycom, Listener),
    "sip-page": (telephone, Telephone),
}


async def announces(kind):
    """A receipt that confirms nothing, once; a drill's mark or silence; on again after a restart; off."""
    made, far = PAGES[kind]
    peer = far()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: peer, local_addr=("127.0.0.1", 0))
    try:
        async with Loudspeakers() as house:
            await house.stop()
            house.airs = {"page": made(peer.port)}
            await house.start()
            await house.give(announced())
            (receipt,) = await house.facts_until(OutputReceipt, 1)
            assert (OutputLevel.SENT, False) == (receipt.level, receipt.confirmed)
            await until(lambda: peer.asked)
            await house.restart()
            heard = len(peer.asked)
            await until(lambda: len(peer.asked) > heard)
            await house.give(announced(None, on=False, order=2))
            await house.facts_until(OutputReceipt, 2)
            assert [True, False] == [each.on for each in await house.facts(OutputReceipt)]
            assert [] == await house.facts(OutputFailed)
        heard = len(peer.asked)
        async with Loudspeakers(speech=Legible(missing=[MARK])) as house:
            await house.stop()
            house.airs = {"page": made(peer.port)}
            await house.start()
            await house.give(announced(mode=Mode.EXERCISE))
            assert "not rendered" in (await house.facts_until(OutputFailed, 1))[0].reason
    except BaseException as error:
        error.add_note(kind)
        raise
    finally:
        transport.close()


async def test_an_announcement_keeps_every_obligation():
    """All kinds at once."""
    await asyncio.gather(*(announces(kind) for kind in PAGES))


def test_every_kind_there_is_is_held_to_it():
    """A new kind must be added here."""
    assert OUTPUTS.keys() == {*WIRED, *PAGES, "device"}
