"""Twilio's own description of its API as the judge of our requests, where a mock made from it is given; else our carrier.

BELLTOWER_TWILIO_MOCK=http://127.0.0.1:PORT make test-peers
"""

import os
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qsl, urlencode

import aiohttp
import pytest

from belltower.clock import SystemClock
from belltower.ids import DeliveryId, NoticeId
from belltower.values import Secret
from gateway.carrier_records import ACCOUNT, TOKEN
from notify.channels.channel import Message, Settled
from notify.channels.twilio_sms import TwilioSMS
from notify.channels.twilio_voice import TwilioVoice
from notify.settings import TwilioSettings, TwilioVoiceSettings
from tests.peers.carrier import carrier_peer
from tests.servers.smtp import peer

pytestmark = pytest.mark.peers

# What `CreateMessage` and `CreateCall` of the description know, as far as we could ever need it: a mock lets other
# names pass, and the service ignores them.
MESSAGE_FIELDS = {"To", "From", "MessagingServiceSid", "Body", "StatusCallback", "ValidityPeriod"}
CALL_FIELDS = {"To", "From", "Twiml", "Url", "StatusCallback", "StatusCallbackEvent", "Timeout"}
BACK = "https://bell.school.example/notices/callbacks/text/"


def message(**changes: object) -> Message:
    given = {
        "delivery": DeliveryId("dlv_1"),
        "notice": NoticeId("ntc_1"),
        "revision": 1,
        "address": "+15550100",
        "body": "Jefferson: lock down. ñ & <more>",
        "language": "en",
        "begun_at": SystemClock().now(),
    }
    return Message(**{**given, **changes})


def channels(url: str) -> list[TwilioSMS | TwilioVoice]:
    """Texts from a number and from a messaging service, and calls, each with a way back."""
    common = {"account": ACCOUNT, "token": Secret(TOKEN), "base_url": url}
    return [
        TwilioSMS(settings=TwilioSettings(from_="+15550001", **common), callback_url=BACK),
        TwilioSMS(settings=TwilioSettings(from_="MG" + "c" * 32, **common), callback_url=BACK),
        TwilioVoice(settings=TwilioVoiceSettings(from_="+15550001", **common), callback_url=BACK),
    ]


@asynccontextmanager
async def judge() -> AsyncIterator[str]:
    """The mock that was given, or the simulated carrier."""
    given = os.environ.get("BELLTOWER_TWILIO_MOCK", "")
    if given:
        yield given
        return
    async with carrier_peer() as carrier:
        yield carrier.url


async def test_every_request_of_ours_is_taken() -> None:
    """And every answer to one is understood, lists too."""
    async with judge() as url:
        for channel in channels(url):
            await channel.open()
            answer = await channel.send(message())
            await channel.find(message(), known=set())
            await channel.close()

            assert isinstance(answer, Settled), answer
            assert answer.provider_id


@pytest.mark.parametrize("resource", ["Messages.json", "Calls.json"])
async def test_the_judge_refuses_what_is_wrong(resource: str) -> None:
    """So that being taken means something: no number, no sign-in, no form."""
    secret = b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
    right = {"To": "+15550100", "From": "+15550001", "Body": "x", "Twiml": "<Response/>"}
    form = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": f"Basic {secret}"}
    without_to = {name: value for name, value in right.items() if name != "To"}
    wrong = [
        (form, urlencode(without_to)),
        ({"Content-Type": form["Content-Type"]}, urlencode(right)),
        ({**form, "Content-Type": "application/json"}, "{}"),
    ]
    async with judge() as url, aiohttp.ClientSession() as client:
        statuses = []
        for headers, body in wrong:
            async with client.post(
                f"{url}/2010-04-01/Accounts/{ACCOUNT}/{resource}", data=body, headers=headers
            ) as answer:
                statuses.append(answer.status)

    assert all(400 <= status < 500 for status in statuses), statuses


async def test_only_fields_that_the_description_names_are_sent() -> None:
    """None twice."""
    asked: list[tuple[str, bytes]] = []

    async def listen(reader, writer) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(head.lower().partition("content-length: ")[2].partition("\r\n")[0])
        asked.append((head.split()[1], await reader.readexactly(length)))
        writer.transport.abort()

    async with peer(listen) as port:
        for channel in channels(f"http://127.0.0.1:{port}"):
            await channel.open()
            await channel.send(message())
            await channel.close()

    for path, body in asked:
        names = [name for name, _ in parse_qsl(body.decode(), strict_parsing=True)]
        assert len(set(names)) == len(names)
        assert set(names) <= (MESSAGE_FIELDS if path.endswith("/Messages.json") else CALL_FIELDS)
    assert 3 == len(asked)
