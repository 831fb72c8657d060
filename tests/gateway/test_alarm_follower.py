"""The desk's copy of the alarm stream, when that stream or the copy is not what it was."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import apsw
import pytest

from belltower.clock import SECOND, SystemClock
from belltower.errors import NotAsked
from belltower.ids import Ids, StreamName
from belltower.incident import facts
from belltower.incident.encoding import FactEncoding
from belltower.incident.entry import Draft
from belltower.journal import Copy, Journal, SpoolFile, verify
from belltower.store import Transaction, open_database
from belltower.tasks import Crew
from gateway.alarm_follower import AlarmFollower, StreamChangedError, followed_stream
from gateway.control import ControlClient, ControlServer, Status
from gateway.web.view import SILENT
from tests.peers.waiting import PATIENCE

CLOCK = SystemClock()
IDS = Ids(clock=CLOCK)


@asynccontextmanager
async def journal_in(file: Path, stream: str, before_commit=None) -> AsyncIterator[Journal]:
    """A journal in a file."""
    database = await open_database(f"sqlite://{file}", before_commit=before_commit)
    journal = Journal(
        database=database,
        stream=StreamName(stream),
        codec=FactEncoding(),
        spool=SpoolFile(path=file.with_suffix(".spool")),
        spool_after=PATIENCE,
    )
    await journal.open()
    try:
        yield journal
    finally:
        await journal.close()
        await database.close()


async def say(journal: Journal, count: int) -> None:
    """Record some facts."""
    for _ in range(count):
        draft = Draft(id=IDS.fact(), at=CLOCK.now(), subject="", fact=facts.RecordingRestored())
        await journal.commit(Transaction(), [draft])


@asynccontextmanager
async def alarm_lane(folder: Path, facts_more: int, *, drill_until=lambda: 0) -> AsyncIterator[Journal]:
    """An alarm lane that records some more facts, and lets itself be followed."""
    async with journal_in(folder / "alarm.db", "alarm") as journal:
        await say(journal, facts_more)

        def status() -> Status:
            return Status(
                lane="alarm",
                stream=journal.stream,
                revision="",
                version="",
                head=journal.head,
                open_incidents=0,
                links_lost={},
                links={},
                units_lost=(),
                units=0,
                trouble="",
                drill_until=drill_until(),
                counts={},
            )

        server = ControlServer(
            path=folder / "control.sock",
            follow=lambda after: journal.follow_raw(after=after),
            verbs={},
            status=status,
        )
        async with Crew() as crew:
            serving = crew.essential("control", server.run)
            await server.ready.wait()
            try:
                yield journal
            finally:
                serving.cancel()


@asynccontextmanager
async def desk(folder: Path, before_commit=None) -> AsyncIterator[tuple[AlarmFollower, Copy, Journal]]:
    """A desk that follows."""
    async with journal_in(folder / "desk.db", "desk", before_commit) as journal:
        followed = await followed_stream(journal.database)
        copy = Copy(journal=journal, stream=followed.name)
        await copy.open()
        client = ControlClient(path=folder / "control.sock")
        follower = AlarmFollower(copy=copy, journal=journal, stream=followed, client=client, clock=CLOCK)
        async with Crew() as crew:
            following = crew.mendable("alarm-lane", follower.run)
            try:
                yield follower, copy, journal
            finally:
                following.cancel()


async def copied(copy: Copy, head: int) -> None:
    """Wait until the copy has come so far."""
    async with asyncio.timeout(PATIENCE):
        while copy.head < head:  # noqa: ASYNC110 - a copy rings no bell
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("more", [0, 7, 4])
async def test_a_journal_put_back_from_a_backup_is_followed_anew_and_said(tmp_path: Path, more: int) -> None:
    """Whether it is behind the desk's copy, level with it or past it by now, the desk gets every new entry."""
    async with alarm_lane(tmp_path, 3):
        pass
    shutil.copy(tmp_path / "alarm.db", tmp_path / "backup")
    async with alarm_lane(tmp_path, 4), desk(tmp_path) as (follower, copy, _):
        await copied(copy, 7)
        assert "" == follower.state(channels_pausing={}).record_broken
    shutil.copy(tmp_path / "backup", tmp_path / "alarm.db")

    async with alarm_lane(tmp_path, more):
        async with desk(tmp_path) as (follower, copy, _):
            with pytest.raises(StreamChangedError):
                async with asyncio.timeout(PATIENCE):
                    await follower.attend()
        async with desk(tmp_path) as (follower, copy, journal):
            await copied(copy, 3 + more)

            assert "put back" in follower.state(channels_pausing={}).record_broken
            for stream, entries in (("alarm", 7), ("alarm~1", 3 + more)):
                verdict = await verify(journal.database, StreamName(stream))
                assert (entries, None) == (verdict.entries, verdict.first_bad)


