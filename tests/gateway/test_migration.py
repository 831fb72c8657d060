"""`belltower migrate` knows every room's tables."""

import importlib
import pkgutil
from pathlib import Path

import pytest

from belltower.store import Step, open_database
from gateway import migration

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
