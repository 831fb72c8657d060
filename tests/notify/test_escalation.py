"""Who does not answer is told in another way, then somebody else is, then somebody goes."""

import asyncio
from pathlib import Path

import pytest

from belltower.ids import IncidentId, NoticeId, PersonId, PlaceId, UnitId
from belltower.incident import facts
from belltower.incident.facts import DeliveryEscalated, Mode, NoticeOrdered, RoomStatus
from belltower.incident.plan import EscalationPlan
from belltower.people.person import Contact, ContactKind, Person
from floorplans.place import Place
from notify import escalating
from notify.audience import AudienceRule
from notify.channels.channel import Later, Refused, Settled, Uncertain
from notify.channels.inbox import Incoming
from notify.escalation import Step, ladder, next_people, unused
from notify.provider import Provider
from tests.notify.test_correction import Keeps, until
from tests.peers.desk import Desk, DeskOptions, RosterOf, desk, order, site, take
from tests.peers.waiting import PATIENCE

PLACES = {
    PlaceId(place): Place(id=PlaceId(place), label=place, building=building)
    for place, building in {"b204": "B", "b205": "B", "a101": "A"}.items()
}
PLAN = EscalationPlan(
    templates=("staff-action",),
    channels=(ContactKind.VOICE,),
    channel_after=1.0,
    audience="office",
    person_after=2.0,
    runner_after=3.0,
)
FIRST = AudienceRule(roles=frozenset({"staff"}), channels=frozenset({ContactKind.SMS}))
OFFICE = AudienceRule(roles=frozenset({"office"}))


def teacher(
    n: int, place: str = "", *, role: str = "staff", kinds: tuple[str, ...] = ("sms", "voice")
) -> Person:
    return Person(
        id=PersonId(f"p{n}"),
        name=f"p{n}",
        roles=frozenset({role}),
        places=frozenset({PlaceId(place)} if place else ()),
        contacts=tuple(Contact(kind=ContactKind(kind), address=f"+1555{n:07}") for kind in kinds),
    )


def school(*people: Person, plan: EscalationPlan = PLAN, roster: RosterOf | None = None):
    return site(
        {person.id: person for person in people},
        roster,
        escalation=plan,
        audiences={"first": FIRST, "office": OFFICE},
    )


@pytest.fixture
def options(tmp_path: Path) -> DeskOptions:
    return DeskOptions(database=str(tmp_path / "desk.db"))


async def escalated(running: Desk) -> list[tuple[str, str, str | None]]:
    """Person, to what, and who is told instead."""
    return [
        (fact.person, fact.to, fact.next_person)
        for fact in await running.facts()
        if isinstance(fact, DeliveryEscalated)
    ]


async def heard(running: Desk, count: int) -> list[tuple[str, str, str | None]]:
    """The first escalations, once there are so many."""
    async with asyncio.timeout(PATIENCE):
        while len(found := await escalated(running)) < count:  # noqa: ASYNC110 - a journal rings no bell
            await asyncio.sleep(0.02)
    return found[:count]


def test_the_ladder_is_climbed_in_the_order_of_time_and_is_empty_without_templates() -> None:
    """Each further channel one step later; the list for somebody to go stands whatever else does."""
    plan = EscalationPlan(
        templates=("staff-action",),
        channels=(ContactKind.SMS, ContactKind.VOICE),
        audience="office",
        person_after=20.0,
    )

    assert [(1, 15.0), (2, 20.0), (3, 30.0), (4, 120.0)] == [
        (rung.number, rung.after) for rung in ladder(plan)
    ]
    assert [Step.CHANNEL, Step.PERSON, Step.CHANNEL, Step.RUNNER] == [rung.step for rung in ladder(plan)]
    assert () == ladder(EscalationPlan(channels=(ContactKind.SMS,)))


def test_the_next_person_is_the_nearest_one_who_can_answer() -> None:
    """The same room before the same building before anybody; one turn for a room; nobody looks after themselves."""
    silent = [teacher(1, "b204"), teacher(2, "b204"), teacher(3, "a101"), teacher(4)]
    deputies = [teacher(4), teacher(5, "b205"), teacher(6, "a101")]

    turns = next_people(silent, deputies, PLACES)

    assert [("p5", "b204", ("p1", "p2")), ("p6", "a101", ("p3",)), ("p5", "", ("p4",))] == [
        (turn.deputy, turn.place, turn.people) for turn in turns
    ]
    assert [] == next_people(silent, [], PLACES)


def test_an_address_is_used_once_and_only_where_somebody_serves_it() -> None:
    """In the order of kinds."""
    person = teacher(1, kinds=("sms", "voice", "email"))
    kinds = (ContactKind.EMAIL, ContactKind.VOICE)

    assert ContactKind.VOICE is unused(person, kinds, taken=(), served={"sms", "voice"}).kind
    assert unused(person, kinds, taken={("voice", "+15550000001")}, served={"voice"}) is None


