"""The outputs of the alarm lane, made from settings and site package: those that announce, and those that are switched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from belltower.ids import Ids
from belltower.incident.entry import Entry
from belltower.incident.facts import Fact
from belltower.journal import Journal
from gateway.alarm_world import World
from gateway.intake.devices.health import OutputHealth
from gateway.intake.devices.settings import OSDPDeviceSettings
from gateway.outputs.switch_settings import DeviceSettings, SwitchSettings
from gateway.outputs.switching import SwitchWorker
from gateway.outputs.worker import OutputWorker
from gateway.settings import Settings
from gateway.site_package import SitePackage
from gateway.switch_wires import LineOf, open_switching
from hardware.drivers.speech import Speech


def announcing(
    settings: Settings,
    site: SitePackage,
    world: World,
    *,
    journal: Journal[Fact],
    ids: Ids,
    owed: Sequence[Entry],
    after: int,
) -> OutputWorker:
    """Who speaks and shows; `owed` are the orders of an earlier process, those of this one come `after`."""
    wires = {
        name: world.open_wire(output, world.random_bytes)
        for name, output in settings.outputs.items()
        if not isinstance(output, SwitchSettings)
    }
    speech = Speech(
        folder=settings.state.links / "speech",
        speaker=settings.speech.speaker(),
        forms=[wire.form for wire in wires.values()],
    )
    return OutputWorker(
        journal=journal,
        wires=wires,
        speech=speech,
        ids=ids,
        clock=world.clock,
        place=site.places.get,
        owed=owed,
        after=after,
        switched=settings.outputs.keys() - wires.keys(),
    )


def switching(
    settings: Settings,
    site: SitePackage,
    world: World,
    *,
    journal: Journal[Fact],
    ids: Ids,
    owed: Sequence[Entry],
    after: int,
    line: LineOf,
) -> SwitchWorker:
    """Who switches; `line` is the broker by which a device is told."""
    for way in settings.alarm.devices.values():
        if isinstance(way, OSDPDeviceSettings):  # who hears its readers runs the line
            world.lines.serve(way.url)
    switches, rules = open_switching(
        settings,
        site.foreign,
        open_switches=world.open_switches,
        line=line,
        clock=world.clock,
        random_bytes=world.random_bytes,
    )
    return SwitchWorker(
        journal=journal,
        switches=switches,
        rules=rules,
        ids=ids,
        clock=world.clock,
        random_bytes=world.random_bytes,
        owed=owed,
        after=after,
    )


def output_health(outputs: Mapping[str, Any], faults: Mapping[str, str]) -> tuple[OutputHealth, ...]:
    """How those are that are switched, as their settings and their `faults` say."""
    return tuple(
        OutputHealth(
            name=name,
            does=output.does.value,
            device=output.device if isinstance(output, DeviceSettings) else "",
            fault=faults.get(name, ""),
        )
        for name, output in outputs.items()
        if isinstance(output, SwitchSettings)
    )
