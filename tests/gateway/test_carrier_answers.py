"""Phones of the simulated carrier answer: signed as the services sign, at the desk's own address, and STOP is STOP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from belltower.clock import SystemClock
from belltower.values import Secret
from gateway.carrier.answers import replies_to
from gateway.carrier.records import ACCOUNT, APPLICATION, TOKEN
from notify.channels.channel import Message, Refused, Settled
from notify.channels.inbox import TwilioInbox
from notify.channels.reports import PATH
from notify.channels.twilio_sms import TwilioSMS
from notify.channels.twilio_voice import TwilioVoice, TwilioVoiceReports
from notify.channels.vonage_api import Way
from notify.channels.vonage_sms import VonageInbox, VonageSMS
from notify.settings import TwilioSettings, TwilioVoiceSettings, VonageSettings
from tests.peers.application import application
from tests.peers.carrier import CarrierPeer, carrier_peer
from tests.peers.waiting import PATIENCE

PHONE = "+15550100"


class Office:
    """The desk's public end: keeps what it is brought."""

    def __init__(self) -> None:
        self.url = ""
        self.brought: asyncio.Queue[tuple[str, dict[str, str], bytes]] = asyncio.Queue()

    async def take(self, request: web.Request) -> web.Response:
        await self.brought.put((request.path_qs, dict(request.headers), await request.read()))
        return web.Response(status=204)

    async def brought_to(self, path: str) -> tuple[str, dict[str, str], bytes]:
        async with asyncio.timeout(PATIENCE):
            while not (found := await self.brought.get())[0].startswith(path):
                pass
        return found


@asynccontextmanager
async def opened() -> AsyncIterator[tuple[CarrierPeer, Office, aiohttp.ClientSession]]:
    office = Office()
    app = web.Application()
    app.add_routes([web.post("/{any:.*}", office.take)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    office.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with carrier_peer(carrying=0.0) as carrier, aiohttp.ClientSession() as session:
            yield carrier, office, session
    finally:
        await runner.cleanup()


def message(**changes: object) -> Message:
    given = {"delivery": "dlv_1", "notice": "ntc_1", "revision": 1, "address": PHONE, "body": "x"}
    return Message(**{**given, **changes})


async def told(channel, *, language: str = "en") -> object:
    await channel.open()
    return await channel.send(message(language=language))


def twilio(carrier: CarrierPeer, office: Office | None) -> TwilioSMS:
    settings = TwilioSettings(account=ACCOUNT, token=Secret(TOKEN), from_="+15550001", base_url=carrier.url)
    return TwilioSMS(settings=settings, callback_url=f"{office.url}{PATH}text/" if office else "")


async def test_a_phone_answers_as_twilio_brings_it_and_stop_is_heard_by_both() -> None:
    """The desk's own reading believes it; what is sent afterwards is refused (21610) until START."""
    async with opened() as (carrier, office, session):
        channel = twilio(carrier, office)
        assert isinstance(await told(channel), Settled)
        answers = []
        for text in ("2 smoke in 204", "Stop", "start"):
            async with session.post(f"{carrier.url}/phones/{PHONE}/reply", json={"text": text}) as done:
                assert 202 == done.status
            found = await office.brought_to("/notices/replies/text")
            heard = TwilioInbox(public_url=office.url, token=TOKEN).read(*found)
            answers.append((heard.address, heard.text, await channel.send(message())))
        await channel.close()

    assert [(PHONE, "2 smoke in 204"), (PHONE, "Stop"), (PHONE, "start")] == [one[:2] for one in answers]
    assert isinstance(answers[0][2], Settled)
    assert Refused(reason="provider:21610") == answers[1][2]
    assert isinstance(answers[2][2], Settled)


async def test_a_phone_answers_as_vonage_brings_it() -> None:
    """The second carrier's texts are answered by the second carrier, signed its way."""
    async with opened() as (carrier, office, session):
        settings = VonageSettings(**application(base_url=carrier.url))
        way = Way(report_to=f"{office.url}{PATH}text-2/", secret=TOKEN, application=APPLICATION)
        channel = VonageSMS(settings=settings, way=way, clock=SystemClock())
        assert isinstance(await told(channel), Settled)
        async with session.post(f"{carrier.url}/phones/{PHONE}/reply", json={"text": "sí"}) as done:
            assert 202 == done.status
        found = await office.brought_to("/notices/replies/text-2")
        heard = VonageInbox(secret=TOKEN, application=APPLICATION).read(*found)
        await channel.close()

    assert (PHONE, "sí") == (heard.address, heard.text)


async def test_a_key_is_pressed_in_the_newest_call() -> None:
    """By whoever took it; the desk's own reading believes that key."""
    async with opened() as (carrier, office, session):
        carrier.goes_wrong(key="")
        settings = TwilioVoiceSettings(
            account=ACCOUNT, token=Secret(TOKEN), from_="+15550001", base_url=carrier.url
        )
        channel = TwilioVoice(settings=settings, callback_url=f"{office.url}{PATH}calls/")
        assert isinstance(await told(channel), Settled)
        async with session.post(f"{carrier.url}/phones/{PHONE}/press", json={"key": "1"}) as done:
            assert 202 == done.status
        reports = TwilioVoiceReports(public_url=office.url, token=TOKEN)
        async with asyncio.timeout(PATIENCE):
            while not (report := reports.read(*await office.brought_to("/notices/callbacks/calls"))).key:
                pass
        await channel.close()

    assert "1" == report.key


async def test_what_cannot_be_answered_is_said_so() -> None:
    """No text, no call, no way back, no words, a key that is none."""
    async with opened() as (carrier, _, session):
        answers = []

        async def post(path: str, body: object) -> None:
            async with session.post(f"{carrier.url}/phones/{PHONE}/{path}", json=body) as done:
                answers.append(done.status)

        await post("reply", {"text": "1"})
        await post("press", {"key": "1"})
        channel = twilio(carrier, None)
        assert isinstance(await told(channel), Settled)
        await post("reply", {"text": "1"})
        await post("reply", {"text": ""})
        await post("press", {"key": "13"})
        await channel.close()

    assert [404, 404, 409, 400, 400] == answers


@pytest.mark.parametrize(
    ("callback", "to"),
    [
        ("https://b.example/notices/callbacks/text/dlv_1", "https://b.example/notices/replies/text"),
        ("https://b.example/x/notices/callbacks/a-b/d?p=1", "https://b.example/x/notices/replies/a-b"),
        ("https://b.example/other", ""),
        ("", ""),
    ],
)
def test_answers_go_where_reports_go(callback: str, to: str) -> None:
    """The same public address and the same provider."""
    assert to == replies_to(callback)
