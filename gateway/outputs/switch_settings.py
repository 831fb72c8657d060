"""What a settings file says about what is switched."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from msgspec import Meta, Struct

from belltower.errors import SettingsError
from belltower.values import Seconds, Secret
from gateway.outputs.rules import USUAL, Does, DrillVariant, FailSafe, Rule

Device = Annotated[int, Meta(ge=1, le=247, extra={"expected": "a device's address, 1 to 247"})]
"""An address on a Modbus line."""
CoilNumber = Annotated[int, Meta(ge=0, le=65_535, extra={"expected": "a coil's address, 0 to 65535"})]
"""A coil, counted from 0 as on the wire."""

Reader = Annotated[int, Meta(ge=0, le=126, extra={"expected": "a reader's address, 0 to 126"})]
"""An address on an OSDP line."""
Contact = Annotated[int, Meta(ge=0, le=255, extra={"expected": "an output's number, 0 to 255"})]
"""An output of an OSDP device, counted from 0 as on the wire."""

LONGEST_PULSE = 600.0
_DELIVERED_WITH = "algo"
LONGEST_WITHIN = 30.0


class SwitchSettings(Struct, frozen=True, kw_only=True):
    """What every kind of switched output has."""

    # "siren", "strobe", "relay" (a door controller's lockdown input, say) or "sign".
    does: Does
    # What a drill switches: "withheld" nothing, "chirp" a pulse of 1 s, "same" the same. Signs: "same", else "withheld".
    exercise: DrillVariant | None = None
    # The state it is put into when it is reached and nothing orders it: "off", "on", or "hold": as it is found.
    fail_safe: FailSafe = FailSafe.OFF
    # For how long it is on; 0s: until it is ordered off.
    pulse: Seconds = 0.0
    # Within which time an answer counts.
    within: Seconds = 2.0
    # false: the same order twice would do something else than once. Then it is sent once, whatever happens.
    idempotent: bool = True
    # "device": the device itself has to answer. "none": no answer is asked for; it is shown as "not confirmed".
    receipt: Literal["device", "none"] = "device"

    def __post_init__(self) -> None:
        """Refuse what contradicts itself."""
        refuse([*common_faults(self), *self.faults()])

    def faults(self) -> list[str]:
        """What is wrong with the keys of this kind."""
        return []

    def rule(self) -> Rule:
        """The rule these settings make."""
        return Rule(
            does=self.does,
            exercise=self.exercise or USUAL[self.does],
            fail_safe=self.fail_safe,
            pulse=self.pulse,
            within=self.within,
            idempotent=self.idempotent,
            confirmed=self.receipt == "device",
        )


class ModbusSettings(SwitchSettings, frozen=True, kw_only=True):
    """A relay on a Modbus line: `[outputs.NAME]` with `kind = "modbus"`."""

    # The line: "tcp://192.0.2.9:502", "rtu+tcp://192.0.2.9:4001" or "serial:///dev/ttyUSB0?baud=19200&parity=E".
    url: str
    # The device's address on the line.
    device: Device = 1
    # The relay's coil, counted from 0.
    coil: CoilNumber
    # true: the relay is at rest while it is energised, so that a cut wire acts as an order.
    inverted: bool = False

    def faults(self) -> list[str]:
        """A line that is none."""
        return url_faults(self.url, {"tcp", "rtu+tcp"}) if "serial:" not in self.url else []


class AlgoSettings(SwitchSettings, frozen=True, kw_only=True):
    """An Algo speaker, strobe, display or door controller by its REST API: `kind = "algo"`."""

    # "https://192.0.2.50" or "http://192.0.2.50"; a numeric address.
    url: str
    # Its RESTful API password; the one it was delivered with is refused.
    password: Secret
    # The tone a siren plays, by the file's name on the device.
    tone: str = "warble1-low.wav"
    # A strobe's pattern and colour, as the device counts and names them.
    pattern: Annotated[int, Meta(ge=0, le=15)] = 2
    colour: Literal["red", "blue", "green", "amber", "white"] = "red"
    # The SHA-256 of its certificate in hex, for https; "": a public authority's is expected.
    fingerprint: str = ""
    # It answers that it has understood, which is no proof that anything sounds: "none" is all there is.
    receipt: Literal["none"] = "none"

    def faults(self) -> list[str]:
        """An address that is none, a password that everybody knows."""
        faults = url_faults(self.url, {"http", "https"})
        if self.password.reveal() == _DELIVERED_WITH:
            faults.append(
                "password: this is the password every such device is delivered with; give it its own"
            )
        if not re.fullmatch(r"(?:[0-9a-fA-F]{64})?", self.fingerprint):
            faults.append("fingerprint: 64 hex digits; openssl x509 -fingerprint -sha256 shows them")
        if not re.fullmatch(r"[\w .-]{1,64}", self.tone):
            faults.append("tone: a file's name on the device, 1 to 64 letters")
        return faults


class NoticeSettings(SwitchSettings, frozen=True, kw_only=True):
    """A sign's or desktop agent's web address, told what to show: `kind = "http-notice"`."""

    # "https://192.0.2.60/notice"; a numeric address.
    url: str
    # Signs each request, so that only we can show something: 64 hex digits.
    key: Secret

    def faults(self) -> list[str]:
        """An address that is none, a key that is none."""
        faults = url_faults(self.url, {"http", "https"})
        if self.key.reveal() and not re.fullmatch(r"[0-9a-fA-F]{64}", self.key.reveal()):
            faults.append("key: 64 hex digits; openssl rand -hex 32 makes one")
        if self.does is not Does.SIGN:
            faults.append('does: "sign" is all that it can be')
        return faults


class OSDPSettings(SwitchSettings, frozen=True, kw_only=True):
    """An output of a reader or door controller on an OSDP line: `kind = "osdp"`."""

    # The line: "serial:///dev/ttyUSB1?baud=9600".
    url: str
    # The device's address on the line.
    address: Reader
    # Its output, counted from 0.
    output: Contact = 0
    # Its secure channel base key (SCBK): 32 hex digits, of this device alone.
    key: Secret

    def faults(self) -> list[str]:
        """A line that is none, a key that is none or that everybody knows."""
        faults = []
        if not self.url.startswith("serial:///"):
            faults.append("url: write serial:///dev/ttyUSB1?baud=9600")
        key = self.key.reveal()
        if key and not re.fullmatch(r"[0-9a-fA-F]{32}", key):
            faults.append("key: 32 hex digits; openssl rand -hex 16 makes one")
        elif key.upper() == DEFAULT_SCBK:
            faults.append("key: this is the key every such device is delivered with; give it its own")
        return faults


class DeviceSettings(SwitchSettings, frozen=True, kw_only=True):
    """A device of the site package, told by its profile over MQTT: `kind = "device"`."""

    # Its id in devices.toml.
    device: str
    # The way in that it hangs on, the NAME of [alarm.devices.NAME]; "": the only one of kind "mqtt".
    way: str = ""
    # The outputs of its profile that switch it on and off; "": by what it is for, "siren_on" and "siren_off" for instance.
    on: str = ""
    off: str = ""
    # What {names} in the profile stand for: { channel = 0, seconds = 300 }.
    values: dict[str, Any] = {}
    # Within which time an answer counts; "0s": as the profile says.
    within: Seconds = 0.0

    def faults(self) -> list[str]:
        """A value that cannot be sent."""
        return [
            f"values: {name}: write a text, a number, true or false"
            for name, value in self.values.items()
            if not isinstance(value, str | int | float)
        ]


DEFAULT_SCBK = "303132333435363738393A3B3C3D3E3F"
"""SCBK-D, the installation key of the standard (SIA OSDP 2.2, D.2)."""

SWITCHES: dict[str, type[SwitchSettings]] = {
    "modbus": ModbusSettings,
    "algo": AlgoSettings,
    "http-notice": NoticeSettings,
    "osdp": OSDPSettings,
    "device": DeviceSettings,
}
"""The record of each `kind` of output that is switched."""


def common_faults(settings: SwitchSettings) -> list[str]:
    """What contradicts itself in the keys that all kinds have."""
    faults = []
    if settings.pulse > LONGEST_PULSE:
        faults.append(f"pulse: {LONGEST_PULSE:g} s at most")
    by_profile = isinstance(settings, DeviceSettings) and not settings.within
    if not 0 < settings.within <= LONGEST_WITHIN and not by_profile:
        faults.append(f"within: more than 0 and {LONGEST_WITHIN:g} s at most")
    ends_itself = settings.pulse or settings.exercise is DrillVariant.CHIRP
    if ends_itself and settings.fail_safe is not FailSafe.OFF:
        faults.append('fail_safe: what ends by itself ends in "off"')
    if settings.exercise is DrillVariant.CHIRP and not settings.idempotent:
        faults.append('exercise: what must not be switched twice cannot chirp; write "withheld"')
    return faults


def url_faults(url: str, schemes: set[str]) -> list[str]:
    """Why `url` leads nowhere: outputs are reached without asking a name server."""
    try:
        parts = urlsplit(url)
        ip_address(parts.hostname or "")
        good = parts.port != 0 and parts.scheme in schemes and not parts.username
    except ValueError:
        good = False
    usual = " or ".join(f"{scheme}://192.0.2.9" for scheme in sorted(schemes))
    return [] if good else [f"url: write {usual}, with a numeric address"]


def refuse(faults: list[str]) -> None:
    """Refuse settings that have faults."""
    if faults:
        raise SettingsError("\n".join(faults))
