"""Pages to telephones: by SIP, which baresip answers, and as the group page of Polycom telephones."""

import asyncio
import os
import time

import pytest

from belltower.errors import Unreachable
from hardware.codecs import polycom_page, sip
from hardware.codecs.polycom_page import Codec, Op
from hardware.codecs.sip import Response
from hardware.codecs.sound import tone
from hardware.codecs.voice import PayloadFormat, encode, frames
from hardware.drivers.page_polycom import PolycomPage
from hardware.drivers.page_sip import SIPPage
from hardware.drivers.zone import Programme, Zone
from tests.hardware.voice.listening import listener
from tests.peers.waiting import until
from tests.servers.baresip import baresip
from tests.servers.ffmpeg import frequency, loudness


def soon(holds):
    """Return once it holds."""
    for _ in range(1000):
        if holds():
            return
        time.sleep(0.02)
    pytest.fail("it never became ready")


@pytest.mark.parametrize("form", [PayloadFormat.PCMU, PayloadFormat.G722])
async def test_baresip_answers_our_page_and_hears_it(form, tmp_path):
    """It answers by itself, hears a second of 1 kHz, and is hung up on."""
    sound = encode(tone(1000, 1.0, rate=16_000), form)
    began = []
    with baresip(tmp_path, codec=form.value.upper(), wait=soon) as telephone:
        page = SIPPage(
            user="psap",
            host="127.0.0.1",
            port=telephone.port,
            us="belltower",
            random_bytes=os.urandom,
            form=form,
        )
        zone = Zone(wire=page, between=0.1)
        running = asyncio.get_running_loop().create_task(zone.run())
        zone.play(Programme(key="page", priority=1, round=lambda _: [sound], began=began.append, rounds=1))
        await until(lambda: "terminated" in telephone.log())
        running.cancel()
        await asyncio.wait([running])
        assert "Call established" in telephone.log()
    heard = telephone.heard()

    assert 1.0 == pytest.approx(heard.seconds, abs=0.35)
    assert 1000 == pytest.approx(frequency(heard), rel=0.05)
    assert loudness(heard) > 0.2
    assert [""] == began


async def test_a_telephone_that_takes_another_coding_or_is_not_there_is_unreachable(tmp_path):
    """It says what was answered; silence is bounded."""
    with baresip(tmp_path, codec="PCMA", wait=soon) as telephone:
        page = SIPPage(
            user="psap", host="127.0.0.1", port=telephone.port, us="belltower", random_bytes=os.urandom
        )
        with pytest.raises(Unreachable, match="answered 488|does not take"):
            await page.begin()
        await page.end()
        port = telephone.port
    gone = SIPPage(user="x", host="127.0.0.1", port=port, us="b", random_bytes=os.urandom, answer=0.7)
    with pytest.raises(Unreachable, match="cannot be called|does not answer"):
        await gone.begin()


class Telephone(asyncio.DatagramProtocol):
    """Answers every call at once, with headers of its own."""

    def __init__(self, **headers) -> None:
        self.headers = headers
        self.asked = []

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, octets, address):
        request = sip.decode(octets)
        self.asked.append((request.method, request.uri))
        if request.method == "ACK":
            return
        answered = Response(
            status=200,
            reason="OK",
            headers=(*sip.answer_headers(request, tag="t1"), ("Contact", "<sip:x@127.0.0.1>")),
            body=b"c=IN IP4 127.0.0.1\r\nm=audio 9 RTP/AVP 0\r\n" if request.method == "INVITE" else b"",
        )
        octets = sip.encode(answered)
        for given, instead in self.headers.items():
            octets = octets.replace(given.encode(), instead.encode())
        self.transport.sendto(octets, address)


@pytest.mark.parametrize("contact", ["sip:\u00fc@127.0.0.1", "sip:a b", "\u00fc", " "])
async def test_a_telephone_whose_contact_cannot_be_written_is_hung_up_on_all_the_same(contact):
    """By the address at which it was called; nothing is raised that is no `LinkError`."""
    telephone = Telephone(**{"sip:x@127.0.0.1": contact})
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: telephone, local_addr=("127.0.0.1", 0)
    )
    port = transport.get_extra_info("sockname")[1]
    page = SIPPage(user="x", host="127.0.0.1", port=port, us="b", random_bytes=os.urandom)
    await page.begin()
    await page.end()
    transport.close()

    called = f"sip:x@127.0.0.1:{port}"
    assert [("INVITE", called), ("ACK", called), ("BYE", called)] == telephone.asked


async def test_a_polycom_page_has_the_shape_that_telephones_want():
    """31 alerts, the sound with the previous frame before it, 12 ends; each about when it is due."""
    sound = frames(encode(tone(1000, 0.4, rate=16_000), PayloadFormat.G722))
    with listener() as (port, heard):
        page = PolycomPage(
            host="127.0.0.1", port=port, channel=50, sender=0xF2111511, caller="Lindenfield School"
        )
        assert "" == page.fault()
        zone = Zone(wire=page, between=0)
        running = asyncio.get_running_loop().create_task(zone.run())
        played = Programme(
            key="p", priority=1, round=lambda _: [b"".join(sound)], began=lambda _: None, rounds=1
        )
        zone.play(played)
        count = 31 + len(sound) + 1 + 12
        await until(lambda: len(heard) >= count)
        running.cancel()
        await asyncio.wait([running])
    packets = [(at, polycom_page.decode(octets)) for at, octets in heard]
    ops = [packet.op for _, packet in packets]
    talk = [packet for _, packet in packets if packet.op is Op.TRANSMIT]

    assert [Op.ALERT] * 31 + [Op.TRANSMIT] * (len(sound) + 1) + [Op.END] * 12 == ops
    assert sound[0] == talk[0].frames
    assert all(a + b == packet.frames for a, b, packet in zip(sound, sound[1:], talk[1:], strict=False))
    assert {(50, 0xF2111511, "Lindenfield S")} == {(p.channel, p.sender, p.caller) for _, p in packets}
    assert {Codec.G722} == {packet.codec for packet in talk}
    first = packets[0][0]
    # Paced, not in a burst; how exactly is measured in virtual time, where no other test takes the processor.
    assert packets[31][0] - first > 0.6
    assert packets[-1][0] - packets[-12][0] > 0.15
