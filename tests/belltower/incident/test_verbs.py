"""Verbs on the real journal and store, held in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from random import Random

import apsw
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from belltower.clock import SECOND, Instant
from belltower.errors import NotFound, NotVerified, WrongState
from belltower.ids import Ids, LinkName, PersonId, PlaceId, StreamName, UnitId
from belltower.incident import drill, facts
from belltower.incident.drill import DrillAuthorisation
from belltower.incident.encoding import FactEncoding
from belltower.incident.facts import Action, AlarmKind, Fact, Mode
from belltower.incident.fold import fold
from belltower.incident.plan import NoticePlan, Response, ResponsePlan
from belltower.incident.standing import JOIN_WITHIN
from belltower.incident.verbs import Raised, Verbs
from belltower.journal import Durability, Journal, SpoolFile
from belltower.store import Flush, InlineDatabase, SQLiteEngine
from belltower.store.faults import DiskFull
from tests.peers.waiting import PATIENCE, everybody_rests

PRINCIPAL, OFFICER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
PLAN = ResponsePlan(
    panic=Response(notices=(NoticePlan(template="staff-alarm", audience="all-staff"),)),
    action=(NoticePlan(template="staff-action", audience="all-staff"),),
    acknowledged=(NoticePlan(template="staff-acknowledged", audience="all-staff"),),
    closed=(NoticePlan(template="staff-closed", audience="all-staff"),),
)
BY = PersonId("p1")


class HandClock:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.at = 1_000_000 * SECOND

    def now(self) -> Instant:
        return Instant(self.at)

    def monotonic(self) -> float:
        return self.at / SECOND


class House:
    """Verbs that can be restarted over the same disk."""

    def __init__(self, tmp_path) -> None:
        self.clock = HandClock()
        self.connection = apsw.Connection(":memory:")
        self.random = Random(1)
        self.spool = SpoolFile(path=tmp_path / "spool")
        self.campus = "lincoln"

    async def start(self, flush: Callable[[], Flush] = Flush) -> Verbs:
        self.database = InlineDatabase(engine=SQLiteEngine(connection=self.connection), flush=flush)
        self.journal: Journal[Fact] = Journal(
            database=self.database, stream=StreamName("alarm"), codec=FactEncoding(), spool=self.spool
        )
        await self.journal.open()
        self.verbs = Verbs(
            journal=self.journal,
            database=self.database,
            clock=self.clock,
            ids=Ids(clock=self.clock, random_bytes=self.random.randbytes),
            response=PLAN,
            campus=self.campus,
            drill_keys={"principal": PRINCIPAL.public_key(), "officer": OFFICER.public_key()},
        )
        self.ids = Ids(clock=self.clock, random_bytes=self.random.randbytes)
        self.owed = await self.verbs.open()
        return self.verbs

    async def written(self) -> list[Fact]:
        return [entry.fact for entry in await self.journal.read(after=0, limit=1000)]

    def press(self, building: str = "B", place: str | None = "b-204", *, exercise: bool = False) -> Raised:
        return self.verbs.raise_alarm(
            kind=AlarmKind.PANIC,
            place=PlaceId(place) if place else None,
            building=building,
            path="mqtt",
            unit=UnitId("u1"),
            exercise=exercise,
        )

    def token(
        self,
        *,
        accepted: bool = False,
        campus: str = "lincoln",
        name: str = "d1",
        places: tuple[str, ...] = ("lincoln",),
    ) -> str:
        return drill.sign(
            DrillAuthorisation(
                id=name,
                campus=campus,
                places=places,
                action=Action.LOCKDOWN,
                begins=Instant(self.clock.at - SECOND),
                until=Instant(self.clock.at + 600 * SECOND),
                authorisers=("principal", "officer"),
                psap_accepted=accepted,
            ),
            (PRINCIPAL, OFFICER),
        )


@pytest.fixture
async def house(tmp_path) -> AsyncIterator[House]:
    made = House(tmp_path)
    await made.start()
    yield made
    await made.journal.close()


def kinds(written: list[Fact], *wanted: type) -> list[Fact]:
    return [fact for fact in written if isinstance(fact, wanted)]


async def test_one_press_writes_alarm_incident_call_and_notice_in_one_commit(house: House) -> None:
    """The facts of a first press stand together, in this order."""
    raised = house.press()

    assert Durability.JOURNALED == await raised.durability
    assert [
        facts.AlarmRaised,
        facts.IncidentOpened,
        facts.CallOrdered,
        facts.NoticeOrdered,
    ] == [type(fact) for fact in await house.written()]


async def test_presses_at_the_same_instant_open_one_incident(house: House) -> None:
    """A decision counts before its commit does."""
    pressed = [house.press() for _ in range(5)]
    for raised in pressed:
        await raised.durability
    written = await house.written()

    assert 1 == len({raised.incident for raised in pressed})
    assert 1 == len(kinds(written, facts.IncidentOpened))
    assert [1, 2, 3, 4, 5] == [fact.number for fact in kinds(written, facts.AlarmRaised)]


async def test_each_building_has_one_call_and_its_own_numbers(house: House) -> None:
    """The first alarm of a building is a call; later ones only raise its number."""
    for building in "BABA":
        await house.press(building).durability
    calls = kinds(await house.written(), facts.CallOrdered)

    assert [("B", 1), ("A", 2)] == [(call.building, call.number) for call in calls]


async def test_a_unit_without_a_place_alarms_all_the_same(house: House) -> None:
    """Place unknown is still a call."""
    await house.press("", None).durability

    assert [None] == [call.place for call in kinds(await house.written(), facts.CallOrdered)]


async def test_an_old_incident_is_not_joined(house: House) -> None:
    """An incident that somebody forgot to close does not swallow tomorrow's alarm."""
    await house.press().durability
    house.clock.at += JOIN_WITHIN + 1
    await house.press().durability
    written = await house.written()

    assert [1, 2] == [fact.number for fact in kinds(written, facts.IncidentOpened)]
    assert [1, 2] == [fact.number for fact in kinds(written, facts.CallOrdered)]


