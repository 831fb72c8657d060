"""`belltower bench`."""

from __future__ import annotations

import asyncio
import importlib
import os
import pkgutil
import re
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from belltower.errors import NotFound
from gateway.cli.output import emit, json_option, table

if TYPE_CHECKING:
    from gateway.bench.figure import Figure

_FLUSHES = 200


@click.command(short_help="Measure the figures, each beside its floor.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--list", "listing", is_flag=True, help="Say what can be measured, and measure nothing.")
@json_option
def command(names: tuple[str, ...], *, listing: bool, as_json: bool) -> None:
    """Measure the figures the house is built to, each beside what the bare machine does in the same run.

    \b
    Examples:
      belltower bench
      belltower bench b4 b10 --json

    With --json each figure is one line: id, name, value, unit, floor, ratio, goal, met, and under "machine" the
    cores, the time of a flush to disk (p50, p99), the SQLite version and whether the loop is uvloop. Ratios to the
    floor travel from machine to machine; absolute times do not. Exits with 1 when a goal was not met.
    """
    known = _benches()
    chosen = known
    if names:
        asked = {name.lower(): _matching(name.lower(), known) for name in names}
        unknown = [name for name, found in asked.items() if not found]
        if unknown:
            raise NotFound(f"there is no figure {', '.join(unknown)}; known: {', '.join(known)}")
        chosen = {name: known[name] for found in asked.values() for name in found}
    if listing:
        for name, what in chosen.items():
            emit({"name": name, "what": what}) if as_json else click.echo(f"{name:14} {what}")
        return
    machine = _machine()
    figures: list[Figure] = []
    for name in chosen:
        if not as_json:
            click.echo(f"measuring {name} ..", err=True)
        for figure in asyncio.run(importlib.import_module(f"gateway.bench.{name}").run()):
            figures.append(figure)
            if as_json:
                emit({**_plain(figure), "machine": machine})
    if not as_json:
        _show(figures, machine)
    if any(figure.met is False for figure in figures):
        raise click.exceptions.Exit(1)


def _benches() -> dict[str, str]:
    """Name and first docstring line of every module that measures, in the figures' order."""
    from gateway import bench

    names = [
        found.name for found in pkgutil.iter_modules(bench.__path__) if re.match(r"b\d|restart$", found.name)
    ]
    names.sort(key=lambda name: (int(number[1]) if (number := re.match(r"b(\d+)", name)) else 99, name))
    told = {}
    for name in names:
        source = Path(bench.__path__[0], f"{name}.py").read_text(encoding="utf-8")
        told[name] = source.lstrip('"').split("\n", 1)[0].rstrip('."')
    return told


def _matching(asked: str, known: dict[str, str]) -> list[str]:
    """Asked for b9, every module of that figure; for b9_listener, that one."""
    return [name for name in known if name == asked or name.startswith(f"{asked}_")]


def _plain(figure: Figure) -> dict[str, Any]:
    import msgspec

    plain: dict[str, Any] = msgspec.to_builtins(figure)
    return plain


def _machine() -> dict[str, Any]:
    """What absolute times depend on."""
    import apsw

    spent = []
    with tempfile.NamedTemporaryFile() as file:
        for _ in range(_FLUSHES):
            os.write(file.fileno(), bytes(4096))
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            spent.append(time.perf_counter() - began)
    spent.sort()
    return {
        "cores": len(os.sched_getaffinity(0)),
        "flush_p50_ms": round(spent[_FLUSHES // 2] * 1e3, 3),
        "flush_p99_ms": round(spent[_FLUSHES * 99 // 100] * 1e3, 3),
        "sqlite": apsw.sqlite_lib_version(),
        "uvloop": asyncio.run(_loop()).startswith("uvloop"),
    }


async def _loop() -> str:
    """Which event loop the figures run on."""
    return type(asyncio.get_running_loop()).__module__


def _show(figures: list[Figure], machine: dict[str, Any]) -> None:
    met = {None: "", True: "met", False: "NOT MET"}
    rows = [
        (
            figure.id,
            figure.name,
            f"{figure.value:,.4g} {figure.unit}",
            "" if figure.floor is None else f"{figure.floor:,.4g}",
            "" if figure.ratio is None else f"{figure.ratio:.2f}",
            figure.goal,
            met[figure.met],
        )
        for figure in figures
    ]
    table("Figures", ("id", "figure", "value", "floor", "ratio", "goal", ""), rows)
    click.echo(", ".join(f"{name} {value}" for name, value in machine.items()))
