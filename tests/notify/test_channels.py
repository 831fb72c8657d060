"""One suite over all channels: the obligations of `Channel`, against real servers and hostile ones."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from belltower.clock import SECOND, Instant, SystemClock
from belltower.errors import NotAsked, NotFound, SettingsError, StoreError, Unreachable
from belltower.ids import DeliveryId, IncidentId, NoticeId
from belltower.values import Secret
from gateway.carrier.records import ACCOUNT, APPLICATION, TOKEN
from notify.channels.apprise_chat import AppriseChat
from notify.channels.channel import Answer, Channel, Later, Message, Refused, Settled, Uncertain
from notify.channels.console import Board, ConsoleChannel
from notify.channels.outputs import OutputChannel
from notify.channels.push_web import WebPush
from notify.channels.smtp import SMTPChannel
from notify.channels.table import make_channels
from notify.channels.twilio_sms import TwilioSMS
from notify.channels.twilio_voice import TwilioVoice
from notify.channels.vonage_api import Way
from notify.channels.vonage_sms import VonageSMS
from notify.channels.vonage_voice import VonageVoice
from notify.delivery import State
from notify.settings import (
    AppriseSettings,
    ConsoleSettings,
    RoomSettings,
    SMTPSettings,
    TwilioSettings,
    TwilioVoiceSettings,
    VonageSettings,
    VonageVoiceSettings,
    WebPushSettings,
)
from tests.peers.application import application
from tests.peers.carrier import carrier_peer
from tests.peers.chat import chat_room
from tests.peers.push import browser, push_service, sender_key
from tests.servers.smtp import drop_after_dot, mail_server, peer, silence, tarpit

ADDRESSES = {
    "sms": "+15550100",
    "voice": "+15550100",
    "sms-2": "+15550100",
    "voice-2": "+15550100",
    "chat": "office",
    "email": "teacher@school.example",
    "push": "",
    "paging": "gym",
    "sign": "gym",
    "console": "office",
}
DEADLINE = 2.0
FOR_EVER = 30
"""Seconds in which a busy machine has surely seen a deadline pass, and a far end that is silent has said nothing."""
BROWSER = browser()


class AlarmLane:
    """Outputs whose lane does as it is told; `raises` is what it does instead."""

    names = frozenset({"gym"})

    def __init__(self, raises: Exception | None = None) -> None:
        self.raises = raises
        self.ordered: list[tuple[str, str, str]] = []

    async def order_output(self, verb_id, incident, output) -> None:
        self.ordered.append((verb_id, incident, output))
        if self.raises is not None:
            raise self.raises


def message(kind: str, n: int = 1, **changes: object) -> Message:
    given = {
        "delivery": DeliveryId(f"dlv_{n}"),
        "notice": NoticeId("ntc_1"),
        "revision": 1,
        "address": ADDRESSES[kind],
        "subject": "Jefferson: ALARM at B 204",
        "body": "Jefferson: ALARM at B 204, 09:14. ñandú & more",
        "incident": IncidentId("inc_1"),
        "ordered_at": Instant(1_700_000_000_000_000),
        "template": "staff-alarm",
    }
    return Message(**{**given, **changes})


def sms(url: str, **changes: object) -> TwilioSMS:
    settings = TwilioSettings(
        account=ACCOUNT, token=Secret(TOKEN), from_="+15550001", base_url=url, timeout=DEADLINE
    )
    return TwilioSMS(settings=settings, **changes)


def voice(url: str, **changes: object) -> TwilioVoice:
    settings = TwilioVoiceSettings(
        account=ACCOUNT, token=Secret(TOKEN), from_="+15550001", base_url=url, timeout=DEADLINE
    )
    return TwilioVoice(settings=settings, **changes)


def sms_2(url: str) -> VonageSMS:
    way = Way(report_to="", secret="", application=APPLICATION)
    return VonageSMS(
        settings=VonageSettings(**application(base_url=url, timeout=DEADLINE)), way=way, clock=SystemClock()
    )


def voice_2(url: str) -> VonageVoice:
    way = Way(report_to="", secret="", application=APPLICATION)
    return VonageVoice(
        settings=VonageVoiceSettings(**application(base_url=url, timeout=DEADLINE)),
        way=way,
        clock=SystemClock(),
    )


TWILIO = {"sms": sms, "voice": voice}
OVER_HTTP = {**TWILIO, "sms-2": sms_2, "voice-2": voice_2}


def chat(url: str) -> AppriseChat:
    rooms = {"office": RoomSettings(url=Secret(url.replace("http://", "json://")))}
    return AppriseChat(settings=AppriseSettings(rooms=rooms, timeout=DEADLINE))


def push(url: str) -> WebPush:
    """A browser's push service at `url`; `message` then bears its subscription."""
    settings = WebPushSettings(
        private_key=Secret(sender_key()),
        contact="mailto:it@school.example",
        services=("127.0.0.1", "nowhere.invalid"),
        timeout=DEADLINE,
    )
    ADDRESSES["push"] = BROWSER.address(f"{url}/push/b1")
    return WebPush(settings=settings, clock=SystemClock(), plain=True)


