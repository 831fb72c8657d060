"""Every kind of output that is switched, by its settings record. What a kind needs is imported only where it is used."""

# ruff: noqa: PLC0415 - a lane without relays need not load what speaks to relays

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from belltower.clock import Clock
from belltower.errors import SettingsError
from belltower.ids import RandomBytes
from gateway.outputs.rules import Does
from gateway.outputs.switch_settings import (
    AlgoSettings,
    DeviceSettings,
    ModbusSettings,
    NoticeSettings,
    OSDPSettings,
    SwitchSettings,
)
from hardware.drivers.lines import SharedLines
from hardware.drivers.switch import Switch, Switches, Unusable, Work


def switches_from(
    outputs: Mapping[str, Any], clock: Clock, random_bytes: RandomBytes, lines: SharedLines | None = None
) -> Switches:
    """The switches that settings records describe, not yet opened. Outputs on one line share it, also with inputs."""
    lines = SharedLines() if lines is None else lines
    ends: dict[str, Work] = {}
    work: dict[str, Work] = {}
    switches: dict[str, Switch] = {}
    for name, settings in outputs.items():
        match settings:
            case ModbusSettings():
                switches[name] = _coil(settings, lines, ends)
            case AlgoSettings():
                switches[name] = _control(settings, clock, random_bytes)
            case NoticeSettings():
                from hardware.drivers.http_notice import HTTPNotice

                key = bytes.fromhex(settings.key.reveal())
                switches[name] = HTTPNotice(url=settings.url, key=key, clock=clock)
            case OSDPSettings():
                try:
                    switches[name] = _contact(settings, lines, work)
                except SettingsError as error:
                    switches[name] = Unusable(str(error))
            case DeviceSettings():
                pass  # its profile and its broker are the site's
            case SwitchSettings():
                raise TypeError(f"{type(settings).__name__} describes no switch")
            case _:
                pass  # announced, not switched
    return Switches(switches=switches, work=work, ends=tuple(ends.values()))


def _coil(settings: ModbusSettings, lines: SharedLines, ends: dict[str, Work]) -> Switch:
    from hardware.drivers.modbus import Coil

    line = lines.modbus(settings.url)
    ends[settings.url] = line.close
    return Coil(line=line, device=settings.device, coil=settings.coil, inverted=settings.inverted)


def _control(settings: AlgoSettings, clock: Clock, random_bytes: RandomBytes) -> Switch:
    from hardware.drivers.algo import AlgoControl

    control, start = _ALGO[settings.does]
    values: dict[str, object] = {
        "{tone}": settings.tone,
        "{pattern}": settings.pattern,
        "{colour}": settings.colour,
    }
    return AlgoControl(
        url=settings.url,
        password=settings.password.reveal(),
        control=control,
        start={key: values.get(str(value), value) for key, value in start.items()},
        clock=clock,
        random_bytes=random_bytes,
        fingerprint=settings.fingerprint,
    )


def _contact(settings: OSDPSettings, lines: SharedLines, work: dict[str, Work]) -> Switch:
    try:
        from hardware.drivers.osdp import OSDPOutput
    except ImportError as error:
        raise SettingsError('outputs of kind "osdp" need libosdp: pip install "belltower[osdp]"') from error

    line = lines.osdp(settings.url)
    if lines.serve(settings.url):
        work[f"osdp line {len(work) + 1}"] = line.run
    try:
        line.add(settings.address, bytes.fromhex(settings.key.reveal()))
    except ValueError as error:
        raise SettingsError(f"{settings.url}: {error}") from error
    return OSDPOutput(line=line, address=settings.address, output=settings.output)


_ALGO: dict[Does, tuple[str, dict[str, object]]] = {
    Does.SIREN: ("tone", {"path": "{tone}", "loop": True}),
    Does.STROBE: ("strobe", {"pattern": "{pattern}", "color1": "{colour}"}),
    Does.RELAY: ("relay", {}),
    Does.SIGN: (
        "screen",
        {"type": "image", "text1": "{text}", "textColor": "{colour}", "textPosition": "middle"},
    ),
}
"""The control of a device for each purpose, and what it is started with."""
