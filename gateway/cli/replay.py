"""`belltower replay`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from belltower.errors import NotFound, SettingsError
from gateway.cli.output import config_option, emit, json_option, table

_LISTED = 20

if TYPE_CHECKING:
    from datetime import datetime

    from belltower.ids import PlaceId
    from belltower.journal import RawEntry
    from floorplans.place import Place
    from gateway.settings import Settings


@click.command(short_help="Tell an incident again from the journal, with the seconds since the press.")
@click.argument("incident", default="last")
@config_option
@json_option
def command(incident: str, config: Path, *, as_json: bool) -> None:
    """Tell an incident again from the journals: every step, with its seconds since the first press.

    INCIDENT is its number, its id (inc_..), or "last".

    \b
    Examples:
      belltower replay --config config.toml
      belltower replay 12 --config config.toml --json

    The lanes need not run. Each step says whether it was sent, received by a machine, or acknowledged by a person.
    """
    from belltower.clock import SECOND, aware
    from belltower.ids import IncidentId
    from belltower.incident.encoding import FactEncoding
    from belltower.incident.entry import Entry
    from belltower.incident.facts import AlarmRaised
    from belltower.incident.fold import fold
    from gateway.cli.journal_reading import settings_of
    from gateway.cli.telling import tell

    settings = settings_of(config)
    subject, rows = asyncio.run(_of_incident(settings, incident))
    encoding = FactEncoding()
    entries = [
        Entry(
            stream=row.stream,
            position=row.position,
            id=row.id,
            at=row.at,
            subject=row.subject,
            fact=encoding.decode(row.tag, row.body),
        )
        for row in rows
    ]
    entries.sort(key=lambda entry: (entry.at, entry.stream, entry.position))
    pressed = next((entry.at for entry in entries if isinstance(entry.fact, AlarmRaised)), entries[0].at)
    places = _places(settings)
    told = [(entry, *tell(entry.fact, places)) for entry in entries]
    if as_json:
        for entry, what, standing in told:
            emit(
                {
                    "seconds": (entry.at - pressed) / SECOND,
                    "at": aware(entry.at).isoformat(),
                    "stream": entry.stream,
                    "position": entry.position,
                    "what": what,
                    "standing": standing,
                }
            )
        return
    now = fold(IncidentId(subject), entries)
    table(
        f"Incident {now.number}, {now.mode}, {'open' if now.open else 'closed'}, "
        f"first press {_local(settings, aware(pressed))}",
        ("seconds", "what", ""),
        [(f"{(entry.at - pressed) / SECOND:9.3f}", what, standing) for entry, what, standing in told],
    )


async def _of_incident(settings: Settings, named: str) -> tuple[str, list[RawEntry]]:
    """The incident's id and all its entries, from both lanes' journals."""
    from belltower.incident.encoding import FactEncoding
    from belltower.incident.facts import IncidentOpened
    from gateway.cli.journal_reading import everything

    encoding = FactEncoding()
    subject = named if named.startswith("inc_") else ""
    by_subject: dict[str, list[RawEntry]] = {}
    numbers: list[int] = []
    async for row in everything(settings):
        if not row.subject:
            continue
        by_subject.setdefault(row.subject, []).append(row)
        if row.tag == "incident.opened":
            fact = encoding.decode(row.tag, row.body)
            number = fact.number if isinstance(fact, IncidentOpened) else 0
            numbers.append(number)
            if named in ("last", str(number)):
                subject = row.subject
    if subject not in by_subject:
        raise NotFound(
            "the journal holds no incident yet"
            if named == "last"
            else f"the journal holds no incident {named}; {_held(numbers)}"
        )
    return subject, by_subject[subject]


def _held(numbers: list[int]) -> str:
    """Which incidents there are; of many, the last."""
    if not numbers:
        return "it holds none yet"
    last = sorted(numbers)[-_LISTED:]
    return f"it holds {len(numbers)}: {'.., ' if len(numbers) > _LISTED else ''}{', '.join(map(str, last))}"


def _local(settings: Settings, at: datetime) -> str:
    """The time on the school's wall, with its zone; UTC where the site package cannot be read."""
    from zoneinfo import ZoneInfo

    from gateway import site_package

    try:
        zone = site_package.load(settings.site.folder).timezone
    except SettingsError:
        zone = "UTC"
    return f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S} {zone}"


def _places(settings: Settings) -> Mapping[PlaceId, Place]:
    """The places by id; none where the site package cannot be read, for the journal can be told without it."""
    from gateway import site_package

    try:
        return site_package.load(settings.site.folder).places
    except SettingsError:
        return {}
