"""What takes a notice back or ends it reaches everybody whom the first may have reached, and nobody in the wrong order."""

import asyncio
from collections import defaultdict
from functools import partial
from pathlib import Path
from random import Random

import pytest

from belltower.clock import SECOND, Instant
from belltower.errors import NotFound, StoreError, WrongState
from belltower.ids import Ids, IncidentId, NoticeId, PersonId
from belltower.incident.entry import Draft
from belltower.incident.facts import Mode, NoticeOrdered
from belltower.incident.told import Readers
from belltower.people.person import Contact, ContactKind, Person
from belltower.people.vault import Vault
from belltower.store import Transaction, open_database
from notify.addresses import Addresses
from notify.audience import AudienceRule
from notify.channels.channel import Later, Refused, Settled, Uncertain
from notify.correction import all_clear
from notify.delivery import Evidence, State
from notify.provider import Pace, Provider
from notify.store import DeliveryTables, Ordered
from tests.peers.desk import RING, Desk, DeskOptions, RosterOf, desk, order, staff
from tests.peers.waiting import PATIENCE

BY = PersonId("p1")


class Keeps:
    """A channel that keeps what left by it, in order, and answers as it is told to."""

    def __init__(self, name: str = "sms", answer=lambda _message: Settled()) -> None:
        self.name = name
        self.sent: list[tuple[str, str]] = []
        self.answer = answer

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def find(self, message, *, known):
        return None

    async def send(self, message):
        answer = self.answer(message)
        if isinstance(answer, Settled | Uncertain):
            self.sent.append((message.address, message.notice))
        return answer


@pytest.fixture
def options(tmp_path: Path) -> DeskOptions:
    return DeskOptions(database=str(tmp_path / "desk.db"))


async def until(true) -> None:
    """Wait for something in memory."""
    async with asyncio.timeout(PATIENCE):
        while not true():  # noqa: ASYNC110 - a list rings no bell
            await asyncio.sleep(0.01)


async def planned(running: Desk, notice: str) -> None:
    """Until the notice is planned."""
    async with asyncio.timeout(PATIENCE):
        while not await running.database.read(  # noqa: ASYNC110 - rows ring no bell
            "SELECT 1 FROM notice_delivery WHERE notice = :notice LIMIT 1", notice=notice
        ):
            await asyncio.sleep(0.01)


def family(n: int) -> Person:
    return Person(
        id=PersonId(f"g{n}"),
        name=f"g{n}",
        roles=frozenset({"guardian"}),
        classes=frozenset({"7b"}),
        contacts=(
            Contact(kind=ContactKind.SMS, address=f"+1555{n:07}"),
            Contact(kind=ContactKind.EMAIL, address=f"g{n}@home.example"),
        ),
    )


