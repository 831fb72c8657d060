"""A load in a process of its own: from files to a revision that waits, with every forbidden cell left behind."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
import time
from pathlib import Path

import pytest

from belltower.clock import SystemClock
from belltower.errors import Unreachable
from belltower.people.apart import Job, Stage, import_apart
from belltower.people.generator import SENTINEL, Form, generate, write
from belltower.people.store import RosterStore
from belltower.people.taking import Taking
from belltower.people.vault import Vault, new_ring, write_ring
from belltower.store import open_database
from tests.peers.machine import slowness

RING = new_ring()
DISTRICT = generate(seed=9, students=40)


async def opened(folder: Path) -> RosterStore:
    """The desk's own store, held open as its lane does."""
    store = RosterStore(database=await open_database(f"sqlite://{folder}/desk.db"), vault=Vault(ring=RING))
    await store.open()
    return store


def job(folder: Path, package: Path, **more: object) -> Job:
    """What to take."""
    write_ring(folder / "people.keys", RING)
    url = f"sqlite://{folder}/desk.db"
    return Job(database=url, key_ring=str(folder / "people.keys"), path=str(package), **more)


async def put_in_force(store: RosterStore) -> None:
    """What waits is in force."""
    taking = Taking(store=store, clock=SystemClock())
    async with store.database.begin() as tx:
        taking.settle(tx, await taking.waiting(), incident_open=False)


async def test_p10_a_load_is_no_work_of_the_loops(tmp_path: Path) -> None:
    """P10: what the lane's own thread spends meanwhile is a small part of what the load costs, and never much at once."""
    write(generate(seed=9, students=400), tmp_path / "d.zip", form=Form.ONEROSTER)
    store = await opened(tmp_path)
    before, turns = resource.getrusage(resource.RUSAGE_CHILDREN), [0.0]

    async def live() -> None:
        while True:
            begun = time.thread_time()
            await asyncio.sleep(0.001)
            turns.append(time.thread_time() - begun)

    living = asyncio.get_running_loop().create_task(live())
    await import_apart(job(tmp_path, tmp_path / "d.zip"))
    living.cancel()
    await store.database.close()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    apart = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert max(turns) <= 0.05 * slowness()
    assert sum(turns) <= apart / 2


async def test_a_dirty_export_is_taken_beside_a_living_lane(tmp_path: Path) -> None:
    """P2, P8: traps and all; passwords, race and birthplace are on no disk, nor in what is told."""
    state = tmp_path / "state"
    state.mkdir()
    write(DISTRICT, tmp_path / "d.zip", form=Form.ONEROSTER, traps=3)
    store = await opened(state)
    stages: list[Stage] = []
    outcome = await import_apart(job(state, tmp_path / "d.zip"), told=stages.append)
    await put_in_force(store)
    found = {known.human.key async for page in store.humans() for known in page}
    await store.database.close()

    assert () == outcome.faults
    assert {one.key for one in DISTRICT.humans} == found
    assert {"reading", "comparing", "writing"} == {stage.name for stage in stages}
    assert all(SENTINEL.encode() not in path.read_bytes() for path in state.iterdir())
    assert SENTINEL not in repr(outcome)


async def test_to_look_writes_nothing_and_the_same_again_changes_nothing(tmp_path: Path) -> None:
    """P5: a dry run tells the diff; the second load has none."""
    write(DISTRICT, tmp_path / "d", form=Form.CLEVER)
    store = await opened(tmp_path)
    looked = await import_apart(job(tmp_path, tmp_path / "d", look_only=True))
    assert (None, 40) == (await Taking(store=store, clock=SystemClock()).waiting(), looked.diff.students_left)

    await import_apart(job(tmp_path, tmp_path / "d"))
    await put_in_force(store)
    again = await import_apart(job(tmp_path, tmp_path / "d"))
    await store.database.close()

    assert (False, None) == (bool(again.diff), again.ready)


async def test_faults_come_back_with_their_mend(tmp_path: Path) -> None:
    """P1: file, row, column; nothing is written."""
    (tmp_path / "junk.csv").write_text("a,b\n1,2\n")
    outcome = await import_apart(job(tmp_path, tmp_path / "junk.csv"))

    assert outcome.ready is None
    assert outcome.faults
    assert outcome.faults[0].mend


async def test_without_its_keys_nothing_is_read(tmp_path: Path) -> None:
    """The reason comes back, and no traceback."""
    made = job(tmp_path, tmp_path)
    (tmp_path / "people.keys").unlink()

    with pytest.raises(Unreachable, match="key ring"):
        await import_apart(made)


async def test_a_process_that_ends_in_the_middle_of_a_word_has_said_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half an outcome is none; and where no process can be started, that is said."""
    reader = tmp_path / "reader"
    monkeypatch.setattr(sys, "executable", str(reader))
    with pytest.raises(Unreachable, match="can be started"):
        await import_apart(job(tmp_path, tmp_path))
    reader.write_text('#!/bin/sh\nprintf \'{"type": "outco\'\n')
    reader.chmod(0o700)

    with pytest.raises(Unreachable, match="without a word"):
        await import_apart(job(tmp_path, tmp_path))


async def test_a_process_killed_amid_writing_leaves_the_old_roster(tmp_path: Path) -> None:
    """P17 with a real `kill -9`, as where memory runs out: what was in force is, and the next load is taken."""
    write(DISTRICT, tmp_path / "d.zip", form=Form.ONEROSTER)
    store = await opened(tmp_path)
    await import_apart(job(tmp_path, tmp_path / "d.zip"))
    await put_in_force(store)
    write(generate(seed=10, students=700), tmp_path / "big.zip", form=Form.ONEROSTER)
    killed = asyncio.Event()
    first_to_go: set[str] = set()

    def kill(stage: Stage) -> None:
        if stage.name == "writing" and not killed.is_set():
            killed.set()
            for child in children():
                first_to_go.add(Path(f"/proc/{child}/oom_score_adj").read_text())
                os.kill(child, signal.SIGKILL)

    big = job(tmp_path, tmp_path / "big.zip", source="neighbour")
    with pytest.raises(Unreachable, match="the memory did not suffice"):
        await import_apart(big, told=kill)
    found = {known.human.key async for page in store.humans() for known in page}
    await import_apart(big)
    await put_in_force(store)
    after = sum([len(page) async for page in store.humans()])
    await store.database.close()

    assert killed.is_set()
    assert {"1000\n"} == first_to_go
    assert {one.key for one in DISTRICT.humans} == found
    assert len(found) + len(generate(seed=10, students=700).humans) == after


def children() -> list[int]:
    """The importing process, among this process's children."""
    tasks = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    found = [child for path in tasks for child in path.read_text().split()]
    return [
        int(child)
        for child in found
        if b"belltower.people.apart" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]
