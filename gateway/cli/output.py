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

    drawn = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        drawn.add_column(column, overflow="fold", no_wrap=column in whole)
    for row in rows:
        drawn.add_row(*(Text(str(cell)) for cell in row))
    Console(width=None if sys.stdout.isatty() else _WIDE).print(drawn)


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
