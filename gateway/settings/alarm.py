"""`[alarm]`: how units, panels and foreign devices reach the alarm lane."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from belltower.errors import Malformed, SettingsError
from belltower.values import Count, Octets, Port, Reader, Seconds, Secret
from gateway.intake.devices.settings import DEVICE_WAYS, DeviceWay
from gateway.intake.panel_settings import PanelSettings
from gateway.settings.addresses import check_pair, check_url, is_loopback
from gateway.settings.names import check_names, named
from gateway.tls import client_context, server_context
from hardware.codecs.ax25 import Address
from hardware.drivers import TLS
from hardware.transports import open_transport


class ListenerSettings(Struct, frozen=True, kw_only=True):
    """`[alarm.mqtt_listener]`: units connect to us. On by default when no broker and no radio is given."""

    # The address to listen on; "0.0.0.0" or "::" for every one the machine has.
    bind: str = "127.0.0.1"
    # 8883 with a certificate, 1883 without.
    port: Port = 0
    # PEM files for TLS.
    certificate: Path | None = None
    private_key: Path | None = None
    # Units may connect without TLS from other machines: only on a network that carries nothing else.
    allow_plain: bool = False
    # Connections at once; more are refused.
    max_clients: Count = 20_000
    # The largest packet; a longer one ends the connection.
    max_packet: Octets = 65_536

    def __post_init__(self) -> None:
        """Refuse half a certificate and unprotected listening by oversight."""
        check_pair(self.certificate, self.private_key)
        if self.certificate is None and not self.allow_plain and not is_loopback(self.bind):
            raise SettingsError(
                f'bind = "{self.bind}" lets other machines in without TLS; give certificate and private_key, '
                "or allow_plain = true on a network of its own"
            )

    @property
    def tls(self) -> TLS | None:
        """How TLS is made; None: without."""
        if self.certificate is None or self.private_key is None:
            return None
        return partial(server_context, self.certificate, self.private_key)

    @property
    def tcp_port(self) -> int:
        """The port in force."""
        return self.port or (1883 if self.certificate is None else 8883)


class BrokerSettings(Struct, frozen=True, kw_only=True):
    """`[alarm.mqtt_broker.NAME]`: units reach us through an existing broker."""

    # "mqtts://broker.school.example:8883" or "mqtt://127.0.0.1:1883".
    url: str
    username: str = ""
    password: Secret | None = None
    # PEM files: whom to trust, and who we are.
    ca: Path | None = None
    certificate: Path | None = None
    private_key: Path | None = None
    # Our session's name at the broker; it must never change and no one else may use it.
    client_id: str = "belltower"

    def __post_init__(self) -> None:
        """Refuse half a certificate and an address that is none."""
        check_pair(self.certificate, self.private_key)
        check_url(self.url, {"mqtt", "mqtts"})

    @property
    def tls(self) -> TLS | None:
        """How TLS is made; None: without."""
        if not self.url.startswith("mqtts:"):
            return None
        return partial(client_context, ca=self.ca, certificate=self.certificate, private_key=self.private_key)


class RadioSettings(Struct, frozen=True, kw_only=True):
    """`[alarm.radio.NAME]`: own units over a radio modem that speaks KISS."""

    # "serial:///dev/ttyUSB1?baud=9600" or "tcp://127.0.0.1:8001".
    url: str
    # Our station's call sign, to which units address their frames.
    callsign: str = "BELL"

    def __post_init__(self) -> None:
        """Refuse an address that is none, and a call sign that cannot be written on the air."""
        try:
            open_transport(self.url)
        except SettingsError as error:
            raise SettingsError(f"url: {error}") from None
        try:
            Address.parse(self.callsign)
        except Malformed as error:
            raise SettingsError(f"callsign: {error}") from None


class AlarmSettings(Struct, frozen=True, kw_only=True):
    """`[alarm]`: what the alarm lane listens to."""

    # The file of unit keys, made by `belltower units keys`; by default `units.keys` in the state folder.
    unit_keys: Path | None = None
    # The file of keys of foreign devices, lines of "DEVICE HEX"; by default `devices.keys` in the state folder.
    device_keys: Path | None = None
    # A fact that the journal has not taken by then goes to the spool.
    spool_after: Seconds = 0.25
    mqtt_listener: ListenerSettings | None = None
    mqtt_broker: dict[str, BrokerSettings] = {}
    radio: dict[str, RadioSettings] = {}
    # Existing alarm panels that report by SIA DC-09.
    panels: dict[str, PanelSettings] = {}
    # Foreign devices, judged by their profiles: "mqtt", "webhook", "tcp-json", "serial", "modbus", "osdp", "inovonics".
    devices: dict[str, Any] = {}


def take_alarm(reader: Reader, table: Any) -> AlarmSettings:
    """The ways in; units connect to us where nothing is said of them."""
    ways: dict[str, DeviceWay] = {}
    if isinstance(table, dict) and "devices" in table:
        told = {"devices": table["devices"]}
        ways = named(
            reader, told, "alarm", "devices", lambda each, at: reader.take_kind(DEVICE_WAYS, each, at)
        )
        table = {key: value for key, value in table.items() if key != "devices"}
    alarm = reader.take(AlarmSettings, table, "alarm")
    for kind in ("mqtt_broker", "radio", "panels"):
        check_names(reader, table.get(kind) if isinstance(table, dict) else None, f"alarm.{kind}")
    if alarm is None:
        return AlarmSettings()
    alarm = replace(alarm, devices=ways)
    if alarm.mqtt_listener is None and not alarm.mqtt_broker and not alarm.radio:
        return replace(alarm, mqtt_listener=ListenerSettings())
    return alarm
