"""Who gets which words: rosters, languages, corrections, and notices that no alarm ordered."""

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from belltower.ids import FactId, Ids, IncidentId, NoticeId, PersonId, PlaceId
from belltower.incident.entry import Draft, Entry
from belltower.incident.facts import NoticePlanned
from belltower.journal import UNPLACED
from belltower.people.person import Contact, ContactKind, Person
from belltower.store import Transaction
from notify.audience import AudienceRule
from notify.channels.channel import Later, Settled
from notify.channels.inbox import Incoming
from notify.planner import Planner
from notify.provider import Provider
from notify.reports import Reports
from notify.segments import segments
from notify.stops import STOPPED, Stops
from notify.wording import MOST_PARTS
from tests.peers.desk import ALARM, DeskOptions, RosterOf, desk, order, site, staff
from tests.peers.waiting import PATIENCE


def reader(name: str, number: int, *, language: str = "", roles: tuple[str, ...] = ("guardian",)) -> Person:
    return Person(
        id=PersonId(name),
        name=name,
        roles=frozenset(roles),
        classes=frozenset({"7b"}),
        language=language,
        contacts=(Contact(kind=ContactKind.SMS, address=f"+1555{number:07}"),),
    )


async def until(true) -> None:
    """Wait for something in memory."""
    async with asyncio.timeout(PATIENCE):
        while not true():  # noqa: ASYNC110 - a list rings no bell
            await asyncio.sleep(0.01)


class Takes:
    """A channel that takes what it is told to, and keeps it."""

    name = "sms"

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        self.down_for: set[str] = set()

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def find(self, message, *, known):
        return None

    async def send(self, message):
        if message.address in self.down_for:
            return Later(reason="down", after=60.0)
        self.sent.append((message.address, message.body))
        return Settled()

    def to(self, number: int) -> list[str]:
        return [body for address, body in self.sent if address == f"+1555{number:07}"]


@pytest.fixture
def options(tmp_path: Path) -> DeskOptions:
    return DeskOptions(database=str(tmp_path / "desk.db"))


async def test_a_notice_waits_for_the_rule_that_says_whom_it_means(options: DeskOptions) -> None:
    """A slow disk tells of the order before what was written with it: meanwhile it goes to nobody, not to all staff."""
    sms = Takes()
    people = site({PersonId("p1"): reader("p1", 1), **staff(2)})
    async with desk(options, school=people, channels=[Provider(channel=sms)]) as running:
        planner = Planner(
            journal=running.journal,
            stream=ALARM,
            tables=running.room.tables,
            site=lambda: people,
            channels=frozenset({"sms"}),
            clock=running.clock,
            ids=Ids(clock=running.clock),
            bell=running.room.ring,
            tally=running.room.ledger.tally,
        )
        entry = Entry(
            stream=ALARM,
            position=UNPLACED,
            id=FactId("fct_1"),
            at=running.clock.now(),
            subject="ntc_001",
            fact=order(1, audience=""),
        )
        await planner.plan(entry)
        before = await running.rows()
        async with running.database.begin() as tx:
            running.room.tables.add_rule(
                tx, entry.fact.notice, AudienceRule(people=frozenset({PersonId("p1")}))
            )
        await planner.plan(replace(entry, position=1))
        after = await running.rows()

    assert [] == before
    assert {"p1"} == {row.person for row in after}


