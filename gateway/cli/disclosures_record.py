"""`belltower disclosures record`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.output import config_option, json_option

if TYPE_CHECKING:
    from gateway.settings import Settings


@click.command(short_help="What was ever given of a student, or in an incident: 34 CFR 99.32.")
@config_option
@click.option("--student", default="", help="Everything that was given of one student, by id.")
@click.option(
    "--incident",
    default="",
    help="Everything that was given because of one incident, by its number or its id.",
)
@click.option("--disclosure", default="", help="Everything that was given by one disclosure.")
@click.option("--output", type=click.Path(path_type=Path), help="A new file; without it, standard output.")
@json_option
def command(
    config: Path, student: str, incident: str, disclosure: str, output: Path | None, *, as_json: bool
) -> None:
    """Write the record of disclosures, as CSV, or with --json as one object for each line.

    \b
    Example:
      belltower disclosures record --student per_.. --output record.csv
    """
    from gateway.cli.journal_reading import settings_of

    if [bool(one) for one in (student, incident, disclosure)].count(True) != 1:
        raise click.UsageError("Name one: --student, --incident or --disclosure.")
    asyncio.run(_record(settings_of(config), student, incident, disclosure, output, as_json=as_json))


async def _record(
    settings: Settings, student: str, incident: str, disclosure: str, output: Path | None, *, as_json: bool
) -> None:
    from belltower.errors import NotFound
    from belltower.ids import PersonId
    from belltower.people.disclosure import DisclosureId
    from gateway.cli.disclosures_desk import lines_of, opened, write_out
    from gateway.web.disclosure_papers import RECORD

    async with opened(settings) as desk:
        if student:
            person = PersonId(student)
            # One who has left the roster is known by what was given of them.
            if not await desk.roster.known([person]) and not await desk.register.given_of(person):
                raise NotFound(f"--student {student}: neither the roster nor the register knows this person")
            lines = desk.papers.of_student(person)
        elif incident:
            found = await desk.named(incident)
            of = await desk.register.of_incident(found)
            if not of and await desk.incident(found) is None:
                raise NotFound(
                    f"--incident {incident}: neither the journal nor the register knows this incident"
                )
            lines = desk.papers.of_disclosures(of)
        else:
            lines = desk.papers.of_disclosures([await desk.register.get(DisclosureId(disclosure))])
        if as_json:
            write_out(lines_of(RECORD, [line async for some in lines for line in some]), output)
        else:
            write_out([piece async for piece in desk.papers.record(lines)], output)
