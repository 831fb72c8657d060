"""Our link by SIP against software that nobody here wrote: kamailio in front, sipp as the centre behind it."""

import asyncio
import socket
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest

from belltower.clock import SystemClock
from belltower.incident.facts import Mode, ReceiptLevel
from gateway.psap.kinds import link_from
from gateway.psap.link import Answered, Around, LinkTest, Lost, Opened, Receipt, Refusal, admitted
from gateway.psap.sip_settings import SIPLinkSettings
from hardware.codecs import sip
from tests.gateway.psap.house import order
from tests.hardware.mqtt.certificate import write_certificate
from tests.peers.sip_server import AT, CAMPUS, SPOT
from tests.peers.waiting import PATIENCE, until
from tests.servers.kamailio import Kamailio
from tests.servers.ports import free_port
from tests.servers.sipp import SIPp

CALL = admitted(order(7), place="B 204", spot=SPOT, at=AT)
DRILL = admitted(order(8, mode=Mode.EXERCISE, accepted=True), place="B 204", spot=SPOT, at=AT)
TEST = LinkTest(number=3, key="ABCD1234", at=AT)


class Book:
    """Addresses that are known already."""

    def __init__(self, **known):
        self.known = known
        self.watched = []

    def watch(self, host):
        self.watched.append(host)

    def of(self, host):
        return self.known.get(host, host if host.replace(".", "").isdigit() else None)


class House:
    """A link from settings, running."""

    def __init__(self, link):
        self.link = link
        self.heard = []

    def report(self, heard):
        self.heard.append(heard)

    def of(self, kind):
        return [each for each in self.heard if isinstance(each, kind)]

    async def wants(self, kind, count=1, *, within=PATIENCE):
        await until(lambda: len(self.of(kind)) >= count, within=within)
        return self.of(kind)


@asynccontextmanager
async def running(tmp_path, *targets, book=None, **settings):
    """A link to these targets."""
    record = SIPLinkSettings(targets=targets, from_="sip:school@lincoln.example", **settings)
    around = Around(
        campus=CAMPUS,
        clock=SystemClock(),
        random_bytes=Random(1).randbytes,
        state=tmp_path,
        addresses=book or Book(),
    )
    house = House(link_from("esrp", record, around))
    task = asyncio.get_running_loop().create_task(house.link.run(house.report))
    try:
        yield house
    finally:
        task.cancel()
        await asyncio.wait([task], timeout=PATIENCE)
        assert task.cancelled()


async def test_over_tcp_both_parts_are_found_relayed_and_received(tmp_path: Path):
    """A call, an exercise and a test: 200 from the centre through the proxy. Nothing is looked up meanwhile."""
    async with SIPp(tmp_path / "psap") as psap, Kamailio(tmp_path / "esrp", psap=psap.port) as esrp:
        async with running(tmp_path, f"tcp://127.0.0.1:{esrp.port}") as house:
            await house.wants(Answered)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(socket, "getaddrinfo", None)
                frames = [house.link.first(CALL), house.link.first(DRILL), house.link.test(TEST)]
                for frame in frames:
                    assert await house.link.send(frame)
                await house.wants(Receipt, 3)

        assert {Receipt(frame=frame.id, level=ReceiptLevel.SYSTEM) for frame in frames} == set(
            house.of(Receipt)
        )
        assert [] == house.of(Refusal) + house.of(Lost)
        said = esrp.output()
        for urn in ("urn:service:sos", "urn:service:test.sos"):
            assert f"for {urn} from tcp" in said
        assert "pidf 0" not in said
        got = psap.messages()
        assert "MESSAGE urn:service:sos SIP/2.0" in got
        assert "lincoln-C7-ZZ000007" in got


