"""P13 at the desk: what was opened ends at its Deadline, and the journal has ids and counts of all of it, once."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from belltower.ids import IncidentId, PersonId, StreamName
from belltower.incident.encoding import FactEncoding
from belltower.incident.facts import (
    DisclosureClosed,
    DisclosureGiven,
    DisclosureOpened,
    IncidentClosed,
    IncidentOpened,
    Mode,
)
from belltower.journal import Draft, Journal, SpoolFile
from belltower.people.disclosure import Way
from belltower.people.disclosure_register import IncidentKnown
from belltower.store import Transaction, open_database
from belltower.tasks import Crew
from gateway.disclosing import DisclosureDesk, incident_known
from gateway.web import store as web_store
from tests.belltower.people.disclosing import RUTH, THREAT, Desk
from tests.peers.waiting import PATIENCE
from tests.servers.postgres import postgres  # noqa: F401 - a fixture


class Lane:
    """The desk's journal, with a register on its database."""

    def __init__(self, database) -> None:
        self.database = database
        self.desk = Desk(database)
        self.journal: Journal
        self.incidents = [IncidentId("inc_1")]

    async def open(self, folder) -> Lane:
        """Begin, or begin again."""
        spool = SpoolFile(path=folder / "desk.spool")
        self.journal = Journal(
            database=self.database,
            stream=StreamName("desk"),
            codec=FactEncoding(),
            spool=spool,
            spool_after=PATIENCE,
        )
        await self.journal.open()
        self.telling = DisclosureDesk(
            journal=self.journal,
            open_incidents=self._open,
            clock=self.desk.clock,
            ids=self.desk.ids,
            look_every=0.01,
        )
        return self

    async def _open(self) -> list[IncidentId]:
        return self.incidents

    async def holds(self, count: int) -> None:
        """Wait until the journal has this many facts."""
        async with asyncio.timeout(PATIENCE):
            while len(await self.facts()) < count:  # noqa: ASYNC110 - the facts are what is waited for
                await asyncio.sleep(0.01)

    async def facts(self) -> list[object]:
        """All there are."""
        return [entry.fact for entry in await self.journal.read(after=0, limit=100)]


@pytest.fixture(params=["sqlite"])
async def lane(request, tmp_path):
    """A desk; on the other engine where a test says so."""
    url = f"sqlite://{tmp_path}/desk.db"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres").database()
    database = await open_database(url)
    lane = await Lane(database).open(tmp_path)
    await lane.desk.load()
    yield lane
    lane.telling.close()
    await lane.journal.close()
    await database.close()


async def test_the_journal_is_told_once_with_ids_and_counts_alone(lane: Lane) -> None:
    """Opened, given, ended by hand; neither recipient nor threat nor student."""
    desk = lane.desk
    opened = await desk.register.open(desk.ids.verb(), await desk.asked(), RUTH)
    await lane.telling.look()
    await desk.register.give(opened.id, Way.EXPORTED, RUTH)
    await desk.register.close(opened.id, RUTH)
    await lane.telling.look()
    await lane.telling.look()
    count, fields, incident = len(opened.students), ("names", "contact"), IncidentId("inc_1")

    assert [
        DisclosureOpened(
            disclosure=opened.id,
            incident=incident,
            by=RUTH,
            students=count,
            fields=fields,
            basis="safety",
            until=opened.until,
        ),
        DisclosureGiven(
            disclosure=opened.id, incident=incident, by=RUTH, students=count, fields=fields, way="exported"
        ),
        DisclosureClosed(disclosure=opened.id, incident=incident, why="by-hand", by=RUTH),
    ] == await lane.facts()
    rows = await lane.database.read("SELECT body FROM journal_entry")
    told = b"".join(bytes(body) for (body,) in rows)
    assert not [word for word in (THREAT, "Sheriff", *opened.students) if word.encode() in told]


@pytest.mark.parametrize("lane", ["sqlite", "postgres"], indirect=True)
async def test_it_ends_at_its_deadline_by_itself(lane: Lane) -> None:
    """P13: nobody does anything; the end is written down with its fact."""
    desk = lane.desk
    opened = await desk.register.open(desk.ids.verb(), await desk.asked(minutes=1), RUTH)
    desk.clock.step(59.9)
    await lane.telling.look()
    assert (await desk.register.get(opened.id)).is_open(desk.clock.now())
    async with Crew() as crew:
        attending = crew.essential("ends", lane.telling.attend)
        await lane.holds(2)
        attending.cancel()
    ended = await desk.register.get(opened.id)

    assert ("deadline", "") == (ended.closed_why, ended.closed_by)
    assert (
        DisclosureClosed(disclosure=opened.id, incident=IncidentId("inc_1"), why="deadline")
        == ((await lane.facts())[1])
    )
    assert [] == await lane.database.read("SELECT key FROM deadline")


@pytest.mark.parametrize("told", [False, True])
async def test_a_deadline_that_passed_while_nothing_ran_is_kept_at_the_next_start(
    lane: Lane, tmp_path, told: bool
) -> None:
    """P13 after kill -9: whether the desk had armed it or a command had only written the row."""
    desk = lane.desk
    opened = await desk.register.open(desk.ids.verb(), await desk.asked(minutes=1), RUTH)
    if told:
        await lane.telling.look()
    lane.telling.close()
    await lane.journal.close()
    desk.clock.step(3_600)
    await lane.open(tmp_path)
    async with Crew() as crew:
        attending = crew.essential("ends", lane.telling.attend)
        await lane.telling.look()
        await lane.holds(2)
        attending.cancel()

    assert [DisclosureOpened, DisclosureClosed] == [type(fact) for fact in await lane.facts()]
    assert "deadline" == (await desk.register.get(opened.id)).closed_why


