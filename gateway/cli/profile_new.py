"""`belltower profile new`."""

from __future__ import annotations

import click


@click.command(short_help="Write a commented profile to begin with.")
@click.argument("name", metavar="ID")
def command(name: str) -> None:
    """Print a commented profile with every mandatory table, to be made that of a new model.

    \b
    Examples:
      belltower profile new acme-button > profiles/acme-button.toml
      belltower profile check profiles/acme-button.toml
    """
    from hardware.profiles.skeleton import skeleton

    try:
        click.echo(skeleton(name), nl=False)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="ID") from None