async def test_w25_a_stop_heard_while_the_last_rows_land_is_heeded(options: DeskOptions) -> None:
    """Whoever wrote it down found no row of this notice: the planner asks once more behind them."""
    people = site({PersonId("p1"): reader("p1", 1, roles=("staff",))})
    asked = []
    async with desk(options, school=people, channels=[]) as running:
        said = Incoming(message="m1", channel="sms", address="+15550000001", text="STOP")
        await running.room.hearing.hear("sms", said)
        heard = await running.room.replies.stops()

        async def stops() -> Stops:
            asked.append(len(asked))
            return heard if len(asked) > 2 else Stops()

        planner = Planner(
            journal=running.journal,
            stream=ALARM,
            tables=running.room.tables,
            site=lambda: people,
            channels=frozenset({"sms"}),
            clock=running.clock,
            ids=Ids(clock=running.clock),
            bell=running.room.ring,
            tally=running.room.ledger.tally,
            stops=stops,
        )
        entry = Entry(
            stream=ALARM,
            position=1,
            id=FactId("fct_1"),
            at=running.clock.now(),
            subject="ntc_001",
            fact=order(1, routine=True),
        )
        await planner.plan(entry)
        rows = await running.database.read("SELECT state, urgency FROM notice_delivery WHERE channel = 'sms'")

    assert [("pending", STOPPED)] == rows


async def test_nobody_of_the_roster_gets_what_is_meant_for_the_staff(options: DeskOptions) -> None:
    """A rule without roles, or for everyone, means the school's own people; families only where they are named."""
    sms = Takes()
    families = RosterOf(*(reader(f"g{n}", n) for n in range(5)))
    async with desk(
        options, people=staff(1, kinds=("sms",)), roster=families, channels=[Provider(channel=sms)]
    ) as running:
        await running.is_ordered(order(1, audience="no-such-rule"), order(2, audience="families-7b"))
        await running.is_settled(6)

    assert 1 == len(sms.to(100))
    assert [1] * 5 == [len(sms.to(n)) for n in range(5)]


async def test_everybody_reads_their_own_language_and_one_that_is_not_there_in_the_schools(
    options: DeskOptions,
) -> None:
    """One notice, two texts; an unknown language falls back."""
    sms = Takes()
    families = RosterOf(reader("es", 1, language="es"), reader("en", 2), reader("vi", 3, language="vi"))
    async with desk(options, people={}, roster=families, channels=[Provider(channel=sms)]) as running:
        await running.is_ordered(order(1, audience="families-7b"))
        await running.is_settled(3)
        languages = await running.database.read("SELECT person, language FROM notice_delivery")

    assert {"es": "es", "en": "en", "vi": "en"} == dict(languages)
    assert sms.to(2) == sms.to(3)
    assert sms.to(1) != sms.to(2)


@pytest.mark.parametrize(("letters", "sent"), [(60, True), (100, False)])
async def test_w5_a_text_of_more_than_two_parts_is_refused_before_it_is_sent(
    options: DeskOptions, letters: int, sent: bool
) -> None:
    """As it is filled and encoded: one Š makes every letter dear. A shorter text stands in where it fits; mail is not cut."""
    sms, mail = Takes(), Takes()
    mail.name = "email"
    school = replace(site(staff(1, kinds=("sms", "email"))), school="Š" * letters)
    channels = [Provider(channel=channel) for channel in (sms, mail)]
    async with desk(options, school=school, channels=channels) as running:
        await running.is_ordered(order(template="staff-unreached"))
        await running.is_settled(2)
        settled = {row.channel: row.reason for row in await running.rows() if row.state == "refused"}

    assert settled == ({} if sent else {"sms": "too_long"})
    assert ["Notice about incident 7" in body for _, body in sms.sent] == [True] * sent
    assert all(segments(body).parts == MOST_PARTS for _, body in sms.sent)
    assert ["has not answered" in body for _, body in mail.sent] == [True]


async def test_a_correction_goes_to_all_whom_the_first_may_have_reached_and_stops_the_rest(
    options: DeskOptions,
) -> None:
    """The audience has moved on; whoever was tried is corrected at the same address, and what waits never leaves."""
    sms = Takes()
    tried, waiting, moved = (reader(f"g{n}", n) for n in range(3))
    sms.down_for = {"+15550000000"}  # tried, and surely not taken: who knows what they heard
    async with desk(
        options, people={}, roster=RosterOf(tried, waiting, moved), channels=[Provider(channel=sms)]
    ) as running:
        await running.is_ordered(order(1, audience="families-7b"))
        await until(lambda: len(sms.sent) == 2)
        sms.down_for = set()
        await running.is_ordered(
            order(2, audience="all-staff", template="staff-notice", corrects=(NoticeId("ntc_001"),))
        )
        await running.is_settled(6)
        states = dict(
            await running.database.read("SELECT person, state FROM notice_delivery WHERE notice = 'ntc_001'")
        )
        planned = [fact for fact in await running.facts() if isinstance(fact, NoticePlanned)]

    assert "superseded" == states["g0"]
    assert [1, 2, 2] == [len(sms.to(n)) for n in range(3)]
    assert 3 == planned[-1].people


