"""`belltower roster generate`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(name="generate", short_help="Write a roster of nobody, to try things with.")
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--form",
    "form_name",
    type=click.Choice(["oneroster", "clever", "plain"]),
    default="oneroster",
    show_default=True,
    help="What the files look like; oneroster is 1.2.",
)
@click.option("--students", type=click.IntRange(1, 200_000), default=300, show_default=True, help="How many.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed draws the same people.")
@click.option(
    "--traps", type=int, metavar="SEED", help="Set the traps of real exports, drawn from this seed."
)
def command(path: Path, form_name: str, students: int, seed: int, traps: int | None) -> None:
    """Write a roster of people who do not exist: families, siblings, shared telephones, several languages.

    PATH is a folder that is made, or a ZIP if it ends so. Everything is drawn from the seed.

    \b
    Examples:
      belltower roster generate district.zip --students 1000 --seed 7
      belltower roster generate dirty --form clever --traps 7
    """
    from belltower.people.generator import Form, generate, write

    if path.exists():
        raise click.BadParameter(f"{path} is there already; give a new name", param_hint="PATH")
    roster = generate(seed=seed, students=students)
    found = write(roster, path, form=Form(form_name), traps=traps)
    for name, count in roster.counts().items():
        if count:
            print(f"{count:>8} {name}")
    for trap in found:
        rows = f", {len(trap.rows)} rows from row {trap.rows[0]} on" if trap.rows else ""
        print(f"trap: {trap.name} in {trap.file}{rows}")
