"""Twilio's own description of its API as the judge of our requests, where a mock made from it is given; else our carrier.

BELLTOWER_TWILIO_MOCK=http://127.0.0.1:PORT make test-peers
"""

import json
import os
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import formatdate
from random import Random
from urllib.parse import parse_qsl, urlencode

import aiohttp
import pytest

from belltower.clock import SECOND, SystemClock
from belltower.ids import DeliveryId, NoticeId
from belltower.values import Secret
from gateway.carrier.records import ACCOUNT, TOKEN
from notify.channels.channel import Message, Settled
from notify.channels.twilio_api import PAGE
from notify.channels.twilio_sms import TwilioSMS
from notify.channels.twilio_voice import TwilioVoice
from notify.settings import TwilioSettings, TwilioVoiceSettings
from tests.peers.carrier import carrier_peer
from tests.servers.smtp import peer

pytestmark = pytest.mark.peers

# What the description names in the forms of `CreateMessage` and `CreateCall`: a mock lets other names pass, and the
# service ignores them.
MESSAGE_FIELDS = frozenset(
    {
        *("To", "From", "MessagingServiceSid", "Body", "MediaUrl", "ContentSid", "ContentVariables"),
        *("StatusCallback", "ApplicationSid", "ValidityPeriod", "SendAt", "ScheduleType", "SmartEncoded"),
    }
)
CALL_FIELDS = frozenset(
    {
        *("To", "From", "Url", "Method", "Twiml", "ApplicationSid", "Timeout", "TimeLimit", "SendDigits"),
        *("StatusCallback", "StatusCallbackEvent", "StatusCallbackMethod", "MachineDetection"),
    }
)
# What it says of the statuses; every field of a resource may be null, and none is required.
MESSAGE_STATUSES = (
    *("queued", "sending", "sent", "failed", "delivered", "undelivered", "receiving", "received", "accepted"),
    *("scheduled", "read", "partially_delivered", "canceled"),
)
CALL_STATUSES = (
    "queued",
    "ringing",
    "in-progress",
    "completed",
    "busy",
    "failed",
    "no-answer",
    "canceled",
)
BACK = "https://bell.school.example/notices/callbacks/text/"
OWN_ADDRESS = "+15550100"


def message(**changes: object) -> Message:
    given = {
        "delivery": DeliveryId("dlv_1"),
        "notice": NoticeId("ntc_1"),
        "revision": 1,
        "address": OWN_ADDRESS,
        "body": "Jefferson: lock down. ñ & <more>",
        "language": "en",
        "begun_at": SystemClock().now(),
    }
    return Message(**{**given, **changes})


