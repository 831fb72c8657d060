"""`belltower migrate` knows every room's tables."""

import asyncio
import importlib
import json
import pkgutil
from pathlib import Path

import pytest

from belltower.store import Step, open_database
from gateway import migration
from gateway.settings import load
from tests.gateway.cli.house import belltower, house
from tests.notify.test_sealing import files_with, older

PACKAGES = ("belltower", "floorplans", "gateway", "hardware", "notify", "reunification")


def every_step() -> set[tuple[str, int]]:
    """Room and number of each step that any module of the house holds as STEPS."""
    found = set()
    for name in PACKAGES:
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            if "bench" in module.name or module.name.endswith("__main__"):
                continue
            source = Path(importlib.util.find_spec(module.name).origin).read_text(encoding="utf-8")
            if "\nSTEPS =" in source or "\nSTEPS:" in source:
                steps = importlib.import_module(module.name).STEPS
                found |= {(step.room, step.number) for step in steps if isinstance(step, Step)}
    return found


def test_no_rooms_tables_are_left_out() -> None:
    """A module that holds STEPS is in the list of its lane."""
    listed = {(step.room, step.number) for step in (*migration.ALARM, *migration.DESK)}

    assert set() == every_step() - listed


@pytest.mark.parametrize("steps", [migration.ALARM, migration.DESK], ids=["alarm", "desk"])
async def test_all_steps_are_taken_once(steps: list[Step], tmp_path: Path) -> None:
    """On a fresh database, and again without harm."""
    database = await open_database(f"sqlite://{tmp_path}/one.db")
    try:
        await database.migrate(steps)
        await database.migrate(steps)
        taken = await database.read("SELECT room, number FROM store_step")
    finally:
        await database.close()

    assert {(step.room, step.number) for step in steps} == set(taken)


async def test_addresses_that_an_older_program_left_in_clear_are_sealed_by_the_command(
    tmp_path: Path,
) -> None:
    """Under the keys that the desk lane then finds; done again, nothing is left to do."""
    config = house(tmp_path)
    state = load(config, secrets=False).state
    state.folder.mkdir(parents=True)
    await (await older(f"sqlite://{state.desk_database}", 20)).close()
    assert files_with(state.folder, "@home.example")
    for _ in range(2):
        done = await asyncio.to_thread(belltower, "migrate", "--json", "-c", config)
        assert ["alarm", "desk"] == [json.loads(line)["database"] for line in done.stdout.splitlines()]

    assert [] == files_with(state.folder, "@home.example", "14086660")
    assert (state.folder / "people.keys").exists()
