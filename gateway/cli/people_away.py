"""`belltower people away`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from gateway.cli.output import config_option, json_option
from gateway.cli.people_desk import edit
from gateway.cli.people_options import by_option, person_argument, written_down


@click.command()
@person_argument
@click.option("--until", metavar="TIME", required=True, help="2026-03-09T15:30, in the school's time zone.")
@by_option
@config_option
@json_option
def command(config: Path, person: str, until: str, by: str, *, as_json: bool) -> None:
    """Write down that somebody is elsewhere until a time: notices to whoever is on site leave them out till then.

    \b
    Example:
      belltower people away per_01.. --until 2026-03-09T15:30 --by p01
    """
    asyncio.run(_away(config, person, until, by))
    written_down({"person": person, "until": until, "done": "away"}, as_json=as_json)


async def _away(config: Path, person: str, until: str, by: str) -> None:
    from zoneinfo import ZoneInfo

    from belltower.clock import SystemClock, aware
    from belltower.ids import PersonId
    from belltower.people.by_hand import HandField, moment
    from gateway import site_package
    from gateway.cli.journal_reading import settings_of

    zone = ZoneInfo(site_package.load(settings_of(config).site.folder).timezone)
    at = moment(until, zone, now=aware(SystemClock().now()))
    whom = PersonId(person)
    await edit(config, by, lambda hands, verb, who: hands.set(verb, whom, HandField.AWAY, [at], by=who))
