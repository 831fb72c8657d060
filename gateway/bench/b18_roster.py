"""B18: a district of 100,000 users imported from OneRoster, read, compared, sealed and written, beside a live loop.

The floor is the csv module reading the same files and doing nothing with them. The import runs in a process of its own,
as it does in the desk lane; what the loop here waits meanwhile is measured, and how much of its longest wait
was its own work and not the machine's; so are the process's memory and its seconds of processor. The floor of the wait
is what a loop waits here beside two processes, as nice as the import, that only count.
"""

from __future__ import annotations

import asyncio
import csv
import io
import resource
import sys
import time
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from belltower.clock import SystemClock
from belltower.people.apart import Job, import_apart
from belltower.people.generator import Form, generate, write
from belltower.people.store import RosterStore
from belltower.people.taking import Ready, Taking
from belltower.people.vault import Vault, new_ring, write_ring
from belltower.store import open_database
from gateway.bench import rig
from gateway.bench.figure import Figure

STUDENTS = 50_500
"""With their guardians and the staff, 100,908 users."""
SECONDS, MEGABYTES, LAG_MS = 20.0, 600.0, 50.0
_COUNTING = ("nice", "-n", "10", sys.executable, "-c", "while True: pass")


async def run() -> list[Figure]:
    """The first load, and the same once more."""
    with rig.folder("b18") as folder:
        package = folder / "district.zip"
        roster = generate(seed=2, students=STUDENTS)
        users = len(roster.humans)
        write(roster, package, form=Form.ONEROSTER)
        del roster
        floor = _floor(package)
        ring = new_ring()
        write_ring(folder / "people.keys", ring)
        url = f"sqlite://{folder}/desk.db"
        database = await open_database(url)
        try:
            store = RosterStore(database=database, vault=Vault(ring=ring))
            await store.open()
            job = Job(database=url, key_ring=str(folder / "people.keys"), path=str(package))
            first, worked, waits, ready = await _import(job)
            taking = Taking(store=store, clock=SystemClock())
            if ready is not None:
                async with database.begin() as tx:
                    taking.settle(tx, ready, incident_open=False)
            again, worked_again, waits_again, nothing = await _import(job)
        finally:
            await database.close()
    counting = await _beside_counting(first)
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    extra = {"users": users, "nothing to write again": nothing is None}
    return [
        _figure("OneRoster of 100,000 users, from ZIP to sealed rows", first, "s", SECONDS, None, extra),
        _figure("the same again: nothing changes", again, "s", SECONDS, None, extra),
        _figure("processor for the first", worked, "s", SECONDS, floor, {}),
        _figure("processor for the same again", worked_again, "s", SECONDS, floor, {}),
        _figure("memory of the importing process", memory, "MB", MEGABYTES, None, {}),
        _figure(
            "longest that the loop itself worked meanwhile",
            max(waits.own, waits_again.own),
            "ms",
            LAG_MS,
            None,
            {},
        ),
        _figure(
            "longest wait of the loop meanwhile",
            max(waits.whole, waits_again.whole),
            "ms",
            LAG_MS,
            counting,
            {},
        ),
    ]


def _figure(
    name: str, value: float, unit: str, goal: float, floor: float | None, extra: Mapping[str, object]
) -> Figure:
    return Figure(
        id="B18",
        name=name,
        value=round(value, 2),
        unit=unit,
        floor=None if floor is None else round(floor, 2),
        ratio=None if floor is None else round(value / floor, 1),
        goal=f"<= {goal:g} {unit}",
        met=value <= goal,
        extra=extra,
    )


class _Waits(Struct):
    """The longest turns of a loop, in milliseconds: by the clock, and what it worked itself."""

    whole: float = 0.0
    own: float = 0.0

    async def watch(self) -> None:
        """For ever."""
        loop = asyncio.get_running_loop()
        while True:
            began, worked = loop.time(), time.thread_time()
            await asyncio.sleep(0.001)
            self.whole = max(self.whole, (loop.time() - began) * 1000 - 1)
            self.own = max(self.own, (time.thread_time() - worked) * 1000)


async def _import(job: Job) -> tuple[float, float, _Waits, Ready | None]:
    """Seconds, the process's seconds of processor, how long this loop waited, and what is ready."""
    waits = _Waits()
    async with asyncio.TaskGroup() as group:
        watcher = group.create_task(waits.watch())
        began, worked = time.perf_counter(), _worked()
        outcome = await import_apart(job)
        spent, worked = time.perf_counter() - began, _worked() - worked
        watcher.cancel()
    if outcome.faults or outcome.stops:
        raise RuntimeError(f"not taken: {outcome.faults[:1]} {outcome.stops[:1]}")
    return spent, worked, waits, outcome.ready


async def _beside_counting(seconds: float) -> float:
    """Milliseconds that this loop waits at most for a core, for so long."""
    waits = _Waits()
    counting = [await asyncio.create_subprocess_exec(*_COUNTING) for _ in range(2)]
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await waits.watch()
    finally:
        for one in counting:
            one.kill()
            await one.wait()
    return waits.whole


def _worked() -> float:
    """Seconds of processor of all processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _floor(package: Path) -> float:
    """Seconds of processor that the csv module needs for the same files."""
    began = time.process_time()
    with zipfile.ZipFile(package) as archive:
        for name in archive.namelist():
            with archive.open(name) as file:
                for _row in csv.reader(io.TextIOWrapper(file, "utf-8-sig", newline="")):
                    pass
    return time.process_time() - began
