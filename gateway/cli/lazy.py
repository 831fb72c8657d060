"""Groups of commands whose modules are loaded when they are asked for, so that `--help` is quick."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from difflib import get_close_matches
from typing import ClassVar

import click

Table = Mapping[str, tuple[str, str]]
"""Each command's name, the module in `gateway.cli` whose `command` it is, and one line about it."""


class LazyGroup(click.Group):
    """A group made from a table; see `lazy`."""

    table: ClassVar[Table] = {}

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        """The names, as the table has them."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        """The command of that name, its module loaded now; None: there is none."""
        if cmd_name not in self.table:
            return None
        command: click.Command = importlib.import_module(f"gateway.cli.{self.table[cmd_name][0]}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """The list in `--help`; no module is loaded for it."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in self.table.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does; a name that is not there brings the nearest that is."""
        if args and args[0] not in self.table and not args[0].startswith("-"):
            near = get_close_matches(args[0], self.table, n=1)
            hint = f' Did you mean "{near[0]}"?' if near else ""
            ctx.fail(f'There is no command "{args[0]}".{hint}')
        return super().resolve_command(ctx, args)


def lazy(table: Table) -> type[LazyGroup]:
    """The class of a group with these commands, for `click.group(cls=..)`."""
    return type("Lazy", (LazyGroup,), {"table": table})
