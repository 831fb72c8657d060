"""What a settings file says about the ways in of foreign devices."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from msgspec import Struct

from belltower.errors import SettingsError
from belltower.values import Count, Octets, Port, Seconds, Secret
from hardware.drivers.sources import network_of
from hardware.transports import open_transport

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class MQTTDeviceSettings(Struct, frozen=True, kw_only=True):
    """`kind = "mqtt"`: devices that publish to an existing broker; we are its client."""

    # "mqtts://broker.school.example:8883" or "mqtt://127.0.0.1:1883".
    url: str
    username: str = ""
    password: Secret | None = None
    # PEM files: whom to trust, and who we are.
    ca: Path | None = None
    certificate: Path | None = None
    private_key: Path | None = None
    # Our session's name at the broker; it must never change and no one else may use it.
    client_id: str = "belltower-devices"
    # What is read there; by default what the profiles of the site package's devices need.
    topics: tuple[str, ...] = ()
    # The profiles that are tried; by default all.
    profiles: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse half a certificate and an address that is none."""
        _check_pair(self.certificate, self.private_key)
        _check_broker(self.url)


class HomeAssistantSettings(Struct, frozen=True, kw_only=True):
    """`kind = "home-assistant"`: no way in; shows the campus and its buttons to Home Assistant, at the broker that it reads."""

    # "mqtts://broker.school.example:8883" or "mqtt://127.0.0.1:1883".
    url: str
    username: str = ""
    password: Secret | None = None
    # PEM files: whom to trust, and who we are.
    ca: Path | None = None
    certificate: Path | None = None
    private_key: Path | None = None
    # Our session's name at the broker; no one else may use it. "": belltower-home-assistant-CAMPUS.
    client_id: str = ""
    # What Home Assistant's discovery topics begin with.
    prefix: str = "homeassistant"

    def __post_init__(self) -> None:
        """Refuse half a certificate, an address and a prefix that are none."""
        _check_pair(self.certificate, self.private_key)
        _check_broker(self.url)
        if not self.prefix or set(self.prefix) & set("+#") or self.prefix.strip("/") != self.prefix:
            raise SettingsError(
                'prefix: a topic without + and #, that neither begins nor ends with /; write "homeassistant"'
            )


class WebhookDeviceSettings(Struct, frozen=True, kw_only=True):
    """`kind = "webhook"`: devices that call a URL of ours, by POST, PUT or GET."""

    port: Port
    bind: str = "127.0.0.1"
    # Signs each request: HMAC-SHA256 in hexadecimal.
    key: Secret | None = None
    # The header that bears the signature.
    signature_header: str = "X-Signature"
    # What is signed: "request": TIME.METHOD.PATH.BODY, with the header X-Timestamp in Unix seconds, taken once;
    # "timed-body": TIME.BODY, which speaks for any path; "body": the body alone, which may be replayed for ever.
    signed: Literal["request", "timed-body", "body"] = "request"
    # The addresses or networks that may call.
    sources: tuple[str, ...] = ()
    # PEM files for TLS.
    certificate: Path | None = None
    private_key: Path | None = None
    # Connections at once; a further one takes the place of the one silent for longest.
    max_clients: Count = 256
    # Requests a second of one address; more are told to come again later.
    rate: Count = 200
    # The largest body.
    max_body: Octets = 65_536
    profiles: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a way in that anybody may use."""
        _check_pair(self.certificate, self.private_key)
        _check_sources(self.bind, self.sources, signed=self.key is not None)


class TCPJSONDeviceSettings(Struct, frozen=True, kw_only=True):
    """`kind = "tcp-json"`: devices that connect and write JSON."""

    port: Port
    bind: str = "127.0.0.1"
    # "brace": one object after the other; "newline": one a line.
    framing: Literal["brace", "newline"] = "brace"
    # The addresses or networks that may connect.
    sources: tuple[str, ...] = ()
    max_clients: Count = 64
    # Messages a second of one address; whoever says more is read more slowly.
    rate: Count = 1_000
    profiles: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a way in that anybody may use."""
        _check_sources(self.bind, self.sources, signed=False)


