"""Our link against pysiaalarm, a receiver that nobody here wrote: plain, sealed, NAK, DUH, by TCP and by UDP."""

import asyncio
import json
import logging
from pathlib import Path

import pytest
from msgspec.structs import replace
from pysiaalarm import SIAAccount
from pysiaalarm import SIAClient as ThreadedReceiver
from pysiaalarm.aio import SIAClient as Receiver
from pysiaalarm.utils import CommunicationsProtocol

from belltower.clock import SECOND, Instant, SystemClock
from belltower.errors import Unreachable
from gateway.psap.dc09_clock import Offsets
from gateway.psap.link import Answered, LinkTest, Receipt, Refusal, admitted, more_of
from hardware.codecs import dc09
from hardware.codecs.dc09 import Content, Frame, Kind
from hardware.codecs.dc09_crypto import open_sealed, random_pad, seal
from hardware.transports.tcp import TCPTransport
from hardware.transports.udp import UDPTransport
from tests.gateway.psap.house import order
from tests.peers.station import dc09_link
from tests.peers.waiting import PATIENCE, until
from tests.servers.ports import free_port

VECTORS = json.loads((Path(__file__).parents[2] / "golden/frames/wire-vectors.json").read_text())["dc09"][
    "frames"
]
KEYS = ["ABCDEF0123456789", "ABCDEF0123456789ABCDEF01", "ABCDEF0123456789ABCDEF0123456789"]
logging.getLogger("pysiaalarm").setLevel(logging.CRITICAL)


class SkewedClock(SystemClock):
    """The machine's clock, so many seconds off."""

    def __init__(self, seconds):
        self.seconds = seconds

    def now(self):
        return Instant(super().now() + self.seconds * SECOND)


class Reception:
    """pysiaalarm's asyncio server on TCP, with one account."""

    def __init__(self, *, key=None, account="12345A") -> None:
        self.events = []
        self.port = free_port()
        self._server = Receiver("127.0.0.1", self.port, [SIAAccount(account, key=key)], self.take)

    async def take(self, event):
        """Note an event that was acknowledged."""
        self.events.append(event)

    async def __aenter__(self):
        await self._server.async_start()
        return self

    async def __aexit__(self, *details):
        await self._server.async_stop()


class Running:
    """A link that runs."""

    def __init__(self, link) -> None:
        self.link = link
        self.heard = []

    async def __aenter__(self):
        self._task = asyncio.get_running_loop().create_task(self.link.run(self.heard.append))
        return self

    async def __aexit__(self, *details):
        self._task.cancel()
        await asyncio.wait([self._task])

    def of(self, kind):
        """What was reported of one kind."""
        return [each for each in self.heard if isinstance(each, kind)]

    async def answered(self):
        """The first link test was."""
        await until(lambda: self.of(Answered))


def a_link(transport, *, key=None, clock=None, kind=Kind.SIA, **more):
    """Our end of it."""
    return dc09_link(
        transport, key=key.encode() if key else None, clock=clock or SystemClock(), kind=kind, **more
    )


@pytest.mark.parametrize("kind", [Kind.SIA, Kind.CID])
@pytest.mark.parametrize("key", [None, *KEYS])
async def test_every_report_is_receipted(kind, key):
    """Call, further presses, exercise, test and link test, in clear and with every size of key."""
    async with Reception(key=key) as station:
        link = a_link(TCPTransport(host="127.0.0.1", port=station.port), key=key, kind=kind)
        async with Running(link) as running:
            await running.answered()
            call = admitted(order(7), place="B 204")
            frames = [
                link.first(call),
                link.more(more_of([(call, ((2, 14),))])),
                link.test(LinkTest(number=3, key="K7Q2M9XW", at=0)),
            ]
            for frame in frames:
                assert await link.send(frame)
            await until(lambda: len(running.of(Receipt)) == 3)

    assert [frame.id for frame in frames] == [receipt.frame for receipt in running.of(Receipt)]
    codes = [event.code for event in station.events]
    assert ["PA", "PA", "RX"] == [code for code in codes if code != "RP"]
    assert {"013"} >= {event.ri for event in station.events if event.code == "PA" and kind is Kind.CID}
    assert {} == {what: n for what, n in link.counts.items() if what not in {"ack", "rsp", "answers"}}


