"""What devices of drivers need of the settings: the line that their address names, in the form of its wire."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from gateway.intake.devices.settings import DEVICE_WAYS
from hardware.device_record import DeviceRecord
from hardware.profiles.compiled import Profile

_FORMS = {
    "modbus": (
        re.compile(r"(?P<line>[^/]+)/[0-9]{1,3}(/[0-9]{1,5})?"),
        "LINE/UNIT/INPUT, and LINE/UNIT of a module",
    ),
}
"""By wire: the form of an address, and how it is said."""


def unwired(
    records: Iterable[DeviceRecord], *, profiles: Mapping[str, Profile], ways: Mapping[str, object]
) -> tuple[str, ...]:
    """What keeps devices from being heard, `table.key: message` each: no such line, or no such address."""
    said = []
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
    return tuple(said)
