"""Orders down to rooms, statuses and texts up from them, on the real verbs and journal, in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from belltower.clock import SECOND, Instant
from belltower.ids import IncidentId, PersonId, PlaceId, UnitId, VerbId
from belltower.incident import facts
from belltower.incident.facts import Action, Mode, RoomStatus
from hardware.codecs import unit as codec
from hardware.codecs.unit import Ack, Challenge, Kind, Level, Press, UnitFrame
from hardware.codecs.unit_room import Order, Say, Shown, Status, Text, Told, Word
from hardware.simulators.unit import Flash, SimulatedUnit
from hardware.unit_record import Bearer
from tests.gateway.intake.test_intake import KEY, OTHER, TAG, Bench, Wire, frame
from tests.peers.virtual_time import in_virtual_time

BOSS = PersonId("p1")


class School(Bench):
    """The bench with units that answer, on one path or two."""

    def __init__(self, tmp_path: Path) -> None:
        super().__init__(tmp_path)
        self.run_spool = inline
        self.flashes = {7: Flash(), 8: Flash()}
        self.verb = 0

    async def start(self) -> None:
        """Start, or start again."""
        await super().start()
        self.units = {
            number: SimulatedUnit(
                number=number, key=key, site_tag=TAG, flash=self.flashes[number], random=Random(number)
            )
            for number, key in {7: KEY, 8: OTHER}.items()
        }
        self.orders: list[tuple[float, str, int, Order]] = []
        for name in ("mqtt", "radio-a") if self.bearer is Bearer.BOTH else ("mqtt",):
            self.paths[name] = Air(name, self)
        self.wire = self.paths["mqtt"]
        self.mute: set[tuple[str, int]] = set()

    async def begun(self) -> IncidentId:
        """An incident, opened by a person."""
        raised = self.verbs.raise_alarm(
            kind=facts.AlarmKind.PANIC, place=PlaceId("gym"), building="B", path="desk", person=BOSS
        )
        await raised.durability
        return raised.incident

    async def order(self, incident: IncidentId, action: Action, *places: str) -> None:
        """A person orders."""
        self.verb += 1
        await self.verbs.order_action(
            verb=VerbId(f"vrb_{self.verb}"),
            incident=incident,
            action=action,
            places=frozenset(map(PlaceId, places)),
            by=BOSS,
        )

    async def close(self, incident: IncidentId) -> None:
        """A person closes."""
        self.verb += 1
        await self.verbs.close_incident(verb=VerbId(f"vrb_{self.verb}"), incident=incident, by=BOSS)

    def told(self, number: int, path: str = "mqtt") -> list[tuple[float, Told]]:
        """What this unit was sent on this path, and when."""
        return [
            (round(at, 1), order.told) for at, name, to, order in self.orders if (name, to) == (path, number)
        ]


class Air(Wire):
    """A path with the units at its end."""

    def __init__(self, name: str, school: School) -> None:
        super().__init__()
        self.name = name
        self.school = school

    def send(self, number: int, frame: bytes) -> None:
        """To the unit, and back what it answers."""
        super().send(number, frame)
        unit = self.school.units[number]
        body = codec.body_of(codec.open_sealed(frame, {7: KEY, 8: OTHER}[number], TAG))
        loop = asyncio.get_running_loop()
        if isinstance(body, Order):
            self.school.orders.append((loop.time(), self.name, number, body))
        if (self.name, number) not in self.school.mute:
            for answer in unit.heard(frame):
                loop.call_later(0.1, self.school.intake.receive, answer, self)


def inline(work: Callable[[], Any], /) -> asyncio.Future[Any]:
    """The spool's work, done at once."""
    done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    done.set_result(work())
    return done


@asynccontextmanager
async def running(school: School) -> AsyncIterator[None]:
    """The rooms' own work."""
    task = asyncio.get_running_loop().create_task(school.rooms.run(), name="rooms")
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def story(tmp_path: Path, tell: Callable[[School], Awaitable[None]], *, bearer: Bearer = Bearer.MQTT) -> None:
    """Tell it in virtual time."""

    async def told() -> None:
        school = School(tmp_path)
        school.bearer = bearer
        await school.start()
        try:
            await tell(school)
        finally:
            await school.journal.close()

    in_virtual_time(told())


