"""`belltower people back`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from gateway.cli.output import config_option, json_option
from gateway.cli.people_desk import edit
from gateway.cli.people_options import by_option, person_argument, written_down


@click.command()
@person_argument
@by_option
@config_option
@json_option
def command(config: Path, person: str, by: str, *, as_json: bool) -> None:
    """Write down that somebody is back before the time until which they were away.

    \b
    Example:
      belltower people back per_01.. --by p01
    """
    asyncio.run(_back(config, person, by))
    written_down({"person": person, "done": "back"}, as_json=as_json)


async def _back(config: Path, person: str, by: str) -> None:
    from belltower.ids import PersonId
    from belltower.people.by_hand import HandField

    whom = PersonId(person)
    await edit(config, by, lambda hands, verb, who: hands.unset(verb, whom, HandField.AWAY, by=who))
