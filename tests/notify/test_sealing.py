"""Where a notice went stands nowhere in clear: in no table, log, journal or spool; and what older programs left is sealed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from belltower.clock import SECOND, Instant
from belltower.ids import DeliveryId, IncidentId, NoticeId, PersonId
from belltower.incident.facts import Mode
from belltower.people.person import Contact, ContactKind, Person
from belltower.people.vault import KeyRing, Vault, new_ring
from belltower.store import Database, open_database
from notify.addresses import UNREADABLE, Addresses, same
from notify.channels.channel import Later, Uncertain
from notify.channels.inbox import Incoming
from notify.delivery import Delivery, Evidence, State
from notify.provider import Provider
from notify.reply_tables import ReplyTables
from notify.reports import Reports
from notify.sealing import SCRUB, owed, seal_clear, seal_rest
from notify.standing import prefix
from notify.store import STEPS, DeliveryTables
from tests.notify.test_correction import Keeps
from tests.peers.desk import RING, DeskOptions, desk, order
from tests.peers.waiting import PATIENCE
from tests.servers.postgres import postgres  # noqa: F401 - a fixture

NUMBER, MAILBOX = "+14085550137", "Rosalind.Ash@mail.example"
SUBSCRIPTION = '{"endpoint":"https://push.example/v1/of-rosalind","keys":{"p256dh":"BOf","auth":"as"}}'
SECRETS = ("4085550137", "rosalind.ash", "of-rosalind", "p256dh")

ADD_CLEAR = """
INSERT INTO notice_delivery (id, notice, revision, incident, person, channel, address, state, reason, provider_id,
    attempts, begun_at, due_at, urgency, lease, asking)
VALUES (:id, :notice, 1, 'inc_1', :person, :channel, :address, 'pending', '', '', 0, 0, 0, 0, '', 0)
"""


def files_with(folder: Path, *secrets: str) -> list[tuple[str, str]]:
    """The files that hold one of these, in capitals or small letters."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            text = path.read_bytes().lower()
            found += [(path.name, secret) for secret in secrets if secret.lower().encode() in text]
    return found


def rosalind() -> dict[PersonId, Person]:
    kinds = {ContactKind.SMS: NUMBER, ContactKind.EMAIL: MAILBOX, ContactKind.PUSH: SUBSCRIPTION}
    contacts = tuple(Contact(kind=kind, address=address) for kind, address in kinds.items())
    return {PersonId("p1"): Person(id=PersonId("p1"), name="Rosalind Ash", contacts=contacts)}