class SerialDeviceSettings(Struct, frozen=True, kw_only=True):
    """`kind = "serial"`: lines of text from a serial line, or from a device server over TCP."""

    # "serial:///dev/ttyUSB2?baud=115200" or "tcp://127.0.0.1:10000".
    url: str
    profiles: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse an address that is none."""
        try:
            open_transport(self.url)
        except SettingsError as error:
            raise SettingsError(f"url: {error}") from None


class ModbusDeviceSettings(Struct, frozen=True, kw_only=True):
    """`kind = "modbus"`: dry contacts on the inputs of modules that we poll."""

    # "tcp://192.0.2.30:502", "rtu+tcp://192.0.2.31:4001" or "serial:///dev/ttyUSB4?baud=19200&parity=E".
    url: str
    # Seconds between two polls.
    poll: Seconds = 0.1
    # Where the modules show their inputs: among their discrete inputs (function 2), or their coils (function 1).
    read: Literal["inputs", "coils"] = "inputs"

    def __post_init__(self) -> None:
        """Refuse an address that is none, and a poll that sees no hand."""
        from hardware.drivers.modbus import line_of  # noqa: PLC0415 - a lane without Modbus need not load it

        try:
            line_of(self.url)
        except SettingsError as error:
            raise SettingsError(f"url: {error}") from None
        if not 0.02 <= self.poll <= 0.25:
            raise SettingsError('poll: 20 to 250 ms; write "100ms"')


class OSDPDeviceSettings(Struct, frozen=True, kw_only=True):
    """`kind = "osdp"`: readers on an RS-485 line, in their secure channels, and contacts on their inputs."""

    # "serial:///dev/ttyUSB5?baud=9600"; outputs of kind "osdp" may hang on the same line.
    url: str
    # The duress code, 4 to 16 digits: who types it at a keypad whose profile knows it calls for help.
    duress: Secret | None = None

    def __post_init__(self) -> None:
        """Refuse a line that is none, and a code that is none or soon guessed."""
        if not self.url.startswith("serial:///"):
            raise SettingsError("url: write serial:///dev/ttyUSB5?baud=9600")
        code = self.duress.reveal().strip() if self.duress is not None else ""
        if code and not (code.isascii() and code.isdecimal() and 4 <= len(code) <= 16):
            raise SettingsError("duress: 4 to 16 digits that no other code begins with")


class InovonicsDeviceSettings(Struct, frozen=True, kw_only=True):
    """`kind = "inovonics"`: an EchoStream receiver on a serial line. Vector-tested only."""

    # "serial:///dev/ttyUSB9?baud=19200" or "tcp://127.0.0.1:10000".
    url: str

    def __post_init__(self) -> None:
        """Refuse an address that is none."""
        try:
            open_transport(self.url)
        except SettingsError as error:
            raise SettingsError(f"url: {error}") from None


DEVICE_WAYS: dict[str, type[Any]] = {
    "mqtt": MQTTDeviceSettings,
    "webhook": WebhookDeviceSettings,
    "tcp-json": TCPJSONDeviceSettings,
    "serial": SerialDeviceSettings,
    "modbus": ModbusDeviceSettings,
    "osdp": OSDPDeviceSettings,
    "inovonics": InovonicsDeviceSettings,
    "home-assistant": HomeAssistantSettings,
}
"""The kinds of `[alarm.devices.NAME]`."""

DeviceWay = (
    MQTTDeviceSettings
    | WebhookDeviceSettings
    | TCPJSONDeviceSettings
    | SerialDeviceSettings
    | ModbusDeviceSettings
    | OSDPDeviceSettings
    | InovonicsDeviceSettings
    | HomeAssistantSettings
)


def _check_pair(certificate: Path | None, private_key: Path | None) -> None:
    if (certificate is None) != (private_key is None):
        raise SettingsError("certificate and private_key belong together; give both or none")


def _check_broker(url: str) -> None:
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"mqtt", "mqtts"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is none, or half of an IPv6 address
        good = False
    if not good:
        raise SettingsError(f'"{url}" is no address here; write mqtt://HOST:PORT or mqtts://HOST:PORT')


def _check_sources(bind: str, sources: tuple[str, ...], *, signed: bool) -> None:
    for source in sources:
        try:
            network_of(source)
        except SettingsError as error:
            raise SettingsError(f"sources: {error}") from None
    if not signed and not sources and bind not in _LOOPBACK:
        raise SettingsError(
            f'sources: none; with bind = "{bind}" anybody could press. Name the addresses or networks that may, '
            'sources = ["192.0.2.0/24"]'
        )
