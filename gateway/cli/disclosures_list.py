"""`belltower disclosures list`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.output import config_option, emit, json_option, table

if TYPE_CHECKING:
    from gateway.settings import Settings


_SHOWN = 100


@click.command(short_help="What was opened, for whom, and whether it is open still.")
@config_option
@json_option
def command(config: Path, *, as_json: bool) -> None:
    """List the disclosures, the newest first.

    \b
    Example:
      belltower disclosures list --json
    """
    from gateway.cli.journal_reading import settings_of

    listed = asyncio.run(_listed(settings_of(config)))
    if as_json:
        for one in listed:
            emit(one)
        return
    columns = ("disclosure", "state", "until", "students", "given to", "what", "given")
    rows = [
        (
            one["disclosure"],
            one["state"] + (", EXERCISE" if one["exercise"] else ""),
            one["until"][:16].replace("T", " "),
            one["students"],
            f"{one['agency']}, {one['function']}",
            ", ".join(one["fields"]),
            one["given"],
        )
        for one in listed
    ]
    table(
        "Disclosures" if rows else "No disclosure was ever opened.",
        columns,
        rows,
        whole=("disclosure", "until"),
    )


async def _listed(settings: Settings) -> list[dict[str, Any]]:
    from belltower.people.disclosure import in_order
    from gateway.cli.disclosures_desk import opened

    async with opened(settings) as desk:
        return [
            {
                "disclosure": one.id,
                "incident": one.asked.incident,
                "state": desk.state(one),
                "exercise": one.exercise,
                "opened": desk.time(one.opened_at),
                "opened_by": one.opened_by,
                "until": desk.time(one.until),
                "students": one.count,
                "agency": one.asked.recipient.agency,
                "function": one.asked.recipient.function,
                "basis": one.asked.basis.value,
                "fields": list(in_order(one.asked.fields)),
                "given": sum(batch.students for batch in await desk.register.batches(one.id)),
            }
            for one in await desk.register.last(_SHOWN)
        ]
