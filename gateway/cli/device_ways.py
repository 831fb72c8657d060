"""Where simulated devices speak: where they are told to, or at the way in that the settings have for them."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

from msgspec import Struct

from belltower.clock import Clock
from belltower.errors import SettingsError
from gateway import settings as rooms
from gateway.intake.devices.settings import (
    MQTTDeviceSettings,
    SerialDeviceSettings,
    TCPJSONDeviceSettings,
    WebhookDeviceSettings,
)
from gateway.settings import Settings
from hardware.simulators.mishaps import Mishaps
from hardware.simulators.outlets import Outlet, SignedBy, outlet_at

_ANY = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - told apart, not bound


_Spoken = MQTTDeviceSettings | WebhookDeviceSettings | TCPJSONDeviceSettings | SerialDeviceSettings


class WireOptions(Struct, frozen=True, kw_only=True):
    """Where to speak, and what happens on the way."""

    config: Path
    # A URL; "": the way in that the settings have for these profiles.
    to: str = ""
    ca: Path | None = None
    username: str = ""
    password_file: Path | None = None
    duplicates: int = 0
    gaps: float = 0.0
    shuffle: bool = False
    retained: bool = False
    seed: int = 0

    def mishaps(self, random: Random) -> Mishaps:
        """What happens on the way."""
        return Mishaps(
            random=random,
            duplicates=self.duplicates,
            gaps=self.gaps,
            shuffle=self.shuffle,
            retained=self.retained,
        )


@asynccontextmanager
async def opened(
    wire: WireOptions, settings: Settings | None, *, clock: Clock, profiles: set[str], topics: bool
) -> AsyncIterator[tuple[Outlet, str]]:
    """The wire, open, and its URL. `profiles` are those to be spoken, `topics` whether they need any."""
    url, tls, signed = wire.to, None, None
    if not url:
        assert settings is not None  # noqa: S101 - loaded where no URL is given
        url, tls, signed = _way(settings, wire, profiles, topics=topics)
    if wire.ca is not None:
        tls = ssl.create_default_context(cafile=str(wire.ca))
    password = ""
    if wire.password_file is not None:
        try:
            password = wire.password_file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise SettingsError(f"--password-file: cannot be read ({error.strerror})") from None
    outlet = outlet_at(url, clock=clock, username=wire.username, password=password, tls=tls, signed=signed)
    try:
        await outlet.open()
        yield outlet, url
    finally:
        await outlet.close()


def _way(
    settings: Settings, wire: WireOptions, profiles: set[str], *, topics: bool
) -> tuple[str, ssl.SSLContext | None, SignedBy | None]:
    for name, way in settings.alarm.devices.items():
        if not isinstance(way, _Spoken):  # it asks its modules, or hears nothing; nobody speaks to it
            continue
        if way.profiles and not profiles <= set(way.profiles):
            continue
        if isinstance(way, MQTTDeviceSettings) and not topics:
            continue
        if isinstance(way, SerialDeviceSettings | TCPJSONDeviceSettings) and topics:
            continue
        return _near_end(name, way, wire)
    raise SettingsError(
        f"{settings.file.name}: no [alarm.devices.NAME] takes {' and '.join(sorted(profiles)) or 'these messages'}; "
        "add one, or say where to speak: --to mqtt://127.0.0.1:1883"
    )


def _near_end(
    name: str, way: _Spoken, wire: WireOptions
) -> tuple[str, ssl.SSLContext | None, SignedBy | None]:
    match way:
        case MQTTDeviceSettings(url=url, ca=ca):
            tls = None
            if url.startswith("mqtts:"):
                tls = ssl.create_default_context(cafile=str(ca) if ca else None)
            return url, tls, None
        case WebhookDeviceSettings():
            if way.key is not None:  # the first reading opened no secrets
                again = rooms.load(wire.config, secrets={"alarm"}).alarm.devices[name]
                assert isinstance(again, WebhookDeviceSettings)  # noqa: S101 - as it was read before
                way = again
            return _hook(way)
        case TCPJSONDeviceSettings():
            return f"tcp://{_ANY.get(way.bind, way.bind)}:{way.port}", None, None
        case SerialDeviceSettings(url=url):
            if url.startswith("tcp://"):
                return f"lines:{url.removeprefix('tcp://')}", None, None
            raise SettingsError(
                f"alarm.devices.{name} reads {url}; say what its other end is called, --to lines:/tmp/line, "
                "or let the settings read /tmp/line"
            )


def _hook(way: WebhookDeviceSettings) -> tuple[str, ssl.SSLContext | None, SignedBy | None]:
    host = _ANY.get(way.bind, way.bind)
    signed = None
    if way.key is not None:
        signed = SignedBy(key=way.key.reveal().strip().encode(), header=way.signature_header, over=way.signed)
    if way.certificate is None:
        return f"http://{host}:{way.port}", None, signed
    tls = ssl.create_default_context(cafile=str(way.certificate))
    tls.check_hostname = False  # that it is ours is what counts on this machine
    return f"https://{host}:{way.port}", tls, signed
