"""`belltower people unreachable`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.output import config_option, count, emit, json_option, table
from gateway.cli.people_desk import at_the_desk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from belltower.people.reach import BeyondReach
    from belltower.people.store import RosterStore


@click.command()
@config_option
@json_option
def command(config: Path, *, as_json: bool) -> None:
    """List the adults of the roster in force whom no notice can reach: no address, or only numbers that can be none.

    \b
    Example:
      belltower people unreachable --json

    Ask them before there is anything to tell; `belltower people set ID phones ..` writes it down. Exits with 1 when
    there is anybody.
    """
    found = asyncio.run(at_the_desk(config, _found))
    if as_json:
        for one in found:
            emit(
                {
                    "person": one.person.id,
                    "name": one.person.name,
                    "impossible": one.impossible,
                    "children": sorted(one.person.children),
                }
            )
    else:
        table(
            f"{count(len(found), 'adult')} whom no notice reaches",
            ("person", "name", "numbers that can be none", "children"),
            [
                (one.person.id, one.person.name, one.impossible or "", ", ".join(sorted(one.person.children)))
                for one in found
            ],
            whole=("person", "name"),
        )
    if found:
        raise click.exceptions.Exit(1)


async def _found(store: RosterStore) -> Sequence[BeyondReach]:
    from belltower.clock import SystemClock
    from belltower.people.reach import RosterPeople

    return await RosterPeople(store=store, clock=SystemClock()).beyond_reach()
