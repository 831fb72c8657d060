"""`belltower simulate`: the other ends of the wires, on this machine."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from gateway.cli.output import config_option


@click.group(short_help="Other ends of the wires: units.")
def command() -> None:
    """Run the other end of a wire on this machine, for a rehearsal or a demonstration.

    \b
    Example:
      belltower simulate units --count 20 --config config.toml
    """


@command.command()
@click.option(
    "--count",
    type=click.IntRange(1, 100_000),
    help="The first so many units of the site package; all by default.",
)
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=0, help="Where to be asked; 0 takes a free port."
)
@click.option("--url", default="", help="Another MQTT server than the settings name.")
@click.option("--ca", type=click.Path(exists=True, path_type=Path), help="Whom to trust, a PEM file.")
@config_option
def units(count: int | None, port: int, url: str, ca: Path | None, config: Path) -> None:
    """Connect units of the site package over MQTT, with heartbeats, and press them when asked.

    \b
    Example:
      belltower simulate units --count 20 --port 8090 --config config.toml
      curl -X POST http://127.0.0.1:8090/units/u7/press

    The first line printed is JSON with the address: {"api": "http://127.0.0.1:8090", "units": 20}.
      GET  /units             every unit, whether it is connected, and the level it shows
      POST /units/UNIT/press  {"kind": "panic" | "medical"}, the body may be left out
    """
    from gateway.cli.simulated_units import run_units

    asyncio.run(run_units(config=config, count=count, port=port, url=url, ca=ca))
