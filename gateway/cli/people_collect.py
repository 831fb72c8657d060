"""`belltower people collect`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.output import config_option, json_option
from gateway.cli.people_desk import edit, require_sealed
from gateway.cli.people_options import by_option, written_down

if TYPE_CHECKING:
    from belltower.people.editing import Paper

_PAPERS = ("guardian-form", "court-order", "state-custody", "restraining-order")
_MAY = ("yes", "no", "conditional")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@click.command()
@click.argument("student")
@click.option("--adult", metavar="PERSON", default="", help="The adult, by id.")
@click.option("--adult-name", default="", help="The name of an adult whom no roster knows.")
@click.option("--paper", type=click.Choice(_PAPERS), required=True, help="What was seen.")
@click.option("--says", type=click.Choice(_MAY), required=True, help="Whether this adult may collect.")
@click.option("--begins", type=click.DateTime(["%Y-%m-%d"]), help="Its first day.")
@click.option("--ends", type=click.DateTime(["%Y-%m-%d"]), help="Its last day, which still counts.")
@click.option("--day", "days", multiple=True, type=click.Choice(_DAYS), help="Only on this day of the week.")
@click.option("--reference", default="", help="Where the paper lies; never its text.")
@click.option("--read", "restrictions", default="", help="What somebody has to read in it.")
@click.option("--restraining", is_flag=True, help="It keeps this adult away from the student.")
@click.option("--sealed", is_flag=True, help="Only few may see that it exists, and write it.")
@by_option
@config_option
@json_option
def command(config: Path, student: str, by: str, *, as_json: bool, **given: Any) -> None:
    """Write down what an order or a form says of who may collect a student.

    \b
    Example:
      belltower people collect per_01.. --adult per_02.. --paper guardian-form --says yes --day mon --by p01
    """
    word = asyncio.run(_collect(config, student, by, given))
    written_down({"student": student, "record": word, "done": "collect"}, as_json=as_json)


async def _collect(config: Path, student: str, by: str, given: dict[str, Any]) -> str:
    from belltower.ids import PersonId

    if given["sealed"]:
        await require_sealed(config, by)
    adult, paper = PersonId(given["adult"]) if given["adult"] else None, _paper(given)
    return await edit(
        config,
        by,
        lambda hands, verb, who: hands.put_word(
            verb, PersonId(student), paper, by=who, adult=adult, adult_name=given["adult_name"]
        ),
    )


def _paper(given: dict[str, Any]) -> Paper:
    from belltower.people.editing import Paper
    from belltower.people.roster import LinkSource, MayCollect

    return Paper(
        source=LinkSource(given["paper"]),
        may_collect=MayCollect(given["says"]),
        order_reference=given["reference"],
        restrictions=given["restrictions"],
        begins=given["begins"].date() if given["begins"] else None,
        ends=given["ends"].date() if given["ends"] else None,
        weekdays=frozenset(map(_DAYS.index, given["days"])),
        sealed=given["sealed"],
        restraining=given["restraining"],
    )