def email(port: int, **changes: object) -> SMTPChannel:
    settings = SMTPSettings(
        host="127.0.0.1", port=port, from_="bell@school.example", security="none", timeout=DEADLINE, **changes
    )
    return SMTPChannel(settings=settings)


@asynccontextmanager
async def opened(channel: Channel) -> AsyncIterator[Channel]:
    await channel.open()
    try:
        yield channel
    finally:
        await channel.close()


@asynccontextmanager
async def towards(kind: str, behave) -> AsyncIterator[Channel]:
    """A channel whose other side behaves like that."""
    async with peer(behave) as port:
        over_http = {**OVER_HTTP, "chat": chat, "push": push}
        channel = over_http[kind](f"http://127.0.0.1:{port}") if kind in over_http else email(port)
        async with opened(channel):
            yield channel


@asynccontextmanager
async def healthy(kind: str) -> AsyncIterator[Channel]:
    async with carrier_peer() as carrier:
        if kind == "push":
            async with (
                push_service(BROWSER) as endpoint,
                opened(push(endpoint.removesuffix("/push/b1"))) as channel,
            ):
                yield channel
            return
        if kind == "chat":
            async with chat_room() as room, opened(chat(room.url)) as channel:
                yield channel
            return
        channels = {
            "sms": sms(carrier.url),
            "voice": voice(carrier.url),
            "sms-2": sms_2(carrier.url),
            "voice-2": voice_2(carrier.url),
            "email": email(carrier.smtp_port),
            "paging": OutputChannel(name="paging", outputs=AlarmLane()),
            "sign": OutputChannel(name="sign", outputs=AlarmLane()),
            "console": ConsoleChannel(board=Board(), clock=SystemClock()),
        }
        async with opened(channels[kind]) as channel:
            yield channel


@pytest.mark.parametrize("kind", list(ADDRESSES))
async def test_a_healthy_other_side_takes_it(kind: str) -> None:
    """Accepted, or more; and again over the same connection."""
    async with healthy(kind) as channel:
        assert kind.partition("-")[0] == channel.name
        for n in range(3):
            answer = await channel.send(message(kind, n))
            assert isinstance(answer, Settled)
            assert answer.state in {State.ACCEPTED, State.DELIVERED}


async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


@pytest.mark.parametrize(
    ("kind", "behave", "expected"),
    [
        *(
            (kind, behave, Uncertain)
            for kind in [*OVER_HTTP, "chat"]
            for behave in (silence, tarpit, closing)
        ),
        *(("email", behave, Later) for behave in (silence, tarpit, closing)),
        ("email", drop_after_dot, Uncertain),
    ],
)
async def test_silence_is_uncertain_once_the_message_left(kind: str, behave, expected: type) -> None:
    """And only `Later` where it surely did not leave; always within the deadline."""
    async with towards(kind, behave) as channel:
        async with asyncio.timeout(FOR_EVER):
            answer = await channel.send(message(kind))

        assert isinstance(answer, expected)


@pytest.mark.parametrize("kind", [*OVER_HTTP, "email"])
async def test_nobody_listening_means_later(kind: str, unused_tcp_port: int) -> None:
    """A refused connection or an unknown name: nothing left the house, and all messages fare alike."""
    for channel in (
        OVER_HTTP[kind](f"http://127.0.0.1:{unused_tcp_port}")
        if kind in OVER_HTTP
        else email(unused_tcp_port),
        OVER_HTTP[kind]("http://nowhere.invalid") if kind in OVER_HTTP else _email_to("nowhere.invalid"),
    ):
        async with opened(channel):
            answer = await channel.send(message(kind))

            assert isinstance(answer, Later)
            assert answer.everyone


