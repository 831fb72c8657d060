"""Frames in, alarms and acknowledgements out, on the real verbs and journal."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from random import Random

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from belltower.clock import SECOND, Instant
from belltower.errors import Malformed
from belltower.ids import Ids, PlaceId, StreamName, UnitId, VerbId
from belltower.incident import drill, facts
from belltower.incident.encoding import FactEncoding
from belltower.incident.facts import Fact, Mode
from belltower.incident.plan import ResponsePlan
from belltower.incident.verbs import Verbs
from belltower.journal import Journal, RunSpool, SpoolFile
from belltower.store import InlineDatabase, SQLiteEngine
from gateway.intake.intake import Intake
from gateway.intake.progress import Progress
from gateway.intake.rooms import RoomUnits
from gateway.intake.supervision import Supervision
from gateway.intake.suspects import Suspects
from gateway.intake.telling import Tellings
from gateway.intake.units import KnownUnit
from gateway.intake.windows import Windows
from hardware.codecs import unit as codec
from hardware.codecs.unit import Ack, Answer, Challenge, Heartbeat, Kind, Level, Press, Tamper, UnitFrame
from hardware.unit_record import Bearer, UnitRecord
from tests.gateway.intake.devices.bench import KEYS
from tests.peers.waiting import PATIENCE, everybody_rests

TAG = codec.site_tag("lincoln")
KEY = codec.derive_key(b"secret", "lincoln", 7)
OTHER = codec.derive_key(b"secret", "lincoln", 8)


class SteadyClock:
    def now(self) -> Instant:
        return Instant(1_000_000 * SECOND)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


class Wire:
    """A path that keeps what was sent to units."""

    name = "mqtt"

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def send(self, number: int, frame: bytes) -> None:
        self.sent.append(frame)

    def said(self, key: bytes = KEY) -> list[codec.Body]:
        return [codec.body_of(codec.open_sealed(frame, key, TAG)) for frame in self.sent]


class Heard(Supervision):
    """Supervision, and who was heard in which order."""

    numbers: list[int]

    def heard(self, number: int, path: str = "") -> None:
        self.numbers.append(number)
        super().heard(number, path)


class Bench:
    """Intake over a disk in memory; restartable."""

    def __init__(self, tmp_path) -> None:
        self.connection = apsw.Connection(":memory:")
        self.spool = SpoolFile(path=tmp_path / "spool")
        self.random = Random(1)
        self.heard: list[int] = []
        self.clock = SteadyClock()
        self.zone = ""
        self.run_spool: RunSpool | None = None
        self.bearer = Bearer.MQTT
        self.exercised: list[str] = []

    async def start(self) -> None:
        clock = self.clock
        self.wire = Wire()
        self.paths: dict[str, Wire] = {"mqtt": self.wire}
        self.database = InlineDatabase(engine=SQLiteEngine(connection=self.connection))
        self.journal: Journal[Fact] = Journal(
            database=self.database,
            stream=StreamName("alarm"),
            codec=FactEncoding(),
            spool=self.spool,
            run_spool=self.run_spool,
        )
        await self.journal.open()
        self.verbs = Verbs(
            journal=self.journal,
            database=self.database,
            clock=clock,
            ids=Ids(clock=clock, random_bytes=self.random.randbytes),
            response=ResponsePlan(),
            campus="lincoln",
            drill_keys={name: key.public_key() for name, key in zip("ab", KEYS, strict=True)},
        )
        owed = await self.verbs.open()
        units = {
            number: KnownUnit(
                record=UnitRecord(id=UnitId(f"u{number}"), number=number, bearer=self.bearer),
                key=key,
                place=PlaceId("b-204"),
                building="B",
            )
            for number, key in {7: KEY, 8: OTHER}.items()
        }
        self.supervision = Heard(units=units, clock=clock, record=self.verbs.record)
        self.supervision.numbers = self.heard
        windows = Windows(database=self.database)
        await windows.open()
        self.progress = Progress(units=units, paths={"mqtt": self.wire}, site_tag=TAG, journal=self.journal)
        for entry in owed:
            self.progress.resume(entry)
        self.rooms = RoomUnits(
            verbs=self.verbs,
            journal=self.journal,
            units=units,
            tellings=Tellings(paths=self.paths, site_tag=TAG),
            windows=windows,
            paging=lambda _: self.zone,
            clock=self.clock,
        )
        for entry in owed:
            self.rooms.resume(entry)
        self.intake = Intake(
            verbs=self.verbs,
            database=self.database,
            units=units,
            windows=windows,
            suspects=Suspects(random_bytes=self.random.randbytes, site_tag=TAG, record=self.verbs.record),
            progress=self.progress,
            site_tag=TAG,
            supervision=self.supervision,
            rooms=self.rooms,
            exercised=lambda unit, _: self.exercised.append(unit),
        )

    async def begin_drill(self, *places: str) -> None:
        now = self.clock.now()
        authorisation = drill.DrillAuthorisation(
            id="d1",
            campus="lincoln",
            places=places,
            action=None,
            begins=Instant(now - 10 * SECOND),
            until=Instant(now + 3600 * SECOND),
            authorisers=("a", "b"),
        )
        await self.verbs.begin_drill(verb=VerbId("v1"), token=drill.sign(authorisation, KEYS))

    async def receive(self, data: bytes, **how) -> None:
        future = self.intake.receive(data, self.wire, **how)
        if future is not None:
            await future
        await everybody_rests()

    async def alarms(self) -> list[facts.AlarmRaised]:
        entries = await self.journal.read(after=0, limit=1000)
        return [entry.fact for entry in entries if isinstance(entry.fact, facts.AlarmRaised)]

    async def written(self, kind: type) -> list[Fact]:
        entries = await self.journal.read(after=0, limit=1000)
        return [entry.fact for entry in entries if isinstance(entry.fact, kind)]


@pytest.fixture
async def bench(tmp_path) -> AsyncIterator[Bench]:
    made = Bench(tmp_path)
    await made.start()
    yield made
    await made.journal.close()


def frame(body: codec.Body, counter: int = 1, epoch: int = 1, number: int = 7, **how) -> bytes:
    key = how.pop("key", KEY)
    head = UnitFrame(number=number, epoch=epoch, counter=counter, type=0, **how)
    return codec.seal(codec.with_body(head, body), key, TAG)


PRESS = Press(kind=Kind.PANIC)


async def test_a_press_is_acknowledged_after_its_commit(bench: Bench) -> None:
    """No acknowledgement before the fact stands, exactly one after."""
    future = bench.intake.receive(frame(PRESS), bench.wire)
    assert future is not None
    assert [] == bench.wire.sent
    await future
    await asyncio.sleep(0)

    assert [Ack(epoch=1, counter=1, level=Level.RECORDED)] == bench.wire.said()
    assert [("u7", 1, 1)] == [(alarm.unit, alarm.epoch, alarm.counter) for alarm in await bench.alarms()]


async def test_the_same_frame_again_is_the_same_answer_and_no_second_alarm(bench: Bench) -> None:
    """At once, later, and after a restart."""
    first = bench.intake.receive(frame(PRESS), bench.wire)
    again = bench.intake.receive(frame(PRESS), bench.wire)
    assert first is again
    await bench.receive(frame(PRESS))
    await bench.start()
    await bench.receive(frame(PRESS))

    assert 1 == len(await bench.alarms())
    assert [Ack(epoch=1, counter=1, level=Level.RECORDED)] == bench.wire.said()


async def test_a_stale_frame_is_challenged_and_counts_once_stood_by(bench: Bench) -> None:
    """Valid MAC, old counter: a nonce goes out, the answer makes it an alarm."""
    await bench.receive(frame(Heartbeat(battery=90), counter=500))
    bench.wire.sent.clear()
    await bench.receive(frame(PRESS, counter=3))
    assert [] == await bench.alarms()
    (challenge,) = bench.wire.said()
    assert isinstance(challenge, Challenge)
    answer = Answer(nonce=challenge.nonce, epoch=1, counter=3, kind=Kind.PANIC)
    await bench.receive(frame(answer, counter=501))
    await bench.receive(frame(PRESS, counter=3))

    assert [3] == [alarm.counter for alarm in await bench.alarms()]
    assert [Ack(epoch=1, counter=3, level=Level.RECORDED)] * 2 == bench.wire.said()[1:]


async def test_a_press_stood_by_is_known_after_a_restart_too(bench: Bench) -> None:
    """The unit did not hear its acknowledgement and repeats what was committed: no second alarm."""
    await bench.receive(frame(Heartbeat(battery=90), counter=500))
    await bench.receive(frame(PRESS, counter=3))
    (challenge,) = (body for body in bench.wire.said() if isinstance(body, Challenge))
    answer = Answer(nonce=challenge.nonce, epoch=1, counter=3, kind=Kind.PANIC)
    await bench.receive(frame(answer, counter=501))
    bench.database.abandon()
    await bench.start()
    await bench.receive(frame(PRESS, counter=3))

    assert [3] == [alarm.counter for alarm in await bench.alarms()]
    assert [Ack(epoch=1, counter=3, level=Level.RECORDED)] == bench.wire.said()


async def test_a_press_that_came_retained_and_then_itself_counts_once(bench: Bench) -> None:
    """The broker's copy is asked about; meanwhile the press itself arrives, before or after the answer."""
    await bench.receive(frame(PRESS, counter=3), retained=True)
    (challenge,) = bench.wire.said()
    answer = Answer(nonce=challenge.nonce, epoch=1, counter=3, kind=Kind.PANIC)
    await bench.receive(frame(PRESS, counter=3))
    await bench.receive(frame(answer, counter=4))
    await bench.receive(frame(PRESS, counter=8), retained=True)
    challenge = next(body for body in reversed(bench.wire.said()) if isinstance(body, Challenge))
    await bench.receive(frame(Answer(nonce=challenge.nonce, epoch=1, counter=8, kind=Kind.PANIC), counter=9))
    await bench.receive(frame(PRESS, counter=8))

    assert [3, 8] == [alarm.counter for alarm in await bench.alarms()]


