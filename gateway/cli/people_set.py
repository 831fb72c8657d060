"""`belltower people set`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import click

from gateway.cli.output import config_option, json_option
from gateway.cli.people_desk import edit
from gateway.cli.people_options import adult_option, by_option, field_argument, person_argument, written_down


@click.command()
@person_argument
@field_argument
@click.argument("values", nargs=-1)
@adult_option
@by_option
@config_option
@json_option
def command(
    config: Path, person: str, field: str, values: tuple[str, ...], adult: str, by: str, *, as_json: bool
) -> None:
    """Change one field by hand. Without a value: there is none. phones and emails take several.

    \b
    Examples:
      belltower people set per_01.. family Núñez --by p01
      belltower people set per_01.. may_collect no --adult per_02.. --by p01
    """
    asyncio.run(_set(config, person, field, values, adult, by))
    written_down({"person": person, "field": field, "done": "set"}, as_json=as_json)


async def _set(config: Path, person: str, field: str, values: Sequence[str], adult: str, by: str) -> None:
    from belltower.ids import PersonId
    from belltower.people.by_hand import HandField

    whom, name, other = PersonId(person), HandField(field), PersonId(adult) if adult else None
    await edit(config, by, lambda hands, verb, who: hands.set(verb, whom, name, values, by=who, adult=other))
