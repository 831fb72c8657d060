"""Faults R18 to R22 and R25 (reliability.md), on the notice room and the simulated carriers: who got what, and when."""

import asyncio
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import apsw
import pytest

from belltower.errors import StoreError
from belltower.incident.facts import DeliverySettled
from belltower.store import SQLValue
from belltower.values import Secret
from gateway.carrier.records import ACCOUNT, TOKEN
from notify.channels.channel import Later, Message, Settled
from notify.channels.smtp import SMTPChannel
from notify.channels.twilio_sms import TwilioSMS
from notify.delivery import Evidence, State
from notify.provider import Pace, Provider
from notify.settings import SMTPSettings, TwilioSettings
from tests.invariants import Taken, i4, i5, settled_honestly
from tests.notify.test_providers import Carrier
from tests.peers.carrier import CarrierPeer, carrier_peer
from tests.peers.desk import Desk, DeskOptions, desk, order, staff
from tests.peers.waiting import PATIENCE, until

SECOND = 1_000_000


@pytest.fixture
async def carrier():
    async with carrier_peer() as peer:
        yield peer


@pytest.fixture
def options(tmp_path: Path, carrier: CarrierPeer) -> DeskOptions:
    return DeskOptions(
        database=str(tmp_path / "desk.db"), sms_url=carrier.url, smtp_port=carrier.smtp_port, people=10
    )


def twilio(url: str, *, timeout: float = 1.0) -> TwilioSMS:
    """A channel to a simulated carrier."""
    return TwilioSMS(
        settings=TwilioSettings(
            account=ACCOUNT, token=Secret(TOKEN), from_="+15550001", base_url=url, timeout=timeout
        ),
        callback_url="http://127.0.0.1:9/notices/callbacks/",
    )


def mail(port: int, *, timeout: float = 1.0) -> SMTPChannel:
    """A channel to a simulated mail server."""
    return SMTPChannel(
        settings=SMTPSettings(
            host="127.0.0.1", port=port, from_="bell@school.example", security="none", timeout=timeout
        )
    )


async def becomes(true: Callable[[], Awaitable[bool]], *, within: float = PATIENCE) -> None:
    """Wait until it is. How soon that must be is measured beside a floor, on a quiet machine."""
    async with asyncio.timeout(within):
        while not await true():  # noqa: ASYNC110 - rows ring no bell
            await asyncio.sleep(0.01)


async def holds(running: Desk, taken: list[Taken], people: int) -> None:
    """I4, I5 and honesty."""
    rows = await running.rows()

    assert [] == i4(rows, taken)
    assert [] == i5([f"p{n}" for n in range(people)], rows, await running.others())
    assert [] == settled_honestly(rows, taken)


async def test_r18_lockdown_leaves_at_once_whatever_routine_is_queued(options: DeskOptions) -> None:
    """4,000 routine texts at ten a second; the lockdown goes first, after 5 s of routine at most, and no routine before its last."""
    channel = Carrier()
    pace = Pace(per_second=10.0)
    people = staff(4_000, kinds=("sms",))
    async with desk(options, people=people, channels=[Provider(channel=channel, pace=pace)]) as running:
        await running.is_ordered(order(1, template="test", slots={}))

        async def under_way() -> bool:
            return len(channel.asked) > 3

        await becomes(under_way)
        left = await running.room.progress("ntc_001", 1)
        assert left.remaining.last is None or left.remaining.last > 100

        await running.is_ordered(order(2, template="staff-action", slots={"action": "lockdown"}))

        async def planned() -> bool:
            return bool(
                await running.database.read("SELECT 1 FROM notice_delivery WHERE notice = 'ntc_002' LIMIT 1")
            )

        async def begun() -> bool:
            return await running.begun("ntc_002") > 0

        await becomes(planned)
        handed = len(channel.asked)
        await becomes(begun)
        assert len(channel.asked) - handed <= 5 * pace.per_second
        await asyncio.sleep(1.0)
        rows = await running.database.read(
            "SELECT notice FROM notice_delivery WHERE attempts > 0 ORDER BY begun_at, notice DESC"
        )
    notices = [notice for (notice,) in rows]
    assert {"ntc_002"} == set(notices[notices.index("ntc_002") :])