async def test_an_unanswered_challenge_is_shown_as_suspect(bench: Bench, monkeypatch) -> None:
    """A replay never becomes an alarm, and never vanishes."""
    monkeypatch.setattr("gateway.intake.suspects.ANSWER_WITHIN", 0.02)
    await bench.receive(frame(Heartbeat(battery=90), counter=500))
    await bench.receive(frame(PRESS, counter=3))
    async with asyncio.timeout(PATIENCE):
        while not await bench.written(facts.SignalSuspect):  # noqa: ASYNC110 - a journal of its own loop
            await asyncio.sleep(0.005)

    assert [] == await bench.alarms()
    assert ["u7"] == [fact.unit for fact in await bench.written(facts.SignalSuspect)]


async def test_a_wrong_nonce_opens_nothing(bench: Bench) -> None:
    """An answer to no challenge, or with another nonce, is counted and dropped."""
    await bench.receive(frame(Heartbeat(battery=90), counter=500))
    await bench.receive(frame(PRESS, counter=3))
    await bench.receive(frame(Answer(nonce=bytes(16), epoch=1, counter=3, kind=Kind.PANIC), counter=501))

    assert [] == await bench.alarms()
    assert 1 == bench.intake.counts["wrong_nonce"]


async def test_a_retained_press_is_asked_about_first(bench: Bench) -> None:
    """What a broker had kept may be old."""
    await bench.receive(frame(PRESS), retained=True)

    assert [] == await bench.alarms()
    assert isinstance(bench.wire.said()[0], Challenge)


