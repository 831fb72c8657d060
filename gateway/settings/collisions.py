"""What two tables may not both have: a port of one address, a serial line."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from belltower.values import Reader
from gateway.intake.devices.settings import (
    ModbusDeviceSettings,
    OSDPDeviceSettings,
    TCPJSONDeviceSettings,
    WebhookDeviceSettings,
)
from gateway.outputs.switch_settings import ModbusSettings, OSDPSettings
from gateway.psap.eido_settings import EIDOLinkSettings
from gateway.settings.whole import Settings

_SHARED: dict[str, tuple[type[Any], ...]] = {
    "modbus": (ModbusDeviceSettings, ModbusSettings),
    "osdp": (OSDPDeviceSettings, OSDPSettings),
}


def check_ports(reader: Reader, settings: Settings) -> None:
    """Two that listen cannot share a port of one address: the units' listener, the page, EIDO links, devices."""
    listening: list[tuple[str, str, str, int]] = []
    if (listener := settings.alarm.mqtt_listener) is not None:
        listening.append(("alarm.mqtt_listener", "8883 is usual for units", listener.bind, listener.tcp_port))
    web = settings.desk.web
    listening.append(("desk.web.port", "8080 is usual for the page", web.bind, web.port))
    listening += [
        (f"psap.links.{name}.port", "16000 is usual for EIDO", link.bind, link.port)
        for name, link in settings.psap_links.items()
        if isinstance(link, EIDOLinkSettings)
    ]
    listening += [
        (f"alarm.devices.{name}.port", "give it another", way.bind, way.port)
        for name, way in settings.alarm.devices.items()
        if isinstance(way, WebhookDeviceSettings | TCPJSONDeviceSettings)
    ]
    for place, (at, usual, bind, port) in enumerate(listening):
        for other, _, there, taken in listening[:place]:
            both = bind == there or {bind, there} & {"0.0.0.0", "::"}  # noqa: S104 - compared only
            if port and port == taken and both:
                reader.fault(at, f"{port} is the port of {other.removesuffix('.port')} too; {usual}")


def check_serial_lines(reader: Reader, settings: Settings) -> None:
    """A serial line is one link's, or one radio's: what two write to it at once, nobody can read.

    Inputs and outputs on a line of Modbus or OSDP share it, and say its address in the same words.
    """
    used: dict[str, tuple[str, str]] = {}
    named = [(f"psap.links.{name}", link) for name, link in settings.psap_links.items()]
    named += [(f"alarm.radio.{name}", radio) for name, radio in settings.alarm.radio.items()]
    named += [(f"alarm.devices.{name}", way) for name, way in settings.alarm.devices.items()]
    named += [(f"outputs.{name}", output) for name, output in settings.outputs.items()]
    for at, record in named:
        url = getattr(record, "url", None)
        if not isinstance(url, str) or not url.startswith("serial:"):
            continue
        line = urlsplit(url).path
        wire = next((wire for wire, kinds in _SHARED.items() if isinstance(record, kinds)), "")
        shared = f"{wire} {url}" if wire else ""
        holder, words = used.setdefault(line, (at, shared))
        if holder == at or (shared and words == shared):
            continue
        mend = f'write "{words.partition(" ")[2]}" here too' if wire and words.startswith(wire) else ""
        reader.fault(
            f"{at}.url", f"{line} is the line of {holder} too; {mend or 'each needs a line of its own'}"
        )
