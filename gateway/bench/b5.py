"""B5: planning. Delivery rows a second for a notice to 50,000 people, against a bare `executemany` of the same rows."""

from __future__ import annotations

import time
from os import urandom
from pathlib import Path
from tempfile import TemporaryDirectory

import apsw

from belltower.people.person import ContactKind
from belltower.store import CHUNK, Params
from gateway.bench.figure import Figure
from gateway.bench.notice_desk import notice_desk, people
from notify.store import ADD_DELIVERY, STEPS

PEOPLE = 50_000
GOAL = 0.3


async def run(count: int = PEOPLE) -> list[Figure]:
    """One figure: rows a second, from the order to the last row and the bookmark on disk."""
    kinds = (ContactKind.SMS, ContactKind.EMAIL)
    rows = count * len(kinds)
    async with notice_desk(people(count, kinds)) as desk:
        room = desk.room([])
        await room.open()
        began = time.perf_counter()
        await desk.planner(room, frozenset({"sms", "email"})).plan(desk.ordered())
        took = time.perf_counter() - began
        written = await desk.database.read("SELECT COUNT(*) FROM notice_delivery WHERE state = 'pending'")
    floor_took = _bare(count)
    value, floor = rows / took, rows / floor_took
    return [
        Figure(
            id="B5",
            name="delivery rows planned",
            value=round(value),
            unit="rows/s",
            floor=round(floor),
            ratio=round(value / floor, 2),
            goal=f">= {GOAL} x bare executemany",
            met=value >= GOAL * floor and written[0][0] == rows,
            extra={"people": count, "rows": written[0][0], "seconds": round(took, 2)},
        )
    ]


def _bare(count: int) -> float:
    """Seconds for the same rows into the same table, in the same chunks, and nothing else."""
    sealed = [urandom(44) for _ in range(2 * count)]
    rows: list[Params] = [
        {
            "id": f"dlv_{n:026}",
            "notice": "ntc_000001",
            "revision": 1,
            "incident": "inc_bench",
            "person": f"p{n // 2}",
            "channel": "sms" if n % 2 else "email",
            "address": f"{sealed[n][-16:].hex()}",
            "state": "pending",
            "reason": "",
            "urgency": 0,
            "language": "en",
            "parts": 1,
            "sealed": sealed[n],
            "sealed_with": "k1",
            "prefix": "+1555000" if n % 2 else "school.example",
        }
        for n in range(2 * count)
    ]
    with TemporaryDirectory(prefix="belltower-bench") as folder:
        connection = apsw.Connection(str(Path(folder) / "floor.db"))
        connection.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
        for step in STEPS:
            connection.execute(step.sql)
        began = time.perf_counter()
        for start in range(0, len(rows), CHUNK):
            with connection:
                connection.executemany(ADD_DELIVERY, rows[start : start + CHUNK])
        took = time.perf_counter() - began
        connection.close()
    return took