def channels(url: str) -> list[TwilioSMS | TwilioVoice]:
    """Texts from numbers, from a messaging service and under a name, and calls; with a way back and without."""
    common = {"account": ACCOUNT, "token": Secret(TOKEN), "base_url": url}
    senders = ["+15550001", "MG" + "c" * 32, "Jefferson"]
    texts = [TwilioSettings(from_=sender, also_from=("+15550002",), **common) for sender in senders]
    calls = TwilioVoiceSettings(from_="+15550001", also_from=("+15550002",), ring=20.0, **common)
    return [
        *(TwilioSMS(settings=each, callback_url=back) for each in texts for back in (BACK, "")),
        *(TwilioVoice(settings=calls, callback_url=back) for back in (BACK, "")),
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


@asynccontextmanager
async def opened(channel: TwilioSMS | TwilioVoice) -> AsyncIterator[TwilioSMS | TwilioVoice]:
    """The channel, closed again."""
    await channel.open()
    try:
        yield channel
    finally:
        await channel.close()


async def test_every_request_of_ours_is_taken() -> None:
    """And no answer to one is a surprise: that a mock gives it, null or not, says that it was taken."""
    async with judge() as url:
        for each in channels(url):
            async with opened(each) as channel:
                for number, language in enumerate(("en", "es")):
                    asked = message(number=number, language=language, ttl=86_400.0 * number)
                    answer = await channel.send(asked)
                    found = await channel.find(asked, known={"SM" + "0" * 32})
                    kind = "SM" if isinstance(channel, TwilioSMS) else "CA"
                    fetched = await channel.fetch(getattr(answer, "provider_id", "") or kind + "a" * 32)
                    told = await channel.fetch(answer.provider_id or "SM" + "0" * 32)

                    assert isinstance(answer, Settled), answer
                    assert isinstance(found, Settled | None)
                    assert isinstance(fetched, Settled | None)
                    assert isinstance(told, Settled | None)


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

    if os.environ.get("BELLTOWER_TWILIO_MOCK") and not all(400 <= status < 500 for status in statuses):
        pytest.skip(f"the mock that was given takes what the service refuses: {statuses}")
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
        for each in channels(f"http://127.0.0.1:{port}"):
            async with opened(each) as channel:
                await channel.send(message())

    for path, body in asked:
        names = [name for name, _ in parse_qsl(body.decode(), strict_parsing=True)]
        assert len(set(names)) == len(names)
        assert set(names) <= (MESSAGE_FIELDS if path.endswith("/Messages.json") else CALL_FIELDS)
    assert 8 == len(asked)


def shape(random: Random, prefix: str, statuses: tuple[str, ...]) -> dict[str, object]:
    """A resource as the description lets it be: any field null or left out."""
    texts = ["", "string", "+14155552345", "Thu, 24 Aug 2023 05:01:45 +0000", "¿漢? & <x>"]
    whole = {
        "sid": prefix + "".join(random.choices("0123456789abcdefABCDEF", k=32)),
        "status": random.choice(statuses),
        "error_code": random.randrange(100_000),
        "subresource_uris": {"media": "/2010-04-01/x"},
        **{
            name: random.choice(texts)
            for name in ("to", "from", "body", "date_created", "date_sent", "price")
        },
    }
    kept = [name for name in whole if random.random() < 0.7]
    return {name: whole[name] if random.random() < 0.7 else None for name in kept}


@asynccontextmanager
async def answering(status: int, answers: list[object]) -> AsyncIterator[str]:
    """A server that answers with these in turn, whatever it is asked."""
    turn = iter(answers)

    async def listen(reader, writer) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = head.lower().partition("content-length: ")[2].partition("\r\n")[0]
            await reader.readexactly(int(length or 0))
            body = json.dumps(next(turn)).encode()
            writer.write(b"HTTP/1.1 %d So\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))

    async with peer(listen) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.mark.parametrize(
    ("index", "prefix", "statuses"), [(0, "SM", MESSAGE_STATUSES), (-1, "CA", CALL_STATUSES)]
)
async def test_whatever_the_description_lets_be_answered_is_understood(
    index: int, prefix: str, statuses: tuple[str, ...]
) -> None:
    """What is created was taken, though its SID be null; ours is found in a list of such."""
    random = Random(2010)
    created = [{}, *(shape(random, prefix, statuses) for _ in range(200))]
    async with answering(201, created) as url, opened(channels(url)[index]) as channel:
        for one in created:
            answer = await channel.send(message())

            assert isinstance(answer, Settled), one
            assert (one.get("sid") or "") == answer.provider_id
    async with answering(200, created[1:]) as url, opened(channels(url)[index]) as channel:
        for one in created[1:]:
            fetched = await channel.fetch(one.get("sid") or prefix + "a" * 32)

            assert (one.get("sid") or "") == (fetched.provider_id if fetched is not None else "")

    asked = message()
    ours = {
        "sid": prefix + "1" * 32,
        "to": OWN_ADDRESS,
        "body": asked.body,
        "date_created": formatdate(asked.begun_at / SECOND),
        "status": None,
    }
    others = [[shape(random, prefix, statuses) for _ in range(random.randrange(20))] for _ in range(50)]
    name = "messages" if prefix == "SM" else "calls"
    lists = [{}, {name: []}, *({name: [*each, ours], "next_page_uri": None} for each in others)]
    async with answering(200, lists) as url, opened(channels(url)[index]) as channel:
        found = [await channel.find(asked, known=set()) for _ in lists]

    assert [None, None] == found[:2]
    assert [ours["sid"]] * len(others) == [each.provider_id for each in found[2:] if each is not None]


async def test_what_names_nothing_and_says_not_that_it_was_made_is_unknown() -> None:
    """As a portal between us and the provider may answer."""
    async with answering(200, [{}]) as url, opened(channels(url)[0]) as channel:
        assert "nameless:200" == (await channel.send(message())).reason


@pytest.mark.parametrize(("index", "octets"), [(0, 2_800), (-1, 3_200)])
async def test_a_page_of_the_largest_resources_is_read_whole(index: int, octets: int) -> None:
    """A call comes with the addresses of nine lists; a text of 300 letters of another script as six octets each."""
    asked = message()
    ours = {
        "sid": "1",
        "to": OWN_ADDRESS,
        "body": asked.body,
        "date_created": formatdate(asked.begun_at / SECOND),
    }
    name = "messages" if index == 0 else "calls"
    page = {name: [*({"sid": "x", "uri": "u" * octets} for _ in range(int(PAGE) - 1)), ours]}
    async with answering(200, [page]) as url, opened(channels(url)[index]) as channel:
        found = await channel.find(asked, known=set())

    assert isinstance(found, Settled)
