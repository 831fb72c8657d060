"""`belltower invite`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from gateway.cli.output import config_option, emit, json_option


@click.command(short_help="A new one-time link by which somebody makes an account.")
@config_option
@click.option("--role", default="", help="The role that it brings; staff where none is named.")
@click.option("--school", "schools", multiple=True, help="Only for this school, by its key in the roster.")
@json_option
def command(config: Path, role: str, schools: tuple[str, ...], *, as_json: bool) -> None:
    """Print a new one-time link by which one person makes an account on the live page. It holds for a day.

    \b
    Example:
      belltower invite --config config.toml --role office

    Works while the desk lane runs; run it as the same user. Making a new link voids the last unused one.
    The link is a secret: whoever opens it first has the account, and the role. Without --role the first account is an
    administrator, and every later one staff: they may raise the alarm, order an action and answer.
    """
    from gateway.cli.journal_reading import settings_of
    from gateway.invitation import invite

    link, brings = asyncio.run(invite(settings_of(config), role, schools))
    if as_json:
        emit({"link": link, "role": brings.role, "schools": sorted(brings.schools)})
    else:
        click.echo(link)
        where = f" at {', '.join(sorted(brings.schools))}" if brings.schools else ""
        click.echo(f"It makes one account: {brings.role}{where}.", err=True)
