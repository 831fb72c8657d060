"""`belltower profile explain`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Say in plain words what a profile hears, and what it can be told.")
@click.argument("name", metavar="ID")
@click.option(
    "--profiles",
    "folders",
    multiple=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="A site's own profiles, besides the shipped ones.",
)
def command(name: str, folders: tuple[Path, ...]) -> None:
    """Say in plain words what a profile hears, what alarms, what is trouble, and what it can be told.

    \b
    Examples:
      belltower profile explain netvox-r312
      belltower profile explain acme-button --profiles site/profiles
    """
    from difflib import get_close_matches

    from belltower.errors import NotFound
    from hardware.profiles.explaining import explained
    from hardware.profiles.loading import SHIPPED, load_all

    profiles = load_all([SHIPPED, *folders])
    if name not in profiles:
        near = get_close_matches(name, profiles, n=1)
        mend = f'did you mean "{near[0]}"?' if near else f"there are {', '.join(sorted(profiles))}"
        raise NotFound(f'there is no profile "{name}"; {mend}')
    for line in explained(profiles[name]):
        click.echo(line)
