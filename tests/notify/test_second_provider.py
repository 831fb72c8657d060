"""The second provider of texts and calls: what it is asked, what it says, whom it is believed, when it takes over."""

import asyncio
import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belltower.clock import SECOND, Instant, SystemClock
from belltower.errors import Malformed, NotVerified, SettingsError
from belltower.ids import DeliveryId, NoticeId, PersonId
from belltower.people.person import Contact, ContactKind, Person
from belltower.values import Secret
from gateway.carrier.records import ACCOUNT, APPLICATION, TOKEN
from gateway.settings import load
from notify.channels.channel import Later, Message, Refused, Settled, Uncertain
from notify.channels.console import Board
from notify.channels.table import make_channels
from notify.channels.vonage_api import Way
from notify.channels.vonage_sms import VonageInbox, VonageSMS, VonageSMSReports
from notify.channels.vonage_voice import VonageVoice, VonageVoiceReports
from notify.delivery import State
from notify.settings import TwilioSettings, VonageSettings, VonageVoiceSettings
from tests.peers.application import application, keys
from tests.peers.carrier import CarrierPeer, carrier_peer
from tests.peers.desk import DeskOptions, desk, order, staff
from tests.peers.waiting import PATIENCE

NUMBER = "+15550100"
BODY = "Jefferson: lock down. ñ"
BACK = "https://bell.example/notices/callbacks/text-2/"
WAY = Way(report_to=BACK, secret=TOKEN, application=APPLICATION)


def message(n: int = 1, **changes: object) -> Message:
    given = {
        "delivery": DeliveryId(f"dlv_{n}"),
        "notice": NoticeId("ntc_1"),
        "revision": 1,
        "address": NUMBER,
        "body": BODY,
        "language": "en",
        "begun_at": SystemClock().now(),
    }
    return Message(**{**given, **changes})


def channel(kind: str, carrier: CarrierPeer, way: Way = WAY, **changes: object):
    settings = application(base_url=carrier.url, **changes)
    if kind == "sms":
        return VonageSMS(settings=VonageSettings(**settings), way=way, clock=SystemClock())
    return VonageVoice(settings=VonageVoiceSettings(**settings), way=way, clock=SystemClock())


async def sent(kind: str, carrier: CarrierPeer, **changes: object):
    made = channel(kind, carrier, **changes)
    await made.open()
    try:
        return await made.send(message())
    finally:
        await made.close()


async def test_a_text_bears_sender_report_and_validity() -> None:
    """Its token is signed by the application's key, and its numbers have no plus."""
    async with carrier_peer(application_key=keys()[1]) as carrier:
        answer = await sent("sms", carrier)

    (text,) = carrier.phone(NUMBER)
    assert Settled(state=State.ACCEPTED, provider_id=text.sid, reason="submitted") == answer
    assert ("15550120", BODY, 600) == (text.sender, text.body, text.validity)
    assert text.callback.startswith(BACK + "dlv_1?by=")


async def test_a_call_says_the_words_twice_and_asks_for_a_key() -> None:
    """And speaks without one where nobody can be told of it."""
    async with carrier_peer(application_key=keys()[1]) as carrier:
        await sent("voice", carrier)
        await sent("voice", carrier, way=Way(report_to="", secret="", application=APPLICATION))
    asking, plain = carrier.calls_to(NUMBER)

    assert [BODY, BODY, "If you heard this message, press 1."] == asking.said
    assert ["en-US"] * 3 == asking.languages
    assert asking.key_to == asking.callback
    assert ([BODY, BODY], "", "") == (plain.said, plain.key_to, plain.callback)


@pytest.mark.parametrize("kind", ["sms", "voice"])
@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        ({"status": 429, "retry_after": 7}, Later(reason="provider:429", after=7.0, everyone=True)),
        ({"status": 401}, Later(reason="account:401", after=10.0, everyone=True)),
        ({"status": 402}, Later(reason="account:402", after=10.0, everyone=True)),
        ({"status": 422}, Refused(reason="provider:422", elsewhere=True)),
        ({"status": 500}, Uncertain(reason="http:500")),
        ({"garbage": True}, Uncertain(reason="unreadable:201")),
        ({"redirect": True}, Later(reason="redirect:307", everyone=True)),
        ({"flood": True}, Uncertain(reason="unreadable:201")),
        ({"lose_answer": True}, Uncertain(reason="no_answer:timeout")),
    ],
)
async def test_what_the_provider_says_is_understood(kind: str, faults: dict, expected: object) -> None:
    """Definite answers are definite, all others are not."""
    async with carrier_peer() as carrier:
        carrier.goes_wrong(**faults)

        assert expected == await sent(kind, carrier)


