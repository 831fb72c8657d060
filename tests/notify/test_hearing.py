"""From a message that a provider brings to a row, a fact, and what is sent to that address from then on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
import pytest
from aiohttp import web

from belltower.clock import Instant
from belltower.errors import SettingsError
from belltower.ids import DeliveryId, IncidentId, NoticeId, PersonId
from belltower.incident.facts import DeliverySettled, Outcome, Reply, ReplyHeard
from belltower.people.person import Contact, ContactKind, Person
from belltower.store import open_database
from gateway.rosters import open_rosters
from notify.channels.channel import Later, Refused, Settled
from notify.channels.inbox import PATH, TwilioInbox
from notify.delivery import Evidence, State
from notify.provider import Pace, Provider
from notify.reply_tables import ReplyTables
from notify.signature import sign
from tests.peers.desk import Desk, DeskOptions, RosterOf, desk, order, staff
from tests.peers.waiting import PATIENCE

TOKEN = "of-this-test"
PUBLIC = "https://bell.school.example"
P0 = "+15550000100"
P1 = "+15550000101"


class Takes:
    """A channel that takes everything."""

    def __init__(self, name: str = "sms") -> None:
        self.name = name

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def find(self, message, *, known):
        return None

    async def send(self, message):
        return Settled()


class Phone:
    """A carrier that brings messages to the desk."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url
        self._sent = 0

    async def writes(
        self, number: str, text: str, *, message: str = "", forged: bool = False, **more: str
    ) -> int:
        """`number` writes `text`; the status that the desk answers."""
        self._sent += 1
        form = {
            "MessageSid": message or f"SM{self._sent:032}",
            "From": number,
            "To": "+15550001",
            "Body": text,
        }
        form |= more
        signature = sign(f"{PUBLIC}{PATH}text", form.items(), "of-another" if forged else TOKEN)
        headers = {"X-Twilio-Signature": signature, "Content-Type": "application/x-www-form-urlencoded"}
        async with self._session.post(self._url, data=urlencode(form), headers=headers) as response:
            return response.status


@asynccontextmanager
async def phone(running: Desk) -> AsyncIterator[Phone]:
    """The desk's end for messages, and a carrier that knows it."""
    inbound = running.room.inbound({"text": TwilioInbox(public_url=PUBLIC, token=TOKEN)})
    app = web.Application()
    app.add_routes(inbound.routes())
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}{PATH}text"
    try:
        async with aiohttp.ClientSession() as session:
            yield Phone(session, url)
    finally:
        await runner.cleanup()


@pytest.fixture
def options(tmp_path: Path) -> DeskOptions:
    return DeskOptions(database=str(tmp_path / "desk.db"), people=2, kinds=("sms",))


@pytest.fixture
async def running(options: DeskOptions) -> AsyncIterator[Desk]:
    people = staff(2, kinds=("sms",))
    async with desk(options, people=people, channels=[Provider(channel=Takes())]) as running:
        yield running


@pytest.fixture
async def carrier(running: Desk) -> AsyncIterator[Phone]:
    async with phone(running) as carrier:
        yield carrier


async def heard(running: Desk) -> list[ReplyHeard]:
    """The replies written down."""
    return [fact for fact in await running.facts() if isinstance(fact, ReplyHeard)]


async def told(running: Desk, count: int, n: int = 1, **changes: object) -> None:
    """A notice was ordered, and everybody has it."""
    await running.is_ordered(order(n, **changes))
    await running.is_settled(count)


async def test_who_is_safe_and_who_needs_help_is_written_down_by_id(running: Desk, carrier: Phone) -> None:
    """Facts bear no text; what was written lies sealed, and opens for whoever may read it."""
    await told(running, 2)

    assert [200, 200] == [await carrier.writes(P0, "1"), await carrier.writes(P1, "2 smoke in 204")]

    replies = await heard(running)
    assert [("p0", Reply.SAFE), ("p1", Reply.NEED_HELP)] == [(one.person, one.reply) for one in replies]
    assert {("inc_1", "ntc_001", "sms")} == {(one.incident, one.notice, one.channel) for one in replies}
    kept = await running.room.replies.replies(NoticeId("ntc_001"))
    assert ["2 smoke in 204", ""] == [one.text for one in kept]
    assert [replies[1].text, ""] == [kept[0].id, replies[0].text]
    (sealed,) = (
        row[0] for row in await running.database.read("SELECT text FROM notice_reply WHERE text IS NOT NULL")
    )
    assert b"smoke" not in sealed


