"""The file of unit keys: lines of `u17 HEX`, readable by nobody else."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from belltower.errors import SettingsError
from hardware.codecs.unit import KEY_SIZE, MAX_NUMBER

_UNIT = re.compile(r"u(?:0|[1-9][0-9]{0,9})")


def read_keys(path: Path) -> dict[int, bytes]:
    """Every unit's key by unit number. `SettingsError` names the file and the line at fault, never the key.

    Blank lines and lines that start with `#` are passed over.
    """
    keys: dict[int, bytes] = {}
    for where, words in secret_lines(path):
        number, key = _read_line(words, where)
        if number in keys:
            raise SettingsError(f"{where}: u{number} is named twice")
        keys[number] = key
    return keys


def secret_lines(path: Path) -> Iterator[tuple[str, list[str]]]:
    """The lines of a file that nobody else may read: where each stands, and its words. `SettingsError` if others may."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        text = path.read_text(encoding="ascii")
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: octet {error.start} is not ASCII") from None
    if mode & 0o077:
        raise SettingsError(f"{path}: others may read it (mode {mode:04o}); mend it with chmod 600")
    for place, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if words and not words[0].startswith("#"):
            yield f"{path}: line {place}", words


def write_keys(path: Path, keys: Mapping[int, bytes]) -> None:
    """Put `keys` in place of whatever the file held, whole or not at all, with mode 0600."""
    lines = [f"u{number} {key.hex()}\n" for number, key in sorted(keys.items())]
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.writelines(lines)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _read_line(words: list[str], where: str) -> tuple[int, bytes]:
    if len(words) != 2:
        raise SettingsError(
            f"{where}: expected a unit and its key, such as u17 and {2 * KEY_SIZE} hex digits"
        )
    unit, text = words
    if not _UNIT.fullmatch(unit) or int(unit[1:]) > MAX_NUMBER:
        raise SettingsError(f"{where}: {unit[:16]!r} is no unit; expected u and a number")
    try:
        key = bytes.fromhex(text)
    except ValueError:
        raise SettingsError(f"{where}: the key of {unit} is not hexadecimal") from None
    if len(key) != KEY_SIZE:
        raise SettingsError(f"{where}: the key of {unit} has {len(key)} octets, expected {KEY_SIZE}")
    return int(unit[1:]), key
