"""B5: a district. 500,000 deliveries planned while they are being sent: seconds, memory, and what a page asks then."""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Collection, Mapping, Sequence

import msgspec

from belltower.ids import PersonId
from belltower.people.person import Contact, ContactKind, Person
from belltower.tasks import Crew
from gateway.bench.figure import Figure
from gateway.bench.notice_desk import Line, notice_desk
from notify.provider import Pace, Provider

GUARDIANS = 250_000
PLANNED_WITHIN = 30.0
MEMORY = 600.0
PAGE_WITHIN = 50.0
PER_SECOND = 100.0
_LOOKS = 20


class _Families:
    """A roster that is drawn as it is read. Satisfies `Roster`."""

    def __init__(self, guardians: int) -> None:
        self._guardians = guardians

    async def people(self) -> AsyncIterator[Sequence[Person]]:
        """Some hundreds at a time."""
        for start in range(0, self._guardians, 500):
            yield [
                Person(
                    id=PersonId(f"per_{n:026}"),
                    name="",
                    roles=frozenset({"guardian"}),
                    language="es" if n % 3 == 0 else "en",
                    contacts=(
                        Contact(kind=ContactKind.SMS, address=f"+1555{n:07}"),
                        Contact(kind=ContactKind.EMAIL, address=f"family.{n}@mail.example"),
                    ),
                )
                for n in range(start, min(start + 500, self._guardians))
            ]

    async def version(self) -> int:
        """It never changes."""
        return 1

    async def schools(self) -> Mapping[str, str]:
        """There is none."""
        return {}

    async def called_of(
        self,
        schools: Collection[str],  # noqa: ARG002 - the protocol's
        classes: Collection[str],  # noqa: ARG002 - the protocol's
    ) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """None has a name."""
        return {}, {}

    async def names(self, people: Collection[PersonId]) -> Mapping[PersonId, str]:  # noqa: ARG002 - as above
        """Nobody has one."""
        return {}


async def run(guardians: int = GUARDIANS) -> list[Figure]:
    """In a process of its own, whose memory is nobody else's."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway.bench.b5_district", str(guardians), stdout=PIPE
    )
    said, _ = await process.communicate()
    return msgspec.json.decode(said.splitlines()[-1], type=list[Figure])


async def measure(guardians: int) -> list[Figure]:
    """Plan for all families, with both kinds of address being sent to at a district's pace."""
    deliveries = 2 * guardians
    mails = Line()
    mails.name = "email"
    pace = Pace(per_second=PER_SECOND)
    providers = [Provider(channel=Line(), pace=pace), Provider(channel=mails, pace=pace)]
    async with notice_desk({}, roster=_Families(guardians)) as desk, Crew() as crew:
        room = desk.room(providers)
        await room.open()
        tasks = desk.run(room, crew)
        planner = desk.planner(room, frozenset({"sms", "email"}))
        began = time.perf_counter()
        await planner.plan(desk.ordered(audience="families"))
        took = time.perf_counter() - began
        asked = []
        for _ in range(_LOOKS):
            begun = time.perf_counter()
            ((_, progress),) = (await room.remaining()).items()
            asked.append((time.perf_counter() - begun) * 1e3)
            await asyncio.sleep(0.05)
        counted = sum(load.deliveries for states in progress.counts.values() for load in states.values())
        slowest = await desk.slowest_page()
        for task in tasks:
            task.cancel()
        await room.close()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    whole = counted == deliveries
    return [
        Figure(
            id="B5",
            name=f"{deliveries:,} deliveries planned while sending",
            value=round(took, 1),
            unit="s",
            goal=f"<= {PLANNED_WITHIN:g} s",
            met=took <= PLANNED_WITHIN and whole,
            extra={"rows/s": round(deliveries / took)},
        ),
        Figure(
            id="B5",
            name="memory of that",
            value=round(memory),
            unit="MB",
            goal=f"<= {MEMORY:g} MB",
            met=memory <= MEMORY,
        ),
        Figure(
            id="B5",
            name="live page over that, slowest answer",
            value=round(max(asked), 1),
            unit="ms",
            goal=f"<= {PAGE_WITHIN:g} ms",
            met=max(asked) <= PAGE_WITHIN,
            extra={"median": round(sorted(asked)[_LOOKS // 2], 1), "slowest page of a first count": slowest},
        ),
    ]


if __name__ == "__main__":
    figures = asyncio.run(measure(int(sys.argv[1])))
    # What is logged stands before it.
    sys.stdout.buffer.write(b"\n" + msgspec.json.encode(figures) + b"\n")