async def test_the_end_of_its_incident_ends_it(lane: Lane) -> None:
    """The emergency is over, and so is what it allowed."""
    desk = lane.desk
    opened = await desk.register.open(desk.ids.verb(), await desk.asked(), RUTH)
    await lane.telling.look()
    lane.incidents.clear()
    await lane.telling.look()

    assert "incident-closed" == (await desk.register.get(opened.id)).closed_why
    assert [DisclosureOpened, DisclosureClosed] == [type(fact) for fact in await lane.facts()]


async def test_killed_between_the_row_and_its_fact_it_is_told_by_whoever_starts_next(
    lane: Lane, tmp_path
) -> None:
    """Opened, given and ended by a process that died before any fact: each is told once, in order."""
    desk = lane.desk
    opened = await desk.register.open(desk.ids.verb(), await desk.asked(), RUTH)
    await desk.register.give(opened.id, Way.SHOWN, RUTH)
    await desk.register.close(opened.id, RUTH)
    await lane.journal.close()
    await lane.open(tmp_path)
    async with Crew() as crew:
        running = crew.essential("disclosures", lane.telling.run)
        await lane.holds(3)
        await asyncio.sleep(0.05)
        running.cancel()

    assert [DisclosureOpened, DisclosureGiven, DisclosureClosed] == [
        type(fact) for fact in await lane.facts()
    ]


async def test_killed_at_any_commit_nothing_left_that_is_not_written_down(tmp_path) -> None:
    """P13 after kill -9: the files as they lay at each commit, started again: no row is lost, no fact is told twice."""
    (tmp_path / "live").mkdir()
    pictures: list[tuple[Path, int]] = []
    left: list[PersonId] = []

    def commit() -> None:
        picture = tmp_path / f"at-{len(pictures)}"
        shutil.copytree(tmp_path / "live", picture, ignore=shutil.ignore_patterns("*.lock", "*.ballast"))
        pictures.append((picture, len(left)))

    database = await open_database(f"sqlite://{tmp_path}/live/desk.db", before_commit=commit)
    lane = await Lane(database).open(tmp_path / "live")
    await lane.desk.load()
    loaded = len(pictures)
    opened = await lane.desk.register.open(lane.desk.ids.verb(), await lane.desk.asked(), RUTH)
    await lane.telling.look()
    for way in Way:
        left += [row.student for row in (await lane.desk.register.give(opened.id, way, RUTH)).rows]
        await lane.telling.look()
    await lane.desk.register.close(opened.id, RUTH)
    await lane.telling.look()
    commit()
    lane.telling.close()
    await lane.journal.close()
    await database.close()

    for picture, before in pictures[loaded:]:
        again = Lane(await open_database(f"sqlite://{picture}/desk.db"))
        await again.open(picture)
        again.desk.clock.step(7_200)
        async with Crew() as crew:
            attending = crew.essential("ends", again.telling.attend)
            await again.telling.look()
            known = await again.desk.register.find(opened.id)
            if known is not None:
                await again.holds(2 + len(await again.desk.register.batches(opened.id)))
                await again.telling.look()
            attending.cancel()
        given = [line.student async for page in again.desk.register.given_by(opened.id) for line in page]
        facts = [type(fact) for fact in await again.facts()]

        assert left[:before] == given[:before]
        if known is not None:
            assert [DisclosureOpened, DisclosureClosed] == [facts[0], facts[-1]]
            assert [DisclosureGiven] * (len(given) // len(opened.students)) == facts[1:-1]
            assert (await again.desk.register.get(opened.id)).closed_at
        again.telling.close()
        await again.journal.close()
        await again.database.close()

    assert len(pictures) - loaded >= 8


async def test_an_incident_is_known_by_the_desks_own_copy(
    lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Open or not, real or an exercise; nothing of one that nobody knows. Its other facts stay closed."""
    await lane.database.migrate(web_store.STEPS)
    desk, incident = lane.desk, IncidentId("inc_9")
    opened = IncidentOpened(incident=incident, alarm=desk.ids.alarm(), mode=Mode.EXERCISE, number=4)
    draft = Draft(id=desk.ids.fact(), at=desk.clock.now(), subject=incident, fact=opened)
    tx = Transaction()
    web_store.incident_opened(tx, incident, 4, desk.clock.now())
    later = [
        Draft(
            id=desk.ids.fact(),
            at=desk.clock.now(),
            subject=incident,
            fact=IncidentClosed(incident=incident, by=RUTH),
        )
        for _ in range(20)
    ]
    await lane.journal.commit(tx, [draft, *later])
    streams = [StreamName("none"), StreamName("desk")]
    decoded: list[str] = []
    decode = FactEncoding.decode
    monkeypatch.setattr(
        FactEncoding, "decode", lambda self, tag, body: decoded.append(tag) or decode(self, tag, body)
    )

    assert IncidentKnown(open=True, exercise=True) == await incident_known(lane.journal, streams, incident)
    assert None is await incident_known(lane.journal, streams, IncidentId("inc_0"))
    tx = Transaction()
    web_store.incident_closed(tx, incident, desk.clock.now())
    closed = IncidentClosed(incident=incident, by=RUTH)
    draft = Draft(id=desk.ids.fact(), at=desk.clock.now(), subject=incident, fact=closed)
    await lane.journal.commit(tx, [draft])
    assert IncidentKnown(open=False, exercise=True) == await incident_known(lane.journal, streams, incident)
    assert ["incident.opened"] * 2 == decoded
