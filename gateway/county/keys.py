"""Key files of the county's ends: of mode 0600, never on a command line."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from belltower.errors import SettingsError
from belltower.values import Secret
from gateway.psap.settings import link_key


def read_secret(path: Path) -> Secret:
    """What a file of mode 0600 holds, without its last line end; SettingsError says what is wrong with the file."""
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: the link key cannot be read ({error})") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SettingsError(f"{path}: others may read the link key; mend it with: chmod 600 {path}")
    return Secret(text.rstrip("\r\n"))


def read_key(path: Path) -> bytes:
    """The radio link's key in a file of mode 0600; SettingsError says what is wrong with it."""
    secret = read_secret(path)
    try:
        return link_key(secret)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from None


def write_key(path: Path) -> None:
    """Make a new radio link key in a file of mode 0600 that does not exist yet."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(os.urandom(32).hex() + "\n")
