"""Bearers: network servers whose messages carry the bytes of a model. Which model, the device's record says."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from belltower.errors import Malformed
from hardware.profiles.document import json
from hardware.profiles.message import Message
from hardware.profiles.path import MISSING, finder
from hardware.profiles.profile import BearerTable
from hardware.profiles.taking import taker, text_of
from hardware.profiles.topic import pattern


class Bearer:
    """A `[bearer]`, ready to unwrap."""

    __slots__ = ("_bytes", "_counter", "_device", "_gateway", "_pattern", "_port", "table")

    def __init__(self, table: BearerTable, settings: Mapping[str, str]) -> None:
        """ValueError names the key at fault."""
        self.table = table
        self._pattern = pattern(table.topic, settings)
        self._bytes = finder(table.octets)
        self._port = finder(table.port)
        self._device = taker(table.device) if table.device is not None else None
        self._counter = finder(table.counter) if table.counter else None
        self._gateway = finder(table.gateway) if table.gateway else None

    def carries(self, topic: str | None) -> dict[str, str] | None:
        """The captures of an uplink's topic; None where it is no uplink of this bearer."""
        found = self._pattern.fullmatch(topic) if topic else None
        return None if found is None else found.groupdict()

    def unwrap(self, message: Message, captures: dict[str, str]) -> Message:
        """What the device itself sent; Malformed where the envelope is not as it should be."""
        envelope = json(message.payload)
        device: Any = captures.get("device", "")
        if self._device is not None:
            device = self._device(envelope, envelope, captures)
        port = self._port(envelope, envelope)
        if type(port) is not int or not 0 <= port <= 255:
            raise Malformed(f"{self.table.port}: no port, 0 to 255")
        data = self._bytes(envelope, envelope)
        counter = self._counter(envelope, envelope) if self._counter else MISSING
        gateway = self._gateway(envelope, envelope) if self._gateway else MISSING
        return Message(
            ingress="frame",
            payload=self._octets(data),
            port=port,
            device=text_of(device) if device is not MISSING else "",
            counter=counter if type(counter) is int else None,
            gateway=text_of(gateway) if gateway is not MISSING else "",
            retained=message.retained,
        )

    def _octets(self, data: Any) -> bytes:
        if data is MISSING or data is None:
            return b""
        if not isinstance(data, str):
            raise Malformed(f"{self.table.octets}: no text")
        try:
            if self.table.encoding == "hex":
                return bytes.fromhex(data)
            return base64.b64decode(data, validate=True)
        except (ValueError, binascii.Error):
            raise Malformed(f"{self.table.octets}: not written in {self.table.encoding}") from None