def test_an_ordered_action_is_shown_by_every_unit_and_written_down_once(tmp_path: Path) -> None:
    """With its incident's number; closing brings the all-clear."""

    async def tell(school: School) -> None:
        incident = await school.begun()
        async with running(school):
            await school.order(incident, Action.LOCKDOWN)
            await asyncio.sleep(20)
            shown = await school.written(facts.OrderShown)
            await school.close(incident)
            await asyncio.sleep(20)

        assert {UnitId("u7"), UnitId("u8")} == {fact.unit for fact in shown}
        assert {(Action.LOCKDOWN, "mqtt", PlaceId("b-204"))} == {(f.action, f.path, f.place) for f in shown}
        assert [Told.LOCKDOWN, Told.ALL_CLEAR] == [told for _, told in school.told(7)]
        assert None is school.units[7].order
        assert [] == await school.written(facts.RoomNotReached)

    story(tmp_path, tell)


def test_a_silent_unit_is_told_on_its_other_way_then_paged_then_written_down(tmp_path: Path) -> None:
    """W23: 0 and 2 s on the usual way, from 5 s on both, the paging zone at 10 s, not reached at 15 s."""

    async def tell(school: School) -> None:
        school.zone = "page-b"
        incident = await school.begun()
        school.mute = {(path, number) for path in ("mqtt", "radio-a") for number in (7, 8)}
        async with running(school):
            await school.order(incident, Action.LOCKDOWN)
            await asyncio.sleep(9.5)
            assert [] == await school.written(facts.OutputOrdered)
            await asyncio.sleep(1)
            paged = await school.written(facts.OutputOrdered)
            await asyncio.sleep(4)
            assert [] == await school.written(facts.RoomNotReached)
            await asyncio.sleep(1)
            missed = await school.written(facts.RoomNotReached)
            school.mute.clear()
            await asyncio.sleep(20)

        assert [("page-b", True, Action.LOCKDOWN, PlaceId("b-204"))] == [
            (fact.output, fact.on, fact.action, fact.place) for fact in paged
        ]
        assert [0, 2, 5, 8, 10, 12.5, 15] == [at for at, _ in school.told(7)][:7]
        assert 5 == school.told(7, "radio-a")[0][0]
        assert 5.8 == school.told(8, "radio-a")[0][0]  # one by one on the air
        assert [PlaceId("b-204")] == [fact.place for fact in missed]
        assert 2 == len(await school.written(facts.OrderShown))
        room = school.verbs.incidents[incident].rooms[PlaceId("b-204")]
        assert (Action.LOCKDOWN, None) == (room.shown, room.not_reached)

    story(tmp_path, tell, bearer=Bearer.BOTH)


def test_one_unit_of_a_place_is_enough_to_have_reached_it(tmp_path: Path) -> None:
    """The other one is told on, and no alarm is made of it."""

    async def tell(school: School) -> None:
        school.zone = "page-b"
        incident = await school.begun()
        school.mute = {("mqtt", 8)}
        async with running(school):
            await school.order(incident, Action.SECURE)
            await asyncio.sleep(40)

        assert [] == await school.written(facts.RoomNotReached)
        assert [] == await school.written(facts.OutputOrdered)
        assert 30 == school.told(8)[7][0]

    story(tmp_path, tell)


def test_only_the_places_named_are_told(tmp_path: Path) -> None:
    """A place without units is nobody's; b-204 has both."""

    async def tell(school: School) -> None:
        incident = await school.begun()
        async with running(school):
            await school.order(incident, Action.EVACUATE, "gym")
            await asyncio.sleep(5)
            assert [] == school.orders
            await school.order(incident, Action.EVACUATE, "b-204")
            await asyncio.sleep(5)

        assert [False, False] == [order.everywhere for *_, order in school.orders]

    story(tmp_path, tell)


def test_after_a_kill_what_was_not_confirmed_is_told_again_and_nothing_else(tmp_path: Path) -> None:
    """A higher number, so that the unit believes it; the confirmation counts once."""

    async def tell(school: School) -> None:
        incident = await school.begun()
        school.mute = {("mqtt", 8)}
        async with running(school):
            await school.order(incident, Action.LOCKDOWN)
            await asyncio.sleep(3)
        flash = school.flashes[7].mark(codec.Type.ORDER)
        await school.journal.close()
        await school.start()
        async with running(school):
            await asyncio.sleep(5)

        assert [] == school.told(7)
        assert [Told.LOCKDOWN] == [told for _, told in school.told(8)]
        assert flash < school.flashes[8].mark(codec.Type.ORDER)
        assert 2 == len(await school.written(facts.OrderShown))

    story(tmp_path, tell)


def test_numbers_rise_though_the_clock_steps_back(tmp_path: Path) -> None:
    """Otherwise units would take the next order for an old one."""

    async def tell(school: School) -> None:
        incident = await school.begun()
        async with running(school):
            await school.order(incident, Action.HOLD)
            await asyncio.sleep(3)
            school.clock.now = lambda: Instant(900_000 * SECOND)  # type: ignore[method-assign]
            await school.order(incident, Action.LOCKDOWN)
            await asyncio.sleep(3)

        assert Told.LOCKDOWN is school.units[7].order.told

    story(tmp_path, tell)


