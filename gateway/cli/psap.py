"""`belltower psap`: the ways to the PSAP, proven and explained."""

from __future__ import annotations

import importlib

import click

_COMMANDS = {
    "test": ("link_test", "Send a marked test down every way to the PSAP and record what came back."),
    "decode": ("psap_decode", "Explain frames of any link in plain words; say what is wrong with a bad one."),
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


@click.group(cls=_Lazy, short_help="The ways to the PSAP: prove them, explain their frames.")
def command() -> None:
    """Prove the ways to the PSAP, and explain what is said on them.

    \b
    Examples:
      belltower psap test --config config.toml
      belltower psap decode capture.bin
    """
