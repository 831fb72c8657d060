"""What Home Assistant reads from a broker to show something: the configuration of a device, and its states.

After the documentation of its MQTT integration ("Device discovery payload"), in long names. Everything here is to be
looked at only. An alarm panel must name a topic for orders; nobody reads ours.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

_SAYS = "{{{{ value_json.{} }}}}"


class Shelf(Struct, frozen=True, kw_only=True):
    """Where one campus puts what it shows. No id holds an underscore, so that nobody's name begins with another's."""

    # Home Assistant's discovery prefix.
    prefix: str
    campus: str

    @property
    def available(self) -> str:
        """The topic that says `online` while the states are true, and else `offline`."""
        return f"belltower-states/{self.campus}/available"

    @property
    def birth(self) -> str:
        """The topic by which Home Assistant says that it has begun anew."""
        return f"{self.prefix}/status"

    @property
    def everything(self) -> str:
        """The filter of all configurations, other people's too."""
        return f"{self.prefix}/device/+/config"

    def name(self, device: str = "") -> str:
        """What Home Assistant calls the device, or the campus."""
        return f"belltower_{self.campus}_{device}" if device else f"belltower_{self.campus}"

    def config(self, device: str = "") -> str:
        """The topic of its configuration."""
        return f"{self.prefix}/device/{self.name(device)}/config"

    def state(self, device: str = "") -> str:
        """The topic of its states."""
        return f"belltower-states/{self.campus}/{f'device/{device}' if device else 'campus'}"

    def pressed(self, device: str) -> str:
        """The topic of its presses, which are never kept."""
        return f"{self.state(device)}/pressed"

    def device_of(self, topic: str) -> str | None:
        """Whose configuration the topic is: a device of this campus, "" the campus itself, None somebody else's."""
        name = topic.removeprefix(f"{self.prefix}/device/").removesuffix("/config")
        ours = self.name()
        if name == ours:
            return ""
        return name.removeprefix(f"{ours}_") if name.startswith(f"{ours}_") else None


def campus_config(shelf: Shelf, *, version: str) -> bytes:
    """The campus: an alarm panel without buttons, and the action that is ordered."""
    name, state = shelf.name(), shelf.state()
    return _config(
        shelf,
        {"identifiers": [name], "name": f"Belltower {shelf.campus}", "manufacturer": "Belltower"},
        {
            "alarm": {
                "platform": "alarm_control_panel",
                "unique_id": f"{name}_alarm",
                "name": "Alarm",
                "state_topic": state,
                "value_template": _SAYS.format("alarm"),
                "command_topic": f"{state}/nobody-reads-this",
                "supported_features": [],
                "code_arm_required": False,
                "code_disarm_required": False,
            },
            "action": _sensor(name, "action", state),
        },
        version,
    )


def button_config(shelf: Shelf, device: str, *, model: str, place: str, version: str) -> bytes:
    """Something that is pressed: its presses, its case, whether it is heard, its battery."""
    name, state = shelf.name(device), shelf.state(device)
    about = {"identifiers": [name], "name": device, "model": model, "via_device": shelf.name()}
    return _config(
        shelf,
        {**about, "suggested_area": place} if place else about,
        {
            "pressed": {
                "platform": "event",
                "unique_id": f"{name}_pressed",
                "name": "Pressed",
                "device_class": "button",
                "event_types": ["press", "exercise"],
                "state_topic": shelf.pressed(device),
            },
            "tamper": _binary(name, "tamper", state, "tamper"),
            "heard": _binary(name, "heard", state, "connectivity"),
            "battery": {
                **_sensor(name, "battery", state),
                "device_class": "battery",
                "unit_of_measurement": "%",
            },
        },
        version,
    )


def campus_state(*, alarm: bool, action: str) -> bytes:
    """`alarm`: somebody called for help, and it is no exercise."""
    return msgspec.json.encode({"alarm": "triggered" if alarm else "disarmed", "action": action})


def button_state(*, tamper: bool, heard: bool | None, battery: int) -> bytes:
    """`heard` None and a `battery` below 0: not known."""
    return msgspec.json.encode(
        {
            "tamper": _on(tamper),
            "heard": None if heard is None else _on(heard),
            "battery": battery if battery >= 0 else None,
        }
    )


def press(*, exercise: bool) -> bytes:
    """One press."""
    return msgspec.json.encode({"event_type": "exercise" if exercise else "press"})


def _config(shelf: Shelf, device: dict[str, Any], components: dict[str, Any], version: str) -> bytes:
    return msgspec.json.encode(
        {
            "device": device,
            "origin": {"name": "Belltower", "sw_version": version},
            "components": components,
            "availability": [{"topic": shelf.available}],
            "qos": 1,
        }
    )


def _sensor(name: str, key: str, state: str) -> dict[str, Any]:
    return {
        "platform": "sensor",
        "unique_id": f"{name}_{key}",
        "name": key.capitalize(),
        "state_topic": state,
        "value_template": _SAYS.format(key),
    }


def _binary(name: str, key: str, state: str, device_class: str) -> dict[str, Any]:
    return {**_sensor(name, key, state), "platform": "binary_sensor", "device_class": device_class}


def _on(level: bool) -> str:
    return "ON" if level else "OFF"
