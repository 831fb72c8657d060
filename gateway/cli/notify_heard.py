"""`belltower notify heard`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.output import config_option, emit, json_option

if TYPE_CHECKING:
    from gateway.settings import Settings


@click.command(short_help="Give back the code of a test that has arrived.")
@click.argument("channel")
@click.argument("code")
@config_option
@json_option
def command(channel: str, code: str, config: Path, *, as_json: bool) -> None:
    """Say that the last test of CHANNEL has arrived: CODE is the number that stands in it.

    \b
    Example:
      belltower notify heard mail 4711

    For ways that send no receipt of their own, as mail and chat rooms. Exits with 77 where the code is not that of the last
    test, 69 when no desk lane runs.
    """
    from gateway.cli.journal_reading import settings_of

    asyncio.run(_heard(settings_of(config), channel, code))
    if as_json:
        emit({"channel": channel, "heard": True})
    else:
        click.echo(f"{channel}: written down.")


async def _heard(settings: Settings, channel: str, code: str) -> None:
    from belltower.clock import SystemClock
    from belltower.errors import WrongState
    from belltower.ids import Ids
    from gateway.channel_proofs import ask, check_named, proofs_of
    from notify.proof_tables import Asked

    check_named(settings, channel)
    if not (code.strip().isascii() and code.strip().isdigit()):
        raise WrongState("That is not the code in the last test of this channel: it is a number.")
    clock = SystemClock()
    async with proofs_of(settings) as tables:
        await ask(tables, Asked(verb=Ids(clock=clock).verb(), at=clock.now(), provider=channel, code=code))
