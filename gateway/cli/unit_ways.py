"""How simulated units find the alarm lane: from the settings, as a provisioned unit would know it."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from belltower.errors import NotFound, SettingsError
from belltower.ids import UnitId
from hardware.codecs.unit import Level, Type, mqtt_password, site_tag
from hardware.simulators.connected_unit import ConnectedUnit
from hardware.simulators.unit import Flash, SimulatedUnit

if TYPE_CHECKING:
    from gateway.settings import Settings
    from gateway.site_package import SitePackage

WORDS = {
    Level.NONE: "no answer yet",
    Level.RECORDED: "recorded",
    Level.RELAYED_ONLY: "relayed to the PSAP, but not recorded",
    Level.PSAP: "the PSAP's system has it",
    Level.TELECOMMUNICATOR: "a telecommunicator acknowledged",
}
"""What a unit shows its wearer."""


_SHOWN = (int(Type.ORDER), int(Type.SAY))


class FileFlash(Flash):
    """A simulated unit's memory in a file, so that it counts on from run to run as a real one does."""

    def __init__(self, *, path: Path) -> None:
        super().__init__()
        self._path = path
        try:
            epoch, reserved, *marks = json.loads(path.read_text(encoding="ascii"))
            super().save(int(epoch), int(reserved))
            for type_, high, low in marks:
                super().keep_mark(int(type_), (int(high), int(low)))
        except (OSError, ValueError, TypeError):
            pass  # a unit fresh from the box

    def save(self, epoch: int, reserved: int) -> None:
        """Remember, before any counter below `reserved` is used."""
        super().save(epoch, reserved)
        self._write()

    def keep_mark(self, type_: int, named: tuple[int, int]) -> None:
        """Remember what was shown."""
        super().keep_mark(type_, named)
        self._write()

    def _write(self) -> None:
        marks = [[type_, *self.mark(type_)] for type_ in _SHOWN if self.mark(type_) != (0, 0)]
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path.write_text(json.dumps([*(self.load() or (0, 0)), *marks]), encoding="ascii")


class Way:
    """Where the units' MQTT server is."""

    def __init__(self, *, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        self.host = host
        self.port = port
        self.tls = tls


def way_in(settings: Settings, *, url: str = "", ca: Path | None = None) -> Way:
    """The MQTT server that units of this house speak to: `url`, else the listener, else the first broker."""
    listener = settings.alarm.mqtt_listener
    if not url and listener is not None:
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listener.bind, listener.bind)  # noqa: S104 - told apart
        if listener.certificate is None:
            return Way(host=host, port=listener.tcp_port, tls=None)
        # Our own certificate may bear any name; that it is ours is what counts on this machine.
        tls = ssl.create_default_context(cafile=str(ca or listener.certificate))
        tls.check_hostname = False
        return Way(host=host, port=listener.tcp_port, tls=tls)
    broker = next(iter(settings.alarm.mqtt_broker.values()), None)
    if not url and broker is not None:
        url, ca = broker.url, ca or broker.ca
    parts = urlsplit(url)
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
        raise SettingsError(
            "units have no MQTT server to speak to; give one with --url mqtt://127.0.0.1:1883"
        )
    if parts.scheme == "mqtt":
        return Way(host=parts.hostname, port=parts.port or 1883, tls=None)
    return Way(
        host=parts.hostname,
        port=parts.port or 8883,
        tls=ssl.create_default_context(cafile=str(ca) if ca else None),
    )


def connected_unit(
    name: str,
    *,
    settings: Settings,
    package: SitePackage,
    keys: dict[int, bytes],
    way: Way,
    random: Random,
    on_level: Callable[[Level], None] | None = None,
) -> ConnectedUnit:
    """A unit of the site package, ready to be run. NotFound when the house has no such unit or no key for it."""
    record = package.units.get(UnitId(name))
    if record is None:
        raise NotFound(f"the site package has no unit {name}")
    key = keys.get(record.number)
    if key is None:
        raise NotFound(f"{name} has no key; make it with: belltower units keys")
    return ConnectedUnit(
        name=name,
        unit=SimulatedUnit(
            number=record.number,
            key=key,
            site_tag=site_tag(package.id),
            flash=FileFlash(path=settings.state.folder / "simulated-units" / f"{name}.json"),
            random=random,
        ),
        password=mqtt_password(key),
        host=way.host,
        port=way.port,
        tls=way.tls,
        heartbeat=record.heartbeat,
        on_level=on_level,
    )