async def test_a_restart_forgets_nothing(house: House) -> None:
    """Open incidents, counters and calls stand after a restart as they stood before it."""
    await house.press().durability
    before = dict(house.verbs.incidents)
    await house.start()

    assert before == {name: fold(name, house.owed) for name in house.verbs.incidents}
    joined = house.press()
    await joined.durability
    assert list(before) == [joined.incident]
    await house.press("A").durability
    assert [1, 2] == [call.number for call in kinds(await house.written(), facts.CallOrdered)]


async def test_a_verb_asked_twice_is_done_once_even_after_a_restart(house: House) -> None:
    """The verb's id makes the second asking an answer."""
    raised = house.press()
    await raised.durability
    verb = house.ids.verb()
    ordered = {
        "verb": verb,
        "incident": raised.incident,
        "action": Action.LOCKDOWN,
        "places": frozenset(),
        "by": BY,
    }
    first = await house.verbs.order_action(**ordered)
    again = await house.verbs.order_action(**ordered)
    await house.start()
    later = await house.verbs.order_action(**ordered)

    assert ["ordered"] * 3 == [first, again, later]
    assert 1 == len(kinds(await house.written(), facts.ActionOrdered))


async def test_what_a_verb_answered_is_kept_for_a_week(house: House) -> None:
    """Nobody asks again after that, and the rows do not grow for ever."""
    await house.verbs.test_links(verb=house.ids.verb(), by=BY)
    day = 24 * 3600 * SECOND
    kept = []
    for days in (6, 2):
        house.clock.at = Instant(house.clock.at + days * day)
        await house.verbs.forget_old()
        kept.append(len(list(house.connection.execute("SELECT * FROM incident_verb"))))

    assert [1, 0] == kept


async def test_an_output_that_a_notice_goes_to_says_what_stands(house: House) -> None:
    """What the alarm asks for, then the ordered action; nothing twice, and nothing once it is over."""
    raised = house.press()
    await raised.durability

    async def told() -> str:
        return await house.verbs.order_output(verb=house.ids.verb(), incident=raised.incident, output="hall")

    before = len(kinds(await house.written(), facts.OutputOrdered))
    await told()
    await told()
    await house.verbs.order_action(
        verb=house.ids.verb(),
        incident=raised.incident,
        action=Action.HOLD,
        places=frozenset(),
        by=BY,
    )
    await told()
    await told()
    ordered = [
        (one.on, one.kind is not None, one.action)
        for one in kinds(await house.written(), facts.OutputOrdered)[before:]
        if one.output == "hall"
    ]
    await house.verbs.close_incident(verb=house.ids.verb(), incident=raised.incident, by=BY)

    assert [(True, True, None), (True, False, Action.HOLD)] == ordered
    with pytest.raises(NotFound):
        await told()


