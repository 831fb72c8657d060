"""`belltower press`."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import click

from belltower.errors import Refused, Unreachable
from belltower.ids import UnitId
from gateway.cli.output import config_option, emit, json_option

if TYPE_CHECKING:
    from gateway.cli.unit_ways import Way
    from gateway.settings import Settings
    from gateway.site_package import SitePackage

_ASK_FOR = 5.0
"""Seconds for which a lane that does not answer is asked again whether a drill is open."""

_AGAIN = 0.5
"""Seconds until what did not answer is tried again."""

_TOO_LATE = 3.0
"""Seconds before the end of a drill in which nobody presses for it any more: the press may come too late."""

_UNTIL = {"recorded": 1, "psap": 3, "telecommunicator": 4}


@click.command(short_help="Press a unit's button, as the unit would, and follow the answers.")
@click.option("--unit", "-u", required=True, help="The unit, such as u7.")
@click.option("--kind", type=click.Choice(["panic", "medical"]), default="panic", show_default=True)
@click.option(
    "--exercise",
    is_flag=True,
    help="Press with the unit switched to exercise. Without an open drill that is a live alarm: then refused.",
)
@click.option(
    "--even-if-live", is_flag=True, help="Press with --exercise although no drill is known to be open."
)
@click.option(
    "--until", type=click.Choice(list(_UNTIL)), default="psap", show_default=True, help="What to wait for."
)
@click.option("--wait", type=float, default=30.0, show_default=True, help="Seconds to wait for it.")
@click.option("--url", default="", help="Another MQTT server than the settings name.")
@click.option("--ca", type=click.Path(exists=True, path_type=Path), help="Whom to trust, a PEM file.")
@config_option
@json_option
def command(
    unit: str,
    kind: str,
    *,
    exercise: bool,
    even_if_live: bool,
    until: str,
    wait: float,
    url: str,
    ca: Path | None,
    config: Path,
    as_json: bool,
) -> None:
    """Press a unit's button as the unit would: over MQTT, sealed with its key, repeated until it is answered.

    Of the demo press the buttons on its training page instead: its simulated units are signed in already, and a second
    device under the same name is shown as a trouble that lasts.

    \b
    Examples:
      belltower press --unit u7 --config config.toml
      belltower press --unit u7 --until telecommunicator --wait 120

    This is a real alarm: the PSAP is called and people are told, unless the settings lead to simulators. So is a
    press with the exercise bit, unless a drill that covers the unit's place is open: --exercise asks the alarm lane
    first, and is refused with 77 when there is none, or it ends within seconds, or no lane answers to say so. While the unit's server does not answer, a
    lane that starts again for instance, it is tried until --wait is over.
    It signs in as the unit: one that is connected, as every unit of `belltower demo`, is thrown out meanwhile and shown as in
    trouble. Press those on the training page.

    Exits with 69 when nobody answered, 1 when the answer asked for did not come in time.
    """
    from gateway import settings as rooms
    from gateway import site_package
    from gateway.cli.unit_ways import way_in
    from hardware.unit_keys import read_keys

    settings = rooms.load(config, secrets=False)
    package = site_package.load(settings.site.folder)
    way = way_in(settings, url=url, ca=ca)
    keys = read_keys(settings.unit_keys)
    if exercise and not even_if_live:
        asyncio.run(_drill_open(settings, package, unit, within=min(wait, _ASK_FOR)))
    press = _Press(unit=unit, kind=kind, exercise=exercise, goal=_UNTIL[until], wait=wait, as_json=as_json)
    reached = asyncio.run(press.run(settings=settings, package=package, keys=keys, way=way))
    if reached == 0:
        raise Unreachable(
            f"{unit}: no answer within {wait:g} s" + (f"; {press.trouble}" if press.trouble else "")
        )
    if reached < _UNTIL[until]:
        click.echo(f"{unit}: not answered as asked for within {wait:g} s", err=True)
        raise click.exceptions.Exit(1)


async def _drill_open(settings: Settings, package: SitePackage, unit: str, *, within: float) -> None:
    """Return once the alarm lane says that a drill is open for this unit. Raises `Refused`."""
    from belltower.clock import SECOND, SystemClock
    from belltower.incident.drill import covers
    from gateway.control import ControlClient

    lane = ControlClient(path=settings.state.control)
    end = asyncio.get_running_loop().time() + within
    while True:
        try:
            status = await lane.look()
        except Unreachable as error:
            if asyncio.get_running_loop().time() >= end:
                raise Refused(
                    f"not pressed: whether a drill is open is not known, {error}. Without one this would be a live "
                    "alarm; press with --even-if-live if that is meant"
                ) from error
            await asyncio.sleep(_AGAIN)
            continue
        if not status.drill_until:
            raise Refused(
                "not pressed: no drill is open, so this would be a live alarm, and the PSAP would be called in "
                "earnest. Open a drill first, or press with --even-if-live if a live alarm is meant"
            )
        record = package.units.get(UnitId(unit))
        place = package.places.get(record.place) if record is not None and record.place is not None else None
        inside = covers(
            status.drill_places,
            campus=package.id,
            place=place.id if place is not None else None,
            building=place.building if place is not None else "",
        )
        if not inside:
            raise Refused(
                f"not pressed: the drill is at {', '.join(status.drill_places)}, and {unit} is not there, so this "
                "would be a live alarm; press with --even-if-live if that is meant"
            )
        if (left := (status.drill_until - SystemClock().now()) / SECOND) < _TOO_LATE:
            raise Refused(
                f"not pressed: the drill ends in {max(left, 0):.0f} s, and later this would be a live alarm"
            )
        return


class _Press:
    """One press and what is shown of it."""

    def __init__(
        self, *, unit: str, kind: str, exercise: bool, goal: int, wait: float, as_json: bool
    ) -> None:
        self._unit = unit
        self._kind = kind
        self._exercise = exercise
        self._goal = goal
        self._wait = wait
        self._as_json = as_json
        self.trouble = ""
        """Why the unit's server cannot be had just now; "" when it can."""

    async def run(self, *, settings: Settings, package: SitePackage, keys: dict[int, bytes], way: Way) -> int:
        """Press, show each answer, and return the highest level."""
        from gateway.cli.unit_ways import WORDS, connected_unit
        from hardware.codecs.unit import Kind, Level

        loop = asyncio.get_running_loop()
        reached = asyncio.Event()
        pressed = loop.time()

        def show(level: Level) -> None:
            seconds = loop.time() - pressed
            if self._as_json:
                emit({"unit": self._unit, "seconds": round(seconds, 4), "level": level.name.lower()})
            else:
                click.echo(f"{seconds:8.3f} s  {WORDS[level]}")
            if level >= self._goal:
                reached.set()

        unit = connected_unit(
            self._unit,
            settings=settings,
            package=package,
            keys=keys,
            way=way,
            random=Random(),  # noqa: S311 - jitter, not a secret
            on_level=show,
        )
        unit.unit.exercise = self._exercise

        async def serve() -> None:
            while True:
                try:
                    await unit.run()
                except Unreachable as error:
                    self.trouble = str(error)
                await asyncio.sleep(_AGAIN)

        async def signed_in() -> None:
            await unit.connected.wait()

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._wait):
                try:
                    async with asyncio.TaskGroup() as group:
                        serving = group.create_task(serve(), name="serve")
                        await signed_in()
                        self.trouble = ""
                        pressed = loop.time()
                        if not self._as_json:
                            click.echo(f"{self._unit} pressed ({self._kind})")
                        unit.press(Kind[self._kind.upper()])
                        await reached.wait()
                        serving.cancel()
                except BaseExceptionGroup as error:
                    raise error.exceptions[0] from None
        return int(unit.level)