@pytest.mark.parametrize("mode", Mode)
async def test_w23_who_does_not_answer_is_called_then_the_nearest_is_told_then_somebody_goes(
    options: DeskOptions, mode: Mode
) -> None:
    """W23: an answer, to this notice or from the room, ends it for that person; each step is taken once, over a restart.

    R43: what an exercise climbs to is of an exercise.
    """
    sms, voice = Keeps("sms"), Keeps("voice")
    people = school(
        teacher(1, "b204"),
        teacher(2, "b205"),
        teacher(3, "a101"),
        teacher(4, kinds=()),
        teacher(5, "b205", role="office", kinds=("sms",)),
    )
    channels = [Provider(channel=sms), Provider(channel=voice)]
    action = order(
        1,
        template="staff-action",
        audience="first",
        slots={"action": "lockdown", "incident": "7"},
        mode=mode,
    )
    async with desk(options, school=people, channels=channels) as running:
        await running.is_ordered(action)
        await until(lambda: len(sms.sent) == 3)
        said = Incoming(message="m1", channel="sms", address="+15550000001", text="1")
        await running.room.hearing.hear("sms", said)
        status = facts.StatusReported(
            incident=IncidentId("inc_1"), place=PlaceId("a101"), status=RoomStatus.SAFE, unit=UnitId("u1")
        )
        await take(running.journal, running.copy, [status], at=running.clock.now())
        first = await heard(running, 1)
        await until(lambda: voice.sent)
    async with desk(options, school=people, channels=channels) as running:
        found = await heard(running, 5)
        await until(lambda: len(sms.sent) == 5)
        await asyncio.sleep(0.1)
        told = [fact for fact in await running.facts() if isinstance(fact, NoticeOrdered)]

    assert {mode} == {notice.mode for notice in told}
    assert [("p2", "voice", None)] == first
    assert [("+15550000002", "ntc_001")] == voice.sent
    assert [
        ("p2", "voice", None),
        ("p2", "next person", "p5"),
        ("p4", "next person", "p5"),
        ("p2", "runner", None),
        ("p4", "runner", None),
    ] == found
    assert [("staff-unreached", "b205"), ("staff-unreached", "?")] == [
        (notice.template, notice.slots["place"]) for notice in told
    ]
    assert {"+15550000005"} == {address for address, notice in sms.sent if notice != "ntc_001"}


@pytest.mark.parametrize(("stopped", "called"), [("voice", False), ("sms", True)])
async def test_w25_nobody_is_called_who_stopped_calls_and_a_stop_of_texts_stops_no_calls(
    options: DeskOptions, stopped: str, called: bool
) -> None:
    """W25: where a stop covers everything, on the ladder as well."""
    options.stop_covers = "all"
    sms, voice = Keeps("sms"), Keeps("voice")
    people = school(teacher(1, "b204"))
    async with desk(
        options, school=people, channels=[Provider(channel=sms), Provider(channel=voice)]
    ) as running:
        async with running.database.begin() as tx:
            running.room.replies.stop(tx, stopped, "+15550000001", person="p1", at=running.clock.now())
        await running.is_ordered(
            order(1, template="staff-action", audience="first", slots={"action": "hold"})
        )
        await heard(running, 1)
        await running.is_settled(2)
        stood = {row.channel: (row.state, row.reason) for row in await running.rows()}

    assert ("refused", "stopped") == stood[stopped]
    assert (called, not called) == (bool(voice.sent), bool(sms.sent))


@pytest.mark.parametrize("ended", ["closed", "superseded"])
async def test_nobody_climbs_for_what_is_over(options: DeskOptions, ended: str) -> None:
    """The incident was closed, or a later notice took the place of this one."""
    voice = Keeps("voice")
    people = school(teacher(1, "b204"))
    async with desk(
        options, school=people, channels=[Provider(channel=Keeps("sms")), Provider(channel=voice)]
    ) as running:
        await running.is_ordered(
            order(1, template="staff-action", audience="first", slots={"action": "hold"})
        )
        await running.is_settled(1)
        over = (
            facts.IncidentClosed(incident=IncidentId("inc_1"), by=PersonId("p1"))
            if ended == "closed"
            else order(2, template="staff-closed", audience="first")
        )
        await take(running.journal, running.copy, [over], at=running.clock.now())
        async with asyncio.timeout(PATIENCE):
            while await running.database.read("SELECT 1 FROM deadline WHERE key LIKE '%ladder'"):  # noqa: ASYNC110 - rows ring no bell
                await asyncio.sleep(0.02)

        assert [] == await escalated(running)
    assert [] == voice.sent


@pytest.mark.parametrize(
    ("answer", "goes"),
    [
        (Uncertain(reason="silence"), True),
        (Refused(reason="dead"), True),
        (Later(reason="busy", everyone=True, after=60.0), True),
        (Settled(), False),
    ],
)
async def test_r20_what_may_not_have_arrived_goes_by_another_kind_of_address(
    options: DeskOptions, monkeypatch: pytest.MonkeyPatch, answer: object, goes: bool
) -> None:
    """R20: families by a roster, staff by the package; with no plan for it; within 30 s, here in scale."""
    monkeypatch.setattr(escalating, "FIRST_LOOK", 0.3)
    monkeypatch.setattr(escalating, "LOOK_EVERY", 0.2)
    sms, mail = Keeps("sms", lambda _message: answer), Keeps("email")
    staff = teacher(1, kinds=("sms", "email"))
    parent = teacher(2, role="guardian", kinds=("sms", "email"))
    rule = AudienceRule(roles=frozenset({"staff", "guardian"}), channels=frozenset({ContactKind.SMS}))
    people = school(staff, plan=EscalationPlan(), roster=RosterOf(parent))
    async with desk(
        options, school=people, channels=[Provider(channel=sms), Provider(channel=mail)]
    ) as running:
        async with running.database.begin() as tx:
            running.room.tables.add_rule(tx, NoticeId("ntc_001"), rule)
        await running.is_ordered(order(1, audience=""))
        if goes:
            await until(lambda: len(mail.sent) == 2)
            found = await heard(running, 2)
            assert {("p1", "email", None), ("p2", "email", None)} == set(found)
        else:
            await running.is_settled(2)
            await asyncio.sleep(0.5)
            assert [] == await escalated(running)
    assert 2 * goes == len(mail.sent)
