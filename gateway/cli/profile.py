"""`belltower profile`: device models as tables, checked, explained and proven."""

from __future__ import annotations

import importlib

import click

_COMMANDS = {
    "check": ("profile_check", "Load profiles and run their examples; list every fault."),
    "new": ("profile_new", "Write a commented profile to begin with."),
    "explain": ("profile_explain", "Say in plain words what a profile hears, and what it can be told."),
    "decode": ("profile_decode", "Say what messages mean, and by which profile."),
}


class _Lazy(click.Group):
    """Loads a command's module when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"gateway.cli.{_COMMANDS[cmd_name][0]}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in _COMMANDS.items()])


@click.group(cls=_Lazy, short_help="Device models as tables: check, write, explain and try them.")
def command() -> None:
    """Check, write, explain and try the profiles of devices.

    \b
    Examples:
      belltower profile check --shipped
      belltower profile new acme-button > profiles/acme-button.toml
      belltower profile explain netvox-r312
      belltower profile decode --topic x1/events/rpc --payload '{"method":"NotifyEvent"}'
    """
