"""`belltower roster import` without --dry-run: from an export to the roster in force."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from belltower.people.generator import Form, generate, write
from belltower.tasks import Crew
from gateway import settings as settings_file
from gateway import site_package
from gateway.cli import roster_taking
from gateway.cli.roster_taking import Take, taken
from gateway.desk_lane import DeskLane
from tests.gateway.cli.house import belltower, house


def told(config: Path, *words: object) -> tuple[int, dict]:
    """The exit code, and the last line of standard output."""
    done = belltower("roster", "import", "--json", "--config", config, *words)
    lines = done.stdout.splitlines()
    assert lines, done.stderr
    return done.returncode, json.loads(lines[-1])


def export(folder: Path, name: str, *, students: int) -> Path:
    """A district of nobody."""
    path = folder / name
    write(generate(seed=7, students=students), path, form=Form.ONEROSTER)
    return path


async def test_a_roster_comes_in_force_beside_the_running_desk_and_one_that_takes_too_much_waits(
    tmp_path: Path, unused_tcp_port: int
) -> None:
    """Looked at, taken, the same again, and half of it gone: refused, until somebody approves that very diff."""
    config = house(tmp_path)
    with config.open("a", encoding="utf-8") as file:
        file.write(f"[desk.web]\nport = {unused_tcp_port}\n")
    whole, half = export(tmp_path, "whole.zip", students=40), export(tmp_path, "half.zip", students=20)
    settings = settings_file.load(config, secrets=frozenset())
    lane = DeskLane(settings=settings, site=site_package.load(tmp_path / "site"))
    async with Crew() as crew:
        desk = crew.essential("desk", lane.run)
        await lane.ready.wait()
        looked = await asyncio.to_thread(told, config, "--dry-run", whole)
        taken = await asyncio.to_thread(told, config, whole)
        again = await asyncio.to_thread(told, config, whole)
        halved = await asyncio.to_thread(told, config, half)
        fingerprint = halved[1]["diff"]["fingerprint"]
        nobody = await asyncio.to_thread(
            belltower, "roster", "import", "--config", config, "--approve", fingerprint, "--by", "xx", half
        )
        approved = await asyncio.to_thread(told, config, "--approve", fingerprint, "--by", "p01", half)
        third = export(tmp_path, "third.zip", students=10)
        other = await asyncio.to_thread(told, config, "--approve", fingerprint, "--by", "p01", third)
        desk.cancel()

    assert (0, None, False) == (looked[0], looked[1]["revision"], looked[1]["in_force"])
    assert looked[1]["diff"]["person"]["added"] > 40
    assert (0, 1, True) == (taken[0], taken[1]["revision"], taken[1]["in_force"])
    assert (0, None) == (again[0], again[1]["revision"])
    assert 77 == halved[0]
    assert ["students"] == [stop.split()[3] for stop in halved[1]["diff"]["stops"] if " students " in stop][
        :1
    ]
    assert (0, 2, True) == (approved[0], approved[1]["revision"], approved[1]["in_force"])
    assert 77 == other[0]
    assert 1 == sum(f"the approval is of {fingerprint}" in stop for stop in other[1]["diff"]["stops"])
    assert (77, True) == (nobody.returncode, "--by xx" in nobody.stderr)


def test_before_the_desk_has_ever_run_it_is_written_and_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key ring is made; the desk lane puts it in force when it starts."""
    monkeypatch.setattr(roster_taking, "IN_FORCE_WITHIN", 0.5)
    take = Take(config=house(tmp_path), path=export(tmp_path, "small.zip", students=3), source="sis")
    said, code = taken(take)

    assert (0, 1, False) == (code, said["revision"], said["in_force"])
    assert (tmp_path / "var" / "people.keys").exists()


def test_faults_take_nothing(tmp_path: Path) -> None:
    """Exit code 1, with the mend."""
    config = house(tmp_path)
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    code, said = told(config, tmp_path / "bad.csv")

    assert (1, None) == (code, said["revision"])
    assert said["errors"][0]["mend"]