async def test_a_unit_cannot_speak_for_another(bench: Bench) -> None:
    """Neither under another's topic nor with its own key under another's number."""
    await bench.receive(frame(PRESS), only=8)
    await bench.receive(frame(PRESS, number=8))
    await bench.receive(frame(PRESS, number=99))

    assert [] == await bench.alarms()
    assert [] == bench.wire.sent
    assert {"wrong_unit": 1, "malformed": 1, "unknown_unit": 1} == dict(bench.intake.counts)


async def test_tamper_is_written_down_and_acknowledged(bench: Bench) -> None:
    """A tamper frame is a fact of its own."""
    await bench.receive(frame(Tamper()))

    assert ["u7"] == [fact.unit for fact in await bench.written(facts.TamperSeen)]
    assert [Ack(epoch=1, counter=1, level=Level.RECORDED)] == bench.wire.said()


async def test_only_a_fresh_frame_is_a_sign_of_life(bench: Bench) -> None:
    """A recorded heartbeat played again, or one that a broker had kept, keeps no dead unit alive."""
    beat = frame(Heartbeat(battery=90))
    await bench.receive(beat, retained=True)
    assert [] == bench.heard
    await bench.receive(beat)
    await bench.receive(beat)
    await bench.receive(frame(Heartbeat(battery=90), counter=500))
    await bench.receive(frame(Heartbeat(battery=90), counter=2))

    assert [7, 7] == bench.heard


async def test_a_tamper_bit_in_every_heartbeat_is_one_fact(bench: Bench) -> None:
    """Written down when it begins, and again when it begins again."""
    for counter, tampered in enumerate((True, True, False, True), start=1):
        await bench.receive(frame(Heartbeat(battery=90, tamper=tampered), counter=counter))

    assert 2 == len(await bench.written(facts.TamperSeen))


async def test_without_a_drill_an_exercise_frame_is_live(bench: Bench) -> None:
    """The class inside the MAC is a wish, not a proof."""
    await bench.receive(frame(PRESS, exercise=True))

    assert [Mode.ACTUAL] == [alarm.mode for alarm in await bench.alarms()]
    assert [] == bench.exercised


