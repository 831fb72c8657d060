"""Somebody else's program and our own driver on one simulated modem, over a real pseudo-terminal."""

import asyncio

import pytest

from belltower.ids import LinkName
from belltower.incident.facts import ReceiptLevel
from gateway.county.modem import ModemEnd
from gateway.county.screen import Screen
from gateway.psap.link import Answered, PersonAnswered, Receipt, admitted
from gateway.psap.modem_link import ModemLink
from hardware.drivers.modem import Modem, Taken, Up
from hardware.simulators.port import port_at
from hardware.transports import open_transport
from tests.gateway.psap.house import order
from tests.peers.waiting import PATIENCE
from tests.servers.gammu import Gammu

VECTORS = [
    "07912160130300F41100038119F10000FF1AD0A0333904C162331033E91C3E994E10720A923665301A",
    "07912160130300F41100038119F10008FF2200500041004E004900430020003000310033002000450043004F004C0045002000C9",
]
TEXTS = ["PANIC 013 LINCOLN HS RM204", "PANIC 013 ECOLE É"]


@pytest.fixture
async def end(tmp_path):
    """A county's modem end on a pseudo-terminal, and its screen."""
    end = ModemEnd(name="modem", port=port_at(str(tmp_path / "modem")))
    end.screen = Screen(now=asyncio.get_running_loop().time)
    running = asyncio.get_running_loop().create_task(end.run(end.screen))
    await end.ready.wait()
    yield end
    running.cancel()
    await asyncio.wait([running])


async def test_gammu_knows_it_and_sends_by_it(end, tmp_path):
    """Identify, then both messages of the vectors: what gammu writes is what the vectors hold."""
    gammu = Gammu(device=end.address, folder=tmp_path)

    sends = [
        f'sendsms TEXT 911 {more}-smscnumber +12063130004 -text "{text}"'
        for text, more in zip(TEXTS, ("", "-unicode "), strict=True)
    ]
    told = await gammu.batch("identify", *sends)

    assert "Simulated modem" in told
    assert 2 == told.count("OK, message reference=")
    assert VECTORS == [pdu.hex().upper() for pdu in end.modem.pdus]
    assert TEXTS == [message.text for message in end.modem.sent]


async def test_our_driver_sends_both_vectors_to_the_same_modem(end):
    """Octet for octet."""
    up = asyncio.Event()
    heard = []
    modem = Modem(
        transport=open_transport(f"serial://{end.address}?baud=115200"),
        heard=heard.append,
        state=lambda state: up.set() if isinstance(state, Up) else None,
    )
    running = asyncio.get_running_loop().create_task(modem.run())
    async with asyncio.timeout(PATIENCE):
        await up.wait()
        for reference, vector in enumerate(VECTORS, start=1):
            assert Taken(reference=reference) == await modem.send(bytes.fromhex(vector))
    running.cancel()
    await asyncio.wait([running])

    assert VECTORS == [pdu.hex().upper() for pdu in end.modem.pdus]


async def test_a_call_and_a_persons_answer_over_the_same_modem(end):
    """Our link, the screen, the person there, and back."""
    heard = asyncio.Queue()
    link = ModemLink(
        name=LinkName("text"),
        transport=open_transport(f"serial://{end.address}?baud=115200"),
        number="+12065550100",
    )
    running = asyncio.get_running_loop().create_task(link.run(heard.put_nowait))

    async def wants(kind):
        async with asyncio.timeout(PATIENCE):
            while not isinstance(found := await heard.get(), kind):
                pass
        return found

    await wants(Answered)
    frame = link.first(admitted(order(7), place="B 204"))
    assert await link.send(frame)
    assert Receipt(frame=frame.id, level=ReceiptLevel.RADIO) == await wants(Receipt)
    assert ("new", "B 204", "ZZ000007") == (
        end.screen.calls[7].state,
        end.screen.calls[7].place,
        end.screen.calls[7].key,
    )
    end.screen.acknowledge(7, "T4")
    assert PersonAnswered(number=7, key="", by="T4") == await wants(PersonAnswered)
    running.cancel()
    await asyncio.wait([running])


def test_gammu_is_kept_from_real_modems(tmp_path):
    """Only pseudo-terminals are let through."""
    for device in ("/dev/ttyUSB0", "/dev/ttyACM0", "/dev/ttyS0"):
        with pytest.raises(AssertionError):
            Gammu(device=device, folder=tmp_path)