async def test_a_real_incident_is_not_closed_as_an_exercise(house: House) -> None:
    """Whatever a form says, an actual incident was no exercise."""
    raised = house.press()
    closing = house.ids.verb()
    with pytest.raises(WrongState, match="not an exercise"):
        await house.verbs.close_incident(
            verb=closing, incident=raised.incident, by=BY, reason="exercise-over"
        )

    assert house.verbs.incidents[raised.incident].open


async def test_a_closed_incident_takes_no_more_verbs(house: House) -> None:
    """Closing is final, orders the notice, and the next alarm opens a new incident."""
    raised = house.press()
    closing = house.ids.verb()
    await house.verbs.close_incident(verb=closing, incident=raised.incident, by=BY)

    with pytest.raises(NotFound):
        await house.verbs.close_incident(verb=house.ids.verb(), incident=raised.incident, by=BY)
    assert "closed" == await house.verbs.close_incident(verb=closing, incident=raised.incident, by=BY)
    assert raised.incident != house.press().incident


async def test_without_a_token_an_exercise_press_is_live(house: House) -> None:
    """The wish alone makes nothing an exercise."""
    raised = house.press(exercise=True)

    assert Mode.ACTUAL is raised.mode


async def test_in_a_drill_only_exercise_presses_are_exercises(house: House) -> None:
    """A live press during a drill is live and ends it."""
    await house.verbs.begin_drill(verb=house.ids.verb(), token=house.token(accepted=True))
    drilled = house.press(exercise=True)
    live = house.press("A")
    after = house.press("C", exercise=True)
    await after.durability
    written = await house.written()

    assert [Mode.EXERCISE, Mode.ACTUAL, Mode.ACTUAL] == [drilled.mode, live.mode, after.mode]
    assert drilled.incident != live.incident
    assert ["aborted_real"] == [fact.reason for fact in kinds(written, facts.DrillEnded)]
    assert [(Mode.EXERCISE, True), (Mode.ACTUAL, False), (Mode.ACTUAL, False)] == [
        (call.mode, call.exercise_accepted) for call in kinds(written, facts.CallOrdered)
    ]


async def test_a_drill_outlives_a_restart_and_ends_with_its_window(house: House) -> None:
    """The window is in the token, not in a process."""
    await house.verbs.begin_drill(verb=house.ids.verb(), token=house.token())
    await house.start()
    assert Mode.EXERCISE is house.press(exercise=True).mode
    house.clock.at += 601 * SECOND

    assert Mode.ACTUAL is house.press(exercise=True).mode


async def test_a_token_opens_no_second_drill(house: House) -> None:
    """A used token is refused, after a restart too; a second drill at a time is refused."""
    token = house.token()
    await house.verbs.begin_drill(verb=house.ids.verb(), token=token)
    with pytest.raises(WrongState):
        await house.verbs.begin_drill(verb=house.ids.verb(), token=house.token(name="d2"))
    await house.verbs.end_drill(verb=house.ids.verb())
    await house.start()

    with pytest.raises(NotVerified):
        await house.verbs.begin_drill(verb=house.ids.verb(), token=token)


async def test_a_press_outside_the_drills_places_is_live_and_ends_it(house: House) -> None:
    """The exercise bit counts where the two authorisers said, and nowhere else."""
    await house.verbs.begin_drill(verb=house.ids.verb(), token=house.token(places=("B",)))
    inside = house.press(exercise=True)
    outside = house.press("C", "c-1", exercise=True)
    await outside.durability

    assert [Mode.EXERCISE, Mode.ACTUAL] == [inside.mode, outside.mode]
    (ended,) = kinds(await house.written(), facts.DrillEnded)
    assert "aborted_real" == ended.reason


