"""`belltower profile`: device models as tables, checked, explained and proven."""

from __future__ import annotations

import click

from gateway.cli.lazy import lazy

_COMMANDS = {
    "check": ("profile_check", "Load profiles and run their examples; list every fault."),
    "new": ("profile_new", "Write a commented profile to begin with."),
    "explain": ("profile_explain", "Say in plain words what a profile hears, and what it can be told."),
    "decode": ("profile_decode", "Say what messages mean, and by which profile."),
}


@click.group(cls=lazy(_COMMANDS), short_help="Device models as tables: check, write, explain and try them.")
def command() -> None:
    """Check, write, explain and try the profiles of devices.

    \b
    Examples:
      belltower profile check --shipped
      belltower profile new acme-button > profiles/acme-button.toml
      belltower profile explain netvox-r312
      belltower profile decode --topic zigbee2mqtt/b204 --payload '{"action":"emergency"}'
    """