@pytest.mark.parametrize("seed", range(4))
async def test_w17_a_correction_contains_everyone_with_an_attempt_by_the_same_channels(
    options: DeskOptions, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """W17, I6: with refusals, silence and pauses, an audience that has moved on since, and addresses that want no routine."""
    monkeypatch.setattr("notify.planning_store.PAGE", 2)
    random = Random(seed)

    def fails(_message):
        return random.choice(
            [
                Settled(),
                Settled(),
                Refused(reason="dead"),
                Uncertain(reason="silence"),
                Later(reason="busy", after=9.0),
            ]
        )

    sms, mail = Keeps("sms", fails), Keeps("email", fails)
    families = [family(n) for n in range(12)]
    roster = RosterOf(*families)
    async with desk(
        options,
        people=staff(1, kinds=("sms",)),
        roster=roster,
        channels=[Provider(channel=sms), Provider(channel=mail)],
    ) as running:
        await running.is_ordered(order(1, audience="families-7b", template="families.secure.now"))
        await until(lambda: len(sms.sent) + len(mail.sent) >= 5)
        roster._people = families[8:]
        sms.answer = mail.answer = lambda _message: Settled()
        async with running.database.begin() as tx:
            for stopped in families:
                running.room.replies.stop(
                    tx, "sms", stopped.contacts[0].address, person=stopped.id, at=running.clock.now()
                )
        verb = Ids(clock=running.clock).verb()
        for _ in range(2):  # asked twice, done once
            await running.room.corrections.correct(verb, NoticeId("ntc_001"), BY)
        second = f"ntc_{verb[4:]}"
        await planned(running, second)
        tried = await running.database.read(
            "SELECT channel, address FROM notice_delivery WHERE notice = 'ntc_001' AND attempts > 0"
        )
        corrected = await running.database.read(
            "SELECT channel, address FROM notice_delivery WHERE notice = :second AND reason <> 'stopped'",
            second=second,
        )
        (ordered,) = [fact for fact in await running.facts() if isinstance(fact, NoticeOrdered)]

    assert set(tried) <= set(corrected)
    assert len(corrected) == len(set(corrected))
    assert ("families.secure.correction", ("ntc_001",)) == (ordered.template, ordered.corrects)


async def test_w18_nothing_is_leased_of_what_was_superseded_since_somebody_looked(tmp_path: Path) -> None:
    """A sender looks twice a second: in between the lease itself says no."""
    database = await open_database(f"sqlite://{tmp_path}/desk.db")
    tables = DeliveryTables(database=database, addresses=Addresses(vault=Vault(ring=RING)))
    await tables.migrate()
    first, second = (
        Ordered(
            notice=NoticeId(f"ntc_{n}"),
            revision=1,
            incident=IncidentId("inc_1"),
            template="staff-alarm",
            place="",
            mode=Mode.ACTUAL,
            urgency=0,
            ordered_at=Instant(n),
            corrects=corrects,
        )
        for n, corrects in ((1, ()), (2, (NoticeId("ntc_1"),)))
    )
    row = ("dlv_1", "ntc_1", 1, "inc_1", "p1", "sms", "+15550000001", "pending", "", 0, "en", 1, "mark")
    async with database.begin() as tx:
        tables.add_notice(tx, first)
        tables.add_rows(tx, [row], [])
    (waiting,) = await tables.waiting("sms")
    lease = partial(
        tables.lease,
        waiting=waiting,
        channel="sms",
        provider="cell",
        anything=True,
        lease="lse_1",
        now=Instant(10),
        horizon=Instant(10**15),
        count=10,
    )
    async with database.begin() as tx:
        tables.add_notice(tx, second)
        tables.supersede(tx, second, ())
    assert [] == await lease()
    async with database.begin() as tx:
        tx.add("UPDATE notice SET superseded_by = ''")
    assert ["dlv_1"] == [one.id for one in await lease()]
    await database.close()


async def test_w18_r19_what_is_superseded_never_follows_what_took_its_place(options: DeskOptions) -> None:
    """W18, R19, I8: weather mid-fan-out, lockdown, all-clear, late callbacks; unsent is cancelled within 2 s."""
    sms = Keeps()
    people = staff(60, kinds=("sms",))
    async with desk(
        options, people=people, channels=[Provider(channel=sms, pace=Pace(per_second=80.0, at_once=8))]
    ) as running:
        await running.is_ordered(order(1, template="staff-notice", incident=IncidentId(""), routine=True))
        await until(lambda: len(sms.sent) >= 5)
        await running.is_ordered(order(2, template="staff-action", slots={"action": "lockdown"}))
        await until(lambda: sum(notice == "ntc_002" for _, notice in sms.sent) >= 10)
        verb = Ids(clock=running.clock).verb()
        began = running.clock.now()
        await running.room.corrections.all_clear(verb, IncidentId("inc_1"), BY)
        async with asyncio.timeout(PATIENCE):
            while await running.database.read(  # noqa: ASYNC110 - rows ring no bell
                "SELECT 1 FROM notice_delivery WHERE notice = 'ntc_002' AND state IN ('pending', 'sending') LIMIT 1"
            ):
                await asyncio.sleep(0.01)
        cancelled = running.clock.now() - began
        await running.is_settled(180)
        rows = await running.database.read("SELECT id, state FROM notice_delivery WHERE notice = 'ntc_002'")
        gone = next(id_ for id_, state in rows if state == "accepted")
        for late in (State.DELIVERED, State.ACCEPTED, State.PENDING):
            await running.room.ledger.learn(Evidence(delivery=gone, state=late))
        after = dict(await running.database.read("SELECT id, state FROM notice_delivery"))

    received = defaultdict(list)
    for address, notice in sms.sent:
        received[address].append(notice)
    clear = f"ntc_{verb[4:]}"
    assert cancelled < 20 * SECOND  # a busy machine; how soon it is stands in the bench
    assert 60 == len(received)
    assert all(notices[-1] in {clear, "ntc_001"} for notices in received.values())
    assert all(
        notices.index("ntc_002") < notices.index(clear)
        for notices in received.values()
        if "ntc_002" in notices
    )
    assert all(clear in notices for notices in received.values())
    assert any("ntc_002" not in notices for notices in received.values())
    assert "delivered" == after[gone]


async def test_an_all_clear_tells_each_set_its_own_words_and_once(options: DeskOptions) -> None:
    """Staff and families apart; the audience that stands in no site package is the same; nobody twice."""
    sms = Keeps()
    async with desk(
        options, people=staff(2, kinds=("sms",)), roster=RosterOf(family(1)), channels=[Provider(channel=sms)]
    ) as running:
        async with running.database.begin() as tx:
            running.room.tables.add_rule(
                tx,
                NoticeId("ntc_002"),
                AudienceRule(roles=frozenset({"guardian"}), channels=frozenset({ContactKind.SMS})),
            )
        await running.is_ordered(order(1), order(2, audience="", template="families.lockdown.now"))
        await running.is_settled(3)
        ids = Ids(clock=running.clock)
        corrections = running.room.corrections
        await corrections.all_clear(ids.verb(), IncidentId("inc_1"), BY, (Readers.FAMILIES,))
        await running.is_settled(4)
        await corrections.all_clear(ids.verb(), IncidentId("inc_1"), BY)
        await running.is_settled(6)
        await corrections.all_clear(ids.verb(), IncidentId("inc_1"), BY)
        ordered = [fact for fact in await running.facts() if isinstance(fact, NoticeOrdered)]
        with pytest.raises(NotFound):
            await corrections.all_clear(ids.verb(), IncidentId("inc_9"), BY)

    assert ["families.lockdown.cleared", "staff-closed"] == [one.template for one in ordered]
    assert 6 == len(sms.sent)


async def test_a_notice_is_taken_back_once_and_a_correction_never(options: DeskOptions) -> None:
    """Whoever asks again under another id is told why not; a notice without an incident too."""
    sms = Keeps()
    async with desk(options, people=staff(1, kinds=("sms",)), channels=[Provider(channel=sms)]) as running:
        await running.is_ordered(order(1, incident=IncidentId(""), template="staff-notice"))
        await running.is_settled(1)
        ids, corrections = Ids(clock=running.clock), running.room.corrections
        verb = ids.verb()
        await corrections.correct(verb, NoticeId("ntc_001"), BY)
        await running.is_settled(2)
        await corrections.correct(verb, NoticeId("ntc_001"), BY)

        with pytest.raises(WrongState):
            await corrections.correct(ids.verb(), NoticeId("ntc_001"), BY)
        with pytest.raises(WrongState):
            await corrections.correct(ids.verb(), NoticeId(f"ntc_{verb[4:]}"), BY)
        with pytest.raises(NotFound):
            await corrections.correct(ids.verb(), NoticeId("ntc_777"), BY)
        await running.journal.commit(Transaction(), [])

    assert 2 == len(sms.sent)


async def test_a_correction_that_could_not_be_ordered_is_ordered_when_it_is_asked_again(
    options: DeskOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that fails once swallows no correction, under the same verb id."""
    sms = Keeps()
    async with desk(options, people=staff(1, kinds=("sms",)), channels=[Provider(channel=sms)]) as running:
        async with running.database.begin() as tx:
            running.room.tables.add_rule(tx, NoticeId("ntc_001"), AudienceRule(roles=frozenset({"staff"})))
        await running.is_ordered(order(1, audience="", template="staff-notice"))
        await running.is_settled(1)

        async def fails(_notice):
            raise StoreError("once")

        verb, corrections = Ids(clock=running.clock).verb(), running.room.corrections
        with monkeypatch.context() as failing:
            failing.setattr(running.room.tables, "rule_of", fails)
            with pytest.raises(StoreError):
                await corrections.correct(verb, NoticeId("ntc_001"), BY)
        await corrections.correct(verb, NoticeId("ntc_001"), BY)
        await running.is_settled(2)

    assert ["ntc_001", f"ntc_{verb[4:]}"] == [notice for _, notice in sms.sent]


@pytest.mark.parametrize("incident", ["inc_1", ""])
async def test_two_people_who_take_one_notice_back_at_once_send_one_correction(
    options: DeskOptions, incident: str
) -> None:
    """The second is told that it was taken back already, though the first correction is not planned yet."""
    sms = Keeps()
    async with desk(options, people=staff(1, kinds=("sms",)), channels=[Provider(channel=sms)]) as running:
        await running.is_ordered(order(1, incident=IncidentId(incident), template="staff-notice"))
        await running.is_settled(1)
        ids, correct = Ids(clock=running.clock), running.room.corrections.correct
        answers = await asyncio.gather(
            correct(ids.verb(), NoticeId("ntc_001"), BY),
            correct(ids.verb(), NoticeId("ntc_001"), PersonId("p2")),
            return_exceptions=True,
        )
        ordered = [fact for fact in await running.facts() if isinstance(fact, NoticeOrdered)]

    assert [type(None), WrongState] == [type(answer) for answer in answers]
    assert 1 == len(ordered)


async def test_an_all_clear_stands_in_the_place_of_what_is_ordered_and_not_planned_yet(
    options: DeskOptions,
) -> None:
    """An update of a moment ago never follows it."""
    sms = Keeps()
    async with desk(options, people=staff(1, kinds=("sms",)), channels=[Provider(channel=sms)]) as running:
        await running.is_ordered(order(1))
        await running.is_settled(1)
        update = order(2, template="staff-notice")
        draft = Draft(
            id=Ids(clock=running.clock).fact(), at=running.clock.now(), subject="inc_1", fact=update
        )
        await running.journal.commit(Transaction(), [draft])
        verb = Ids(clock=running.clock).verb()
        await running.room.corrections.all_clear(verb, IncidentId("inc_1"), BY)
        cleared = next(
            fact
            for fact in await running.facts()
            if isinstance(fact, NoticeOrdered) and fact.notice != update.notice
        )

    assert ("ntc_001", "ntc_002") == cleared.corrects


def test_an_end_that_was_told_to_some_leaves_the_rest_to_be_told() -> None:
    """Only what stands in the place of everything before is the end for everybody."""
    said = [
        order(1, audience="families-7b", template="families.lockdown.now"),
        order(2, audience="families-7a", template="families.lockdown.cleared"),
    ]
    ends = all_clear(said, Readers.FAMILIES, notice=NoticeId("ntc_003"), by=BY)

    assert ("families-7b", ("ntc_001", "ntc_002")) == (ends.audience, ends.corrects)
    assert all_clear([*said, ends], Readers.FAMILIES, notice=NoticeId("ntc_004"), by=BY) is None
    halves = [order(4 + n, template="staff-closed", corrects=(NoticeId(f"ntc_{n:03}"),)) for n in (1, 2)]
    both = [order(1), order(2), *halves]
    assert all_clear(both, Readers.STAFF, notice=NoticeId("ntc_007"), by=BY) is None


def test_the_end_of_what_was_meant_is_meant_although_an_exercise_was_named_after_it() -> None:
    """Nobody who was told of a lockdown reads that it was practised."""
    said = [
        order(1, audience="families-7b", template="families.lockdown.now"),
        order(2, audience="families-7b", template="families.lockdown.exercise", mode=Mode.EXERCISE),
    ]
    ends = all_clear(said, Readers.FAMILIES, notice=NoticeId("ntc_003"), by=BY)
    practised = all_clear(said[1:], Readers.FAMILIES, notice=NoticeId("ntc_003"), by=BY)

    assert (Mode.ACTUAL, Mode.EXERCISE) == (ends.mode, practised.mode)


def test_the_end_is_said_of_the_action_not_of_where_families_go() -> None:
    """To all of them: a place to meet is never over."""
    told = [
        order(1, template="families.evacuate.now", audience="families-7b"),
        order(2, template="families.site.open", audience="families-7b", slots={"site": "b204"}),
    ]

    end = all_clear(told, Readers.FAMILIES, notice=NoticeId("ntc_end"), by=PersonId("per_ruth"))

    assert end is not None
    assert "families.evacuate.cleared" == end.template
    assert (told[0].notice, told[1].notice) == end.corrects