async def test_no_file_of_the_desk_holds_an_address_in_clear(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Planned, sent, uncertain, answered, stopped and taken back; read with the database open and closed."""
    channels = [Keeps("sms", lambda _: Uncertain(reason="no_answer")), Keeps("email"), Keeps("push")]
    options = DeskOptions(database=str(tmp_path / "desk.db"))
    providers = [Provider(channel=one) for one in channels]
    async with desk(options, people=rosalind(), channels=providers) as running:
        await running.is_ordered(order(1))
        await running.is_settled(3)
        for text in ("I am at the north gate", "STOP"):
            await running.room.hearing.hear(
                "sms", Incoming(message=text, channel="sms", address=NUMBER, text=text)
            )
        await running.is_ordered(order(2, corrects=(NoticeId("ntc_001"),), revision=1))
        await running.is_settled(6)
        assert [] == files_with(tmp_path, *SECRETS)
    said = capsys.readouterr()

    assert {NUMBER, MAILBOX, SUBSCRIPTION} == {address for one in channels for address, _ in one.sent}
    assert 2 == len(channels[0].sent)
    assert [] == files_with(tmp_path, *SECRETS)
    assert not [secret for secret in SECRETS if secret in (said.out + said.err).lower()]


async def test_an_address_is_found_by_its_mark_however_it_is_written(tmp_path: Path) -> None:
    """The carrier of a number and the domain of a mailbox are known besides; a short number says less."""
    addresses = Addresses(vault=Vault(ring=RING))

    assert addresses.mark("email", "A@b.example") == addresses.mark("email", "a@B.example")
    assert addresses.mark("sms", NUMBER) != addresses.mark("voice", NUMBER)
    assert addresses.mark("sms", NUMBER) != Addresses(vault=Vault(ring=new_ring())).mark("sms", NUMBER)
    assert ["+1408555", "mail.example", ""] == [
        prefix("sms", NUMBER),
        prefix("email", MAILBOX),
        prefix("push", SUBSCRIPTION),
    ]
    assert ["+2902", "", ""] == [prefix("sms", "+29021234"), prefix("voice", "+112"), prefix("sms", "")]


async def test_without_its_key_an_address_is_refused_and_every_other_leaves(tmp_path: Path) -> None:
    """A ring that is lost stops no notice: what waited says why it was not sent."""
    options = DeskOptions(database=str(tmp_path / "desk.db"))
    lost = KeyRing(current="k7", keys={"k7": bytes(32)}, marking=bytes(32))
    people = {
        PersonId(f"p{n}"): Person(
            id=PersonId(f"p{n}"),
            name="",
            contacts=(Contact(kind=ContactKind.SMS, address=f"+1408555{n:04}"),),
        )
        for n in range(4)
    }
    down = Keeps("sms", lambda _: Later(reason="down", after=60.0, everyone=True))
    async with desk(options, people=people, channels=[Provider(channel=down)]) as running:
        await running.is_ordered(order(1))
        async with asyncio.timeout(PATIENCE):
            while 4 != (await running.count())["pending"] or not running.room.troubles():  # noqa: ASYNC110 - rows ring no bell
                await asyncio.sleep(0.01)
        rows = await running.rows()
    database, vault = await open_database(f"sqlite://{options.database}"), Vault(ring=lost)
    async with database.begin() as tx:
        for row in rows:
            tx.add(
                "UPDATE notice_delivery SET sealed = :sealed, sealed_with = 'k7', state = 'pending', lease = ''"
                " WHERE id = :id",
                id=row.id,
                sealed=vault.seal("notice_delivery", row.id, "sealed", row.address.encode()),
            )
    await database.close()
    sms = Keeps()
    async with desk(options, people=people, channels=[Provider(channel=sms)]) as running:
        await running.is_settled(4)
        states = {(row.state, row.reason) for row in await running.rows()}
        await running.is_ordered(order(2))
        await running.is_settled(8)
        later = [row.state for row in await running.rows() if row.notice == "ntc_002"]

    assert {("refused", UNREADABLE)} == states
    assert ["accepted"] * 4 == later
    assert {"ntc_002"} == {notice for _, notice in sms.sent}


async def older(url: str, count: int) -> Database:
    """A database as the program before this one left it."""
    database = await open_database(url)
    await database.migrate([step for step in STEPS if step.number < 3])
    rows = [
        {
            "id": f"dlv_{n:05}",
            "notice": f"ntc_{n % 2}",
            "person": f"p{n}",
            "channel": "email" if n % 3 else "sms",
            "address": f"Mailbox{n}@home.example" if n % 3 else f"+1408666{n:04}",
        }
        for n in range(count)
    ]
    # An older program took these two for two.
    rows += [
        {"id": f"dlv_twice{n}", "notice": "ntc_9", "person": "p", "channel": "email", "address": address}
        for n, address in enumerate(("Mom@home.example", "mom@home.example"))
    ]
    async with database.begin() as tx:
        tx.rows(ADD_CLEAR, rows)
    return database


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
async def test_what_an_older_program_left_in_clear_is_sealed_however_often_it_is_killed(
    engine: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Some rows at a time; when it is through, not even the free pages of the file hold an address."""

    class Killed(Exception):
        pass

    def kills(at: int) -> Callable[[int, int], None]:
        def told(done: int, _of: int) -> None:
            if done >= at:
                raise Killed

        return told

    url = (
        f"sqlite://{tmp_path}/desk.db"
        if engine == "sqlite"
        else request.getfixturevalue("postgres").database()
    )
    database = await older(url, 2_500)
    addresses = Addresses(vault=Vault(ring=RING))
    tables = DeliveryTables(database=database, addresses=addresses)
    try:
        await database.migrate(STEPS)
        for at in (1, 1_001):
            with pytest.raises(Killed):
                await seal_clear(database, addresses, told=kills(at))
        assert await owed(database)
        await tables.migrate()
        await seal_clear(database, addresses)
        assert not await owed(database)
        rows = await database.read(
            "SELECT id, channel, address, sealed, sealed_with, prefix FROM notice_delivery ORDER BY id"
        )
    finally:
        await database.close()

    assert 2_502 == len(rows)
    assert {"k1"} == {row[4] for row in rows}
    assert {"+1408666", "home.example"} == {row[5] for row in rows}
    for id_, channel, mark, sealed, _, _ in rows[:2_500]:
        number = int(id_[-5:])
        address = f"Mailbox{number}@home.example" if number % 3 else f"+1408666{number:04}"
        assert address == addresses.open(id_, sealed)
        assert addresses.mark(channel, address) == mark
        assert channel == "sms" or same(channel, address) == address.lower()
    first, second = (row[2] for row in rows[2_500:])
    assert f"{first}.dlv_twice1" == second
    assert [] == files_with(tmp_path, "@home", "1408666000")


async def left(database: Database) -> dict[str, int]:
    """How many deliveries stand in clear, by notice."""
    rows = await database.read(
        "SELECT notice, COUNT(*) FROM notice_delivery WHERE sealed_with = '' GROUP BY notice"
    )
    return {row[0]: row[1] for row in rows}


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
async def test_what_is_still_worked_with_is_sealed_first_and_the_rest_is_found_in_clear_until_it_is(
    engine: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Pending or of late; what is over waits, its answers and its corrections do not."""
    url = (
        f"sqlite://{tmp_path}/desk.db"
        if engine == "sqlite"
        else request.getfixturevalue("postgres").database()
    )
    database, vault = await older(url, 6), Vault(ring=RING)
    tables = DeliveryTables(database=database, addresses=Addresses(vault=vault))
    replies = ReplyTables(database=database, vault=vault)
    try:
        await database.migrate(STEPS)
        await replies.migrate()
        async with database.begin() as tx:
            tx.add(
                "UPDATE notice_delivery SET state = 'delivered', attempts = 1, provider_id = id"
                " WHERE notice <> 'ntc_0'"
            )
            for notice, ordered_at in (("ntc_1", 1_000), ("ntc_9", 2_000)):
                tx.add(
                    "INSERT INTO notice (notice, revision, incident, template, place, mode, urgency, ordered_at)"
                    " VALUES (:notice, 1, '', 'staff-notice', '', 'actual', 0, :ordered_at)",
                    notice=notice,
                    ordered_at=ordered_at,
                )
        await tables.migrate(since=Instant(2_000))
        before = await left(database)
        again = Delivery(
            id=DeliveryId("dlv_again"),
            notice=NoticeId("ntc_7"),
            revision=1,
            incident=IncidentId(""),
            person=PersonId("p3"),
            channel="sms",
            address="+14086660003",
        )
        known = await tables.known_ids(again)
        answered = await replies.answered("sms", "+14086660003", now=Instant(2_000))
        gone_to = {one.address async for page in tables.attempted(NoticeId("ntc_1")) for one in page}
        after = await left(database)
    finally:
        await database.close()

    assert ({"ntc_1": 3}, {}) == (before, after)
    assert {"dlv_00003"} == known
    assert answered is not None
    assert "dlv_00003" == answered.delivery
    assert {"Mailbox1@home.example", "+14086660003", "Mailbox5@home.example"} == gone_to


async def test_what_went_to_an_address_is_known_of_notices_ordered_or_released_of_late(
    tmp_path: Path,
) -> None:
    """A question about one message is answered by no other: not by one that waited long for its release either."""
    day = Instant(24 * 3_600 * SECOND)
    database = await older(f"sqlite://{tmp_path}/desk.db", 3)
    tables = DeliveryTables(database=database, addresses=Addresses(vault=Vault(ring=RING)))
    uncertain = Delivery(
        id=DeliveryId("dlv_uncertain"),
        notice=NoticeId("ntc_9"),
        revision=1,
        incident=IncidentId(""),
        person=PersonId("p3"),
        channel="sms",
        address="+14086660000",
        begun_at=Instant(9 * day),
    )
    try:
        await database.migrate(STEPS)
        async with database.begin() as tx:
            tx.add(
                "UPDATE notice_delivery SET notice = id, provider_id = id, channel = 'sms', address = :address",
                address=uncertain.address,
            )
            for notice, ordered, released in (("dlv_00000", 1, 0), ("dlv_00001", 1, 9), ("dlv_00002", 9, 0)):
                tx.add(
                    "INSERT INTO notice (notice, revision, incident, template, place, mode, urgency, ordered_at,"
                    " released_at) VALUES (:notice, 1, '', '', '', 'actual', 0, :ordered, :released)",
                    notice=notice,
                    ordered=ordered * day,
                    released=released * day,
                )
        known = await tables.known_ids(uncertain)
    finally:
        await database.close()

    assert {"dlv_00001", "dlv_00002"} == known


async def test_an_export_and_a_late_report_miss_nothing_that_is_not_sealed_yet(tmp_path: Path) -> None:
    """Both wait for the rows of their notice: every line has its address, and who told a carrier to stop is stopped."""
    options = DeskOptions(database=str(tmp_path / "desk.db"), people=1, kinds=("sms",))
    database = await older(f"sqlite://{options.database}", 2_400)
    async with database.begin() as tx:
        tx.add("UPDATE notice_delivery SET state = 'accepted', attempts = 1, provider_id = id")
        for notice in ("ntc_0", "ntc_1"):
            tx.add(
                "INSERT INTO notice (notice, revision, incident, template, place, mode, urgency, ordered_at)"
                " VALUES (:notice, 1, '', 'staff-notice', '', 'actual', 0, 1)",
                notice=notice,
            )
    await database.close()
    async with desk(options, channels=[Provider(channel=Keeps())]) as running:
        reports = Reports(database=running.database, addresses=running.room.tables.addresses)
        listed = await reports.notice(NoticeId("ntc_1"))
        assert listed is not None
        lines = [line async for page in reports.lines(listed) for line in page]
        late = Evidence(delivery=DeliveryId("dlv_00000"), state=State.REFUSED, reason="opted_out", final=True)
        await running.room.ledger.learn(late)
        stopped = await running.room.replies.is_stopped("sms", "+14086660000")

    assert 1_200 == len({line.id for line in lines}) == len(lines)
    assert all(line.address for line in lines)
    assert stopped


async def test_the_rest_is_sealed_and_scrubbed_beside_a_desk_that_sends(tmp_path: Path) -> None:
    """Once nothing is to be sent, no file holds an address in clear."""
    options = DeskOptions(database=str(tmp_path / "desk.db"), people=2, kinds=("sms",))
    database = await older(f"sqlite://{options.database}", 250)
    async with database.begin() as tx:
        tx.add("UPDATE notice_delivery SET state = 'delivered'")
    await database.close()
    sms = Keeps()
    async with desk(options, channels=[Provider(channel=sms)]) as running:
        await running.is_ordered(order(1))
        async with asyncio.timeout(PATIENCE):
            while len(sms.sent) < 2 or await owed(running.database):  # noqa: ASYNC110 - rows ring no bell
                await asyncio.sleep(0.01)
        assert [] == files_with(tmp_path, "@home", "14086660")


async def test_the_files_are_written_anew_when_nothing_is_to_be_sent(tmp_path: Path) -> None:
    """Or after an hour; the rows are sealed at once."""
    database = await older(f"sqlite://{tmp_path}/desk.db", 2)
    await database.migrate(STEPS)
    try:
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as both:
            both.create_task(seal_rest(database, Addresses(vault=Vault(ring=RING)), quiet_every=0.01))
            while await left(database):  # noqa: ASYNC110 - rows ring no bell
                await asyncio.sleep(0.01)
            assert await owed(database)
            async with database.begin() as tx:
                tx.add("UPDATE notice_delivery SET state = 'delivered'")
        assert not await owed(database)
    finally:
        await database.close()


async def test_what_becomes_owed_while_the_files_are_written_stays_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Old keys are dropped meanwhile: the next start writes those tables anew."""
    database = await older(f"sqlite://{tmp_path}/desk.db", 2)
    await database.migrate(STEPS)
    scrub, written = database.scrub, []

    async def beside(*tables: str) -> None:
        await scrub(*tables)
        written.append(tables)
        if len(written) == 1:
            async with database.begin() as tx:
                tx.add(SCRUB, since="notice_stop")

    monkeypatch.setattr(database, "scrub", beside)
    try:
        await seal_clear(database, Addresses(vault=Vault(ring=RING)))
        assert await owed(database)
        await seal_clear(database, Addresses(vault=Vault(ring=RING)))
        assert not await owed(database)
    finally:
        await database.close()

    assert [("notice_delivery",), ("notice_stop",)] == written


async def test_a_notice_of_which_rows_stand_is_planned_no_second_time(tmp_path: Path) -> None:
    """What an earlier life planned is known by its marks alone."""
    options = DeskOptions(database=str(tmp_path / "desk.db"))
    sms = Keeps()
    for life in range(2):
        async with desk(options, people=rosalind(), channels=[Provider(channel=sms)]) as running:
            if not life:
                await running.is_ordered(order(1, mode=Mode.ACTUAL))
            await running.is_settled(3)
            async with running.database.begin() as tx:
                tx.add("DELETE FROM bookmark")
            found = len(await running.rows())

    assert 3 == found
    assert [(NUMBER, "ntc_001")] == sms.sent