@pytest.mark.parametrize("kind", ["sms", "voice"])
async def test_a_number_that_is_none_is_refused_for_good(kind: str) -> None:
    """By every provider alike; a wrong key by this one only."""
    async with carrier_peer() as carrier:
        made = channel(kind, carrier)
        await made.open()
        assert Refused(reason="provider:422") == await made.send(message(address="+12"))
        await made.close()
        wrong = channel(kind, carrier, private_key=Secret("no key"))
        await wrong.open()
        assert Later(reason="settings", everyone=True) == await wrong.send(message())


async def test_a_call_taken_without_an_answer_is_found() -> None:
    """The one that began meanwhile; where there are two, or none, nothing is claimed."""
    async with carrier_peer() as carrier:
        made = channel("voice", carrier)
        await made.open()
        carrier.goes_wrong(lose_answer=True, accept_anyway=True)
        asked = message()
        assert isinstance(await made.send(asked), Uncertain)
        (call,) = carrier.calls_to(NUMBER)

        found = await made.find(asked, known=set())
        assert isinstance(found, Settled)
        assert call.sid == found.provider_id
        assert await made.find(asked, known={call.sid}) is None
        long_ago = message(begun_at=Instant(SystemClock().now() - 60 * SECOND))
        assert await made.find(long_ago, known=set()) is None
        await made.send(message(2))
        assert await made.find(asked, known=set()) is None
        await made.close()


def bearer(body: bytes, secret: str = TOKEN, algorithm: str = "HS256", **claims: object) -> dict[str, str]:
    """The header that goes with a report."""

    def part(octets: bytes) -> str:
        return urlsafe_b64encode(octets).decode().rstrip("=")

    said = {"payload_hash": hashlib.sha256(body).hexdigest(), "application_id": APPLICATION, **claims}
    text = f"{part(json.dumps({'alg': algorithm}).encode())}.{part(json.dumps(said).encode())}"
    digest = hmac.digest(secret.encode(), text.encode(), "sha256")
    return {"Authorization": f"Bearer {text}.{part(digest)}"}


PATH = WAY.to(DeliveryId("dlv_1")).removeprefix("https://bell.example")
GOOD = b'{"message_uuid": "m1", "status": "delivered"}'


def test_a_signed_report_is_believed() -> None:
    """State, reason, the provider's id, and the delivery that its address was given out for."""
    reports = VonageSMSReports(way=WAY)

    report = reports.read(PATH, bearer(GOOD), GOOD)
    failed = b'{"message_uuid": "m1", "status": "undeliverable", "error": {"title": "1340"}}'

    assert (State.DELIVERED, "delivered", "m1", "dlv_1") == (
        report.state,
        report.reason,
        report.provider_id,
        report.delivery,
    )
    assert "provider:1340" == reports.read(PATH, bearer(failed), failed).reason
    stopped = failed.replace(b'"1340"', b'1050, "detail": "The number has opted out of messages"')
    assert "opted_out" == reports.read(PATH, bearer(stopped), stopped).reason


@pytest.mark.parametrize(
    ("path", "headers", "body"),
    [
        (PATH, {}, GOOD),
        (PATH, {"Authorization": "Bearer a.b.c"}, GOOD),
        (PATH, {"Authorization": "Bearer ñ.ñ.ñ"}, GOOD),
        (PATH, bearer(GOOD, secret="another"), GOOD),
        (PATH, bearer(GOOD, secret=""), GOOD),
        (PATH, bearer(GOOD, algorithm="none"), GOOD),
        (PATH, bearer(GOOD, application_id="another"), GOOD),
        (PATH, bearer(GOOD, payload_hash="0" * 64), GOOD),
        (PATH, bearer(GOOD), GOOD + b" "),
        (PATH.replace("dlv_1", "dlv_2"), bearer(GOOD), GOOD),
        (PATH.partition("?")[0], bearer(GOOD), GOOD),
        (PATH + "&x=1", bearer(GOOD), GOOD),
    ],
)
def test_no_other_report_is(path: str, headers: dict, body: bytes) -> None:
    """Not a forged one, not one for another text, not one under the address of another delivery."""
    with pytest.raises(NotVerified):
        VonageSMSReports(way=WAY).read(path, headers, body)