async def test_an_answer_acknowledges_its_delivery_and_proves_that_it_was_read(
    running: Desk, carrier: Phone
) -> None:
    """Not one that a telephone may have sent by itself."""
    await told(running, 2)
    await carrier.writes(P0, "1")
    await carrier.writes(P1, "I am driving and will answer later")

    async with asyncio.timeout(PATIENCE):
        while not (await running.count())["read"]:  # noqa: ASYNC110 - rows ring no bell
            await asyncio.sleep(0.01)
    rows = await running.database.read(
        "SELECT person, state, acknowledged_at > 0 FROM notice_delivery ORDER BY person"
    )
    assert [("p0", "read", 1), ("p1", "accepted", 0)] == [tuple(row) for row in rows]
    assert [Outcome.READ] == [
        fact.outcome
        for fact in await running.facts()
        if isinstance(fact, DeliverySettled) and fact.reason == "answered"
    ]


async def test_the_same_message_counts_once(running: Desk, carrier: Phone) -> None:
    """Providers say things again; so may whoever recorded one."""
    await told(running, 2)
    for _ in range(3):
        assert 200 == await carrier.writes(P0, "2", message="SM1")

    assert 1 == len(await heard(running))


async def test_an_answer_counts_only_from_an_address_that_was_written_to(
    running: Desk, carrier: Phone
) -> None:
    """S21: nobody is safe because a stranger says so; a forged message is refused."""
    await told(running, 2)

    assert 200 == await carrier.writes("+15559999999", "1")
    assert 403 == await carrier.writes(P0, "1", forged=True)
    assert 400 == await carrier.writes("", "1")
    assert [] == await heard(running)


async def test_a_stop_keeps_routine_notices_away_and_warnings_come_all_the_same(
    running: Desk, carrier: Phone
) -> None:
    """W25: for that address only, shown as a state of it, and taken back by START."""
    await told(running, 2)
    await carrier.writes(P0, "STOP")
    await told(running, 4, 2, template="test", routine=True)
    await told(running, 6, 3)
    await carrier.writes(P0, "start")
    await told(running, 8, 4, template="test", routine=True)

    rows = {(row.notice, row.person): (row.state, row.reason) for row in await running.rows()}
    assert ("refused", "stopped") == rows["ntc_002", "p0"]
    assert ["read", "accepted", "read"] == [
        rows[one][0] for one in (("ntc_001", "p0"), ("ntc_002", "p1"), ("ntc_003", "p0"))
    ]
    assert "accepted" == rows["ntc_004", "p0"][0]
    refused = [fact for fact in await running.facts() if getattr(fact, "reason", "") == "stopped"]
    assert ["p0"] == [fact.person for fact in refused]
    assert [Reply.STOP, Reply.START] == [one.reply for one in await heard(running)]
    assert [] == await running.room.replies.stopped()


async def test_a_stop_of_one_address_stops_no_other(options: DeskOptions) -> None:
    """W25: the mailbox of the same person carries on, and so does the second telephone."""
    sms, mail = Takes(), Takes(name="email")
    contacts = (
        Contact(kind=ContactKind.SMS, address=P0),
        Contact(kind=ContactKind.SMS, address=P1),
        Contact(kind=ContactKind.EMAIL, address="p0@school.example"),
    )
    people = {PersonId("p0"): Person(id=PersonId("p0"), name="P", contacts=contacts)}
    async with (
        desk(options, people=people, channels=[Provider(channel=sms), Provider(channel=mail)]) as running,
        phone(running) as carrier,
    ):
        await told(running, 3)
        await carrier.writes(P0, "Alto")
        (stopped,) = await running.room.replies.stopped()
        await told(running, 6, 2, routine=True)
        states = {
            (row.channel, row.address): row.reason for row in await running.rows() if row.notice == "ntc_002"
        }

    assert ("sms", "p0", False) == (stopped.channel, stopped.person, stopped.by_carrier)
    assert {"stopped"} == {reason for at, reason in states.items() if at == ("sms", P0)}
    assert "stopped" not in {reason for at, reason in states.items() if at != ("sms", P0)}