async def test_a_copy_that_cannot_be_written_is_said_until_it_can(tmp_path: Path) -> None:
    """The lane is not silent, and the reason given is the desk's own."""
    full: list[Exception] = []

    def before_commit() -> None:
        if full:
            raise full[0]

    async with (
        alarm_lane(tmp_path, 3) as alarm,
        desk(tmp_path, before_commit) as (follower, copy, journal),
        asyncio.timeout(PATIENCE),
    ):
        await copied(copy, 3)
        ballast = journal.database._ballast
        ballast._size = 1 << 60  # no disk has room for another one
        full.append(apsw.FullError("no space left"))
        await say(alarm, 2)
        while not follower.state(channels_pausing={}).recording_trouble:  # noqa: ASYNC110 - a state rings no bell
            await asyncio.sleep(0.01)
        first = follower.state(channels_pausing={})
        for _ in range(2):
            heard = follower._heard
            while follower._heard == heard:  # noqa: ASYNC110 - a beat rings no bell here
                await asyncio.sleep(0.01)
        later = follower.state(channels_pausing={})
        full.clear()
        ballast._size = 4_096
        while follower.state(channels_pausing={}).recording_trouble:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)

        assert "this desk cannot copy the alarm lane's journal" in first.recording_trouble
        assert first.recording_trouble == later.recording_trouble
        assert later.silent_for < SILENT
        assert ("the desk",) == later.reserves_used
        assert () == follower.state(channels_pausing={}).reserves_used
        assert 5 == copy.head


class Later:
    """A clock that stands still until it is put ahead."""

    ahead = 0.0

    def now(self):
        return CLOCK.now()

    def monotonic(self):
        return self.ahead


async def test_an_alarm_lane_that_starts_a_little_later_is_nothing_to_warn_of(tmp_path: Path) -> None:
    """The lanes start together; only one that stays away is a failure, and one that was there before."""
    async with journal_in(tmp_path / "desk.db", "desk") as journal:
        followed = await followed_stream(journal.database)
        copy = Copy(journal=journal, stream=followed.name)
        await copy.open()
        client, clock = ControlClient(path=tmp_path / "control.sock"), Later()
        follower = AlarmFollower(copy=copy, journal=journal, stream=followed, client=client, clock=clock)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.25):
                await follower.run()
        clock.ahead = 20.0
        with pytest.raises(NotAsked):
            await follower.run()


async def test_a_drill_that_is_over_is_over_at_once(tmp_path: Path) -> None:
    """R43: between two beats as well, so that nothing says any more that it is practised; and once the lane is silent."""
    until = [CLOCK.now() + 3600 * SECOND]
    over = facts.DrillEnded(authorisation="d1", reason="aborted_real")
    async with desk(tmp_path) as (follower, copy, _), asyncio.timeout(PATIENCE):
        async with alarm_lane(tmp_path, 1, drill_until=lambda: until[0]) as alarm:
            while not follower.drilling():  # noqa: ASYNC110 - a state rings no bell
                await asyncio.sleep(0.01)
            said, until[0] = follower._status, 0
            draft = Draft(id=IDS.fact(), at=CLOCK.now(), subject="", fact=over)
            await alarm.commit(Transaction(), [draft])
            await copied(copy, 2)
            await asyncio.sleep(0)

            assert not follower.drilling()
            assert 0 == follower.state(channels_pausing={}).drill_until
        follower._status, follower._heard = said, CLOCK.monotonic() - 2 * SILENT
        assert not follower.drilling()
