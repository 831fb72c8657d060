"""`belltower report alarms`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.output import config_option, emit, json_option, table

if TYPE_CHECKING:
    from belltower.incident.entry import Entry
    from gateway.settings import Settings
    from gateway.site_package import SitePackage


@click.command(short_help="Alarms per month, and per person, unit and device.")
@click.option(
    "--months", type=click.IntRange(1), default=12, show_default=True, help="Only the last so many."
)
@config_option
@json_option
def command(*, months: int, config: Path, as_json: bool) -> None:
    """How often who raised the alarm, month by month: meant in earnest, called off afterwards, and in exercises.

    \b
    Example:
      belltower report alarms --config config.toml --months 3 --json

    Where alarms are frequent, people grow slow to believe the next. The lanes need not run. A unit is named with the place
    where it hangs; who pressed it is not known.
    """
    from zoneinfo import ZoneInfo

    from belltower.errors import SettingsError
    from gateway import site_package
    from gateway.alarm_report import alarm_counts
    from gateway.cli.journal_reading import settings_of

    settings = settings_of(config)
    try:
        site = site_package.load(settings.site.folder)
    except SettingsError:
        site = None
    entries = asyncio.run(_counted(settings))
    counts = alarm_counts(entries, ZoneInfo(site.timezone if site is not None else "UTC"))
    kept = sorted({one.month for one in counts})[-months:]
    shown = [one for one in counts if one.month in kept]
    if as_json:
        for one in shown:
            emit(one)
        return
    called = _called(site)
    table(
        "Alarms by month and by who raised them" if shown else "No alarm was ever raised",
        ("month", "who", "in earnest", "of those called off", "in exercises"),
        [(one.month, called(one.by, one.who), one.alarms, one.called_off, one.exercises) for one in shown],
    )
    for month in reversed(kept):
        of = [one for one in shown if one.month == month]
        click.echo(
            f"{month}: {sum(one.alarms for one in of)} in earnest,"
            f" {sum(one.called_off for one in of)} of them called off;"
            f" {sum(one.exercises for one in of)} in exercises"
        )


async def _counted(settings: Settings) -> list[Entry]:
    from belltower.incident.encoding import FactEncoding
    from belltower.incident.entry import Entry
    from gateway.alarm_report import TAGS
    from gateway.cli.journal_reading import everything

    encoding = FactEncoding()
    return [
        Entry(
            stream=row.stream,
            position=row.position,
            id=row.id,
            at=row.at,
            subject=row.subject,
            fact=encoding.decode(row.tag, row.body),
        )
        async for row in everything(settings)
        if row.tag in TAGS
    ]


def _called(site: SitePackage | None) -> Callable[[str, str], str]:
    """What people call whoever raised an alarm; the id where the site package does not know it."""
    from belltower.ids import PersonId, UnitId
    from floorplans.place import spoken

    def name(by: str, who: str) -> str:
        if site is None or not who:
            return f"{by} {who or 'not known'}"
        person = site.people.get(PersonId(who)) if by == "person" else None
        if person is not None:
            return f"{person.name} ({who})"
        unit = site.units.get(UnitId(who)) if by == "unit" else None
        place = site.places.get(unit.place) if unit is not None and unit.place is not None else None
        return f"{by} {who}{f', {spoken(place)}' if place is not None else ''}"

    return name
