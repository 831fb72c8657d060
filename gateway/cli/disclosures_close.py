"""`belltower disclosures close`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.output import config_option, emit, json_option

if TYPE_CHECKING:
    from gateway.settings import Settings


@click.command(short_help="End one before its time.")
@click.argument("disclosure")
@config_option
@click.option("--by", required=True, metavar="PERSON", help="Who ends it: a sign-in name.")
@json_option
def command(disclosure: str, config: Path, by: str, *, as_json: bool) -> None:
    """End a disclosure: nothing leaves by it any more. One that has ended stays as it is.

    \b
    Example:
      belltower disclosures close dsc_.. --by ruth
    """
    from gateway.cli.journal_reading import settings_of

    state = asyncio.run(_close(settings_of(config), disclosure, by))
    if as_json:
        emit({"disclosure": disclosure, "state": state})
    else:
        click.echo(f"{disclosure} has ended ({state}).")


async def _close(settings: Settings, disclosure: str, by: str) -> str:
    from belltower.people.disclosure import DisclosureId
    from gateway.cli.disclosures_desk import opened

    async with opened(settings) as desk:
        await desk.register.close(DisclosureId(disclosure), await desk.person(by))
        return desk.state(await desk.register.get(DisclosureId(disclosure)))
