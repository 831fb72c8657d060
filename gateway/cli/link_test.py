"""`belltower psap test`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.output import config_option, emit, json_option, table

if TYPE_CHECKING:
    from belltower.incident.facts import Fact, LinkProven, LinkUnproven
    from gateway.control import ControlClient

_LEVELS = {
    "radio": "proven as far as the other radio",
    "station": "proven as far as the monitoring station",
    "system": "proven as far as the PSAP's system",
}


@click.command(short_help="Send a marked test down every way to the PSAP and record what came back.")
@click.option("--wait", type=float, default=75.0, show_default=True, help="Seconds to wait for all of them.")
@click.option("--by", default="", help="Who tests: the id of a person of the site package.")
@config_option
@json_option
def command(*, wait: float, by: str, config: Path, as_json: bool) -> None:
    """Send a marked test down every way to the PSAP, and write the proof into the journal.

    \b
    Example:
      belltower psap test --config config.toml

    The test never looks like a call: each wire has its own form for it, agreed with the centre. A way without one says
    so. Do it once a month; `belltower status` names every way that was not proven for 31 days.
    Exits with 69 when no alarm lane answers, 1 when a way was not proven.
    """
    from gateway import settings as rooms
    from gateway.control import ControlClient

    settings = rooms.load(config, secrets=False)
    client = ControlClient(path=settings.state.control)
    links = [name for name, _ in settings.links_as_shown()]
    outcomes = asyncio.run(_test(client, links, wait=wait, by=by, as_json=as_json))
    if not as_json:
        rows = [(link, outcomes.get(link, "NOT PROVEN: no word from the lane")) for link in links]
        table("The ways to the PSAP", ("way", "what came back"), rows)
    if any(not outcomes.get(link, "").startswith("proven") for link in links):
        raise click.exceptions.Exit(1)


async def _test(
    client: ControlClient, links: list[str], *, wait: float, by: str, as_json: bool
) -> dict[str, str]:
    """Order the test and gather what became of it, link by link."""
    from belltower.clock import SystemClock
    from belltower.ids import Ids
    from belltower.incident.facts import LinkProven, LinkUnproven
    from gateway.cli.output import progress

    head = (await client.look()).head
    number = int(await client.ask("test_links", Ids(clock=SystemClock()).verb(), by=by))
    outcomes: dict[str, str] = {}
    with progress("waiting for the other ends") as bar:
        task = bar.add_task("links", total=len(links))
        try:
            async with asyncio.timeout(wait), aclosing(_facts(client, head)) as told:
                async for fact in told:
                    if not isinstance(fact, LinkProven | LinkUnproven) or fact.test != number:
                        continue
                    outcomes[fact.link] = _said(fact)
                    bar.update(task, completed=len(outcomes))
                    if as_json:
                        emit(fact)
                    if set(links) <= set(outcomes):
                        break
        except TimeoutError:
            pass
    return outcomes


def _said(fact: LinkProven | LinkUnproven) -> str:
    from belltower.incident.facts import LinkProven

    if isinstance(fact, LinkProven):
        return f"{_LEVELS[fact.level]}, after {fact.after:.2f} s"
    return f"NOT PROVEN: {fact.reason}"


async def _facts(client: ControlClient, after: int) -> AsyncGenerator[Fact, None]:
    from belltower.incident.encoding import FactEncoding
    from gateway.control import Batch

    encoding = FactEncoding()
    async for said in client.follow(after):
        if isinstance(said, Batch):
            for row in said.entries:
                yield encoding.decode(row.tag, row.body)
