"""`belltower people show`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.output import config_option, emit, json_option, table
from gateway.cli.people_desk import at_the_desk
from gateway.cli.people_options import person_argument

if TYPE_CHECKING:
    from belltower.people.record import Pair, PersonRecord
    from belltower.people.store import RosterStore


@click.command()
@person_argument
@config_option
@json_option
def command(config: Path, person: str, *, as_json: bool) -> None:
    """Show one person: each field with its source, file and load, and who may collect today.

    \b
    Example:
      belltower people show per_01.. --json
    """
    told = asyncio.run(at_the_desk(config, lambda store: _show(store, person, config)))
    if as_json:
        emit(told)
        return
    _print(told)


def _print(told: dict[str, Any]) -> None:
    click.echo(f"{told['name']} ({told['kind']}), from {_origin(told['from'])}")
    rows = [
        (name, ", ".join(one["values"]), "by hand" if one["by_hand"] else "", ", ".join(one["load"]))
        for name, one in told["fields"].items()
        if one["values"] or one["by_hand"]
    ]
    table("Fields", ("field", "value", "", "the load says"), rows)
    for written in told["addresses"]:
        click.echo(f"  {written['written']}: from {_origin(written['from'])}")
    table(
        "Who may collect today" if told["kind"] == "student" else "Whom they may collect today",
        ("person", "name", "verdict", "on the word of"),
        [
            (
                one["person"],
                one["name"],
                "READ BOTH" if one["read_both"] else one["says"].upper(),
                one["source"] or "",
            )
            for one in told["collecting"]
        ],
        whole=("person", "name", "verdict"),
    )
    records = [(record, one["name"]) for one in told["collecting"] for record in one["records"]]
    if records:
        table("Written down by hand", ("record", "of"), records, whole=("record",))


def _origin(origin: dict[str, Any]) -> str:
    file = f", {origin['file']}" if origin["file"] else ""
    return f"{origin['source']}{file}, load {origin['load']}"


async def _show(store: RosterStore, person: str, config: Path) -> dict[str, Any]:
    from zoneinfo import ZoneInfo

    from belltower.clock import SystemClock, aware
    from belltower.ids import PersonId
    from belltower.people.record import record
    from gateway import site_package
    from gateway.cli.journal_reading import settings_of

    zone = ZoneInfo(site_package.load(settings_of(config).site.folder).timezone)
    today = aware(SystemClock().now()).astimezone(zone).date()
    return _told(await record(store, PersonId(person), on=today))


def _told(found: PersonRecord) -> dict[str, Any]:
    from belltower.people.by_hand import HandField, said, standing
    from belltower.people.record import called

    known, human = found.known, found.known.human
    return {
        "person": known.id,
        "name": called(human),
        "kind": human.kind,
        "active": human.active,
        "schools": [key for key, _ in found.schools],
        "classes": [{"class": one.key, "title": one.title, "role": role} for one, role in found.classes],
        "from": {"source": known.source, "file": human.file, "load": known.since},
        "fields": {
            name.value: {
                "values": standing(human, name, known.by_hand),
                "by_hand": {"by": hand.by, "at": hand.at} if (hand := known.by_hand.get(name)) else None,
                "load": said(found.loaded, name),
            }
            for name in HandField
            if name is not HandField.MAY_COLLECT
        },
        "addresses": [
            {
                "written": one.written,
                "reached": bool(one.normalised),
                "from": {"source": one.source, "file": one.file, "load": one.since},
            }
            for one in known.addresses
            if one.source
        ],
        "collecting": [_pair(one, found) for one in found.pairs],
        "review": [one.id for one in found.doubts],
    }


def _pair(pair: Pair, found: PersonRecord) -> dict[str, Any]:
    link = pair.link
    return {
        "person": pair.adult if pair.student == found.known.id else pair.student,
        "name": pair.name,
        "says": pair.word.says.name.lower(),
        "source": pair.word.source,
        "outside": pair.word.outside,
        "sealed": pair.sealed,
        "close": pair.close,
        "read_both": pair.read_both,
        "link": None
        if link is None
        else {
            "relation": link.link.relation,
            "may_collect": link.link.may_collect,
            "by_hand": bool(link.by_hand),
            "from": {"source": link.source, "file": link.link.file, "load": link.since},
        },
        "records": [one.id for one in pair.words],
    }
