"""BTHome service data in what Bluetooth gateways publish: raw advertisements, as JSON.

Theengs Gateway and OpenMQTTGateway (with advertisement data switched on), and a Shelly's own Bluetooth events:

    {"id": "A4:C1:38:00:00:01", "servicedatauuid": "0xfcd2", "servicedata": "403a04"}
    {"method": "NotifyEvent", "params": {"events": [{"event": "ble.scan_result", "data": [1, MAC, RSSI, ADV, RESPONSE]}]}}

ADV is base64 of the advertisement's structures: length, type, data (Bluetooth Core 5.4, part C, 11); in version 2 the
data is [2, [[MAC, RSSI, ADV, RESPONSE], ..]].
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

import msgspec

from hardware.codecs.bthome import LARGEST, UUID

LARGEST_MESSAGE = 65_536
MOST = 64
"""Advertisements of one message."""
_SERVICE_DATA = 0x16

Advert = tuple[bytes, bytes]
"""The sender's address, six octets, and the service data after the UUID."""

_decode = msgspec.json.Decoder().decode


def adverts(payload: bytes) -> tuple[Advert, ...]:
    """The BTHome advertisements of a message; none where it is about something else. Never raises."""
    if len(payload) > LARGEST_MESSAGE or (b"fcd2" not in payload.lower() and b"ble.scan" not in payload):
        return ()
    try:
        document = _decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ()
    if not isinstance(document, dict):
        return ()
    found = [_named(document), *_scanned(document)]
    return tuple(each for each in found if each is not None)


def mac_of(text: Any) -> bytes | None:
    """The six octets of an address, with colons or without; None: it is none."""
    if not isinstance(text, str) or len(text) > 17:
        return None
    try:
        octets = bytes.fromhex(text.replace(":", "").replace("-", ""))
    except ValueError:
        return None
    return octets if len(octets) == 6 else None


def _named(document: dict[str, Any]) -> Advert | None:
    mac = mac_of(document.get("mac", document.get("id")))
    uuid, data = document.get("servicedatauuid"), document.get("servicedata")
    if mac is None or not isinstance(uuid, str) or not isinstance(data, str) or len(data) > 2 * LARGEST:
        return None
    short = uuid.lower().removeprefix("0x").removesuffix("-0000-1000-8000-00805f9b34fb").lstrip("0")
    if short != "fcd2":
        return None
    try:
        return mac, bytes.fromhex(data)
    except ValueError:
        return None


def _scanned(document: dict[str, Any]) -> list[Advert | None]:
    params = document.get("params")
    events = params.get("events") if isinstance(params, dict) else None
    if not isinstance(events, list):
        return []
    rows: list[Any] = []
    for event in events[:MOST]:
        data = (
            event.get("data") if isinstance(event, dict) and event.get("event") == "ble.scan_result" else None
        )
        match data:
            case [1, *row]:
                rows.append(row)
            case [2, list(several)]:
                rows += several
            case _:
                pass
    return [_row(row) for row in rows[:MOST]]


def _row(row: Any) -> Advert | None:
    match row:
        case [str(address), _, str(adv), *_] if len(adv) <= 4 * LARGEST:
            mac = mac_of(address)
            try:
                data = _service_data(base64.b64decode(adv, validate=True))
            except (ValueError, binascii.Error):
                return None
            return (mac, data) if mac is not None and data is not None else None
        case _:
            return None


def _service_data(octets: bytes) -> bytes | None:
    at = 0
    while at + 1 < len(octets):
        length = octets[at]
        inner = octets[at + 1 : at + 1 + length]
        if len(inner) == length and length >= 3 and inner[0] == _SERVICE_DATA and inner[1:3] == UUID:
            return inner[3:]
        at += 1 + length
    return None
