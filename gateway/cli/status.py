"""`belltower status`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from belltower.clock import Instant, aware
from gateway.cli.output import config_option, emit, json_option, table

if TYPE_CHECKING:
    from gateway.control import Status

_FULL = "FULL: the reserve is used, make room"


def _drill(status: Status) -> str:
    until = aware(Instant(status.drill_until)).strftime("%H:%M:%S UTC")
    psap = "with the PSAP" if status.drill_psap else "without the PSAP"
    return f"until {until}: {status.drill_action or 'no action'}, at {', '.join(status.drill_places)}, {psap}"


@click.command(short_help="How the alarm lane is at this moment.")
@config_option
@json_option
def command(config: Path, *, as_json: bool) -> None:
    """Ask the running alarm lane how it is.

    \b
    Example:
      belltower status --config config.toml --json

    Exits with 69 when no alarm lane answers, 1 when something is not in order: a link lost or not heard yet, a unit
    silent, a channel by which nothing goes out, a full disk, a journal that cannot keep what happens, one found damaged within the last day, a part that is not as it
    was set up, or a desk lane whose page does not answer on this machine: without it no notice leaves. A way to the PSAP that no `belltower psap test` has proven for 31 days is named too, in
    the title as well, and so is a channel of notices that no `belltower notify test` has; that alone exits with 0.
    """
    from belltower.store.ballast import reserve_used
    from gateway import settings as rooms
    from gateway.cli import desk_answer
    from gateway.control import ControlClient

    settings = rooms.load(config, secrets=False)
    status = asyncio.run(ControlClient(path=settings.state.control).look())
    silence = desk_answer.silence(settings.desk.web)
    desk_full = not settings.desk.database and reserve_used(settings.state.desk_database)
    channels, outages = _channels(config)
    wrong = (
        status.links_lost
        or status.units_lost
        or status.devices_lost
        or status.devices_unknown
        or status.troubles
        or status.trouble
        or status.reserve_used
        or desk_full
        or status.put_aside
        or status.faults
        or silence
        or outages
    )
    troubled = bool(wrong) or not all(status.links.values())
    if as_json:
        emit(
            {
                **msgspec.to_builtins(status),
                "channels": channels,
                "channels_down": outages,
                "desk_silent": silence,
                "desk_reserve_used": desk_full,
            }
        )
    else:
        rows = [
            ("lane", f"{status.lane} {status.version}"),
            ("desk lane", f"DOES NOT RUN: {silence}" if silence else "answers"),
            ("site revision", status.revision),
            (
                "journal",
                f"{status.head} entries" + (f", TROUBLE: {status.trouble}" if status.trouble else ""),
            ),
            *((("disk of the alarm lane", _FULL),) if status.reserve_used else ()),
            *((("disk of the desk", _FULL),) if desk_full else ()),
            *(("FAULT", fault) for fault in status.faults),
            *((("journal before", f"DAMAGED: put aside as {status.put_aside}"),) if status.put_aside else ()),
            ("open incidents", str(status.open_incidents)),
            *((("EXERCISE", _drill(status)),) if status.drill_until else ()),
            ("units", f"{status.units}, {len(status.units_lost)} silent"),
            *((f"unit {unit}", "SILENT") for unit in status.units_lost),
            *((("devices", f"{_devices(status)}: belltower devices"),) if status.devices else ()),
            *((name, ", ".join(kinds)) for name, kinds in status.troubles.items()),
            *(
                (f"link {link}", "answers" if answers else "not known yet")
                for link, answers in status.links.items()
                if link not in status.links_lost
            ),
            *((f"link {link}", f"LOST: {reason}") for link, reason in status.links_lost.items()),
            *((f"link {link}", remark) for link, remark in status.links_remarks.items()),
            *(
                (f"link {link}", "NOT PROVEN for 31 days: belltower psap test")
                for link in status.links_unproven
            ),
            *((f"channel {name}", f"NOT GOING OUT: {why}") for name, why in outages.items()),
            *((f"channel {name}", said) for name, said in channels.items()),
            *((f"count {name}", str(count)) for name, count in sorted(status.counts.items())),
        ]
        named = [*status.links_unproven, *(name for name, said in channels.items() if "PROVEN" in said)]
        unproven = f", but not proven: {', '.join(named)}" if named else ""
        table("In trouble" if troubled else f"In order{unproven}", ("", ""), rows)
    if troubled:
        raise click.exceptions.Exit(1)


def _channels(config: Path) -> tuple[dict[str, str], dict[str, str]]:
    """How well each channel of notices is proven, and which do not go out; the desk says so in its own database."""
    from belltower.clock import SystemClock
    from belltower.errors import BelltowerError
    from gateway.channel_proofs import known, outages, spoken, to_prove
    from gateway.cli.journal_reading import settings_of

    settings = settings_of(config)
    names = to_prove(settings)
    if not names:
        return {}, {}
    try:
        found, down = asyncio.run(known(settings)), asyncio.run(outages(settings))
    except BelltowerError:
        unknown = "not known: the desk's database cannot be read, or there is none yet"
        return dict.fromkeys(names, unknown), {}
    now = SystemClock().now()
    return {name: spoken(found.get(name), now) for name in names}, down


def _devices(status: Status) -> str:
    unknown = f", {status.devices_unknown} not known" if status.devices_unknown else ""
    return f"{status.devices}, {len(status.devices_lost)} lost{unknown}"
