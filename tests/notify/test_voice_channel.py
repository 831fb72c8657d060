"""Calls: what is said, what a pressed key comes to, and what is known of a call that nobody answered for."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belltower.clock import SECOND, Instant, SystemClock
from belltower.errors import Malformed, NotVerified
from belltower.ids import DeliveryId, NoticeId, PersonId
from belltower.people.person import Contact, ContactKind, Person
from belltower.values import Secret
from gateway.carrier.records import ACCOUNT, TOKEN
from notify.channels.channel import Message, Refused, Settled, Uncertain
from notify.channels.console import Board
from notify.channels.spoken import key_report, spoken
from notify.channels.table import make_channels
from notify.channels.twilio_voice import TwilioVoice, TwilioVoiceReports
from notify.delivery import State
from notify.provider import Provider
from notify.settings import TwilioVoiceSettings
from notify.signature import sign
from tests.peers.carrier import CarrierPeer, carrier_peer
from tests.peers.desk import DeskOptions, desk, order
from tests.peers.waiting import PATIENCE

NUMBER = "+15550100"
BODY = 'Jefferson: lock down. Doors <closed> & "quiet".'
BACK = "https://bell.example/notices/callbacks/calls/"


def settings(url: str, **changes: object) -> TwilioVoiceSettings:
    given = {"timeout": 0.6, "base_url": url, **changes}
    return TwilioVoiceSettings(account=ACCOUNT, token=Secret(TOKEN), from_="+15550001", **given)


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


async def called(carrier: CarrierPeer, *, callback_url: str = "", **changes: object):
    """What one message came to, and the call."""
    channel = TwilioVoice(settings=settings(carrier.url), callback_url=callback_url)
    await channel.open()
    try:
        answer = await channel.send(message(**changes))
    finally:
        await channel.close()
    return answer, carrier.calls_to(NUMBER)


async def test_a_notice_is_said_twice_and_a_key_is_asked_for() -> None:
    """W27: twice, without an address; the words go out with the request, the key comes back to the delivery."""
    async with carrier_peer() as carrier:
        answer, (call,) = await called(carrier, callback_url=BACK)

    assert isinstance(answer, Settled)
    assert [BODY, BODY, "If you heard this message, press 1."] == call.said
    assert ["en-US"] * 3 == call.languages
    assert (BACK + "dlv_1", BACK + "dlv_1", 25) == (call.callback, call.key_to, call.ring)


async def test_a_call_speaks_although_nobody_can_reach_the_desk() -> None:
    """Without a way back no key is asked for, and the words are said all the same."""
    async with carrier_peer() as carrier:
        _, (call,) = await called(carrier, language="es")

    assert ([BODY, BODY], ["es-MX", "es-MX"], "") == (call.said, call.languages, call.key_to)


async def test_words_that_no_call_can_bear_are_refused() -> None:
    """Before a word to the provider."""
    async with carrier_peer() as carrier:
        answer, calls = await called(carrier, body="x" * 4_000)

    assert (Refused(reason="too_long"), []) == (answer, calls)


@pytest.mark.parametrize("language", ["en", "es", "es-US", "vi", ""])
def test_every_language_has_sentences_around_the_notice(language: str) -> None:
    """Those of its first part, or English ones."""
    assert spoken("es" if language.startswith("es") else "en") == spoken(language)


async def test_a_call_taken_without_an_answer_is_found() -> None:
    """The one that began meanwhile and belongs to no other delivery; where there are two, nothing is claimed."""
    async with carrier_peer() as carrier:
        channel = TwilioVoice(settings=settings(carrier.url))
        await channel.open()
        carrier.goes_wrong(lose_answer=True, accept_anyway=True)
        sent = message()
        assert isinstance(await channel.send(sent), Uncertain)
        (call,) = carrier.calls_to(NUMBER)

        found = await channel.find(sent, known=set())
        assert isinstance(found, Settled)
        assert call.sid == found.provider_id
        assert await channel.find(sent, known={call.sid}) is None
        long_ago = message(begun_at=Instant(SystemClock().now() - 60 * SECOND))
        assert await channel.find(long_ago, known=set()) is None
        await channel.send(message(2))
        assert await channel.find(sent, known=set()) is None
        await channel.close()


async def settled(
    folder: Path, port: int, expected: tuple[str, str], **faults: object
) -> tuple[list[str], str]:
    """What was said in a call to one Spanish reader, and the key; waits until the delivery is `expected`."""
    person = Person(
        id=PersonId("p1"),
        name="Ana",
        contacts=(Contact(kind=ContactKind.VOICE, address=NUMBER),),
        language="es",
    )
    async with carrier_peer(carrying=0.02) as carrier:
        carrier.goes_wrong(**faults)
        given = {"calls": settings(carrier.url, rate=50.0)}
        channels = make_channels(
            given, public_url=f"http://127.0.0.1:{port}", board=Board(), clock=SystemClock()
        )
        options = DeskOptions(database=str(folder / "desk.db"), callback_port=port)
        async with desk(options, people={person.id: person}, channels=channels) as running:
            await running.is_ordered(order())
            async with asyncio.timeout(PATIENCE):
                while True:
                    rows = [(row.state, row.reason) for row in await running.rows()]
                    (call,) = carrier.calls_to(NUMBER) or [None]
                    over = (
                        rows == [expected] and call is not None and (not call.pressed or len(call.said) == 4)
                    )
                    heard = await running.database.read("SELECT acknowledged_at > 0 FROM notice_delivery")
                    if over and heard == [(int(call.pressed == "1"),)]:
                        return call.said, call.pressed
                    await asyncio.sleep(0.02)  # rows ring no bell


async def test_key_1_says_heard_and_is_thanked_for(tmp_path: Path, unused_tcp_port: int) -> None:
    """More than that the call was taken: somebody understood; in the language of the reader."""
    said, key = await settled(tmp_path, unused_tcp_port, ("read", "key:1"))

    assert "1" == key
    assert ["Si escuchó este mensaje, oprima 1.", "Gracias. Adiós."] == said[2:]


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        ({"key": ""}, ("delivered", "completed")),
        ({"key": "7"}, ("delivered", "key:7")),
        ({"calls": "machine"}, ("delivered", "completed")),
        ({"calls": "busy"}, ("refused", "busy")),
        ({"calls": "no-answer"}, ("refused", "no-answer")),
    ],
)
async def test_what_became_of_a_call_is_known(
    tmp_path: Path, unused_tcp_port: int, faults: dict, expected: tuple[str, str]
) -> None:
    """Taken is not heard, and nobody answering is a reason to try another way."""
    await settled(tmp_path, unused_tcp_port, expected, **faults)


def test_only_the_provider_can_press_a_key() -> None:
    """A forged press, one for another delivery, and what is no form, count for nothing."""
    reports = TwilioVoiceReports(public_url="https://bell.example", token=TOKEN)
    path, form = "/notices/callbacks/calls/dlv_1", [("CallSid", "CA1"), ("Digits", "1")]
    good = {"X-Twilio-Signature": sign("https://bell.example" + path, form, TOKEN)}

    report = reports.read(path, good, b"CallSid=CA1&Digits=1")
    assert (State.READ, "key:1", "CA1", "1") == (
        report.state,
        report.reason,
        report.provider_id,
        report.key,
    )
    for other, headers, body in (
        (path, {}, b"CallSid=CA1&Digits=1"),
        (path + "2", good, b"CallSid=CA1&Digits=1"),
        (path, good, b"CallSid=CA2&Digits=1"),
    ):
        with pytest.raises(NotVerified):
            reports.read(other, headers, body)
    with pytest.raises(Malformed):
        reports.read(path, good, b"\xff=1")


@given(st.text(max_size=5))
def test_only_key_1_says_heard(digits: str) -> None:
    """Whatever is pressed; and no more of it is kept than one digit."""
    report = key_report(digits, provider_id="")

    assert (report.state is State.READ) == digits.startswith("1")
    assert report.key in {*"0123456789", "other"}


def test_a_provider_of_calls_keeps_its_pace_and_bears_its_reports() -> None:
    """As the settings say."""
    given = {"calls": settings("https://api.twilio.com", also_from=("+15550002",), rate=2.0)}

    (made,) = make_channels(given, public_url="https://bell.example/", board=Board(), clock=SystemClock())

    assert isinstance(made, Provider)
    assert ("voice", 2.0, 2) == (made.channel.name, made.pace.per_second, made.pace.numbers)
    assert isinstance(made.reports, TwilioVoiceReports)
    assert BACK == made.channel._callback_url