def _email_to(host: str) -> SMTPChannel:
    return SMTPChannel(settings=SMTPSettings(host=host, from_="bell@school.example", timeout=DEADLINE))


@pytest.mark.parametrize("kind", [*OVER_HTTP, "chat", "push", "email"])
async def test_a_wait_can_be_cancelled(kind: str) -> None:
    """Shutdown does not hang on a provider."""
    async with towards(kind, silence) as channel:
        task = asyncio.ensure_future(channel.send(message(kind)))  # noqa: TID251
        await asyncio.sleep(0.05)
        task.cancel()
        async with asyncio.timeout(FOR_EVER):
            with pytest.raises(asyncio.CancelledError):
                await task


@pytest.mark.parametrize("kind", [*OVER_HTTP, "chat", "push", "email"])
@pytest.mark.parametrize("behave", [silence, closing, drop_after_dot])
async def test_no_secret_address_or_text_leaks(kind: str, behave, caplog) -> None:
    """Neither into the reason nor into the log."""
    async with towards(kind, behave) as channel:
        with capture_logs() as logs:
            answer = await channel.send(message(kind))

        told = repr(answer) + repr(logs) + caplog.text
        for secret in (TOKEN, ADDRESSES[kind], "ALARM", "127.0.0.1"):
            assert secret not in told


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        ({"status": 429}, Later(reason="provider:20429", everyone=True)),
        ({"status": 429, "retry_after": 7}, Later(reason="provider:20429", after=7.0, everyone=True)),
        ({"status": 401, "code": 20003}, Later(reason="account:20003", after=10.0, everyone=True)),
        ({"status": 400, "code": 21612}, Refused(reason="provider:21612", elsewhere=True)),
        ({"status": 500}, Uncertain(reason="http:500")),
        ({"status": 503}, Uncertain(reason="http:503")),
        ({"garbage": True}, Uncertain(reason="unreadable:201")),
        ({"flood": True}, Uncertain(reason="unreadable:201")),
        ({"redirect": True}, Later(reason="redirect:307", everyone=True)),
    ],
)
@pytest.mark.parametrize("kind", TWILIO)
async def test_what_the_carrier_says_is_understood(kind: str, faults: dict, expected: object) -> None:
    """Definite answers are definite, all others are not."""
    async with carrier_peer() as carrier, opened(OVER_HTTP[kind](carrier.url)) as channel:
        carrier.goes_wrong(**faults)

        assert expected == await channel.send(message(kind))


async def test_a_number_that_said_stop_is_refused() -> None:
    """By the carrier, for good."""
    async with carrier_peer() as carrier, opened(sms(carrier.url)) as channel:
        carrier.goes_wrong(stopped=["+15550100"])

        assert Refused(reason="provider:21610") == await channel.send(message("sms"))


@pytest.mark.parametrize(
    "faults",
    [{"trickle": True}, {"lose_answer": True}, {"slow": 5.0}, {"reset": True}],
)
async def test_the_deadline_holds_however_slowly_the_carrier_answers(faults: dict) -> None:
    """An octet a second, no answer, a late one, a cut: uncertain, in time, and the next message goes through."""
    async with carrier_peer() as carrier, opened(sms(carrier.url)) as channel:
        carrier.goes_wrong(**faults)
        async with asyncio.timeout(FOR_EVER):
            assert isinstance(await channel.send(message("sms")), Uncertain)
        carrier.is_well()
        assert isinstance(await channel.send(message("sms", 2)), Settled)


@pytest.mark.parametrize("faults", [{}, {"lose_answer": True}, {"reset": True}], ids=repr)
async def test_what_begins_without_a_wait_is_answered_as_what_is_waited_for(faults: dict) -> None:
    """It begins only where a connection rests, and only one message on each."""
    async with carrier_peer() as carrier, opened(sms(carrier.url)) as channel:
        answers: asyncio.Queue[Answer] = asyncio.Queue()
        assert not channel.begin(message("sms"), answers.put_nowait)
        await channel.send(message("sms"))
        carrier.goes_wrong(**faults)
        assert channel.begin(message("sms", 2), answers.put_nowait)
        assert not channel.begin(message("sms", 3), answers.put_nowait)
        async with asyncio.timeout(FOR_EVER):
            answer = await answers.get()

    assert (Uncertain if faults else Settled) is type(answer)
    assert answers.empty()


