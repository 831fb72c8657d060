"""`belltower migrate`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from gateway.cli.output import config_option, emit, json_option


@click.command(short_help="Bring the lanes' databases up to this program's tables.")
@config_option
@json_option
def command(config: Path, *, as_json: bool) -> None:
    """Take the outstanding steps of both databases. The lanes do the same when they start.

    \b
    Example:
      belltower migrate --config config.toml

    Each step is a commit of its own: interrupted, it goes on where it was. A database that a newer program wrote is
    left as it is, exit code 78.
    """
    from gateway import settings as rooms
    from gateway.migration import migrate

    taken = asyncio.run(migrate(rooms.load(config)))
    for name, steps in taken.items():
        if as_json:
            emit({"database": name, "steps": steps})
        else:
            click.echo(f"{name}: " + (f"{steps} steps taken" if steps else "up to date"))
