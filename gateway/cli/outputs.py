"""`belltower outputs`."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from belltower.clock import SystemClock
from belltower.errors import LinkError, NotFound, Unreachable, WrongState
from gateway.cli.output import config_option, emit, json_option

if TYPE_CHECKING:
    from gateway.outputs.switch_settings import SwitchSettings


@click.group(short_help="Test loudspeakers, sirens and signs, marked as a test.")
def command() -> None:
    """Test loudspeakers, sirens and signs, marked as a test.

    \b
    Example:
      belltower outputs test north-wing --config config.toml
    """


@command.command(short_help="Announce a marked test, or switch on for a second.")
@click.argument("name")
@config_option
@json_option
def test(name: str, config: Path, *, as_json: bool) -> None:
    """Announce "This is a test of the paging system" once on the output NAME of the settings.

    \b
    Example:
      belltower outputs test north-wing --config config.toml

    It says nothing else, whatever is going on. That it was sent is no proof that anybody heard it: go and listen.
    What is switched is on for a second and then off, whatever hangs on it: nothing is switched while an incident is open.
    """
    from gateway import settings as rooms
    from gateway.outputs.kinds import wire_from
    from gateway.outputs.switch_settings import SwitchSettings
    from gateway.outputs.worker import say_test
    from hardware.drivers.speech import Speech

    settings = rooms.load(config, secrets=("outputs",))
    output = settings.outputs.get(name)
    if output is None:
        known = ", ".join(settings.outputs) or "none"
        raise NotFound(f"the settings have no output {name!r}; there is: {known}")
    if isinstance(output, SwitchSettings):
        _switch(name, output, settings.state.control, as_json=as_json)
        return
    wire = wire_from(output, os.urandom)
    folder = settings.state.links / "speech"
    speech = Speech(folder=folder, speaker=settings.speech.speaker(), forms=[wire.form])
    failure = asyncio.run(say_test(wire, speech))
    if failure:
        raise Unreachable(f"{name}: {failure}")
    if as_json:
        emit({"output": name, "sent": True, "confirmed": False, "fault": speech.fault()})
        return
    click.echo(f"{name}: sent, not confirmed")
    if speech.fault():
        click.echo(f"remark: {speech.fault()}")


def _switch(name: str, output: SwitchSettings, control: Path, *, as_json: bool) -> None:
    from gateway.control import ControlClient
    from gateway.outputs.switch_kinds import switches_from
    from gateway.outputs.switch_test import prove

    try:
        status = asyncio.run(ControlClient(path=control).look())
    except LinkError:  # no lane runs
        status = None
    if status is not None and status.open_incidents:
        raise WrongState(f"{name}: an incident is open; what it has switched on would be switched off")
    made = switches_from({name: output}, SystemClock(), os.urandom)
    level, failure = asyncio.run(prove(made, output.rule(), os.urandom))
    if failure:
        raise Unreachable(f"{name}: {failure}; it got as far as {level.value}")
    confirmed = level.value == "device" and output.rule().confirmed
    if as_json:
        emit({"output": name, "sent": True, "level": level.value, "confirmed": confirmed})
        return
    click.echo(f"{name}: " + ("confirmed by the device" if confirmed else "sent, not confirmed"))