@given(st.binary(max_size=200))
def test_a_signed_report_that_is_none_is_malformed(body: bytes) -> None:
    """Whatever it holds."""
    for reports in (VonageSMSReports(way=WAY), VonageVoiceReports(way=WAY)):
        with pytest.raises(Malformed):
            reports.read(PATH, bearer(body), body)


def test_an_answer_is_read_once_it_is_signed() -> None:
    """From which number, in which words."""
    inbox = VonageInbox(secret=TOKEN, application=APPLICATION)
    body = b'{"message_uuid": "m7", "from": "15550100", "to": "15550120", "text": "1", "channel": "sms"}'

    incoming = inbox.read("/", bearer(body), body)

    assert ("m7", "sms", NUMBER, "1") == (incoming.message, incoming.channel, incoming.address, incoming.text)
    with pytest.raises(NotVerified):
        inbox.read("/", {}, body)
    nobody = b'{"message_uuid": "m7", "from": "ALERT", "text": "1"}'
    with pytest.raises(Malformed):
        inbox.read("/", bearer(nobody), nobody)


def providers(carrier: CarrierPeer, port: int):
    """Two for texts, one for calls."""
    second = application(base_url=carrier.url, rate=50.0)
    given = {
        "text": TwilioSettings(
            account=ACCOUNT, token=Secret("wrong"), from_="+15550001", base_url=carrier.url, rate=50.0
        ),
        "text-2": VonageSettings(order=2, **second),
        "calls": VonageVoiceSettings(**second),
    }
    return make_channels(given, public_url=f"http://127.0.0.1:{port}", board=Board(), clock=SystemClock())


async def test_the_second_provider_takes_over_and_reports(tmp_path: Path, unused_tcp_port: int) -> None:
    """The first one's account is closed: every text goes by the second one, once, and is known to be delivered."""
    options = DeskOptions(database=str(tmp_path / "desk.db"), callback_port=unused_tcp_port)
    async with carrier_peer(carrying=0.01, application_key=keys()[1]) as carrier:
        people = staff(10, kinds=("sms",))
        async with desk(options, people=people, channels=providers(carrier, unused_tcp_port)) as running:
            await running.is_ordered(order())
            async with asyncio.timeout(PATIENCE):
                while (await running.count())["delivered"] < 10:  # noqa: ASYNC110 - rows ring no bell
                    await asyncio.sleep(0.02)
            by = await running.database.read("SELECT DISTINCT provider FROM notice_delivery")

        assert [("text-2",)] == by
        assert [1] * 10 == [len(carrier.phone(one.contacts[0].address)) for one in people.values()]


async def test_a_key_pressed_in_a_call_of_the_second_provider_counts(
    tmp_path: Path, unused_tcp_port: int
) -> None:
    """It is written down, and thanked for in the reader's language."""
    options = DeskOptions(database=str(tmp_path / "desk.db"), callback_port=unused_tcp_port)
    contacts = (Contact(kind=ContactKind.VOICE, address=NUMBER),)
    ana = Person(id=PersonId("p1"), name="Ana", contacts=contacts, language="es")
    async with carrier_peer(carrying=0.01) as carrier:
        made = providers(carrier, unused_tcp_port)
        async with desk(options, people={ana.id: ana}, channels=made) as running:
            await running.is_ordered(order())
            async with asyncio.timeout(PATIENCE):
                while True:
                    (call,) = carrier.calls_to(NUMBER) or [None]
                    if call is not None and len(call.said) == 4:
                        break
                    await asyncio.sleep(0.02)
            rows = await running.database.read(
                "SELECT state, reason, acknowledged_at > 0 FROM notice_delivery"
            )

    assert [("read", "key:1", 1)] == rows
    assert "Gracias. Adiós." == call.said[3]


def test_settings_name_what_is_wrong(tmp_path: Path) -> None:
    """An application's id that is none, and a sender that nobody may have."""
    (tmp_path / "key").write_text("k")
    file = tmp_path / "config.toml"
    file.write_text(
        '[notify.channels.text]\nkind = "vonage"\napplication = "mine"\nprivate_key = { file = "key" }\n'
        'from = "A name that is too long"\n'
    )

    with pytest.raises(SettingsError) as error:
        load(file, environ={})

    assert "notify.channels.text.application" in str(error.value)
    assert "notify.channels.text.from" in str(error.value)
