"""`belltower keys`: the keys that people's data is sealed with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.output import config_option, emit, json_option, progress, table

if TYPE_CHECKING:
    from gateway.keys import KeyCount, Keys

_SETTLING = 5.0
"""Seconds after which a lane that runs has taken the new ring."""


@click.group(short_help="The keys that people's data is sealed with: list, turn and drop them.")
def command() -> None:
    """Rosters, answers, browsers, disclosures and the addresses of notices lie sealed in the desk's database.

    The keys stand in a file of their own, readable for its owner only. Keep a copy of it apart from the database: whoever
    has both can read everything, and without it nobody can.

    \b
    Examples:
      belltower keys list
      belltower keys turn
      belltower keys drop
    """


@command.command("list")
@config_option
@json_option
def list_(config: Path, *, as_json: bool) -> None:
    """Every key, and how many rows lie sealed with it. No key is ever printed.

    \b
    Example:
      belltower keys list
    """

    async def counted() -> list[KeyCount]:
        async with _keys(config) as keys:
            return await keys.counted()

    found = asyncio.run(counted())
    if as_json:
        for one in found:
            emit(one)
        return
    table(
        "Keys",
        ("key", "", "rows sealed with it"),
        [
            (
                one.key,
                "seals" if one.current else "opens" if one.held else "LOST",
                ", ".join(f"{name} {count:,}" for name, count in one.rows.items()) or "none",
            )
            for one in found
        ],
        whole=("key",),
    )


@command.command()
@config_option
@json_option
def turn(config: Path, *, as_json: bool) -> None:
    """Make a new key, and seal everything anew with it. The lanes may run.

    \b
    Example:
      belltower keys turn

    Some rows at a time: broken off, run it again, and it goes on where it was. Old keys stay in the ring until
    `belltower keys drop`; make a copy of the ring before and after.
    """
    from gateway.keys import turned

    async def everything() -> tuple[str, dict[str, tuple[int, int]]]:
        async with _keys(config) as keys:
            with progress("Sealing anew") as bar:
                task = bar.add_task("", total=None)
                return await turned(
                    keys,
                    settling=_SETTLING,
                    begun=lambda of: bar.update(task, total=of),
                    told=lambda count: bar.update(task, advance=count),
                )

    key, rows = asyncio.run(everything())
    if as_json:
        emit({"key": key, "rows": {name: {"sealed": s, "unreadable": u} for name, (s, u) in rows.items()}})
        return
    click.echo(f"{key} seals from now on.")
    for name, (sealed, unreadable) in rows.items():
        if sealed or unreadable:
            lost = f", {unreadable:,} cannot be read and stay as they are" if unreadable else ""
            click.echo(f"  {name}: {sealed:,} rows sealed anew{lost}")
    click.echo("Make a copy of the key ring. `belltower keys drop` forgets the old keys.")


@command.command()
@click.option("--now", is_flag=True, help="Nothing of Belltower runs: do not wait an hour after turning.")
@config_option
@json_option
def drop(config: Path, *, now: bool, as_json: bool) -> None:
    """Forget every key but the current one. Backups sealed with them then open for nobody who has no old ring.

    \b
    Example:
      belltower keys drop
    """
    from belltower.clock import SystemClock

    async def dropped() -> list[str]:
        async with _keys(config) as keys:
            return await keys.drop(now=None if now else SystemClock().now())

    gone = asyncio.run(dropped())
    if as_json:
        emit({"dropped": gone})
    else:
        click.echo(f"Forgotten: {', '.join(gone)}." if gone else "There is only the current key.")


@command.command(short_help="Give up the addresses of notices whose key is lost.")
@config_option
@json_option
def forget(config: Path, *, as_json: bool) -> None:
    """Give up the addresses of earlier notices whose key is lost, so that nothing warns of it any more.

    \b
    Example:
      belltower keys forget

    Put the key ring back from a backup instead, if there is one: then they can be read again.
    """

    async def forgotten() -> dict[str, int]:
        async with _keys(config) as keys:
            return dict(await keys.forget())

    gone = asyncio.run(forgotten())
    if as_json:
        emit({"forgotten": gone})
    else:
        for key, count in gone.items():
            click.echo(f"{key}: {count:,} addresses and audiences given up.")


@asynccontextmanager
async def _keys(config: Path) -> AsyncIterator[Keys]:
    """The keys of the settings' desk database, beside the lane that may be running. Raises `NotFound`, `SettingsError`."""
    from gateway.beside import desk_database
    from gateway.cli.journal_reading import settings_of
    from gateway.keys import Keys

    settings = settings_of(config)
    async with desk_database(settings) as database:
        yield Keys(database=database, key_ring=settings.people_keys)
