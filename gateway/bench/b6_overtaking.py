"""B6: overtaking. Seconds until a lockdown's first text is with a provider that has 50,000 routine ones to send."""

from __future__ import annotations

import asyncio
import time

from belltower.people.person import ContactKind
from belltower.tasks import Crew
from gateway.bench.figure import Figure
from gateway.bench.notice_desk import Line, notice_desk, people
from notify.provider import Pace, Provider

ROUTINE = 50_000
PER_SECOND = 100.0
GOAL = 2.0


async def run(routine: int = ROUTINE) -> list[Figure]:
    """From the order of a lockdown for 2,000 people, planning included, to its first text."""
    line = Line(urgent="ntc_000002")
    everybody = people(routine, (ContactKind.SMS,))
    async with notice_desk(everybody) as desk, Crew() as crew:
        room = desk.room([Provider(channel=line, pace=Pace(per_second=PER_SECOND))])
        await room.open()
        tasks = desk.run(room, crew)
        planner = desk.planner(room, frozenset({"sms"}))
        await planner.plan(desk.ordered(1, template="test"))
        handed = len(line.taken)
        began = time.perf_counter()
        planning = crew.once("bench.lockdown", planner.plan(desk.ordered(2)))
        async with asyncio.timeout(60):
            await line.heard.wait()
        took = time.perf_counter() - began
        ahead = len(line.taken) - handed - 1
        await asyncio.sleep(1.0)
        after = line.taken[line.taken.index("ntc_000002") :]
        for task in [planning, *tasks]:
            task.cancel()
        await room.close()
    strays = sum(notice != "ntc_000002" for notice in after)
    return [
        Figure(
            id="B6",
            name=f"lockdown overtakes {routine:,} routine texts, first one",
            value=round(took, 3),
            unit="s",
            goal=f"<= {GOAL:g} s, none behind it",
            met=took <= GOAL and not strays,
            extra={"routine sent meanwhile": ahead, "routine sent after it": strays, "people": routine},
        )
    ]
