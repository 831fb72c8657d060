"""What devices of drivers need of the settings: the line that their address names, in the form of its wire."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping

from gateway.intake.devices.settings import DEVICE_WAYS
from hardware.device_record import DeviceRecord
from hardware.profiles.compiled import Profile

_FORMS = {
    "inovonics": (re.compile("[0-9A-Fa-f]{8}"), "the transmitter's number, 8 hex digits"),
    "modbus": (
        re.compile(r"(?P<line>[^/]+)/[0-9]{1,3}(/[0-9]{1,5})?"),
        "LINE/UNIT/INPUT, and LINE/UNIT of a module",
    ),
    "osdp": (
        re.compile(r"(?P<line>[^/]+)/([0-9]|[1-9][0-9]|1[01][0-9]|12[0-6])(/[0-9]{1,2})?"),
        "LINE/READER, and LINE/READER/INPUT of a contact",
    ),
}
"""By wire: the form of an address, and how it is said."""


def unwired(
    records: Iterable[DeviceRecord],
    *,
    profiles: Mapping[str, Profile],
    ways: Mapping[str, object],
    keys: Container[str] | None = None,
) -> tuple[str, ...]:
    """What keeps devices from being heard, `table.key: message` each: no such line, address, reader or key.

    `keys` are the ids of the devices that have a key; None: nobody looked.
    """
    said = []
    records = tuple(records)
    addresses = {record.address for record in records}
    for record in records:
        profile = profiles.get(record.profile)
        if profile is None or profile.wire not in _FORMS:
            continue
        form, words = _FORMS[profile.wire]
        found = form.fullmatch(record.address)
        if found is None:
            said.append(
                f'alarm.devices: the address "{record.address}" of {record.id} cannot be polled; write {words}'
            )
        elif "line" in found.groupdict() and not isinstance(
            ways.get(found["line"]), DEVICE_WAYS[profile.wire]
        ):
            said.append(
                f"alarm.devices.{found['line']}: {record.id} hangs on it, and it is no line of kind"
                f' "{profile.wire}"'
            )
        elif profile.wire == "osdp":
            reader = record.address.count("/") == 1
            if not reader and record.address.rpartition("/")[0] not in addresses:
                said.append(
                    f"alarm.devices.{found['line']}: the reader that {record.id} hangs on is no [[device]]"
                )
            if reader and keys is not None and record.id not in keys:
                said.append(
                    f"alarm.device_keys: no key for the reader {record.id}: it is spoken to in its secure channel only"
                )
    return tuple(said)
