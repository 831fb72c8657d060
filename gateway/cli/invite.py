"""`belltower invite`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from gateway.cli.output import config_option, emit, json_option


@click.command(short_help="A new one-time link by which somebody makes an account.")
@config_option
@json_option
def command(config: Path, *, as_json: bool) -> None:
    """Print a new one-time link by which one person makes an account on the live page. It holds for a day.

    \b
    Example:
      belltower invite --config config.toml

    Works while the desk lane runs; run it as the same user. A link made earlier and never used is void from then on.
    The link is a secret: whoever opens it first has the account.
    """
    from gateway.cli.journal_reading import settings_of
    from gateway.invitation import invite

    link = asyncio.run(invite(settings_of(config)))
    if as_json:
        emit({"link": link})
    else:
        click.echo(link)