async def test_a_stop_may_be_made_to_cover_everything(options: DeskOptions) -> None:
    """For a district whose counsel says so."""
    options.stop_covers = "all"
    people = staff(1, kinds=("sms",))
    async with (
        desk(options, people=people, channels=[Provider(channel=Takes())]) as running,
        phone(running) as carrier,
    ):
        await told(running, 1)
        await carrier.writes(P0, "stop")
        await told(running, 2, 2)

        assert ["ntc_002"] == [row.notice for row in await running.rows() if row.reason == "stopped"]


class PutsOffTheFirst(Takes):
    """A channel that takes one message at a time, and puts the first off once it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = asyncio.Event()
        self.goes_on = asyncio.Event()
        self.took: list[str] = []

    async def send(self, message):
        if not self.begun.is_set():
            self.begun.set()
            await self.goes_on.wait()
            return Later(reason="busy")
        self.took.append(message.address)
        return Settled()


@pytest.mark.parametrize(
    ("routine", "covers", "gets_it"),
    [(True, "routine", [2]), (False, "routine", [0, 1, 2]), (False, "all", [2])],
)
async def test_w25_a_stop_stops_what_waits_as_well(
    options: DeskOptions, routine: bool, covers: str, gets_it: list[int]
) -> None:
    """Before it has begun, or when it was put off; shown as stopped, and never sent."""
    options.stop_covers = covers
    sms = PutsOffTheFirst()
    provider = Provider(channel=sms, pace=Pace(at_once=1))
    numbers = [f"+1555{100 + n:07}" for n in range(3)]
    async with (
        desk(options, people=staff(3, kinds=("sms",)), channels=[provider]) as running,
        phone(running) as carrier,
    ):
        await running.is_ordered(order(routine=routine))
        await running.becomes(lambda rows: len(rows) == 3)
        await sms.begun.wait()
        async with running.database.begin() as tx:  # an answer to it would prove that it was read
            running.room.replies.stop(tx, "sms", numbers[0], person="p0", at=running.clock.now())
        await carrier.writes(numbers[1], "STOP")
        sms.goes_on.set()
        await running.is_settled(3)
        stood = {row.address: (row.state, row.reason) for row in await running.rows()}
        stopped = [fact.person for fact in await running.facts() if getattr(fact, "reason", "") == "stopped"]

    assert [numbers[n] for n in gets_it] == sorted(sms.took)
    refused = [number for number in numbers if stood[number] == ("refused", "stopped")]
    assert [number for number in numbers if number not in sms.took] == refused
    assert len(refused) == len(stopped)


async def test_w25_a_stop_while_a_notice_is_planned_is_kept(options: DeskOptions) -> None:
    """The stops were read when the planning began."""
    sms = Takes()
    guardian = Person(
        id=PersonId("g1"),
        name="G",
        roles=frozenset({"guardian"}),
        classes=frozenset({"7b"}),
        contacts=(Contact(kind=ContactKind.SMS, address=P1),),
    )

    class Read(RosterOf):
        async def people(self):
            await carrier.writes(P1, "STOP")
            yield (guardian,)

    async with (
        desk(options, people={}, roster=Read(), channels=[Provider(channel=sms)]) as running,
        phone(running) as carrier,
    ):
        await told(running, 1, audience="families-7b", routine=True)

        assert [("refused", "stopped")] == [(row.state, row.reason) for row in await running.rows()]


async def test_a_provider_that_took_it_for_a_stop_itself_is_believed(running: Desk, carrier: Phone) -> None:
    """Its own keywords may be in any language."""
    await told(running, 2)
    await carrier.writes(P0, "Dừng lại", OptOutType="STOP")

    assert [Reply.STOP] == [one.reply for one in await heard(running)]


async def test_an_answer_belongs_to_the_alarm_though_something_routine_came_later(
    running: Desk, carrier: Phone
) -> None:
    """The newest urgent notice of the last two hours goes before."""
    await told(running, 2)
    await told(running, 4, 2, incident=IncidentId(""), template="test", routine=True)
    await carrier.writes(P0, "HELP")

    (reply,) = await heard(running)
    assert (Reply.NEED_HELP, "ntc_001", "inc_1") == (reply.reply, reply.notice, reply.incident)


async def test_a_call_acknowledges_once(running: Desk) -> None:
    """A key pressed twice; and the delivery stays whose it was."""
    await told(running, 2)
    (row, _) = await running.rows()
    hearing = running.room.hearing

    assert [True, True, False] == [
        await hearing.acknowledge(row.id),
        await hearing.acknowledge(row.id),
        await hearing.acknowledge("dlv_nobody"),
    ]
    assert [(row.person, Reply.ACKNOWLEDGED)] == [(one.person, one.reply) for one in await heard(running)]


async def test_what_people_write_in_a_storm_is_kept_once_each(running: Desk, carrier: Phone) -> None:
    """A hundred messages at once, each three times."""
    await told(running, 2)
    async with asyncio.TaskGroup() as group:
        answers = [
            group.create_task(carrier.writes((P0, P1)[n % 2], f"where {n % 100}", message=f"SM{n % 100}"))
            for n in range(300)
        ]

    assert {200} == {answer.result() for answer in answers}
    assert 100 == len(await heard(running)) == len(await running.room.replies.replies(NoticeId("ntc_001")))


async def test_keys_that_are_lost_are_not_made_again_while_addresses_are_stopped(tmp_path: Path) -> None:
    """Nobody would know any more who wants no notices."""
    database = await open_database(f"sqlite://{tmp_path}/desk.db")
    ring = tmp_path / "people.keys"
    try:
        vault = (await open_rosters(database, ring)).vault
        tables = ReplyTables(database=database, vault=vault)
        async with database.begin() as tx:
            tables.stop(tx, "sms", P0, person="p0", at=Instant(1))
        assert (await ReplyTables(database=database, vault=vault).stops()).refuses("sms", P0, urgency=1)
        ring.unlink()
        with pytest.raises(SettingsError, match="backup"):
            await open_rosters(database, ring)
    finally:
        await database.close()


class Refuses(Takes):
    """A carrier that keeps a list of its own: p0's number stopped its sender."""

    async def send(self, message):
        return Refused(reason="provider:21610") if message.address == P0 else await super().send(message)


