"""`belltower outputs`."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from belltower.clock import SystemClock
from belltower.errors import NotAsked, NotFound, SettingsError, Unreachable
from gateway.cli.output import config_option, emit, json_option

if TYPE_CHECKING:
    from gateway.alarm_verbs import OutputProof
    from gateway.control import ControlClient
    from gateway.outputs.rules import Rule
    from gateway.outputs.switch_settings import DeviceSettings
    from gateway.settings import Settings
    from hardware.drivers.switch import Switches


TEST_WITHIN = 90.0
"""Seconds for on and off of the slowest output."""


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

    settings = rooms.load(config, secrets=False)
    output = settings.outputs.get(name)
    if output is None:
        known = ", ".join(settings.outputs) or "none"
        raise NotFound(f"the settings have no output {name!r}; there is: {known}")
    if isinstance(output, SwitchSettings):
        _switch(name, settings, as_json=as_json)
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


def _switch(name: str, settings: Settings, *, as_json: bool) -> None:
    from gateway.control import ControlClient

    client = ControlClient(path=settings.state.control, answered_within=TEST_WITHIN)
    try:
        proof = asyncio.run(_asked(client, name))
    except NotAsked:  # no lane runs: the wires are free; one that is silent still holds them
        proof = asyncio.run(_alone(name, settings.file))
    if proof.failed:
        raise Unreachable(f"{name}: {proof.failed}; it got as far as {proof.level.value}")
    if as_json:
        emit({"output": name, "sent": True, "level": proof.level.value, "confirmed": proof.confirmed})
        return
    click.echo(f"{name}: " + ("confirmed by the device" if proof.confirmed else "sent, not confirmed"))


async def _asked(client: ControlClient, name: str) -> OutputProof:
    """The running lane holds the wires: it makes the test."""
    import msgspec

    from belltower.ids import Ids
    from gateway.alarm_verbs import OutputProof

    told = await client.ask("test_output", Ids(clock=SystemClock()).verb(), output=name)
    return msgspec.json.decode(told.encode(), type=OutputProof)


async def _alone(name: str, config: Path) -> OutputProof:
    from gateway import settings as rooms
    from gateway.alarm_verbs import OutputProof
    from gateway.outputs.switch_kinds import switches_from
    from gateway.outputs.switch_settings import DeviceSettings
    from gateway.outputs.switch_test import prove

    settings = rooms.load(config, secrets=("outputs", "alarm"))
    output = settings.outputs[name]
    made, rule = switches_from({name: output}, SystemClock(), os.urandom), output.rule()
    if isinstance(output, DeviceSettings):
        made, rule = _device(name, output, settings)
    level, failed = await prove(made, rule, os.urandom)
    confirmed = not failed and level.value == "device" and rule.confirmed
    return OutputProof(level=level, failed=failed, confirmed=confirmed)


def _device(name: str, output: DeviceSettings, settings: Settings) -> tuple[Switches, Rule]:
    """The device by a connection of its own: the lane's goes on."""
    from gateway import site_package
    from gateway.device_wires import broker_of
    from gateway.switch_wires import answer_topics, device_output, reply_of
    from hardware.drivers import Received
    from hardware.drivers.device_switch import DeviceLine, DeviceSwitch
    from hardware.drivers.switch import Switches

    foreign = site_package.load(settings.site.folder).foreign
    try:
        made = device_output(output, foreign, settings.alarm.devices)
    except SettingsError as error:
        lines = [f"{settings.file}: outputs.{name}.{line}" for line in str(error).splitlines()]
        raise SettingsError("\n".join(lines)) from None
    way = settings.alarm.devices[made.way]
    client = f"{way.client_id}-test-{os.urandom(4).hex()}"
    line = DeviceLine(reply=reply_of(client))

    def hear(received: Received) -> None:
        line.heard(received)

    topics = answer_topics(settings, foreign, made.way, line.reply)
    broker = broker_of(way, hear, topics=topics, client_id=client)
    line.attach(broker.deliver)
    switch = DeviceSwitch(told=made.told, line=line, answered=made.rule.confirmed)
    return Switches(switches={name: switch}, work={"broker": broker.run}), made.rule