async def test_r19_what_is_superseded_is_cancelled_and_nothing_goes_backward(
    options: DeskOptions, carrier: CarrierPeer, unused_tcp_port: int
) -> None:
    """I8: a hold to 1,500 phones under way, lockdown, the end; reports come late, doubled and in any order."""
    options.kinds, options.people, options.callback_port = ("sms",), 1_500, unused_tcp_port
    options.pace = Pace(per_second=100.0)
    carrier.goes_wrong(shuffled=True, doubled=2)
    async with desk(options) as running:
        await running.is_ordered(order(1, template="staff-action", slots={"action": "hold"}))
        await carrier.wants_texts(20)
        await running.is_ordered(order(2, template="staff-action", slots={"action": "lockdown"}))
        await carrier.wants_texts(60)
        await running.is_ordered(order(3, template="staff-closed", slots={"incident": "7"}))

        async def ordered() -> bool:
            return bool(await running.database.read("SELECT 1 FROM notice WHERE notice = 'ntc_003'"))

        async def cancelled() -> bool:
            return not await running.database.read(
                "SELECT 1 FROM notice_delivery WHERE state = 'pending' AND channel = 'sms'"
                " AND notice < 'ntc_003' LIMIT 1"
            )

        await becomes(ordered)
        await becomes(cancelled)
        taken = [text.body for text in carrier.texts.values()]
        at = next((n for n, text in enumerate(taken) if "was closed" in text), len(taken))
        assert not [text for text in taken[at:] if "LOCK" in text or "HOLD" in text]
        states = Counter((row.notice, row.state) for row in await running.rows())
        assert states["ntc_001", "superseded"] + states["ntc_002", "superseded"] > 2_500
        counted = [await running.room.ledger.counts(f"ntc_00{n}", 1) for n in (1, 2)]
        for n, counts in enumerate(counted, start=1):
            superseded = sum(
                load.deliveries for state, load in counts["sms"].items() if state.value == "superseded"
            )
            assert states[f"ntc_00{n}", "superseded"] == superseded


async def test_at_an_end_what_is_in_flight_is_uncertain_and_what_stands_in_line_waits_again(
    options: DeskOptions, carrier: CarrierPeer
) -> None:
    """Also of what has no task of its own that could be told of the end."""
    provider = Provider(channel=twilio(carrier.url, timeout=PATIENCE), pace=Pace(at_once=4))
    async with desk(options, people=staff(30, kinds=("sms",)), channels=[provider]) as running:
        await running.is_ordered(order(1))
        await running.is_settled(30)
        carrier.goes_wrong(slow=PATIENCE)
        await running.is_ordered(order(2))

        async def all_in_flight() -> bool:
            return await running.begun("ntc_002") >= 4

        await becomes(all_in_flight)
    kept = apsw.Connection(options.database)
    states = Counter(kept.execute("SELECT state FROM notice_delivery WHERE notice = 'ntc_002'"))
    kept.close()

    assert 30 == states["uncertain",] + states["pending",]
    assert states["uncertain",] <= 4


async def test_rows_that_an_ill_disk_shows_late_are_neither_counted_nor_told_twice(
    options: DeskOptions,
) -> None:
    """What was learned stands in the spool; the rows, read again meanwhile, still say pending."""
    options.kinds, options.pace = ("sms",), Pace(per_second=0.05)
    async with desk(options) as running:
        ledger, tables = running.room.ledger, running.room.tables
        await running.is_ordered(order())
        pending: list[str] = []

        async def most_wait() -> bool:
            pending[:] = [row.id for row in await running.rows() if row.state == "pending"]
            return 8 <= len(pending) < 10  # the one that is under way has left

        await becomes(most_wait)
        late = await tables.of(pending)
        await ledger.counts("ntc_001", 1)
        for _ in range(2):
            ledger.meet(late.values())
            for one in pending:
                await ledger.learn(Evidence(delivery=one, state=State.SUPERSEDED, reason="ntc_002"))

        async def told() -> Counter[str]:
            return Counter(
                fact.delivery for fact in await running.facts() if isinstance(fact, DeliverySettled)
            )

        async def all_told() -> bool:
            return set(pending) <= set(await told())

        await becomes(all_told)
        assert dict.fromkeys(pending, 1) == {
            one: count for one, count in (await told()).items() if one in pending
        }
        counts = (await ledger.counts("ntc_001", 1))["sms"]
        assert len(pending) == counts[State.SUPERSEDED].deliveries


