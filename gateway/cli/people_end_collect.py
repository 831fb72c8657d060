"""`belltower people end-collect`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.output import config_option, json_option
from gateway.cli.people_desk import edit, require_sealed
from gateway.cli.people_options import by_option, written_down

if TYPE_CHECKING:
    from belltower.ids import PersonId, VerbId
    from belltower.people.editing import Editing


@click.command()
@click.argument("record")
@by_option
@config_option
@json_option
def command(config: Path, record: str, by: str, *, as_json: bool) -> None:
    """End a record on who may collect: it counts no more, and stays written down.

    \b
    Example:
      belltower people end-collect vrb_01.. --by p01
    """
    asyncio.run(edit(config, by, lambda hands, verb, who: _end(hands, verb, record, who, config)))
    written_down({"record": record, "done": "end-collect"}, as_json=as_json)


async def _end(hands: Editing, verb: VerbId, record: str, by: PersonId, config: Path) -> None:
    word = await hands.store.words.get(record)
    if word is not None and word.link.sealed:
        await require_sealed(config, by)
    await hands.end_word(verb, record, by=by)