async def test_the_proxy_says_425_to_what_has_no_alert(tmp_path: Path):
    """Kamailio's 425 with 101 is rebuilt once, then it is a refusal."""
    async with SIPp(tmp_path / "psap") as psap, Kamailio(tmp_path / "esrp", psap=psap.port) as esrp:
        async with running(tmp_path, f"tcp://127.0.0.1:{esrp.port}") as house:
            await house.wants(Opened)
            frame = house.link.first(CALL)
            spoilt = frame.octets.replace(b"EmergencyCallData.cap+xml\r\n", b"EmergencyCallData.xxx+xml\r\n")
            message = sip.decode(spoilt)
            assert await house.link.send(type(frame)(id="X1", octets=sip.encode(message), text="", covers=()))
            (refusal,) = await house.wants(Refusal)

        assert "425, alert error 101" in refusal.reason
        assert 1 == house.link.counts["rebuilt"]
        assert [] == house.of(Receipt)


async def test_over_tls_the_certificate_is_checked_and_the_call_received(tmp_path: Path):
    """Kamailio's TLS; another name, or an authority we do not trust, and nothing is ever sent."""
    certificate, key = write_certificate(tmp_path, "esrp.county.example"), tmp_path / "key.pem"
    esrp = Kamailio(tmp_path / "esrp", psap=0, certificate=certificate, key=key)
    async with SIPp(tmp_path / "psap") as psap:
        esrp.psap = psap.port
        async with esrp:
            book = Book(**{"esrp.county.example": "127.0.0.1", "other.example": "127.0.0.1"})
            target = f"tls://esrp.county.example:{esrp.tls_port}"
            async with running(tmp_path, target, book=book, ca=certificate) as house:
                await house.wants(Answered)
                frame = house.link.first(CALL)
                assert await house.link.send(frame)
                assert [Receipt(frame=frame.id, level=ReceiptLevel.SYSTEM)] == await house.wants(Receipt)
            assert "from tls" in esrp.output()
            for wrong, trust in ((f"tls://other.example:{esrp.tls_port}", certificate), (target, None)):
                async with running(tmp_path, wrong, book=book, ca=trust) as house:
                    await house.wants(Lost)
                    assert not await house.link.send(house.link.first(CALL))


async def test_a_proxy_killed_is_lost_and_its_return_is_used(tmp_path: Path):
    """SIGKILL, then started again on the same port: opened within two seconds, and the call goes."""
    async with SIPp(tmp_path / "psap") as psap, Kamailio(tmp_path / "esrp", psap=psap.port) as esrp:  # noqa: SIM117
        async with running(tmp_path, f"tcp://127.0.0.1:{esrp.port}") as house:
            await house.wants(Answered)
            await esrp.kill()
            await house.wants(Lost)
            assert not await house.link.send(house.link.first(CALL))
            await esrp.start()
            await house.wants(Opened, 2)
            assert await house.link.send(house.link.first(CALL))
            await house.wants(Receipt)
            await house.wants(Answered, 2)


async def test_the_next_proxy_takes_it_when_the_first_one_is_dead(tmp_path: Path):
    """Two targets; nobody listens on the first."""
    async with SIPp(tmp_path / "psap") as psap, Kamailio(tmp_path / "esrp", psap=psap.port) as esrp:
        targets = f"tcp://127.0.0.1:{free_port()}", f"tcp://127.0.0.1:{esrp.port}"
        async with running(tmp_path, *targets) as house:
            await house.wants(Opened)
            assert await house.link.send(house.link.first(CALL))
            await house.wants(Receipt)
            assert [] == house.of(Lost)


async def test_a_target_whose_address_was_never_found_is_lost_and_nothing_is_looked_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The address book is asked, the name server never."""
    monkeypatch.setattr(socket, "getaddrinfo", None)
    book = Book()
    async with running(tmp_path, "tls://nowhere.example:5061", book=book) as house:
        (lost,) = await house.wants(Lost)
        assert "nowhere.example" in lost.reason
        assert ["nowhere.example"] == book.watched
        assert not await house.link.send(house.link.first(CALL))
