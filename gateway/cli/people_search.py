"""`belltower people search`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.output import config_option, emit, json_option, table
from gateway.cli.people_desk import at_the_desk

if TYPE_CHECKING:
    from belltower.people.store import RosterStore


@click.command()
@click.argument("name")
@click.option("--school", default="", help="Only at this school, by its key.")
@click.option("--class", "school_class", default="", help="Only in this class, by its key.")
@config_option
@json_option
def command(config: Path, name: str, school: str, school_class: str, *, as_json: bool) -> None:
    """Find people by the beginnings of their names' words; accents and case do not matter.

    \b
    Example:
      belltower people search "nunez ana" --json
    """
    found = asyncio.run(at_the_desk(config, lambda store: _search(store, name, school, school_class)))
    if as_json:
        for one in found:
            emit(one)
        return
    table(
        f"{len(found)} found",
        ("person", "name", "is", "born", "grade", "schools", ""),
        [
            (
                one["person"],
                one["name"],
                one["kind"],
                one["birth_date"] or "",
                one["grade"],
                ", ".join(one["schools"]),
                "NEARLY THE SAME NAME" if one["close"] else "",
            )
            for one in found
        ],
        whole=("person", "name", "born"),
    )


async def _search(store: RosterStore, name: str, school: str, school_class: str) -> list[dict[str, Any]]:
    from belltower.people.record import called
    from belltower.people.roster import ClassKey, SchoolKey
    from belltower.people.search import NameIndex

    index = NameIndex(store=store)
    found = await index.search(
        name,
        school=SchoolKey(school) if school else None,
        school_class=ClassKey(school_class) if school_class else None,
    )
    known = {one.id: one.human for one in await store.known(found.people)}
    return [
        {
            "person": person,
            "name": called(known[person]),
            "kind": known[person].kind,
            "birth_date": known[person].birth_date,
            "grade": known[person].grade,
            "schools": known[person].schools,
            "close": index.close_to(person),
        }
        for person in found.people
        if person in known
    ]