async def test_a_notice_of_the_desks_own_needs_no_alarm_lane(options: DeskOptions) -> None:
    """It stands in the desk's stream, its rule in the room's own table, and it belongs to no incident."""
    sms = Takes()
    async with desk(options, people=staff(3, kinds=("sms",)), channels=[Provider(channel=sms)]) as running:
        notice = order(1, audience="", incident=IncidentId(""), template="test", slots={}, routine=True)
        rule = AudienceRule(roles=frozenset({"staff"}), places=frozenset({PlaceId("b204")}))
        async with running.database.begin() as tx:
            running.room.tables.add_rule(tx, notice.notice, rule)
        draft = Draft(
            id=Ids(clock=running.clock).fact(), at=running.clock.now(), subject=notice.notice, fact=notice
        )
        await running.journal.commit(Transaction(), [draft])
        await until(lambda: len(sms.sent) == 3)
        await running.is_settled(3)
        (planned,) = [fact for fact in await running.facts() if isinstance(fact, NoticePlanned)]

    assert (3, 3) == (planned.people, planned.deliveries)


async def test_one_order_to_two_audiences_reaches_both(options: DeskOptions) -> None:
    """What was ordered in the same commit takes nobody's place; what was ordered later does."""
    sms = Takes()
    families = RosterOf(*(reader(f"g{n}", n) for n in range(3)))
    async with desk(
        options, people=staff(3, kinds=("sms",)), roster=families, channels=[Provider(channel=sms)]
    ) as running:
        action = {"template": "staff-action", "slots": {"action": "hold"}}
        await running.is_ordered(order(1, **action), order(2, audience="families-7b", **action))
        await running.is_settled(6)

    assert [1] * 6 == [len(sms.to(n)) for n in (100, 101, 102, 0, 1, 2)]


async def test_everybody_whom_nothing_reaches_is_listed_however_many_they_are(
    options: DeskOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P20: beyond the first page."""
    monkeypatch.setattr("notify.reports.PAGE", 2)
    people = staff(5, kinds=())
    async with desk(options, people=people, channels=[Provider(channel=Takes())]) as running:
        await running.is_ordered(order(1))
        async with asyncio.timeout(PATIENCE):
            while len(await running.others()) < len(people):  # noqa: ASYNC110 - rows ring no bell
                await asyncio.sleep(0.01)
        reports = Reports(database=running.database, addresses=running.room.tables.addresses)
        listed = await reports.notice(NoticeId("ntc_001"))
        standing = await reports.standing(listed)

    assert set(people) == standing.unreachable


async def test_what_belongs_to_no_incident_takes_neither_place_nor_turn_of_another(
    options: DeskOptions,
) -> None:
    """Two notices without an incident: the second is about no place of the first, and stops nothing of it."""
    sms = Takes()
    async with desk(options, people=staff(3, kinds=("sms",)), channels=[Provider(channel=sms)]) as running:
        tables = running.room.tables
        alone = {"incident": IncidentId(""), "template": "staff-action"}
        await running.is_ordered(order(1, **alone, slots={"action": "hold", "place": "b204"}))
        await running.is_settled(3)
        await running.is_ordered(order(2, **alone, slots={"action": "hold"}))
        await running.is_settled(6)
        superseded = await running.database.read(
            "SELECT notice, place, superseded_by FROM notice ORDER BY notice"
        )

        assert [("ntc_001", "b204", ""), ("ntc_002", "", "")] == superseded
        assert "" == await tables.place_of(IncidentId(""))