async def test_the_end_of_a_channel_answers_what_is_under_way() -> None:
    """Nobody waits for it who could be told otherwise; and nothing begins any more."""
    answers: list[Answer] = []
    async with carrier_peer() as carrier, opened(sms(carrier.url)) as channel:
        await channel.send(message("sms"))
        carrier.goes_wrong(slow=FOR_EVER)
        assert channel.begin(message("sms", 2), answers.append)
        await channel.close()
        assert [Uncertain(reason="no_answer:closed")] == answers
        assert not channel.begin(message("sms", 3), answers.append)


async def test_a_message_taken_without_an_answer_is_found() -> None:
    """By address, exact text and time; not one that belongs to another delivery, or to another week."""
    async with carrier_peer() as carrier, opened(sms(carrier.url)) as channel:
        now = SystemClock().now()
        tried = message("sms", begun_at=now)
        first = await channel.send(tried)
        assert isinstance(first, Settled)
        assert None is await channel.find(tried, known={first.provider_id})
        assert None is await channel.find(message("sms", body="another", begun_at=now), known=set())
        carrier.goes_wrong(lose_answer=True, accept_anyway=True)
        assert isinstance(await channel.send(tried), Uncertain)

        found = await channel.find(tried, known={first.provider_id})
        week = 7 * 24 * 3_600 * SECOND
        for begun_at in (now - week, now + week):
            later = message("sms", begun_at=begun_at)
            assert None is await channel.find(later, known={first.provider_id})
        assert None is await channel.find(tried, known=set())  # one of two

        assert isinstance(found, Settled)
        assert found.provider_id != first.provider_id


async def test_a_short_message_bears_sender_callback_and_validity() -> None:
    """What the carrier needs to report and to stop in time."""
    async with carrier_peer() as carrier:
        callback = "http://127.0.0.1:1/notices/callbacks/sms/"
        async with opened(sms(carrier.url, callback_url=callback)) as channel:
            await channel.send(message("sms", ttl=42.9))

        (text,) = carrier.phone("+15550100")
        assert ("+15550001", callback + "dlv_1", 42) == (text.sender, text.callback, text.validity)
        assert "Jefferson: ALARM at B 204, 09:14. ñandú & more" == text.body


@pytest.mark.parametrize(
    ("raises", "expected"),
    [
        (None, Settled(reason="ordered", provider_id="inc_1/gym")),
        (NotFound("it is closed"), Refused(reason="alarm_lane:NotFound")),
        (NotAsked("it is away"), Later(reason="alarm_lane:away", everyone=True)),
        (Unreachable("it is silent"), Uncertain(reason="alarm_lane:Unreachable")),
        (StoreError("its disk"), Uncertain(reason="alarm_lane:StoreError")),
    ],
)
async def test_what_the_alarm_lane_says_of_an_output_is_understood(raises, expected: object) -> None:
    """And what may have been done is never ordered again: much may have ended since."""
    lane = AlarmLane(raises)
    channel = OutputChannel(name="paging", outputs=lane)

    assert expected == await channel.send(message("paging"))
    lane.raises = None
    assert None is await channel.find(message("paging"), known=set())
    assert [("output:dlv_1", "inc_1", "gym")] == lane.ordered


@pytest.mark.parametrize(
    "template",
    ["staff-correction", "staff-closed", "families.lockdown.cleared", "families-correction", "test", ""],
)
async def test_an_output_is_not_ordered_by_a_notice_that_takes_back_or_ends(template: str) -> None:
    """It would say again what stands, and the correction would be its opposite."""
    lane = AlarmLane()
    channel = OutputChannel(name="paging", outputs=lane)

    assert Refused(reason="output_cannot_say_this") == await channel.send(
        message("paging", template=template)
    )
    assert [] == lane.ordered


