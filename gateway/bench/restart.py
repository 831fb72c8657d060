"""Restart: how soon a lane that ended takes presses again, with 1,000,000 entries in its journal.

The lane itself opens twelve alarms, one in each building, is killed, and its journal is grown to a million entries of
a valid chain. Then it is started and killed again, round by round: the time to its first answer on the control socket
and to the first press it takes, and until every open alarm was sent again over the line. The floor is the start with a
journal of a few entries, from the same run.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median

import apsw
from msgspec import Struct

from belltower.clock import SystemClock
from belltower.ids import Ids
from belltower.journal import entry_hash
from gateway.bench import rig
from gateway.bench.figure import Figure
from gateway.bench.rig import Plan
from gateway.bench.wires import Line, Presser

ENTRIES = 1_000_000
BUILDINGS = 12
ROUNDS = 5
READY, SENT = 5.0, 10.0
_CHUNK = 10_000
_BODY = b'{"type":"unit.restored","unit":"u1"}'


class _Start(Struct, frozen=True, kw_only=True):
    """Seconds from starting the process."""

    answers: float
    takes: float
    sent: float


async def run() -> list[Figure]:
    """Ready, and every open alarm sent again."""
    with rig.folder("restart") as folder, rig.pty() as (far, near):
        port = rig.free_port()
        plan = Plan(folder, units=10 * BUILDINGS, buildings=BUILDINGS)
        plan.write(line=f"serial://{near}", alarm=f"[alarm.mqtt_listener]\nport = {port}")
        async with _lane(plan) as (lane, _):
            line = Line(number=far, key=plan.link_key)
            await rig.answering(plan, lane)
            await asyncio.to_thread(_open_alarms, plan, line, port)
        small = [await _start(plan, far, port, epoch) for epoch in range(2, 2 + ROUNDS)]
        began = time.perf_counter()
        await asyncio.to_thread(_grow, plan.state / "alarm.db")
        grown = time.perf_counter() - began
        large = [await _start(plan, far, port, epoch) for epoch in range(2 + ROUNDS, 2 + 2 * ROUNDS)]
        size = (plan.state / "alarm.db").stat().st_size / 1e6
    extra = {
        "rounds": ROUNDS,
        "journal MB": round(size),
        "seconds to write it": round(grown, 1),
        "load average": round(os.getloadavg()[0], 1),
    }
    ready = [max(start.answers, start.takes) for start in large]
    return [
        _figure(
            f"restart with {ENTRIES:,} journal entries, ready",
            ready,
            [max(start.answers, start.takes) for start in small],
            READY,
            {**extra, "control socket answers": round(median(start.answers for start in large), 2)},
        ),
        _figure(
            f"restart with {ENTRIES:,} journal entries, {BUILDINGS} open alarms sent again",
            [start.sent for start in large],
            [start.sent for start in small],
            SENT,
            extra,
        ),
    ]


def _figure(
    name: str, values: list[float], floors: list[float], goal: float, extra: Mapping[str, object]
) -> Figure:
    return Figure(
        id="restart",
        name=name,
        value=round(median(values), 2),
        unit="s",
        floor=round(median(floors), 2),
        ratio=round(median(values) / median(floors), 2),
        goal=f"<= {goal:g} s",
        met=max(values) <= goal,
        extra={"worst": round(max(values), 2), **extra},
    )


@asynccontextmanager
async def _lane(plan: Plan) -> AsyncIterator[tuple[asyncio.subprocess.Process, float]]:
    """The alarm lane with the moment of its start; killed at the end, so that nothing is put in order."""
    begun = time.perf_counter()
    log = plan.folder / "alarm.log"
    async with rig.process(log, "-m", "gateway.alarm_lane", "--config", plan.config) as lane:
        yield lane, begun
        lane.kill()
        await lane.wait()


def _open_alarms(plan: Plan, line: Line, port: int) -> None:
    """One press in each building, none acknowledged by a person and none closed; the county's receipts are withheld."""
    line.opened()
    unit_of: dict[str, int] = {}
    for number in plan.keys:
        unit_of.setdefault(plan.building(number), number)
    for number in unit_of.values():
        unit = Presser(plan, number, port)
        unit.line.sendall(unit.press())
        line.call()
        unit.end()


async def _start(plan: Plan, far: int, port: int, epoch: int) -> _Start:
    async with _lane(plan) as (lane, begun):
        line = Line(number=far, key=plan.link_key)
        sending = asyncio.get_running_loop().run_in_executor(None, _sent_again, line)
        await rig.answering(plan, lane)
        answers = time.perf_counter()
        takes = await asyncio.to_thread(_takes, plan, port, epoch)
        sent = await sending
        return _Start(answers=answers - begun, takes=takes - begun, sent=sent - begun)


def _sent_again(line: Line) -> float:
    """When the last of the open alarms was at the far end."""
    end = time.perf_counter() + rig.PATIENCE
    said = 0
    while time.perf_counter() < end:
        at, octets = line.read()
        line.heard(octets)
        said = sum(call.key is not None for call in line.county.calls.values())  # by a call of its own
        if said >= BUILDINGS:
            return at
    raise TimeoutError(f"only {said} of {BUILDINGS} open alarms were sent again")


def _takes(plan: Plan, port: int, epoch: int) -> float:
    """When a unit has the acknowledgement of a press, which joins what is open."""
    end = time.perf_counter() + rig.PATIENCE
    while True:
        try:
            unit = Presser(plan, 1, port, epoch=epoch)
            break
        except ConnectionError:
            if time.perf_counter() > end:
                raise
            time.sleep(0.005)
    unit.line.sendall(unit.press())
    unit.acknowledged()
    unit.end()
    return time.perf_counter()


def _grow(path: Path) -> None:
    """Append entries of a valid chain until the journal has `ENTRIES` and close the file as if it had been long so."""
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("PRAGMA cache_size=-200000")
    head = "SELECT stream, position, at, hash FROM journal_entry ORDER BY position DESC LIMIT 1"
    stream, position, at, digest = next(iter(connection.execute(head)))
    ids = Ids(clock=SystemClock())

    def rows(count: int) -> Iterator[tuple[object, ...]]:
        nonlocal position, digest
        for _ in range(count):
            position += 1
            fact, subject = ids.fact(), f"inc_{position // 8:026}"
            digest = entry_hash(
                digest,
                stream=stream,
                position=position,
                fact_id=fact,
                at=at,
                tag="unit.restored",
                subject=subject,
                body=_BODY,
            )
            yield stream, position, fact, at, "unit.restored", subject, _BODY, digest

    while position < ENTRIES:
        with connection:
            connection.executemany(
                "INSERT INTO journal_entry VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                rows(min(_CHUNK, ENTRIES - position)),
            )
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
