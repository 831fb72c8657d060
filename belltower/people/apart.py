"""A load read, compared and written in a process of its own, so that no loop ever waits for it.

`import_apart` starts the process, hands it the job on standard input and hears of its progress; what comes back is
small. The process writes what nobody sees yet; to put it in force is for whoever writes the journal.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from belltower.clock import SystemClock, aware
from belltower.errors import BelltowerError, Unreachable
from belltower.people.diff import Diff
from belltower.people.reading import Dropped, Fault, load_mapping, read
from belltower.people.roster import Review
from belltower.people.safety import Approval, Stop, held_up
from belltower.people.store import RosterStore
from belltower.people.taking import Ready, Taking
from belltower.people.vault import open_vault
from belltower.store import Database, Taken, open_database, write_beside

_LONGEST_LINE = 1 << 26
_NICE = 10
_FIRST_TO_GO = "1000"
_SHOWN_EVERY = 2_000
_TURN = 0.000_5
"""Seconds that the thread which seals may keep the one which writes waiting."""


class Job(Struct, frozen=True, kw_only=True):
    """One load to be taken."""

    # The URL of the database; its password is in it, so it travels on standard input only.
    database: str
    key_ring: str
    path: str
    source: str = "sis"
    mapping: str = ""
    # Only say what it would change.
    look_only: bool = False
    incident_open: bool = False
    approval: Approval | None = None


class Stage(Struct, frozen=True, kw_only=True, tag="stage"):
    """How far it is: "reading" (octets), "comparing", "writing" (records)."""

    name: str
    done: int
    of: int


class Outcome(Struct, frozen=True, kw_only=True, tag="outcome"):
    """What came of it. With faults or stops nothing was written."""

    format: str = ""
    version: str = ""
    counts: dict[str, int] = {}
    diff: Diff | None = None
    stops: tuple[Stop, ...] = ()
    # Written, and waiting to be put in force; None also where nothing changes.
    ready: Ready | None = None
    faults: tuple[Fault, ...] = ()
    review: tuple[Review, ...] = ()
    dropped: tuple[Dropped, ...] = ()


class Failed(Struct, frozen=True, kw_only=True, tag="failed"):
    """It could not be done at all."""

    why: str


Told = Callable[[Stage], None]


async def import_apart(job: Job, *, told: Told | None = None) -> Outcome:
    """Do `job` in a process of its own; cancelled, it ends the process. Raises `Unreachable`: it could not be done."""
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "belltower.people.apart",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LONGEST_LINE,
        )
    except OSError as error:
        raise Unreachable(f"no process can be started that reads rosters: {error.strerror}") from error
    assert process.stdin is not None  # noqa: S101 - asked for above
    assert process.stdout is not None  # noqa: S101 - as above
    try:
        process.stdin.write(msgspec.json.encode(job) + b"\n")
        process.stdin.close()
        with suppress(msgspec.DecodeError):  # it was ended in the middle of a word
            async for line in process.stdout:
                match msgspec.json.decode(line, type=Stage | Outcome | Failed):
                    case Stage() as stage:
                        if told is not None:
                            told(stage)
                    case Outcome() as outcome:
                        return outcome
                    case Failed(why=why):
                        raise Unreachable(why)
        # Of one that ended by itself the loop's watcher is to learn how: ending it again would take that from it.
        await process.wait()
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
    why = "the process that reads rosters ended without a word"
    if process.returncode == -signal.SIGKILL:
        why += (
            ": it was killed; if nobody did that, the memory did not suffice: export fewer schools at a time"
        )
    raise Unreachable(why)


async def do(job: Job, told: Told) -> Outcome:
    """The job, in this very process. Blocks its loop."""
    store = RosterStore(database=await _database(job.database), vault=open_vault(Path(job.key_ring)))
    try:
        await store.open()
        return await _do(job, store, told)
    finally:
        await store.database.close()


async def _database(url: str) -> Database:
    """Our own, or beside the lane that writes there."""
    try:
        return await open_database(url)
    except Taken:
        return await write_beside(Path("/" + url.partition("://")[2].lstrip("/")))


async def _do(job: Job, store: RosterStore, told: Told) -> Outcome:
    clock = SystemClock()
    mapping = load_mapping(Path(job.mapping)) if job.mapping else None
    path, today = Path(job.path), aware(clock.now()).astimezone().date()
    octets = [0, 1]

    def started(count: int) -> None:
        octets[:] = [0, max(1, count)]

    def progress(more: int) -> None:
        octets[0] += more
        told(Stage(name="reading", done=octets[0], of=octets[1]))

    reading = read(path, today=today, mapping=mapping, started=started, progress=progress)
    if reading.roster is not None and reading.roster.delta:
        whole = await store.whole(job.source)
        reading = read(path, today=today, mapping=mapping, in_force=whole)
    outcome = Outcome(
        format=reading.format,
        version=reading.version,
        counts=reading.counts,
        faults=reading.faults,
        review=reading.review,
        dropped=reading.dropped,
    )
    if reading.roster is None:
        return outcome
    taking = Taking(store=store, clock=clock, source=job.source)
    comparison = await taking.look(reading.roster, progress=_every(told, "comparing"))
    stops = held_up(comparison.diff, incident_open=job.incident_open, approval=job.approval)
    outcome = msgspec.structs.replace(outcome, diff=comparison.diff, stops=stops)
    if stops or job.look_only:
        return outcome
    ready = await taking.prepare(
        comparison,
        incident_open=job.incident_open,
        approval=job.approval,
        progress=_every(told, "writing"),
    )
    return msgspec.structs.replace(outcome, ready=ready)


def _every(told: Told, name: str) -> Callable[[int, int], None]:
    """Some of the progress: each word of it wakes whoever listens."""
    last = -_SHOWN_EVERY

    def progress(done: int, of: int) -> None:
        nonlocal last
        if done >= last + _SHOWN_EVERY or done == of:
            last = done
            told(Stage(name=name, done=done, of=of))

    return progress


def _say(word: Stage | Outcome | Failed) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(word) + b"\n")
    sys.stdout.buffer.flush()


def main() -> None:
    """Take one job from standard input, and tell of it on standard output, a line of JSON a word."""
    os.nice(_NICE)
    # Where memory runs out this process goes, and never a lane.
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_GO, encoding="ascii")
    # The records of a load refer to nothing in a circle, and the process ends with it: looking for circles among
    # millions of them is a fifth of all its work.
    gc.disable()
    sys.setswitchinterval(_TURN)
    try:
        job = msgspec.json.decode(sys.stdin.buffer.readline(), type=Job)
        _say(asyncio.run(do(job, _say)))
    except BelltowerError as error:
        _say(Failed(why=str(error)))


if __name__ == "__main__":
    main()
