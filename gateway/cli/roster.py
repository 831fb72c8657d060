"""`belltower roster`: rosters, read, checked and tried before anything of them is in force."""

from __future__ import annotations

import importlib

import click

_COMMANDS = {
    "import": (
        "roster_import",
        "Read an export; list counts, faults with their mend, and what wants a look.",
    ),
    "generate": ("roster_generate", "Write a roster of nobody, to try things with."),
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


@click.group(cls=_Lazy, short_help="Rosters: read an export, see what it would change.")
def command() -> None:
    """Read rosters: schools, classes, students, staff, guardians and whom to call for whom.

    \b
    Examples:
      belltower roster import --dry-run exports/2026-11-20.zip
      belltower roster import --dry-run --against last-week.zip exports/2026-11-20.zip
      belltower roster generate district.zip --students 1000
      belltower roster import --dry-run --json --mapping mapping.toml pupils.csv
    """
