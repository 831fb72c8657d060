"""`belltower roster`: rosters, read, checked and tried before anything of them is in force."""

from __future__ import annotations

import click

from gateway.cli.lazy import lazy

_COMMANDS = {
    "import": (
        "roster_import",
        "Read an export; list counts, faults with their mend, and what wants a look.",
    ),
    "review": ("roster_review", "Contacts that may be the same person: list them, and say who they are."),
    "generate": ("roster_generate", "Write a roster of nobody, to try things with."),
}


@click.group(cls=lazy(_COMMANDS), short_help="Rosters: read an export, see what it would change.")
def command() -> None:
    """Read rosters: schools, classes, students, staff, guardians and whom to call for whom.

    \b
    Examples:
      belltower roster import --dry-run exports/2026-11-20.zip
      belltower roster import --dry-run --against last-week.zip exports/2026-11-20.zip
      belltower roster generate district.zip --students 1000
      belltower roster import --dry-run --json --mapping mapping.toml pupils.csv
    """