async def test_a_drill_tells_no_other_action_than_the_agreed_one(house: House) -> None:
    """Neither by the plan nor by a person; and nothing more once it is over."""
    house.verbs.response = ResponsePlan(panic=Response(action=Action.EVACUATE))
    await house.verbs.begin_drill(verb=house.ids.verb(), token=house.token())
    raised = house.press(exercise=True)
    await raised.durability
    assert [] == kinds(await house.written(), facts.ActionOrdered)

    async def order(action: Action) -> str:
        return await house.verbs.order_action(
            verb=house.ids.verb(), incident=raised.incident, action=action, places=frozenset(), by=BY
        )

    with pytest.raises(WrongState, match="agreed for the action lockdown"):
        await order(Action.EVACUATE)
    assert "ordered" == await order(Action.LOCKDOWN)
    await house.verbs.end_drill(verb=house.ids.verb())
    with pytest.raises(WrongState, match="is over"):
        await order(Action.LOCKDOWN)
    live = house.press()
    await live.durability
    assert Action.EVACUATE is house.verbs.incidents[live.incident].action


async def test_an_exercise_is_not_heard_longer_than_its_drill(house: House) -> None:
    """However it ends: what it switched on is ordered off; a real alarm keeps its own."""
    house.verbs.response = ResponsePlan(panic=Response(outputs=("siren",)))

    async def drilled(name: str) -> None:
        await house.verbs.begin_drill(verb=house.ids.verb(), token=house.token(name=name))
        house.press(exercise=True)

    def ordered(written: list[Fact]) -> list[tuple[Mode, bool]]:
        return [(fact.mode, fact.on) for fact in kinds(written, facts.OutputOrdered)]

    exercise = [(Mode.EXERCISE, True), (Mode.EXERCISE, False)]
    await drilled("d1")
    await house.verbs.end_drill(verb=house.ids.verb())
    assert exercise == ordered(await house.written())
    await drilled("d2")
    await house.press().durability
    assert [*exercise, (Mode.EXERCISE, True), (Mode.ACTUAL, True), (Mode.EXERCISE, False)] == ordered(
        await house.written()
    )


async def test_the_end_of_a_window_is_written_down_though_the_clock_is_put_back(house: House) -> None:
    """On the clock that nobody sets the window closes all the same; a drill that died with its process is over too."""
    await house.verbs.begin_drill(verb=house.ids.verb(), token=house.token())
    moved = house.clock.at
    house.clock.monotonic = lambda: moved / SECOND + 601  # type: ignore[method-assign]
    house.clock.at -= 300 * SECOND
    assert house.verbs.drill is None
    raised = house.press(exercise=True)
    await raised.durability
    assert Mode.ACTUAL is raised.mode
    await house.start()
    house.clock.at += 1_000 * SECOND
    watching = asyncio.get_running_loop().create_task(house.verbs.watch_drill())
    await everybody_rests()
    watching.cancel()
    await house.verbs.record(facts.LaneStarted(lane="fence", revision="", version=""))

    assert ["over"] == [fact.reason for fact in kinds(await house.written(), facts.DrillEnded)]
    (kept,) = await house.verbs.drills()
    assert (True, "over", Action.LOCKDOWN, ("principal", "officer")) == (
        kept.ended,
        kept.reason,
        kept.action,
        kept.authorisers,
    )


async def test_the_next_drill_joins_no_exercise_of_the_one_before(house: House) -> None:
    """It is a new incident, with a call of its own."""
    incidents = []
    for name in ("d1", "d2"):
        await house.verbs.begin_drill(verb=house.ids.verb(), token=house.token(name=name))
        incidents.append(house.press(exercise=True).incident)
        await house.verbs.end_drill(verb=house.ids.verb())
        await house.start()

    assert 2 == len(set(incidents))
    assert 2 == len(kinds(await house.written(), facts.CallOrdered))


async def test_a_drill_that_only_the_spool_holds_stands_after_a_restart(house: House) -> None:
    """An ill disk takes neither the window away nor frees the token."""
    ill = Flush(error=DiskFull("full"))
    house.database._flush = lambda: ill
    token = house.token()
    await house.verbs.begin_drill(verb=house.ids.verb(), token=token)
    house.database.abandon()
    await house.start(flush=lambda: ill)

    assert Mode.EXERCISE is house.press(exercise=True).mode
    await house.verbs.end_drill(verb=house.ids.verb())
    house.database.abandon()
    await house.start(flush=lambda: ill)
    assert house.verbs.drill is None
    with pytest.raises(NotVerified, match="used"):
        await house.verbs.begin_drill(verb=house.ids.verb(), token=token)


