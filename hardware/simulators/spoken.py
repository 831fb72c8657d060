"""A message as it goes on a wire, and the envelope that a network server puts around octets."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
from msgspec import Struct

from belltower.errors import Malformed, SettingsError
from hardware.profiles import document, examples
from hardware.profiles.compiled import Profile
from hardware.profiles.message import Message
from hardware.profiles.path import parse


class Spoken(Struct, frozen=True, kw_only=True):
    """What a device says."""

    payload: bytes
    # Of MQTT, or the path of a request; "" where the wire has none.
    topic: str = ""
    retained: bool = False


class Envelope:
    """A network server's message, after its profile's own example of an uplink."""

    def __init__(self, profile: Profile) -> None:
        """Find the example; SettingsError when the profile carries nothing, or has none."""
        if profile.bearer is None:
            raise SettingsError(f'"{profile.id}" carries no other devices; chirpstack does, for instance')
        self._profile = profile
        self._bearer = profile.bearer
        for example in profile.tables.example:
            message = examples.message_of(example)
            names = self._bearer.carries(message.topic)
            if names is not None:
                self._topic = message.topic or ""
                self._whole = document.json(message.payload)
                self.device = self._bearer.unwrap(message, names).device
                return
        raise SettingsError(f"{profile.id} has no example of an uplink; write one")

    def around(self, octets: bytes, *, port: int, address: str, counter: int) -> Spoken:
        """The uplink in which the server hands on what `address` sent; SettingsError if it cannot be its name."""
        table = self._bearer.table
        made = _replaced(self._whole, self.device, address)
        put(
            made, table.octets, octets.hex() if table.encoding == "hex" else base64.b64encode(octets).decode()
        )
        put(made, table.port, port)
        if table.counter is not None:
            put(made, table.counter, counter)
        if table.duplicate is not None:
            put(made, table.duplicate, f"{address}-{counter}")
        spoken = Spoken(payload=msgspec.json.encode(made), topic=self._topic.replace(self.device, address))
        try:
            names = self._bearer.carries(spoken.topic)
            inner = self._bearer.unwrap(Message(payload=spoken.payload, topic=spoken.topic), names or {})
        except Malformed as error:
            raise SettingsError(f"{self._profile.id}: {error}") from None
        if (inner.device, inner.payload, inner.port) != (address, octets, port):
            raise SettingsError(f'{self._profile.id} does not carry a device called "{address}"')
        return spoken


def put(whole: Any, path: str, value: Any) -> bool:
    """Put `value` where `path` leads; False where it leads nowhere."""
    steps = parse(path)[1]
    if not steps or not all(isinstance(step, str | int) for step in steps):
        return False
    for step in steps[:-1]:
        try:
            whole = whole[str(step) if isinstance(whole, dict) else step]
        except (KeyError, IndexError, TypeError):
            return False
    last = steps[-1]
    if isinstance(whole, dict):
        whole[str(last)] = value
        return True
    if isinstance(whole, list) and isinstance(last, int) and -len(whole) <= last < len(whole):
        whole[last] = value
        return True
    return False


def _replaced(value: Any, own: str, address: str) -> Any:
    """A copy of `value` in which every text that is `own` is `address`."""
    if isinstance(value, dict):
        return {key: _replaced(each, own, address) for key, each in value.items()}
    if isinstance(value, list):
        return [_replaced(each, own, address) for each in value]
    return address if value == own else value
