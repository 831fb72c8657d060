"""kill -9 at every named point of the alarm path: no acknowledged press is lost or doubled (R1, R2; I1, I2, I4, I5, I10).

BELLTOWER_KILL_SEEDS=200 tries more seeds than 20, 2 fewer, as `make test` does; BELLTOWER_KILL_SEED=17 tries one.
"""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from random import Random

import msgspec
import pytest

from tests.invariants import DeliverySeen, i4, i5, settled_honestly
from tests.peers.carrier import carrier_peer
from tests.peers.desk import DeskOptions, order, prepare
from tests.peers.waiting import PATIENCE
from tests.servers.ports import free_port
from tests.stories.killing import Forker, Life, Point
from tests.stories.school import a_school, write_site

ONE = os.environ.get("BELLTOWER_KILL_SEED")
SEEDS = [int(ONE)] if ONE else list(range(int(os.environ.get("BELLTOWER_KILL_SEEDS", "20"))))
AT_ONCE = 3
"""Stories told at once: most of their time they wait."""

_ENGINE = "belltower.store.sqlite_engine:SQLiteEngine"
_STORE = "belltower.store.sqlite:SQLiteDatabase"
_JOURNAL = "belltower.journal.journal:Journal"
_SPOOL = "belltower.journal.spool:SpoolFile"
_INTAKE = "gateway.intake.intake:Intake"
_VERBS = "belltower.incident.verbs:Verbs"
_WORKER = "gateway.psap.worker:CallWorker"
_LINK = "gateway.psap.kiss_link:KISSLink"

ALARM_PATH = {
    "a frame is received": Point(f"{_INTAKE}.receive", hits=4),
    "its MAC is proven": Point("hardware.codecs.unit:open_sealed", after=True, hits=4),
    "the alarm is decided": Point(f"{_VERBS}.raise_alarm", after=True, hits=2),
    "the commit is queued": Point(f"{_STORE}.enqueue", after=True, hits=6),
    "a group is begun": Point(f"{_ENGINE}.apply", hits=5),
    "the rows are written": Point(f"{_ENGINE}._run", after=True, hits=5),
    "before the sync": Point(f"{_ENGINE}._commit", hits=5),
    "after the sync": Point(f"{_ENGINE}._commit", after=True, hits=5),
    "the journal hears of the sync": Point(f"{_JOURNAL}._settled", hits=5),
    "before the ACK": Point(f"{_INTAKE}._written", hits=2),
    "the ACK is handed over": Point("gateway.intake.mqtt_path:MQTTPath.send", after=True, hits=4),
    "the PUBACK is written": Point("hardware.drivers.mqtt_session:Session._settle", after=True, hits=2),
    "the order is seen": Point(f"{_WORKER}._order"),
    "the call is composed": Point("gateway.psap.coalesce:Ledger.order", after=True),
    "a frame is to be sent": Point(f"{_LINK}.send"),
    "in the middle of a frame": Point("mid-frame"),
    "a frame is sent": Point(f"{_LINK}.send", after=True),
    "that it was sent is on disk": Point(f"{_JOURNAL}._settled", after=True, about="CallSent"),
    "a receipt is heard": Point("gateway.psap.hearing:Hearing.report", about="Receipt"),
    "a receipt is on disk": Point(f"{_JOURNAL}._settled", after=True, about="CallReceipt"),
    "the unit is told of it": Point("gateway.intake.progress:Progress._tell", after=True),
    "a person is heard": Point("gateway.psap.answers:Answers.person"),
    "the person is on disk": Point(f"{_JOURNAL}._settled", after=True, about="TelecommunicatorAcknowledged"),
    "the person is answered": Point(f"{_LINK}._confirm", after=True),
    "a press has joined a call": Point(f"{_WORKER}._join", after=True),
}
"""Where a lane dies that takes presses."""

RESTART = {
    "the log is replayed": Point(f"{_STORE}._open", after=True),
    "the journal is open": Point(f"{_JOURNAL}.open", after=True),
    "what is owed is read": Point(f"{_VERBS}.open", after=True),
    "the calls are taken up": Point(f"{_WORKER}._recall", after=True),
    "a call is sent again": Point(f"{_LINK}.send", after=True),
}
"""Where a lane dies that comes back to calls it owes."""

SLOW_DISK = {
    "the spool is to be written": Point(f"{_SPOOL}.append"),
    "the spool is written": Point(f"{_SPOOL}.append", after=True, hits=2),
    "spooled facts are passed on": Point(f"{_JOURNAL}._feed_unplaced", after=True),
    "the spool is to be brought in": Point(f"{_JOURNAL}._replay"),
    "the spool is brought in": Point("belltower.journal.replay:Replay.place", after=True, hits=2),
    "the spool is to be emptied": Point(f"{_SPOOL}.clear"),
    "the spool is empty": Point(f"{_SPOOL}.clear", after=True),
}
"""Where a lane dies whose disk is too slow."""