async def test_a_person_may_raise_an_alarm_once_by_its_verb(house: House) -> None:
    """Asked again, the same incident is the answer and no second alarm is raised."""
    verb = house.ids.verb()
    raise_it: Callable = lambda: house.verbs.raise_by_person(  # noqa: E731
        verb=verb, kind=AlarmKind.MEDICAL, place=None, building="", by=BY, path="desk"
    )
    first = await raise_it()
    await house.start()

    assert first == await raise_it()
    assert 1 == len(kinds(await house.written(), facts.AlarmRaised))


async def test_a_verb_asked_twice_at_the_same_time_is_done_once(house: House) -> None:
    """A double click, or an asking again while the first is under way."""
    raised = house.press()
    await raised.durability
    ordered = {
        "verb": house.ids.verb(),
        "incident": raised.incident,
        "action": Action.LOCKDOWN,
        "places": frozenset(),
        "by": BY,
    }
    answers = await asyncio.gather(*(house.verbs.order_action(**ordered) for _ in range(3)))

    assert ["ordered"] * 3 == answers
    assert 1 == len(kinds(await house.written(), facts.ActionOrdered))


async def test_an_acknowledgement_is_followed_up_after_a_death_in_between(house: House) -> None:
    """Dying between the answer and the notice that it orders loses no notice, and doubles none."""
    await house.press().durability
    (call,) = kinds(await house.written(), facts.CallOrdered)
    answered = facts.TelecommunicatorAcknowledged(
        call=call.call, incident=call.incident, link=LinkName("county"), by="4"
    )
    await house.verbs.record(answered, incident=call.incident)

    async def told() -> list[str]:
        return [fact.template for fact in kinds(await house.written(), facts.NoticeOrdered)]

    for _ in range(2):
        await house.start()
        attending = asyncio.get_running_loop().create_task(house.verbs.attend())
        async with asyncio.timeout(PATIENCE):
            while "staff-acknowledged" not in await told():  # noqa: ASYNC110 - a journal of its own loop
                await asyncio.sleep(0.005)
        await asyncio.sleep(0.05)
        attending.cancel()

    assert 1 == (await told()).count("staff-acknowledged")


async def test_the_action_ordered_last_is_in_force_though_the_clock_stepped_back(house: House) -> None:
    """The wall clock orders nothing."""
    raised = house.press()
    for action in (Action.LOCKDOWN, Action.EVACUATE):
        await house.verbs.order_action(
            verb=house.ids.verb(), incident=raised.incident, action=action, places=frozenset(), by=BY
        )
        house.clock.at -= 3600 * SECOND

    assert Action.EVACUATE == house.verbs.incidents[raised.incident].action


async def test_no_number_is_given_twice_though_a_process_died_with_an_ill_disk(house: House) -> None:
    """What only the spool holds has used up its numbers, and its incidents are open."""
    house.database._flush = lambda: Flush(error=DiskFull("full"))
    raised = house.press()
    assert Durability.SPOOLED == await raised.durability
    house.database.abandon()
    ill = Flush(error=DiskFull("full"))
    await house.start(flush=lambda: ill)
    assert [raised.incident] == list(house.verbs.incidents)
    joined = house.press("A")
    await joined.durability
    house.clock.at += JOIN_WITHIN + 1
    await house.press().durability

    opened = {}
    async with asyncio.timeout(PATIENCE), aclosing(known(house)) as entries:
        while len(opened) < 2:
            entry = await anext(entries)
            if isinstance(entry.fact, facts.IncidentOpened):
                opened[entry.id] = entry.fact.number
    assert raised.incident == joined.incident
    assert [1, 2] == sorted(opened.values())


async def known(house: House):
    """What was owed at the start, and what is fed since then."""
    for entry in house.owed:
        yield entry
    async for entry in house.journal.follow(after=house.journal.head):
        yield entry
