"""`belltower report`: what the journals say over months."""

from __future__ import annotations

import click

from gateway.cli.lazy import lazy

_COMMANDS = {"alarms": ("report_alarms", "Alarms per month, and per person, unit and device.")}


@click.group(cls=lazy(_COMMANDS), short_help="What the journals say over months.")
def command() -> None:
    """What the journals say over months.

    \b
    Example:
      belltower report alarms --config config.toml
    """