@pytest.mark.parametrize(
    ("places", "exercise", "proven"),
    [
        (("lincoln",), True, ["u7"]),
        (("lincoln",), False, []),
        (("gym",), True, []),
    ],
)
async def test_only_a_press_that_is_an_exercise_proves_a_unit(
    bench: Bench, places: tuple[str, ...], exercise: bool, proven: list[str]
) -> None:
    """One that the unit sends as live, or that the drill does not cover, is for real."""
    await bench.begin_drill(*places)
    await bench.receive(frame(PRESS, exercise=exercise))

    assert proven == bench.exercised
    assert [Mode.EXERCISE if proven else Mode.ACTUAL] == [alarm.mode for alarm in await bench.alarms()]


async def test_units_hear_how_far_their_press_has_come(bench: Bench) -> None:
    """First the PSAP's system, then the person; only the presses that a frame covered."""
    await bench.receive(frame(PRESS))
    await bench.receive(frame(PRESS, number=8, key=OTHER))
    (call,) = await bench.written(facts.CallOrdered)
    bench.wire.sent.clear()
    task = asyncio.get_running_loop().create_task(bench.progress.attend())
    await bench.verbs.record(
        facts.CallReceipt(
            call=call.call,
            link="county",
            frame="1",
            covers=((1, 1),),
            level=facts.ReceiptLevel.SYSTEM,
        )
    )
    await everybody_rests()
    first = bench.wire.said()
    await bench.verbs.record(
        facts.TelecommunicatorAcknowledged(call=call.call, incident=call.incident, link="county", by="4")
    )
    await everybody_rests()
    task.cancel()

    assert [Ack(epoch=1, counter=1, level=Level.PSAP)] == first
    assert 3 == len(bench.wire.sent)
    bench.wire.sent.clear()
    await bench.receive(frame(PRESS))
    assert [Ack(epoch=1, counter=1, level=Level.TELECOMMUNICATOR)] == bench.wire.said()


async def test_a_unit_that_missed_the_last_word_hears_it_at_its_next_heartbeat(bench: Bench) -> None:
    """A lane that died between a receipt and its telling tells it again, from the journal."""
    await bench.receive(frame(PRESS))
    (call,) = await bench.written(facts.CallOrdered)
    answered = facts.TelecommunicatorAcknowledged(
        call=call.call, incident=call.incident, link="county", by="4"
    )
    await bench.verbs.record(answered, incident=call.incident)
    await bench.start()
    await bench.receive(frame(Heartbeat(battery=90), counter=2))

    assert Ack(epoch=1, counter=1, level=Level.TELECOMMUNICATOR) in bench.wire.said()


async def test_a_full_disk_relays_and_says_so(bench: Bench, monkeypatch) -> None:
    """What cannot be recorded is still an alarm, acknowledged as relayed only."""
    from belltower.store import Flush
    from belltower.store.faults import DiskFailed, DiskFull

    def full(_data: bytes) -> None:
        raise DiskFailed("no space")

    bench.database._flush = lambda: Flush(error=DiskFull("full"))
    monkeypatch.setattr(bench.spool, "append", full)
    await bench.receive(frame(PRESS))

    assert [Ack(epoch=1, counter=1, level=Level.RELAYED_ONLY)] == bench.wire.said()
    assert 1 == len(bench.verbs.incidents)
    await bench.receive(frame(PRESS, counter=2))
    await bench.receive(frame(PRESS, counter=1))

    assert Ack(epoch=1, counter=1, level=Level.RELAYED_ONLY) == bench.wire.said()[-1]


@given(st.binary(max_size=300))
@settings(max_examples=300)
def test_no_octets_raise_out_of_the_codec_unnamed(data: bytes) -> None:
    """Whatever comes in is either a frame or Malformed."""
    with contextlib.suppress(Malformed):
        codec.open_sealed(data, KEY, TAG)


async def test_every_flipped_bit_is_refused(bench: Bench) -> None:
    """No alarm from a frame that differs in a single bit."""
    good = frame(PRESS)
    for bit in range(len(good) * 8):
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        bench.intake.receive(bytes(bad), bench.wire)
    await everybody_rests()

    assert [] == await bench.alarms()
    assert [] == bench.wire.sent
    assert len(bench.intake.samples) <= 16


async def test_a_heartbeat_never_vouches_for_a_press_that_is_not_written_down(bench: Bench) -> None:
    """The press is still on its way to the disk when the process dies: its repetition must be an alarm."""
    enqueue = bench.database.enqueue
    bench.database.enqueue = lambda *_, **__: None
    bench.intake.receive(frame(PRESS, counter=3), bench.wire)
    bench.database.enqueue = enqueue
    await bench.receive(frame(Heartbeat(battery=90), counter=4))
    bench.database.abandon()
    await bench.start()
    await bench.receive(frame(PRESS, counter=3))

    assert [3] == [alarm.counter for alarm in await bench.alarms()]