NOTICE_PATH = {
    # point: at most this hit
    "planner.got": 1,
    "planner.resolved": 1,
    "planner.between_chunks": 1,
    "planner.chunk": 1,
    "planner.before_commit": 1,
    "planner.after_commit": 1,
    "sender.before_lease": 1,
    "sender.after_lease": 1,
    "sender.before_send": 5,
    "sender.after_send": 5,
    "ledger.before_commit": 2,
    "ledger.after_commit": 2,
    "callback.got": 6,
    "callback.kept": 6,
    "resolver.asked": 2,
}
"""Where a desk dies that tells people; these points the notice room names itself."""

IN_PIECES = {"planner.between_chunks", "planner.chunk"}


@pytest.fixture(scope="module")
def forker() -> Iterator[Forker]:
    """The process from which lanes are forked."""
    forker = Forker()
    yield forker
    forker.close()


@pytest.fixture(scope="module")
def shared() -> Iterator[Path]:
    """The site package and the keys of every story."""
    with tempfile.TemporaryDirectory(prefix="belltower-") as folder:
        write_site(Path(folder))
        yield Path(folder)


@pytest.fixture
async def lanes(forker: Forker) -> AsyncIterator[Forker]:
    """The forking process, heard in the test's loop."""
    with forker:
        yield forker


async def each_seed(name: str, story) -> None:
    """Tell the story for every seed, a few at once; a failure says which, and how to see it again."""
    turn = asyncio.Semaphore(AT_ONCE)
    wrong: dict[int, list[str]] = {}

    async def tell(seed: int) -> None:
        async with turn:
            if found := await story(Random(f"{name} {seed}")):
                wrong[seed] = found

    async with asyncio.TaskGroup() as group:
        for seed in SEEDS:
            group.create_task(tell(seed))
    for seed, found in sorted(wrong.items()):
        print(
            f'BELLTOWER_KILL_SEED={seed} pytest "tests/stories/test_kill_anywhere.py" -k "{name}"',
            *found,
            sep="\n  ",
        )
    assert {} == wrong


async def dies(school, child, units, *, within: float = PATIENCE) -> list[str]:
    """Wait for the kill, and press on until it comes; what is wrong if it does not."""
    loop = asyncio.get_running_loop()
    end = loop.time() + within
    while not child.ended.done() and loop.time() < end:
        await asyncio.wait([child.ended], timeout=0.4)
        if not child.ended.done():
            await school.press(units, 1)
    if not child.ended.done():
        return [f"{child.life.point} was not passed {child.life.hit} times", school.log()]
    return (
        []
        if child.ended.result() == -9
        else [f"the lane ended by itself: {child.ended.result()}", school.log()]
    )


async def comes_back(school, random: Random) -> list[str]:
    """The next lives: perhaps one more kill, then one that lasts. What is wrong after it."""
    if random.random() < 0.3:
        point = random.choice([*RESTART.values(), *ALARM_PATH.values()])
        child = await school.live(point, random.randint(1, point.hits))
        try:
            async with asyncio.timeout(0.5):
                await asyncio.shield(child.ended)
        except TimeoutError:
            child.kill()
            await child.ended
    began = asyncio.get_running_loop().time()
    await school.live()
    wrong = await school.is_healed()
    took = asyncio.get_running_loop().time() - began
    school.child.kill()
    await school.child.ended
    wrong = wrong or school.wrong() or await school.chain()
    return [*wrong, f"healed or not after {took:.1f} s, life {school.lives}", school.log()] if wrong else []


@pytest.mark.parametrize("name", ALARM_PATH)
async def test_killed_on_the_alarm_path(name: str, lanes: Forker, shared: Path) -> None:
    """Killed there while units press, started again: every press once in the journal and once on the screen."""
    point = ALARM_PATH[name]

    async def story(random: Random) -> list[str]:
        broker = "PUBACK" not in name and random.random() < 0.15
        async with a_school(shared=shared, forker=lanes, random=random, broker=broker) as (school, units):
            child = await school.live(point, random.randint(1, point.hits))
            await school.press(units, random.randint(3, 8))
            return await dies(school, child, units) or await comes_back(school, random)

    await each_seed(name, story)


@pytest.mark.parametrize("name", RESTART)
async def test_killed_while_coming_back(name: str, lanes: Forker, shared: Path) -> None:
    """Killed on the alarm path, and again at that point of the restart."""
    first = ALARM_PATH["the ACK is handed over"]

    async def story(random: Random) -> list[str]:
        async with a_school(shared=shared, forker=lanes, random=random) as (school, units):
            child = await school.live(first)
            await school.press(units, random.randint(3, 8))
            return (
                await dies(school, child, units)
                or await dies(school, await school.live(RESTART[name]), units)
                or await comes_back(school, random)
            )

    await each_seed(name, story)


