"""`belltower disclosures open`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from msgspec import structs

from gateway.cli.output import config_option, count, emit, json_option

if TYPE_CHECKING:
    from belltower.people.disclosure import Asked
    from gateway.settings import Settings


_BASES = ("safety", "health")
_FIELDS = ("names", "birth", "contact", "location")


@click.command(short_help="Open one, for one incident, one recipient and some students.")
@config_option
@click.option("--incident", required=True, help="The open incident it is for: its number or its id.")
@click.option("--by", required=True, metavar="PERSON", help="Who opens it: a sign-in name.")
@click.option("--agency", required=True, help="Who receives it.")
@click.option("--function", required=True, help="What the person who receives it is there.")
@click.option("--basis", type=click.Choice(_BASES), required=True, help="A safety or a health emergency.")
@click.option(
    "--threat", required=True, help="The threat in words, 20 to 2,000 letters; - reads standard input."
)
@click.option("--field", "fields", type=click.Choice(_FIELDS), multiple=True, required=True)
@click.option("--school", "schools", multiple=True, help="All students of a school, by its key or its name.")
@click.option("--class", "classes", multiple=True, help="All students of a class, by its key or its name.")
@click.option("--student", "students", multiple=True, help="One student: an id, or the student's number.")
@click.option("--minutes", type=click.IntRange(1, 24 * 60), default=60, show_default=True)
@json_option
def command(
    config: Path,
    incident: str,
    by: str,
    agency: str,
    function: str,
    basis: str,
    threat: str,
    fields: tuple[str, ...],
    schools: tuple[str, ...],
    classes: tuple[str, ...],
    students: tuple[str, ...],
    minutes: int,
    *,
    as_json: bool,
) -> None:
    """Open a disclosure. Nothing leaves by that: `belltower disclosures export` gives, as long as it is open.

    \b
    Example:
      belltower disclosures open --incident 12 --by ruth --agency "County Sheriff" --function "incident commander"
          --basis safety --threat "Armed person at the gym door" --field names --field location --class 8B

    Exits with 77 when the incident is not open, the person may not, nobody is meant, or nobody knows a school or a class.
    """
    from belltower.ids import IncidentId
    from belltower.people.disclosure import Asked, Basis, Field, Recipient, Selection
    from gateway.cli.journal_reading import settings_of

    asked = Asked(
        incident=IncidentId(incident),
        recipient=Recipient(agency=agency, function=function),
        basis=Basis(basis),
        threat=sys.stdin.read(10_000).strip() if threat == "-" else threat,
        fields=frozenset(Field(field) for field in fields),
        selection=Selection(schools=frozenset(schools), classes=frozenset(classes), students=students),
        minutes=minutes,
    )
    said = asyncio.run(_open(settings_of(config), asked, by))
    if as_json:
        emit(said)
    else:
        click.echo(
            f"{said['disclosure']} is open until {said['until']}: records of {count(said['students'], 'student')}."
        )
        for student in said["alike"]:
            click.echo(
                f"LOOK TWICE: {student}: another student of the school has almost the name written down."
            )
        if said["exercise"]:
            click.echo("The incident is an EXERCISE: no record of anybody leaves by it.")


async def _open(settings: Settings, asked: Asked, by: str) -> dict[str, Any]:
    from gateway.cli.disclosures_desk import opened

    async with opened(settings) as desk:
        asked = structs.replace(asked, incident=await desk.named(asked.incident))
        made = await desk.register.open(desk.ids.verb(), asked, await desk.person(by))
        return {
            "disclosure": made.id,
            "until": desk.time(made.until),
            "students": len(made.students),
            "exercise": made.exercise,
            "alike": sorted(made.alike),
        }
