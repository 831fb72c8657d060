"""Units over MQTT, through our own listener or an existing broker: `up/UNIT` in, `down/UNIT` out."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Mapping
from typing import Any

from gateway.intake.intake import Intake
from gateway.intake.units import KnownUnit
from hardware.codecs.unit import mqtt_password
from hardware.drivers import MQTTIntake, Received
from hardware.drivers.mqtt_registry import Permissions, own_unit

_UP = "up/u"


class MQTTPath:
    """A `Path` over one `MQTTIntake`; the two are given to each other by `attach`."""

    def __init__(self, *, name: str, intake: Intake) -> None:
        self.name = name
        self._intake = intake
        self._wire: MQTTIntake | None = None

    def attach(self, wire: MQTTIntake) -> None:
        """Send through `wire` from now on."""
        self._wire = wire

    def send(self, number: int, frame: bytes) -> None:
        """Publish the frame to the unit, if it is connected."""
        if self._wire is not None:
            self._wire.publish(f"down/u{number}", frame)

    def received(self, message: Received) -> asyncio.Future[Any] | None:
        """A message of the wire; what is not a unit's frame is acknowledged and passed over."""
        if not message.topic.startswith(_UP):
            return None
        try:
            number = int(message.topic[len(_UP) :])
        except ValueError:
            return None
        return self._intake.receive(message.payload, self, retained=message.retain, only=number)


class UnitSignIn:
    """Who may connect to our listener: each unit by its own password, to its own topics."""

    def __init__(self, *, units: Mapping[int, KnownUnit]) -> None:
        self._passwords = {str(unit.record.id): mqtt_password(unit.key).encode() for unit in units.values()}

    def __call__(self, username: str, password: bytes, client: str) -> Permissions | None:
        """The unit's permissions; None when the password is not its own or the client id is not its name."""
        expected = self._passwords.get(username, b"\x00" * 32)
        if not hmac.compare_digest(expected, password) or username not in self._passwords:
            return None
        return own_unit(username) if client in ("", username) else None
