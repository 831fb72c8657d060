"""`belltower report alarms` (W28): per month, and per person, unit and device."""

import asyncio
import json
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from belltower.clock import Instant, SystemClock
from belltower.ids import AlarmId, CallId, FactId, Ids, IncidentId, PersonId, StreamName, UnitId
from belltower.incident import facts
from belltower.incident.encoding import FactEncoding
from belltower.incident.entry import Draft, Entry
from belltower.incident.facts import AlarmKind, AlarmRaised, Fact, Mode, UpdateKind, UpdateOrdered
from belltower.journal import Journal, SpoolFile
from belltower.store import Transaction, open_database
from gateway.alarm_report import AlarmCount, alarm_counts
from tests.gateway.cli.house import belltower, house
from tests.peers.waiting import PATIENCE

DAY = 86_400_000_000
NOVEMBER = 1_793_577_600_000_000  # 2026-11-02, 00:00 UTC


def raised(incident: str, mode: Mode = Mode.ACTUAL, **by: object) -> AlarmRaised:
    """Somebody or something called for help."""
    return AlarmRaised(
        alarm=AlarmId(f"alm_{incident}"),
        incident=IncidentId(incident),
        kind=AlarmKind.PANIC,
        mode=mode,
        place=None,
        building="",
        number=1,
        **by,  # type: ignore[arg-type]
    )


STORY: list[tuple[int, Fact]] = [
    (-3, raised("inc_0", person=PersonId("p01"))),
    (0, raised("inc_1", unit=UnitId("u7"))),
    (1, raised("inc_2", unit=UnitId("u7"))),
    (
        1,
        UpdateOrdered(call=CallId("cal_2"), incident=IncidentId("inc_2"), update=1, kind=UpdateKind.CANCEL),
    ),
    (2, raised("inc_3", Mode.EXERCISE, unit=UnitId("u7"))),
    (3, raised("inc_4", person=PersonId("p01"))),
    (4, raised("inc_5", device="shelly-1")),
    (4, facts.UnitLost(unit=UnitId("u7"), silent_for=90.0)),
]


def test_w28_alarms_are_counted_by_month_and_by_who_raised_them() -> None:
    """On the school's wall: an alarm just after midnight in UTC was still of the month before in Chicago."""
    entries = [
        Entry(
            stream=StreamName("alarm"),
            position=n,
            id=FactId(f"fct_{n}"),
            at=Instant(NOVEMBER + days * DAY),
            subject="",
            fact=fact,
        )
        for n, (days, fact) in enumerate(STORY, start=1)
    ]

    def line(month: str, by: str, who: str, *counts: int) -> AlarmCount:
        alarms, called_off, exercises = counts
        return AlarmCount(
            month=month, by=by, who=who, alarms=alarms, called_off=called_off, exercises=exercises
        )

    assert [
        line("2026-11", "unit", "u7", 2, 1, 1),
        line("2026-11", "person", "p01", 1, 0, 0),
        line("2026-11", "device", "shelly-1", 1, 0, 0),
        line("2026-10", "person", "p01", 1, 0, 0),
    ] == alarm_counts(entries, ZoneInfo("America/Chicago"))
    assert [] == alarm_counts([], ZoneInfo("UTC"))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A house whose journal holds the story."""
    config = house(tmp_path)
    path = tmp_path / "var" / "alarm.db"
    path.parent.mkdir()

    async def write() -> None:
        ids = Ids(clock=SystemClock())
        database = await open_database(f"sqlite://{path}")
        journal = Journal(
            database=database,
            stream=StreamName("alarm"),
            codec=FactEncoding(),
            spool=SpoolFile(path=path.with_name("spool")),
            spool_after=PATIENCE,
        )
        await journal.open()
        for days, fact in STORY:
            draft = Draft(id=ids.fact(), at=Instant(NOVEMBER + days * DAY), subject="inc", fact=fact)
            await journal.commit(Transaction(), [draft])
        await database.close()

    asyncio.run(write())
    return config


def test_w28_the_report_is_read_without_the_lanes(config: Path) -> None:
    """For people with names and sums, for programs a line each; `--months` keeps the last."""
    shown = belltower("report", "alarms", "--config", config)
    last = belltower("report", "alarms", "--config", config, "--months", "1", "--json")
    lines = [json.loads(line) for line in last.stdout.splitlines()]

    assert 0 == shown.returncode
    assert "2026-11: 4 in earnest, 1 of them called off; 1 in exercises" in shown.stdout
    assert "unit u7, " in shown.stdout
    assert "(p01)" in shown.stdout
    assert [("unit", 2), ("person", 1), ("device", 1)] == [(line["by"], line["alarms"]) for line in lines]