@pytest.mark.parametrize(
    "faults",
    [
        {"status": 429, "retry_after": 30},
        {"status": 503, "accept_anyway": True, "chance": 0.5},
        {"reset": True, "accept_anyway": True, "chance": 0.5},
        {"lose_answer": True, "accept_anyway": True, "times": 3},
        {"status": 401, "code": 20003},
    ],
    ids=repr,
)
async def test_r20_a_provider_that_fails_half_way_is_relieved_and_nobody_is_told_twice(
    options: DeskOptions, carrier: CarrierPeer, faults: dict
) -> None:
    """What it may have taken stays its own; all else goes by the second one, and the mail carries the notice too."""
    async with carrier_peer() as other:
        carrier.goes_wrong(**faults)
        providers = [
            Provider(channel=twilio(carrier.url), given_name="first", order=1),
            Provider(channel=twilio(other.url), given_name="second", order=2),
            Provider(channel=mail(carrier.smtp_port)),
        ]
        async with desk(options, people=staff(60), channels=providers) as running:
            await running.is_ordered(order())

            async def all_mailed() -> bool:
                return len(carrier.mails) == 60

            await becomes(all_mailed)
            await running.is_settled(120)
            await holds(running, carrier.taken() + other.taken(), 60)
            # Not what we know of it: on a busy machine the time to ask runs out, and it stays uncertain.
            assert len(carrier.texts) + len(other.texts) >= 40


async def test_r21_one_that_comes_back_is_asked_by_one_and_never_beyond_its_pace(
    options: DeskOptions,
) -> None:
    """After trouble one message at a time until it is taken; then more, within the pace; what grew stale is not sent."""
    began: list[float] = []
    ill = True
    loop = asyncio.get_running_loop()

    class Flaky(Carrier):
        under_way = most = 0

        async def send(self, message: Message):
            if ill:
                self.under_way += 1
                self.most = max(self.most, self.under_way)
                await asyncio.sleep(0.02)
                self.under_way -= 1
                return Later(reason="unreachable", everyone=True)
            began.append(loop.time())
            return Settled()

    channel = Flaky()
    pace = Pace(per_second=40.0, ttl=4.0)
    people = staff(60, kinds=("sms",))
    async with desk(options, people=people, channels=[Provider(channel=channel, pace=pace)]) as running:
        await running.is_ordered(order(1))

        async def troubled() -> bool:
            return bool(running.room.troubles())

        await becomes(troubled)
        await asyncio.sleep(0.1)
        channel.most = 0
        await asyncio.sleep(1.3)
        assert channel.most <= 1
        await running.is_settled(60)
        assert {("refused", "too_late")} == {(row.state, row.reason) for row in await running.rows()}
        ill = False
        again = loop.time()
        await running.is_ordered(order(2))

        async def told() -> bool:
            return len(began) == 60

        await becomes(told)
        assert {} == running.room.troubles()
        # Not from one to the next: whom a busy machine held up begins together with those behind.
        assert all(at - again >= (number - 21) / pace.per_second for number, at in enumerate(began))
        await running.is_settled(120)


async def endless_headers(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, whole: bytes = b"HTTP/1.1 201 Created\r\n"
) -> None:
    """Answer with headers that never end."""
    await reader.read(1)
    writer.write(whole)
    try:
        while True:
            writer.write(b"X-More: " + b"x" * 4_000 + b"\r\n")
            await writer.drain()
    except ConnectionError:
        writer.close()


