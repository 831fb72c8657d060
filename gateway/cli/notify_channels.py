"""`belltower notify channels`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from gateway.cli.output import config_option, emit, json_option, table


@click.command(short_help="How well each channel is proven.")
@config_option
@json_option
def command(config: Path, *, as_json: bool) -> None:
    """How well each channel is proven: its last test, and when something from outside last said that one arrived.

    \b
    Example:
      belltower notify channels --json

    Exits with 1 when a channel was not proven for 31 days, or never.
    """
    from belltower.clock import SystemClock
    from gateway.channel_proofs import known, public, spoken, stale, to_prove
    from gateway.cli.journal_reading import settings_of

    settings = settings_of(config)
    found, now = asyncio.run(known(settings)), SystemClock().now()
    channels = to_prove(settings)
    old = [name for name in channels if stale(found.get(name), now)]
    if as_json:
        for name, kind in channels.items():
            emit({"channel": name, "kind": kind, "stale": name in old, "proof": public(found.get(name))})
    else:
        rows = [(name, kind, spoken(found.get(name), now)) for name, kind in channels.items()]
        table("The channels", ("channel", "kind", "how well it is proven"), rows)
    if old:
        raise click.exceptions.Exit(1)
