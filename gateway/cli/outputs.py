"""`belltower outputs`."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import click

from belltower.errors import NotFound, Unreachable
from gateway.cli.output import config_option, emit, json_option


@click.group(short_help="Test loudspeakers and telephones, marked as a test.")
def command() -> None:
    """Test loudspeakers and telephones, marked as a test.

    \b
    Example:
      belltower outputs test north-wing --config config.toml
    """


@command.command(short_help="Announce a marked test once.")
@click.argument("name")
@config_option
@json_option
def test(name: str, config: Path, *, as_json: bool) -> None:
    """Announce "This is a test of the paging system" once on the output NAME of the settings.

    \b
    Example:
      belltower outputs test north-wing --config config.toml

    It says nothing else, whatever is going on. That it was sent is no proof that anybody heard it: go and listen.
    """
    from gateway import settings as rooms
    from gateway.outputs.kinds import wire_from
    from gateway.outputs.worker import say_test
    from hardware.drivers.speech import Speech

    settings = rooms.load(config, secrets=False)
    output = settings.outputs.get(name)
    if output is None:
        known = ", ".join(settings.outputs) or "none"
        raise NotFound(f"the settings have no output {name!r}; there is: {known}")
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