@pytest.mark.parametrize("name", SLOW_DISK)
async def test_killed_while_the_disk_is_slow(name: str, lanes: Forker, shared: Path) -> None:
    """Killed there while facts go to the spool because commits take too long."""
    point = SLOW_DISK[name]

    async def story(random: Random) -> list[str]:
        async with a_school(shared=shared, forker=lanes, random=random, spool_after="10ms") as (
            school,
            units,
        ):
            child = await school.live(
                point, random.randint(1, point.hits), slow_commits=random.randint(6, 12)
            )
            await school.press(units, random.randint(3, 8))
            return await dies(school, child, units) or await comes_back(school, random)

    await each_seed(name, story)


async def test_killed_at_any_moment(lanes: Forker, shared: Path) -> None:
    """Killed at a random time, three times over."""

    async def story(random: Random) -> list[str]:
        async with a_school(shared=shared, forker=lanes, random=random) as (school, units):
            for presses in (4, 2, 1):
                child = await school.live()
                asyncio.get_running_loop().call_later(random.uniform(0.05, 0.4), child.kill)
                await school.press(units, presses)
                await child.ended
            return await comes_back(school, random)

    await each_seed("any moment", story)


@pytest.mark.parametrize("name", NOTICE_PATH)
async def test_killed_on_the_notice_path(name: str, lanes: Forker) -> None:
    """Killed there, started again: at most one message each, everyone reached or a reason, nothing overstated."""

    async def story(random: Random) -> list[str]:
        found = await told(random, random.randint(1, NOTICE_PATH[name]))
        return found if found is not None else await told(random, 1) or []

    async def told(random: Random, hit: int) -> list[str] | None:
        pieces = name in IN_PIECES
        people = 6 if pieces else 4
        with tempfile.TemporaryDirectory(prefix="belltower-") as folder:
            async with carrier_peer(seed=random.randrange(1 << 30), latency=0.01, carrying=0.02) as carrier:
                options = DeskOptions(
                    database=f"{folder}/desk.db",
                    sms_url=carrier.url,
                    smtp_port=carrier.smtp_port,
                    callback_port=free_port(),
                    people=people,
                    kinds=("sms", "console") if pieces else ("sms", "email"),
                    deadline=1.0,
                    resolve_within=0.5,
                    settle=2 * people,
                    point=name,
                    hit=hit,
                )
                await prepare(options.database, order())
                if name == "resolver.asked":
                    carrier.goes_wrong(lose_answer=True, accept_anyway=True, callbacks=False, times=2)
                return await _told_once(lanes, options, carrier, Path(folder, "output"), pieces=pieces)

    await each_seed(name, story)


async def _told_once(
    lanes: Forker, options: DeskOptions, carrier, output: Path, *, pieces: bool
) -> list[str] | None:
    for point in (options.point, ""):
        options.point = point
        child = await lanes.begin(
            Life(
                lane="desk",
                config=msgspec.json.encode(options).decode(),
                piece=5 if pieces else 0,
                output=str(output),
            )
        )
        try:
            async with asyncio.timeout(PATIENCE):
                code = await asyncio.shield(child.ended)
        finally:
            child.kill()
            await child.ended
        if point and options.hit > 1 and code == 0:
            return None  # what several wait for may be done for all at once, so that the point is passed less often
        if code != (-9 if point else 0):
            return [f"at {point!r} the desk ended with {code}", said(output)]
        carrier.is_well()
    last = msgspec.json.decode(said(output).splitlines()[-1])
    rows = [DeliverySeen(*row) for row in last["rows"]]
    people = [f"p{n}" for n in range(options.people)]
    wrong = [
        *i4(rows, carrier.taken()),
        *i5(people, rows, last["others"]),
        *settled_honestly(rows, carrier.taken()),
        *(["there are not two deliveries for each"] if len(rows) != 2 * options.people else []),
    ]
    return [*wrong, said(output)] if wrong else []


def said(output: Path) -> str:
    """What the lives wrote."""
    return output.read_text(errors="replace")


async def test_the_stories_find_a_lane_that_acknowledges_too_early(lanes: Forker, shared: Path) -> None:
    """With an ACK before the commit some press is lost, and the ledgers say so."""
    point = ALARM_PATH["before the sync"]
    found: list[str] = []
    for seed in range(20):
        random = Random(f"hasty {seed}")
        async with a_school(shared=shared, forker=lanes, random=random) as (school, units):
            child = await school.live(point, random.randint(4, 7), slow_commits=20, hasty=True)
            await school.press(units, 4)
            assert [] == await dies(school, child, units)
            await school.live()
            found = await school.is_healed(within=0.7)
        if any(wrong.startswith("I1") for wrong in found):
            return
    pytest.fail(f"nothing was found: {found}")