def test_closing_one_incident_brings_back_what_another_one_ordered(tmp_path: Path) -> None:
    """No all-clear while anything stands."""

    async def tell(school: School) -> None:
        first = await school.begun()
        raised = school.verbs.raise_alarm(
            kind=facts.AlarmKind.MEDICAL, place=None, building="", path="desk", person=BOSS
        )
        async with running(school):
            await school.order(first, Action.LOCKDOWN)
            await asyncio.sleep(1)
            await school.order(raised.incident, Action.HOLD)
            await asyncio.sleep(1)
            await school.close(raised.incident)
            await asyncio.sleep(1)
            await school.close(first)
            await asyncio.sleep(1)

        assert [Told.LOCKDOWN, Told.HOLD, Told.LOCKDOWN, Told.ALL_CLEAR] == [
            told for _, told in school.told(7)
        ]

    story(tmp_path, tell)


@pytest.fixture
async def school(tmp_path: Path) -> AsyncIterator[School]:
    made = School(tmp_path)
    await made.start()
    yield made
    await made.journal.close()


async def test_a_status_is_a_fact_once_and_is_acknowledged_each_time(school: School) -> None:
    """The room is the unit's place; the repeat gets the same ACK."""
    incident = await school.begun()
    said = frame(Status(word=Word.INJURED, count=2), counter=5)
    for _ in range(3):
        await school.receive(said)

    assert [
        facts.StatusReported(
            incident=incident, place=PlaceId("b-204"), status=RoomStatus.INJURED, count=2, unit=UnitId("u7")
        )
    ] == await school.written(facts.StatusReported)
    acks = [body for body in school.wire.said() if isinstance(body, Ack)]
    assert 3 * [Ack(epoch=1, counter=5, level=Level.RECORDED)] == acks
    assert {RoomStatus.INJURED: 2} == school.verbs.incidents[incident].rooms[PlaceId("b-204")].statuses


async def test_a_status_is_known_for_a_repeat_after_a_restart(school: School) -> None:
    """Its window landed in the same commit."""
    await school.begun()
    said = frame(Status(word=Word.SAFE), counter=5)
    await school.receive(said)
    await school.journal.close()
    await school.start()
    await school.receive(said)

    assert 1 == len(await school.written(facts.StatusReported))


@pytest.mark.parametrize(("word", "count"), [(Word.NEED_HELP, 0), (Word.INJURED, 1)])
async def test_a_need_of_help_without_an_incident_is_an_alarm(school: School, word: Word, count: int) -> None:
    """Nobody else would be told; status and alarm land together."""
    await school.receive(frame(Status(word=word, count=count), counter=5))

    (alarm,) = await school.alarms()
    (status,) = await school.written(facts.StatusReported)
    assert (facts.AlarmKind.MEDICAL, Mode.ACTUAL, 5) == (alarm.kind, alarm.mode, alarm.counter)
    assert alarm.incident == status.incident


async def test_calm_words_without_an_incident_are_kept_and_call_nobody(school: School) -> None:
    """A fact about no incident."""
    await school.receive(frame(Status(word=Word.SAFE), counter=5))
    await school.receive(frame(Status(word=Word.INJURED, count=0), counter=6))

    assert [] == await school.alarms()
    assert [None, None] == [fact.incident for fact in await school.written(facts.StatusReported)]


async def test_a_stale_status_is_asked_for_anew(school: School) -> None:
    """A unit that lost its memory says it again as a new frame; a replay is met with silence."""
    await school.begun()
    await school.receive(frame(Press(kind=Kind.PANIC), counter=9, epoch=3))
    unit = school.units[7]
    school.mute.add(("mqtt", 7))
    school.flashes[7].lose()
    await school.receive(unit.status(0.0, Word.MISSING, 1))
    challenge = next(sealed for sealed in school.wire.sent if isinstance(body(sealed), Challenge))
    assert [] == await school.written(facts.StatusReported)
    for again in unit.heard(challenge):
        await school.receive(again)

    assert [1] == [fact.count for fact in await school.written(facts.StatusReported)]


def body(sealed: bytes) -> codec.Body:
    return codec.body_of(codec.open_sealed(sealed, KEY, TAG))


