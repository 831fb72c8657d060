"""`belltower profile check`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Load profiles and run their examples; list every fault.")
@click.argument("paths", nargs=-1, metavar="[FILE|DIR]...", type=click.Path(path_type=Path))
@click.option("--shipped", is_flag=True, help="The profiles that come with Belltower.")
def command(paths: tuple[Path, ...], *, shipped: bool) -> None:
    """Load profiles as the alarm lane does, run their examples, and list every fault by file, table and key.

    \b
    Examples:
      belltower profile check profiles/acme-button.toml
      belltower profile check profiles/ --shipped

    Exits with 1 when anything is at fault.
    """
    from belltower.errors import SettingsError
    from hardware.profiles.loading import SHIPPED, files_of, load

    if not paths and not shipped:
        raise click.UsageError("name a file or a folder, or --shipped")
    faults = 0
    seen: dict[str, Path] = {}
    for folder in [*([SHIPPED] if shipped else []), *paths]:
        try:
            files = files_of(folder)
        except SettingsError as error:
            click.echo(str(error))
            faults += 1
            continue
        if not files:
            click.echo(f"{folder}: holds no .toml file")
            faults += 1
        for file in files:
            try:
                profile = load(file)
            except SettingsError as error:
                click.echo(str(error))
                faults += 1
                continue
            if (other := seen.get(profile.id)) is not None and other.parent == file.parent:
                click.echo(f'{file}: profile.id: "{profile.id}" stands in {other} too; give it another')
                faults += 1
            seen[profile.id] = file
            count = len(profile.tables.example)
            click.echo(
                f"{profile.id:28} {profile.cls:8} version {profile.version} {profile.hash}  {count} examples"
            )
    if faults:
        raise click.exceptions.Exit(1)
