"""`belltower disclosures export`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.output import config_option, json_option

if TYPE_CHECKING:
    from gateway.settings import Settings


@click.command(short_help="Write the file for the recipient; each row is written down first.")
@click.argument("disclosure")
@config_option
@click.option("--by", required=True, metavar="PERSON", help="Who gives it: a sign-in name.")
@click.option("--output", type=click.Path(path_type=Path), help="A new file; without it, standard output.")
@json_option
def command(disclosure: str, config: Path, by: str, output: Path | None, *, as_json: bool) -> None:
    """Write what the recipient may read, as CSV, or with --json as one object for each student.

    \b
    Example:
      belltower disclosures export dsc_.. --by ruth --output for-the-sheriff.csv

    Every row stands in the register before the first one is written. Exits with 77 once it has ended.
    """
    from gateway.cli.journal_reading import settings_of

    asyncio.run(_export(settings_of(config), disclosure, by, output, as_json=as_json))


async def _export(
    settings: Settings, disclosure: str, by: str, output: Path | None, *, as_json: bool
) -> None:
    from belltower.people.disclosure import DisclosureId, Way
    from gateway.cli.disclosures_desk import lines_of, opened, write_out
    from gateway.web.disclosure_papers import MARKING

    async with opened(settings) as desk:
        sheet = await desk.register.give(DisclosureId(disclosure), Way.EXPORTED, await desk.person(by))
        if not as_json:
            write_out(desk.papers.export(sheet), output)
            return
        columns = ("student", *sheet.columns, "marking")
        rows = ((row.student, *row.cells, MARKING) for row in sheet.rows)
        write_out(lines_of(columns, rows), output)
