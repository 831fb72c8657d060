"""`belltower run`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click

from belltower.errors import SettingsError
from gateway.cli.check import file_faults
from gateway.cli.output import config_option


@click.command(short_help="Run both lanes under the supervisor.")
@click.option("--only", type=click.Choice(["alarm", "desk"]), help="One lane alone, without a supervisor.")
@click.option(
    "--unattended",
    is_flag=True,
    help="As an init system starts it: refuse nothing that the lanes can do without.",
)
@config_option
def command(only: str | None, config: Path, *, unattended: bool) -> None:
    """Start the alarm lane and the desk lane, each a process of its own, and start again what ends.

    \b
    Examples:
      belltower run --config config.toml
      belltower run --only desk --config config.toml

    Settings, the files they name, and the site package are checked first: with a fault in them nothing starts, and
    the exit code is 78. With --unattended only the settings file must be in order: nobody may be there to mend it, so
    a faulty site package leaves the last good one in force, a missing certificate costs its wire, and a missing
    secret the lane that needs it; `belltower status` and the page say so. While another Belltower runs with the same
    state folder, this one says so and exits with 78.
    Ends in order on SIGINT or SIGTERM. The log goes to standard error, one event a line.
    """
    from belltower import log
    from gateway import settings as rooms
    from gateway import site_package, supervisor

    settings = rooms.load(config, secrets=not unattended)
    if not unattended:
        site_package.load(settings.site.folder)
        faults = file_faults(settings)
        if faults:
            raise SettingsError("\n".join(faults))
    if only is not None:
        from gateway import alarm_lane, desk_lane, process

        lane = {"alarm": alarm_lane.run, "desk": desk_lane.run}[only]
        code = process.run_lane(lane, config)
        sys.exit(process.SETTINGS_EXIT if code == process.TAKEN_EXIT else code)
    supervisor.hold(settings.state.folder)  # until the process ends
    log.configure(lane="supervisor", level=settings.log.level)
    sys.exit(asyncio.run(supervisor.run(config)))
