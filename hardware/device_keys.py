"""The file of keys of foreign devices: lines of `DEVICE HEX`, readable by nobody else."""

from __future__ import annotations

from pathlib import Path

from belltower.errors import SettingsError
from hardware.unit_keys import secret_lines

KEY_SIZE = 16
"""Octets of a key: of a BTHome device, and of an OSDP reader's secure channel."""
DELIVERED = frozenset({bytes(range(0x30, 0x40)), bytes(16)})
"""Keys that everybody knows: the installation key of OSDP (SIA OSDP 2.2, D.2), and none."""


def read_device_keys(path: Path) -> dict[str, bytes]:
    """Every key by the device's id. `SettingsError` names the file and the line at fault, never the key.

    Blank lines and lines that start with `#` are passed over.
    """
    keys: dict[str, bytes] = {}
    for where, words in secret_lines(path):
        if len(words) != 2:
            raise SettingsError(f"{where}: expected a device's id and its key, {2 * KEY_SIZE} hex digits")
        device, text = words
        try:
            key = bytes.fromhex(text)
        except ValueError:
            raise SettingsError(f"{where}: the key of {device[:40]} is not hexadecimal") from None
        if len(key) != KEY_SIZE:
            raise SettingsError(
                f"{where}: the key of {device[:40]} has {len(key)} octets, expected {KEY_SIZE}"
            )
        if key in DELIVERED:
            raise SettingsError(
                f"{where}: everybody knows the key of {device[:40]}; make one with: openssl rand -hex 16"
            )
        if device in keys:
            raise SettingsError(f"{where}: {device[:40]} is named twice")
        keys[device] = key
    return keys