async def test_an_output_says_nothing_that_belongs_to_no_incident() -> None:
    """It has no words for it; nor is an output ordered that the settings do not know."""
    lane = AlarmLane()
    channel = OutputChannel(name="sign", outputs=lane)

    assert Refused(reason="no_incident") == await channel.send(message("sign", incident=""))
    assert Refused(reason="address") == await channel.send(message("sign", address="roof"))
    assert [] == lane.ordered


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        ({"smtp": "rcpt", "smtp_code": 451}, Later(reason="smtp:451")),
        ({"smtp": "rcpt", "smtp_code": 550}, Refused(reason="smtp:550")),
        ({"smtp": "data", "smtp_code": 452}, Later(reason="smtp:452")),
        ({"smtp": "data", "smtp_code": 554}, Refused(reason="smtp:554")),
        ({"smtp": "mail", "smtp_code": 451}, Later(reason="smtp:451", everyone=True)),
        ({"smtp": "mail", "smtp_code": 553}, Later(reason="smtp:553", everyone=True)),
    ],
)
async def test_what_the_mail_server_says_is_understood(faults: dict, expected: object) -> None:
    """4yz asks to try again, 5yz not to; the connection serves the next message."""
    async with carrier_peer() as carrier, opened(email(carrier.smtp_port)) as channel:
        carrier.goes_wrong(**faults)
        assert expected == await channel.send(message("email"))
        carrier.is_well()

        assert Settled(reason="smtp:250") == await channel.send(message("email", 2))


async def test_a_mail_is_whole_and_its_message_id_is_the_deliverys_own() -> None:
    """Each recipient alone, the same Message-ID at every try."""
    async with mail_server() as (mailbox, port), opened(email(port)) as channel:
        await channel.send(message("email", 1))
        await channel.send(message("email", 2, address="other@school.example"))

    (to, first), (other, second) = mailbox.mails
    assert ("teacher@school.example", "other@school.example") == (to, other)
    assert b"Message-ID: <dlv_1@school.example>" in first
    assert b"To: other@school.example" in second
    assert b"teacher@" not in second
    assert b"Subject: Jefferson: ALARM at B 204" in second


@pytest.mark.parametrize(
    "address", ["", "no at", "a@b\r\nRCPT TO:<x@y>", "a@b>", "ä@b.example", "a" * 65 + "@b"]
)
async def test_an_impossible_mailbox_is_refused_without_a_word_to_the_server(address: str) -> None:
    """No header and no command can be smuggled in."""
    async with opened(email(1)) as channel:
        assert Refused(reason="address") == await channel.send(message("email", address=address))


async def test_an_idle_connection_that_the_server_closed_is_replaced() -> None:
    """The next message does not suffer from it."""
    async with mail_server() as (_, port), opened(email(port)) as channel:
        await channel.send(message("email", 1))
        channel._idle[0].close()
        await asyncio.sleep(0)

        assert isinstance(await channel.send(message("email", 2)), Settled)


def test_settings_make_channels() -> None:
    """One of each kind; the carrier reports to the public address."""
    twilio = TwilioSettings(account=ACCOUNT, token=Secret(TOKEN), from_="+15550001", rate=3.0)
    given = {
        "text": twilio,
        "mail": SMTPSettings(host="m", from_="a@b.example"),
        "screens": ConsoleSettings(),
    }

    made = make_channels(given, public_url="https://bell.example", board=Board(), clock=SystemClock())

    assert ["sms", "email", "console"] == [one.channel.name for one in made]
    assert ["text", "mail", "screens"] == [one.name for one in made]
    assert 3.0 == made[0].pace.per_second
    assert made[0].channel._callback.endswith("bell.example%2Fnotices%2Fcallbacks%2Ftext%2F")


def test_two_channels_of_one_kind_are_refused() -> None:
    """By the names of both tables."""
    given = {"a": ConsoleSettings(), "b": ConsoleSettings()}

    with pytest.raises(
        SettingsError,
        match=r"\[notify.channels.b\] order: \[notify.channels.a\] serves console in the same turn",
    ):
        make_channels(given, public_url="", board=Board(), clock=SystemClock())


def test_a_board_is_bounded() -> None:
    """Old posts and idle consoles make room."""
    board = Board(consoles=2, posts=2)
    from notify.channels.console import Post

    for console in ("a", "b", "c"):
        for n in range(3):
            board.put(
                console, Post(delivery=DeliveryId(str(n)), notice=NoticeId("n"), at=Instant(0), text="")
            )

    assert [[], ["1", "2"], ["1", "2"]] == [[p.delivery for p in board.shown(c)] for c in ("a", "b", "c")]