@pytest.mark.parametrize("vector", [v for v in VECTORS if "verified" in v], ids=lambda v: v["name"])
async def test_every_request_vector_is_acknowledged(vector):
    """With the present time in place of its own."""
    key = vector.get("key_ascii")
    frame = dc09.decode(vector["frame"].encode())
    if key:
        frame = open_sealed(frame, key.encode())
    now = Instant(SystemClock().now() // SECOND * SECOND)
    content = frame.content
    stamp = now if content.stamp is not None else None
    frame = Frame(
        kind=frame.kind,
        sequence=frame.sequence,
        account=frame.account,
        content=Content(data=content.data, extras=content.extras, stamp=stamp),
    )
    if key:
        frame = seal(frame, key.encode(), random_pad(bytes))
    async with Reception(key=key, account=frame.account) as station:
        reader, writer = await asyncio.open_connection("127.0.0.1", station.port)
        writer.write(dc09.encode(frame))
        (answer,) = dc09.Decoder().feed(await reader.readuntil(b"\r"))
        writer.close()
        await writer.wait_closed()

    assert (Kind.ACK, frame.sequence, frame.account, answer.content is None) == (
        answer.kind,
        answer.sequence,
        answer.account,
        key is not None,
    )


@pytest.mark.parametrize("key", [None, KEYS[0]])
async def test_a_clock_five_minutes_off_is_set_by_its_nak(key, tmp_path):
    """Stored, resent and accepted; after a restart there is no NAK."""
    file = tmp_path / "dc09-station.json"
    async with Reception(key=key) as station:
        for expected in (1, 0):
            transport = TCPTransport(host="127.0.0.1", port=station.port)
            offsets = Offsets(file=file)
            link = a_link(transport, key=key, clock=SkewedClock(300), offsets=offsets)
            async with Running(link) as running:
                await running.answered()
                await link.send(link.first(admitted(order(7), place="B 204")))
                await until(lambda: running.of(Receipt))
            offsets.written()

            assert expected == link.counts["nak"]
            assert abs(offsets.of("r0") + 300) <= 1


async def test_a_code_that_it_does_not_know_is_a_refusal():
    """DUH."""
    async with Reception() as station:
        link = a_link(TCPTransport(host="127.0.0.1", port=station.port))
        async with Running(link) as running:
            await running.answered()
            frame = link.first(admitted(order(7), place="B 204"))
            await link.send(replace(frame, octets=dc09.encode(odd_code(dc09.decode(frame.octets)))))
            await until(lambda: running.of(Refusal))

    assert not running.of(Receipt)


def odd_code(frame):
    """The report with a code of no table."""
    return replace(frame, content=Content(data=f"#{frame.account}|Nri1/QQ013"))


@pytest.mark.parametrize("key", [None, KEYS[0]])
async def test_a_station_that_does_not_know_us_is_never_a_receipt(key):
    """It answers NAK, without a frame around it where it was sealed."""
    async with Reception(account="9999") as station:
        link = a_link(TCPTransport(host="127.0.0.1", port=station.port), key=key)
        async with Running(link) as running:
            await until(lambda: link.counts["unframed"] + link.counts["nak"])
            await link.send(link.first(admitted(order(7), place="B 204")))
            await until(lambda: link.counts["unframed"] + link.counts["nak"] > 1)

    assert not running.of(Receipt)
    assert not running.of(Answered)


@pytest.mark.parametrize("key", [None, KEYS[0]])
async def test_by_udp_with_its_threaded_server(key):
    """Link test and call."""
    events = []
    port = free_port()
    server = ThreadedReceiver(
        "127.0.0.1", port, [SIAAccount("12345A", key=key)], events.append, protocol=CommunicationsProtocol.UDP
    )
    server.start()
    try:
        link = a_link(UDPTransport(host="127.0.0.1", port=port), key=key)
        async with Running(link) as running:
            await running.answered()
            await link.send(link.first(admitted(order(7), place="B 204")))
            await until(lambda: running.of(Receipt))
    finally:
        await asyncio.to_thread(server.stop)

    assert "PA" in [event.code for event in events]


async def test_a_udp_port_where_nobody_is():
    """Known at once, by the machine's own word."""
    transport = UDPTransport(host="127.0.0.1", port=free_port())
    await transport.open()
    await transport.write(b"x")
    with pytest.raises(Unreachable):
        async with asyncio.timeout(PATIENCE):
            await transport.read()
    await transport.close()
    with pytest.raises(Unreachable):
        await transport.write(b"x")
