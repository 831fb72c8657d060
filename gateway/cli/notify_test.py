"""`belltower notify test`."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.output import config_option, emit, json_option, progress, table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.settings import Settings
    from notify.proof_tables import Proof


@click.command(short_help="Send a marked test by every channel and wait for what comes back.")
@click.option("--channel", default="", help="Only this one, NAME as in [notify.channels.NAME].")
@click.option(
    "--wait",
    type=click.FloatRange(min=0, max=86_400),
    default=60.0,
    show_default=True,
    help="Seconds to wait for all of them.",
)
@click.option("--by", default="", help="Who tests: a person of the site package or of the accounts.")
@config_option
@json_option
def command(*, channel: str, wait: float, by: str, config: Path, as_json: bool) -> None:
    """Send a marked test by every channel, to the one address that [notify] test_to names for it.

    \b
    Example:
      belltower notify test --config config.toml

    Passed only by a receipt from outside: the carrier's report, a key in the call, a tap, or the code in the message
    (belltower notify heard NAME CODE). That a provider took it is "accepted" and proves nothing; neither does a
    simulator. A receipt that comes later counts too. Do it once a month; `belltower status` names every channel that was
    not proven for 31 days. Exits with 69 when no desk lane runs, 1 when a channel was not proven.
    """
    from gateway.channel_proofs import public
    from gateway.cli.journal_reading import settings_of

    if math.isnan(wait):  # which is in every range
        raise click.BadParameter("want a number of seconds", param_hint="--wait")
    found = asyncio.run(_test(settings_of(config), channel, by, wait))
    if as_json:
        for proof in found.values():
            emit(public(proof))
    else:
        rows = [(name, proof.outcome, proof.detail) for name, proof in found.items()]
        table("The channels", ("channel", "what came back", "why"), rows)
    if not found or any(proof.outcome != "proven" for proof in found.values()):
        raise click.exceptions.Exit(1)


async def _test(settings: Settings, channel: str, by: str, wait: float) -> Mapping[str, Proof]:
    from belltower.clock import SystemClock
    from belltower.ids import Ids, PersonId
    from gateway import site_package
    from gateway.channel_proofs import ask, check_named, outcomes, proofs_of
    from gateway.cli.roster_taking import known
    from notify.proof_tables import Asked, Proven

    if channel:
        check_named(settings, channel)
    if by and by not in site_package.load(settings.site.folder).people:
        await known(settings, by, "notice-send")
    clock = SystemClock()
    asked = Asked(
        verb=Ids(clock=clock).verb(), at=clock.now(), provider=channel, by=PersonId(by) if by else None
    )
    async with proofs_of(settings) as tables:
        names = await ask(tables, asked)
        found = await outcomes(tables, asked)
        with progress("waiting for the other ends") as bar:
            task = bar.add_task("channels", total=len(names))
            try:
                async with asyncio.timeout(wait):
                    while any(proof.outcome is Proven.WAITING for proof in found.values()):
                        await asyncio.sleep(0.5)
                        found = await outcomes(tables, asked)
                        bar.update(
                            task, completed=sum(one.outcome is not Proven.WAITING for one in found.values())
                        )
            except TimeoutError:
                pass
        return found
