"""`belltower migrate`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from gateway.cli.output import config_option, emit, json_option, progress


@click.command(short_help="Bring the lanes' databases up to this program's tables.")
@config_option
@json_option
def command(config: Path, *, as_json: bool) -> None:
    """Take the outstanding steps of both databases. The lanes do the same when they start.

    \b
    Example:
      belltower migrate --config config.toml

    Each step is a commit of its own: interrupted, it goes on where it was. A database that a newer program wrote is
    left as it is, exit code 78. Addresses of notices that an older program left in clear are sealed, and the file is
    written anew; that needs as much room again on the disk.
    """
    from belltower import log
    from gateway import settings as rooms
    from gateway.migration import migrate

    log.configure(lane="migrate", level="warning")
    with progress("Sealing addresses") as bar:
        task = bar.add_task("", total=None, visible=False)

        def told(done: int, of: int) -> None:
            bar.update(task, completed=done, total=of, visible=True)

        taken = asyncio.run(migrate(rooms.load(config), told=told))
    for name, steps in taken.items():
        if as_json:
            emit({"database": name, "steps": steps})
        else:
            click.echo(f"{name}: " + (f"{steps} steps taken" if steps else "up to date"))