async def test_a_stop_that_only_the_carrier_heard_is_kept_as_one(options: DeskOptions) -> None:
    """W25: its refusal stops the address in the same commit; warnings are tried all the same, and START takes it back."""
    people = staff(2, kinds=("sms",))
    async with (
        desk(options, people=people, channels=[Provider(channel=Refuses())]) as running,
        phone(running) as carrier,
    ):
        await told(running, 2)
        (stopped,) = await running.room.replies.stopped()
        await told(running, 4, 2, template="test", routine=True)
        await told(running, 6, 3)
        await carrier.writes(P0, "START")
        rows = {(row.notice, row.person): (row.state, row.reason) for row in await running.rows()}

        assert ("sms", "p0", True) == (stopped.channel, stopped.person, stopped.by_carrier)
        assert [("refused", "provider:21610"), ("refused", "stopped"), ("refused", "provider:21610")] == [
            rows[f"ntc_00{n}", "p0"] for n in (1, 2, 3)
        ]
        assert [] == await running.room.replies.stopped()


async def test_a_report_of_an_opt_out_stops_the_address_too(running: Desk) -> None:
    """Vonage takes the message and reports later, in words; so may Twilio, by its code."""
    await told(running, 2)
    for row, reason in zip(await running.rows(), ("opted_out", "provider:21610"), strict=True):
        await running.room.ledger.learn(
            Evidence(delivery=DeliveryId(row.id), state=State.REFUSED, reason=reason)
        )

    assert [("p0", True), ("p1", True)] == sorted(
        (one.person, one.by_carrier) for one in await running.room.replies.stopped()
    )
