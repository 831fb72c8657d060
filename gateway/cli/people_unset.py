"""`belltower people unset`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from gateway.cli.output import config_option, json_option
from gateway.cli.people_desk import edit
from gateway.cli.people_options import adult_option, by_option, field_argument, person_argument, written_down


@click.command()
@person_argument
@field_argument
@adult_option
@by_option
@config_option
@json_option
def command(config: Path, person: str, field: str, adult: str, by: str, *, as_json: bool) -> None:
    """Take back a change by hand: what the load says stands again.

    \b
    Example:
      belltower people unset per_01.. phones --by p01
    """
    asyncio.run(_unset(config, person, field, adult, by))
    written_down({"person": person, "field": field, "done": "unset"}, as_json=as_json)


async def _unset(config: Path, person: str, field: str, adult: str, by: str) -> None:
    from belltower.ids import PersonId
    from belltower.people.by_hand import HandField

    whom, name, other = PersonId(person), HandField(field), PersonId(adult) if adult else None
    await edit(config, by, lambda hands, verb, who: hands.unset(verb, whom, name, by=who, adult=other))
