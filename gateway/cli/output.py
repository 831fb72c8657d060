"""What commands print: tables for people, JSON for programs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

_WIDE = 100_000
_GAP = 2

F = TypeVar("F", bound=Callable[..., Any])

config_option = click.option(
    "--config",
    "-c",
    type=click.Path(dir_okay=False, path_type=Path),
    default=lambda: Path(os.environ.get("BELLTOWER_CONFIG", "config.toml")),
    show_default="config.toml, or $BELLTOWER_CONFIG",
    help="The settings file.",
)
"""Which settings a command reads."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
"""For programs."""


def emit(record: Any) -> None:
    """One object as a line of JSON on standard output."""
    sys.stdout.write(msgspec.json.encode(record).decode() + "\n")
    sys.stdout.flush()


def table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, whole: Collection[str] = ()
) -> None:
    """A table on standard output. What is in the columns called `whole` is never wrapped: ids, to be copied.

    Where nobody looks, nothing is wrapped; at a terminal words are parted only where one alone is wider than its column.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(width=None if sys.stdout.isatty() else _WIDE)
    cells = [list(map(str, row)) for row in rows]
    widths = _widths([list(column) for column in zip(columns, *cells, strict=True)], whole, console.width)
    drawn = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column, width in zip(columns, widths, strict=True):
        drawn.add_column(column, overflow="fold", no_wrap=column in whole, width=width)
    for row in cells:
        drawn.add_row(*map(Text, row))
    console.print(drawn)


def _widths(columns: Sequence[Sequence[str]], whole: Collection[str], room: int) -> list[int | None]:
    """How wide each column is, its head first, so that no word is parted; None for all where that cannot be."""
    from rich.cells import cell_len

    widths = [
        max(cell_len(line) for cell in column for line in (cell.splitlines() or [""])) for column in columns
    ]
    least = [
        width
        if column[0] in whole
        else max(cell_len(word) for cell in column for word in (cell.split() or [""]))
        for column, width in zip(columns, widths, strict=True)
    ]
    room -= _GAP * (len(columns) - 1)
    if sum(least) > room:
        return [None] * len(columns)
    while sum(widths) > room:
        widest = max((at for at in range(len(widths)) if widths[at] > least[at]), key=widths.__getitem__)
        widths[widest] -= 1
    return list(widths)


def count(number: int, what: str, *, several: str = "") -> str:
    """How many of them, as a person says it: "1 student", "2 students"."""
    return f"{number} {what if number == 1 else several or what + 's'}"


def progress(what: str) -> Any:
    """A rich progress bar on standard error, for anything longer than a second; silent where no one looks."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
        transient=True,
    )