@pytest.mark.parametrize(
    "faults",
    [{"trickle": True}, {"flood": True}, {"redirect": True}, None],
    ids=["octet", "body", "redirect", "headers"],
)
async def test_r22_a_provider_that_wastes_time_harms_no_other(
    options: DeskOptions, carrier: CarrierPeer, faults: dict | None
) -> None:
    """One octet a second, a body or a head without end, redirects in a circle: mail goes on, and all is known in time."""
    url, server = carrier.url, None
    if faults is None:
        server = await asyncio.start_server(endless_headers, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    else:
        carrier.goes_wrong(**faults)
    providers = [
        Provider(channel=twilio(url, timeout=0.5), pace=Pace(ttl=2.0)),
        Provider(channel=mail(carrier.smtp_port, timeout=20.0)),
    ]
    async with AsyncExitStack() as stack:
        if server is not None:
            stack.callback(server.close)
        running = await stack.enter_async_context(desk(options, people=staff(20), channels=providers))
        await running.is_ordered(order())

        async def all_mailed() -> bool:
            return len(carrier.mails) == 20

        await becomes(all_mailed)
        await running.is_settled(40)
        rows = await running.rows()
        assert {"accepted"} == {row.state for row in rows if row.channel == "email"}
        sms = {row.state for row in rows if row.channel == "sms"}
        assert sms <= {"uncertain", "refused"}
        assert [] == i4(rows, carrier.taken())


@pytest.mark.parametrize(
    ("faults", "states"),
    [
        ({"smtp": "rcpt", "smtp_code": 451}, {"accepted"}),
        ({"smtp": "mail", "smtp_code": 421}, {"accepted"}),
        ({"smtp": "connect", "smtp_code": 421}, {"accepted"}),
        ({"smtp": "rcpt", "smtp_code": 550}, {"refused"}),
        ({"smtp": "data", "smtp_code": 554}, {"refused"}),
        ({"smtp_slow": 5.0}, {"accepted", "uncertain"}),
        ({"smtp_drop": True}, {"accepted", "uncertain"}),
    ],
    ids=["rcpt 451", "mail 421", "connect 421", "rcpt 550", "data 554", "tarpit", "drop"],
)
async def test_r25_no_fault_of_the_mail_server_doubles_a_mail_or_leaves_a_thread(
    options: DeskOptions, carrier: CarrierPeer, faults: dict, states: set[str]
) -> None:
    """4yz, 5yz, a tarpit, a hang-up after the final dot: at most one of each Message-ID, and it is the delivery's own."""
    carrier.goes_wrong(**faults)
    threads = threading.active_count()
    people = staff(12, kinds=("email",))
    channel = mail(carrier.smtp_port, timeout=0.5 if "smtp_slow" in faults else PATIENCE)
    async with desk(options, people=people, channels=[Provider(channel=channel)]) as running:
        await running.is_ordered(order())
        if "refused" not in states:  # what is refused is settled by that
            await asyncio.sleep(1.2)
            carrier.is_well()
        await running.is_settled(12)
        rows = await running.rows()

        assert {row.state for row in rows} <= states
        await holds(running, carrier.taken(), 12)
        assert {one.message_id for one in carrier.mails} <= {f"<{row.id}@school.example>" for row in rows}

    async def no_thread_is_left() -> bool:
        return threading.active_count() <= threads

    await becomes(no_thread_is_left)


async def test_a_read_that_fails_after_a_lease_costs_no_message(
    options: DeskOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows were begun and not seen; once the store answers again, all of them leave, once."""
    channel = Carrier()
    people = staff(10, kinds=("sms",))
    async with desk(options, people=people, channels=[Provider(channel=channel)]) as running:
        read, failures = running.database.read, iter([True, True])

        async def troubled(sql: str, **values: SQLValue) -> list:
            if "WHERE d.lease = :lease" in sql and next(failures, False):
                raise StoreError("busy")
            return await read(sql, **values)

        monkeypatch.setattr(running.database, "read", troubled)
        await running.is_ordered(order(1))

        assert {"accepted": 10} == await running.is_settled(10)
    assert 10 == len(channel.asked)


class Slow:
    """A provider that answers for one address after a while, and is busy for all others."""

    name = "sms"

    def __init__(self, log: list[tuple[str, str]]) -> None:
        self._log = log
        self.begun = asyncio.Event()

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def find(self, message, *, known) -> None: ...

    async def send(self, message) -> Settled | Later:
        if not message.address.endswith("100"):
            await self.begun.wait()
            return Later(reason="busy", after=20.0, everyone=True)
        self.begun.set()
        await asyncio.sleep(0.8)
        self._log.append((message.address, message.notice))
        return Settled()


class Quick(Slow):
    """A provider that takes everything."""

    async def send(self, message) -> Settled:
        self._log.append((message.address, message.notice))
        return Settled()


async def test_what_corrects_a_text_stays_behind_it_when_another_provider_takes_over(
    options: DeskOptions,
) -> None:
    """The first provider still has the old text on its way; the second one waits for it at that address."""
    log: list[tuple[str, str]] = []
    providers = [
        Provider(channel=Slow(log), given_name="first", order=1),
        Provider(channel=Quick(log), given_name="second", order=2),
    ]
    async with desk(options, people=staff(3, kinds=("sms",)), channels=providers) as running:
        await running.is_ordered(order(1))
        await until(running.room.troubles)
        await running.is_ordered(order(2))
        await running.is_settled(6)

    assert ["ntc_001", "ntc_002"] == [notice for address, notice in log if address.endswith("100")]


class Prompt(Carrier):
    """A provider that begins at once, with everything but what it cannot encode."""

    def begin(self, message, done) -> bool:
        self.asked.append(message.address)
        if message.address.endswith("103"):
            raise UnicodeError
        asyncio.get_running_loop().call_soon(done, Settled())
        return True


async def test_a_message_that_cannot_begin_costs_no_other(options: DeskOptions) -> None:
    """It is uncertain, and so is what stood behind it; all others leave, each once."""
    channel = Prompt()
    provider = Provider(channel=channel, pace=Pace(at_once=2))
    async with desk(options, people=staff(10, kinds=("sms",)), channels=[provider]) as running:
        await running.is_ordered(order(1), order(2))

        assert {"accepted": 18, "uncertain": 2} == await running.is_settled(20)
        uncertain = [row.person for row in await running.rows() if row.state == "uncertain"]

    assert ["p3", "p3"] == uncertain
    assert 20 == len(channel.asked)
