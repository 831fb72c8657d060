"""A damaged journal: the lane starts all the same, once, and its stream keeps its name from then on."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from belltower.incident import facts
from belltower.incident.entry import Entry
from belltower.journal import SpoolFile
from belltower.journal.spool import SpooledFact, SpooledStatement, SpoolRecord, frame
from belltower.store import Step
from gateway import site_package
from gateway.alarm_lane import AlarmLane
from gateway.alarm_world import open_world
from gateway.settings import (
    AlarmSettings,
    DeskSettings,
    LogSettings,
    Settings,
    SiteSettings,
    StateSettings,
)
from tests.peers.waiting import PATIENCE, until

SITE = Path(__file__).parents[2] / "examples" / "site"
PAGE = 4096


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[AlarmLane]:
    """The lane without any wire, from ready to ended."""
    settings = Settings(
        file=Path("none.toml"),
        site=SiteSettings(),
        state=StateSettings(folder=folder),
        alarm=AlarmSettings(),
        psap_links={},
        desk=DeskSettings(),
        channels={},
        log=LogSettings(),
    )
    lane = AlarmLane(
        settings=settings,
        site=site_package.load(SITE),
        keys={},
        drill_keys={},
        world=open_world(settings),
    )
    async with asyncio.TaskGroup() as group:
        task = group.create_task(lane.run())
        ready = group.create_task(lane.ready.wait())
        async with asyncio.timeout(PATIENCE):
            await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if not task.done():
            yield lane
        task.cancel()


async def first(lane: AlarmLane, count: int) -> list[Entry]:
    """The journal's first entries."""
    entries = []
    async with asyncio.timeout(PATIENCE):
        async for entry in lane.journal.follow(after=0):
            entries += [entry] if entry.position else []
            if count == len(entries):
                break
    return entries


def damage(database: Path, table: str) -> None:
    """Overwrite the first page of `table`; the file's first page stays whole."""
    reading = sqlite3.connect(database)
    (page,) = reading.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    reading.close()
    assert page > 1
    with database.open("r+b") as file:
        file.seek((page - 1) * PAGE)
        file.write(b"\xff" * PAGE)


@pytest.mark.parametrize("table", ["journal_entry", "journal_checkpoint", "incident_open", "intake_window"])
async def test_damage_on_any_page_puts_the_journal_aside_once(tmp_path: Path, table: str) -> None:
    """Whatever is read until the lane is ready: damage there begins a fresh journal, and it is said."""
    folder = tmp_path / "var"
    async with running(folder):
        pass
    damage(folder / "alarm.db", table)

    async with running(folder) as lane:
        status = lane.status()
        entries = await first(lane, 3)

    assert "alarm.1" == status.stream
    assert "alarm.db.damaged-1" == status.put_aside
    assert (folder / "alarm.db.damaged-1").exists()
    assert [facts.RecordingFailed, facts.RecordingRestored, facts.LaneStarted] == [
        type(entry.fact) for entry in entries
    ]


async def test_a_stream_begun_after_damage_keeps_its_name_whatever_lies_beside_it(tmp_path: Path) -> None:
    """Files beside the damaged one, another lock or log, do not begin yet another stream."""
    folder = tmp_path / "var"
    async with running(folder):
        pass
    (folder / "alarm.db").write_bytes(b"not a database" * 1_000)
    async with running(folder) as lane:
        await first(lane, 3)
        head = lane.journal.head
    for name in ("alarm.db.damaged-1.lock", "alarm.db.damaged-1-wal", "alarm.db.damaged-7"):
        (folder / name).touch()

    async with running(folder) as lane:
        await first(lane, head + 1)
        status = lane.status()

    assert "alarm.1" == status.stream


async def test_what_was_spooled_beside_a_damaged_journal_enters_the_fresh_one(tmp_path: Path) -> None:
    """A spooled press comes with its statements; both land, and a damaged page met on the way is damage too."""
    folder = tmp_path / "var"
    async with running(folder):
        pass
    opened = SpooledStatement(
        "INSERT INTO incident_open (incident, number, opened_at, closed_at) VALUES (:incident, 1, 1, 0)",
        {"incident": "inc_1"},
        None,
    )
    said = SpooledFact("fct_1", 1, "recording.restored", "", b"{}")
    SpoolFile(path=folder / "spool").append(frame(SpoolRecord([said], [opened])))
    damage(folder / "alarm.db", "incident_open")

    async with running(folder) as lane:
        status = lane.status()
        entries = await first(lane, 3)
        rows = await lane.journal.database.read("SELECT incident FROM incident_open")

    assert "alarm.1" == status.stream
    assert "fct_1" in [entry.id for entry in entries]
    assert [("inc_1",)] == rows


STANDS = SpooledStatement(
    "INSERT INTO device_standing (device, kind, why, profile) VALUES (:device, 'taken over', '', '')",
    {"device": "sos-1"},
    None,
)


def spool(folder: Path, *statements: SpooledStatement) -> None:
    """As an earlier process does whose store is ill."""
    said = SpooledFact("fct_1", 1, "recording.restored", "", b"{}")
    SpoolFile(path=folder / "spool").append(frame(SpoolRecord([said], list(statements))))


async def test_a_trouble_spooled_beside_a_damaged_journal_stands(tmp_path: Path) -> None:
    """The fresh journal takes it in at once."""
    folder = tmp_path / "var"
    async with running(folder):
        pass
    spool(folder, STANDS)
    (folder / "alarm.db").write_bytes(b"not a database" * 1_000)

    async with running(folder) as lane:
        status = lane.status()

    assert "" == status.trouble
    assert {"sos-1": ("taken over",)} == status.troubles


async def test_a_trouble_stands_once_what_was_spooled_has_come_in(tmp_path: Path) -> None:
    """The store is well only long after the start."""
    folder = tmp_path / "var"
    async with running(folder):
        pass
    spool(folder, STANDS, SpooledStatement("INSERT INTO late (number) VALUES (1)", {}, None))

    async with running(folder) as lane:
        assert {} == lane.status().troubles
        step = Step(room="late", number=1, sql="CREATE TABLE late (number INTEGER NOT NULL);")
        await lane.journal.database.migrate([step])
        await until(lambda: bool(lane.status().troubles), within=PATIENCE)

        assert {"sos-1": ("taken over",)} == lane.status().troubles
