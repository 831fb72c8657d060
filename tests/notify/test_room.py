"""From an ordered notice to what phones and mailboxes received, and what is known of it."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from belltower.clock import Instant
from belltower.ids import PersonId, StreamName
from belltower.incident.facts import DeliverySettled, Mode, NoticePlanned, Outcome
from belltower.people.person import Contact, ContactKind, Person
from notify.provider import Pace
from tests.invariants import i4, i5, i6, settled_honestly
from tests.peers.carrier import CarrierPeer, carrier_peer
from tests.peers.desk import Desk, DeskOptions, desk, order, staff
from tests.peers.waiting import PATIENCE
from tests.servers.ports import free_port


@pytest.fixture
async def carrier():
    async with carrier_peer() as peer:
        yield peer


@pytest.fixture
def options(tmp_path: Path, carrier: CarrierPeer) -> DeskOptions:
    return DeskOptions(
        database=str(tmp_path / "desk.db"),
        sms_url=carrier.url,
        smtp_port=carrier.smtp_port,
        callback_port=free_port(),
        people=10,
    )


async def holds(running: Desk, carrier: CarrierPeer, people: int) -> None:
    """I4, I5 and honesty."""
    rows = await running.rows()
    everybody = [f"p{n}" for n in range(people)]

    assert [] == i4(rows, carrier.taken())
    assert [] == i5(everybody, rows, await running.others())
    assert [] == settled_honestly(rows, carrier.taken())


async def test_everyone_is_told_by_every_address(options: DeskOptions, carrier: CarrierPeer) -> None:
    """Ten people, a phone, a mailbox and a console each; callbacks say delivered."""
    options.kinds = ("sms", "email", "console")
    async with desk(options) as running:
        await running.is_ordered(order())
        await carrier.wants_texts(10)
        await carrier.wants_mails(10)
        await running.is_settled(30)
        while (await running.count())["delivered"] < 20:  # noqa: ASYNC110 - rows ring no bell
            await asyncio.sleep(0.02)

        assert Counter({"delivered": 20, "accepted": 10}) == await running.count()
        assert ["Jefferson: ALARM at B 204"] == [text[:25] for text in carrier.received("+15550000100")]
        assert 1 == len(running.board.shown("c3"))
        await holds(running, carrier, 10)
        facts = await running.facts()
        (planned,) = [fact for fact in facts if isinstance(fact, NoticePlanned)]
        assert (10, 30, 0) == (planned.people, planned.deliveries, planned.unreachable)
        told = Counter(fact.outcome for fact in facts if isinstance(fact, DeliverySettled))
        assert (20, 20) == (told[Outcome.DELIVERED], told[Outcome.ACCEPTED])


async def test_no_fact_holds_an_address_a_name_or_a_text(options: DeskOptions, carrier: CarrierPeer) -> None:
    """Ids only."""
    async with desk(options) as running:
        await running.is_ordered(order())
        await running.is_settled(20)
        bodies = b"".join(row[0] for row in await running.database.read("SELECT body FROM journal_entry"))

    for personal in (b"+1555", b"school.example", b"Person", b"ALARM"):
        assert personal not in bodies


async def test_planning_twice_sends_once(options: DeskOptions, carrier: CarrierPeer) -> None:
    """The same order again, and a restart in between."""
    async with desk(options) as running:
        await running.is_ordered(order(), order())
        await running.is_settled(20)
    async with desk(options) as running:
        await running.is_ordered(order())
        await asyncio.sleep(0.2)
        await running.is_settled(20)

        assert (10, 10) == (len(carrier.texts), len(carrier.mails))
        await holds(running, carrier, 10)


async def test_a_shared_phone_rings_once_and_who_has_none_is_listed(
    options: DeskOptions, carrier: CarrierPeer
) -> None:
    """Two people behind one number, one behind none, one whose channel nobody serves."""
    shared = Contact(kind=ContactKind.SMS, address="+15550000999")
    people = {
        PersonId(id_): Person(id=PersonId(id_), name=id_, contacts=contacts)
        for id_, contacts in {"p0": (shared,), "p1": (shared,), "p2": ()}.items()
    }
    async with desk(options, people=people) as running:
        await running.is_ordered(order())
        await running.is_settled(1)

        assert 1 == len(carrier.received("+15550000999"))
        (row,) = await running.rows()
        assert {"p1": row.id, "p2": "no_address"} == await running.others()
        await holds(running, carrier, 3)
        assert [1] == [fact.unreachable for fact in await running.facts() if isinstance(fact, NoticePlanned)]


async def test_a_contact_without_a_channel_is_refused_aloud(
    options: DeskOptions, carrier: CarrierPeer
) -> None:
    """A recorded final reason, and a fact."""
    options.smtp_port = 0
    async with desk(options) as running:
        await running.is_ordered(order())
        await running.is_settled(20)

        assert {"no_channel"} == {row.reason for row in await running.rows() if row.channel == "email"}
        refused = [
            f for f in await running.facts() if isinstance(f, DeliverySettled) and f.reason == "no_channel"
        ]
        assert 10 == len(refused)
        (planned,) = [f for f in await running.facts() if isinstance(f, NoticePlanned)]
        assert (20, 10) == (planned.deliveries, planned.unsendable)


@pytest.mark.parametrize(
    "faults",
    [
        {"status": 429, "times": 3},
        {"status": 429, "retry_after": 1, "times": 1},
        {"status": 500, "chance": 0.5, "times": 4},
        {"status": 503, "chance": 0.5, "times": 4, "accept_anyway": True},
        {"reset": True, "chance": 0.3, "times": 5},
        {"lose_answer": True, "chance": 0.5, "times": 3, "accept_anyway": True},
        {"lose_answer": True, "chance": 0.5, "times": 3},
        {"garbage": True, "times": 2, "accept_anyway": True},
        {"status": 400, "code": 21612, "times": 2},
        {"undelivered": 0.5},
        {"doubled": 3, "shuffled": True},
        {"callbacks": False, "reset": True, "accept_anyway": True, "times": 4},
        {"forged": True},
    ],
    ids=repr,
)
async def test_no_fault_of_the_carrier_doubles_or_loses(
    options: DeskOptions, carrier: CarrierPeer, faults: dict
) -> None:
    """R20: refused, uncertain, slow, cut, doubled, shuffled, forged: at most once each, and nobody in limbo."""
    carrier.goes_wrong(**faults)
    options.deadline = 1.0 if "lose_answer" in faults else PATIENCE
    async with desk(options) as running:
        await running.is_ordered(order())
        await running.is_settled(20)
        await asyncio.sleep(0.2)

        await holds(running, carrier, 10)


async def test_what_was_taken_without_an_answer_is_known_in_the_end(
    options: DeskOptions, carrier: CarrierPeer
) -> None:
    """Without callbacks, by asking the provider."""
    carrier.goes_wrong(lose_answer=True, accept_anyway=True, callbacks=False, times=2)
    options.deadline = 1.0
    options.resolve_within = 10.0
    async with desk(options) as running:
        await running.is_ordered(order())
        count = await running.is_settled(20)

        assert 0 == count["uncertain"]
        facts = [fact for fact in await running.facts() if isinstance(fact, DeliverySettled)]
        assert 2 == sum(fact.outcome is Outcome.UNCERTAIN for fact in facts)


async def test_what_nobody_can_say_stays_uncertain_and_is_never_sent_again(
    options: DeskOptions, carrier: CarrierPeer
) -> None:
    """Not taken, no answer: uncertain, unresolved, and the mail carries the notice."""
    options.people = 1
    carrier.goes_wrong(lose_answer=True)
    options.deadline = 1.0
    async with desk(options) as running:
        await running.is_ordered(order())
        await running.is_settled(2)
        carrier.is_well()
        await asyncio.sleep(0.5)

        assert [("email", "accepted", "smtp:250"), ("sms", "uncertain", "unresolved")] == sorted(
            (row.channel, row.state, row.reason) for row in await running.rows()
        )
        assert 1 == carrier.requests


async def test_a_carrier_that_comes_back_is_served(options: DeskOptions, carrier: CarrierPeer) -> None:
    """R21: nothing listens for a while; pending waits, and the banner says so."""
    options.kinds = ("sms",)
    port = int(options.sms_url.rpartition(":")[2])
    await carrier._runner.cleanup()
    async with desk(options) as running:
        await running.is_ordered(order())
        while "sms" not in running.room.troubles():  # noqa: ASYNC110 - trouble rings no bell
            await asyncio.sleep(0.02)
        async with carrier_peer(port=port) as back:
            await back.wants_texts(10)
            await running.is_settled(10)

            assert {} == running.room.troubles()
            await holds(running, back, 10)


async def test_a_notice_that_is_too_late_is_not_sent(options: DeskOptions, carrier: CarrierPeer) -> None:
    """Refused, with the reason written down."""
    async with desk(options) as running:
        hours_ago = Instant(running.clock.now() - 7_200_000_000)
        await running.is_ordered(order(), at=hours_ago)
        await running.is_settled(20)

        assert {("refused", "too_late")} == {(row.state, row.reason) for row in await running.rows()}
        assert 0 == len(carrier.texts) + len(carrier.mails)


async def test_a_later_action_supersedes_what_has_not_left(
    options: DeskOptions, carrier: CarrierPeer
) -> None:
    """R19: hold, then lockdown, at one message a second: nobody gets hold after lockdown was ordered."""
    options.kinds = ("sms",)
    options.pace = Pace(per_second=20.0)
    options.people = 30
    async with desk(options) as running:
        await running.is_ordered(order(1, template="staff-action", slots={"action": "hold"}))
        await carrier.wants_texts(1)
        await running.is_ordered(order(2, template="staff-action", slots={"action": "lockdown"}))
        await carrier.wants_texts(31)
        await running.is_settled(60)
        rows = await running.rows()

        superseded = [row for row in rows if row.state == "superseded"]
        assert {("ntc_001", "ntc_002")} == {(row.notice, row.reason) for row in superseded}
        assert len(superseded) >= 10
        for n in range(30):
            assert "LOCK YOUR ROOM" in carrier.received(f"+1555{100 + n:07}")[-1]
        await holds(running, carrier, 30)
        first, second = ({row.person for row in rows if row.notice == f"ntc_00{n}"} for n in (1, 2))
        assert [] == i6(first, second)


async def test_an_exercise_says_so_first_and_last(options: DeskOptions, carrier: CarrierPeer) -> None:
    """And the real one never."""
    options.kinds = ("sms",)
    options.people = 1
    async with desk(options) as running:
        await running.is_ordered(order(1, mode=Mode.EXERCISE), order(2, incident="inc_2"))
        await running.is_settled(2)

    drill, real = sorted(carrier.received("+15550000100"))
    assert drill.startswith("EXERCISE EXERCISE EXERCISE: Jefferson")
    assert drill.endswith("EXERCISE EXERCISE EXERCISE")
    assert "EXERCISE" not in real


async def test_every_notice_says_the_place_it_is_about(options: DeskOptions, carrier: CarrierPeer) -> None:
    """An action for everybody says so; later notices remember where the alarm was."""
    options.kinds = ("sms",)
    options.people = 1
    async with desk(options) as running:
        await running.is_ordered(order(1))
        await carrier.wants_texts(1)
        await running.is_ordered(order(2, template="staff-action", slots={"action": "lockdown", "place": ""}))
        await running.is_ordered(order(3, template="staff-acknowledged", slots={"incident": "7"}))
        await running.is_settled(3)

    alarm, action, acknowledged = carrier.received("+15550000100")
    assert "ALARM at B 204" in alarm
    assert "the whole campus" in action
    assert "our call about B 204" in acknowledged


async def test_danger_overtakes_routine(options: DeskOptions, carrier: CarrierPeer) -> None:
    """R18: routine texts queued at a slow pace, then an alarm: it is the next to leave."""
    options.kinds = ("sms",)
    options.people = 40
    options.pace = Pace(per_second=20.0)
    async with desk(options) as running:
        await running.is_ordered(order(1, template="test", slots={}))
        await carrier.wants_texts(2)
        await running.is_ordered(order(2, incident="inc_2"))
        await running.becomes(lambda rows: any(row.notice == "ntc_002" for row in rows))
        before = len(carrier.texts)
        await carrier.wants_texts(min(before + 45, 80))

        after = [text.body for text in carrier.texts.values()][before : before + 45]
        first_alarm = next(n for n, body in enumerate(after) if "ALARM" in body)
        assert first_alarm <= 10
        assert all("ALARM" in body for body in after[first_alarm : first_alarm + 30])


async def test_many_people_are_planned_in_chunks_and_sending_begins_at_once(
    options: DeskOptions, carrier: CarrierPeer
) -> None:
    """3,000 people: the sender begins before the last row is written."""
    passed = []

    def at(point: str) -> None:
        if len(passed) < 10_000:
            passed.append(point)

    async with desk(options, people=staff(3_000, kinds=("console",)), at=at) as running:
        await running.is_ordered(order())
        await running.is_settled(3_000)

        assert "sender.before_lease" in passed[: passed.index("planner.before_commit")]
        assert Counter({"delivered": 3_000}) == await running.count()
        await holds(running, carrier, 3_000)


async def test_a_fresh_stream_is_planned_from_its_first_entry(
    options: DeskOptions, carrier: CarrierPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How far the stream before it was planned says nothing about the one that the alarm lane begins anew."""
    async with desk(options) as running:
        await running.is_ordered(order(1), order(2))
        await running.is_settled(40)
    monkeypatch.setattr("tests.peers.desk.ALARM", StreamName("alarm.1"))

    async with desk(options) as running:
        await running.is_ordered(order(3))
        await running.is_settled(60)

        assert 30 == len(carrier.texts)