async def test_a_text_lies_in_a_row_and_its_fact_names_the_row(school: School) -> None:
    """Made to be shown; the fact and the log hold none of it."""
    incident = await school.begun()
    await school.receive(frame(Text(number=1, words="Ann\u202e Lee\nis missing"), counter=5))

    (heard,) = await school.written(facts.TextHeard)
    (kept,) = await school.verbs.texts.living()
    assert (heard.text, incident, True, "Ann Lee is missing") == (
        kept.text,
        kept.incident,
        kept.upward,
        kept.words,
    )
    assert "Ann" not in str(heard)


async def test_texts_live_for_a_day(school: School) -> None:
    """Then they are gone from disk and memory."""
    await school.begun()
    await school.receive(frame(Text(number=1, words="x"), counter=5))
    school.clock.now = lambda: Instant((1_000_000 + 86_401) * SECOND)  # type: ignore[method-assign]
    await school.verbs.forget_old()

    assert [] == await school.verbs.texts.living()
    assert [] == list(school.connection.execute("SELECT * FROM incident_text"))


def test_texts_to_a_room_come_one_after_the_other_and_survive_a_kill(tmp_path: Path) -> None:
    """The second waits until the first is shown; shown ones do not come again."""

    async def tell(school: School) -> None:
        incident = await school.begun()
        school.mute = {("mqtt", 7)}
        async with running(school):
            for words in ("first", "second"):
                school.verb += 1
                await school.verbs.send_text(
                    verb=VerbId(f"vrb_{school.verb}"),
                    units=[UnitId("u7")],
                    words=words,
                    incident=incident,
                    by=BOSS,
                )
            await asyncio.sleep(1)
        await school.journal.close()
        await school.start()
        async with running(school):
            await asyncio.sleep(5)
        texts = school.units[7].texts
        await school.journal.close()
        await school.start()
        async with running(school):
            await asyncio.sleep(5)

        assert ["first", "second"] == texts
        assert [] == [sealed for sealed in school.wire.sent if isinstance(body(sealed), Say)]
        assert 2 == len(await school.written(facts.TextShown))

    story(tmp_path, tell)


def test_a_text_given_up_takes_no_other_with_it(tmp_path: Path) -> None:
    """What waits behind a text that a silent unit never showed is told when its turn comes; too many drop none that is told."""

    async def tell(school: School) -> None:
        incident = await school.begun()
        school.mute = {("mqtt", 7)}
        loop, base = asyncio.get_running_loop(), school.clock.now()
        begun = loop.time()
        school.clock.now = lambda: Instant(base + round((loop.time() - begun) * SECOND))

        async def send(*words: str) -> None:
            for each in words:
                school.verb += 1
                await school.verbs.send_text(
                    verb=VerbId(f"vrb_{school.verb}"),
                    units=[UnitId("u7")],
                    words=each,
                    incident=incident,
                    by=BOSS,
                )

        async with running(school):
            await send("a")
            await asyncio.sleep(1)
            await send("b")
            await asyncio.sleep(601.5)  # "a" is given up, "b" is being told
            await send("c", "d")
            await asyncio.sleep(590)
            school.mute = set()
            await asyncio.sleep(30)
            assert {"c", "d"} <= set(school.units[7].texts)
            school.mute, before = {("mqtt", 7)}, len(school.rooms._texts_shown)
            await send(*(f"t{nth}" for nth in range(25)))
            await asyncio.sleep(5)
            school.mute = set()
            await asyncio.sleep(120)
            assert before + 20 == len(school.rooms._texts_shown)
            assert [f"t{nth}" for nth in range(17, 25)] == school.units[7].texts[-8:]
            await school.order(incident, Action.LOCKDOWN)
            await school.close(incident)
            await asyncio.sleep(5)
            assert set() == school.rooms._missed

    story(tmp_path, tell)


async def test_no_forged_word_of_a_room_is_believed(school: School) -> None:
    """Wrong key, another unit's, turned round, another class: nothing is written and nothing is answered."""
    await school.begun()
    before = len(await school.journal.read(after=0, limit=1000))
    bodies = [Status(word=Word.NEED_HELP), Text(number=1, words="x"), Shown(epoch=1, counter=1)]
    for number, said in enumerate(bodies):
        sealed = frame(said, counter=number + 1)
        turned, classed, other = bytearray(sealed), bytearray(sealed), bytearray(sealed)
        turned[1] ^= 0x80
        classed[1] ^= 0x40
        other[5] = 8
        for bad in (turned, classed, other, bytearray(frame(said, counter=number + 1, key=OTHER))):
            await school.receive(bytes(bad))
        down = UnitFrame(number=7, epoch=1, counter=9, type=0)
        order = codec.with_body(down, Order(told=Told.ALL_CLEAR, incident=1))
        await school.receive(codec.seal(order, KEY, TAG))

    assert before == len(await school.journal.read(after=0, limit=1000))
    assert [] == school.wire.sent
