"""`[site]`, `[state]`, `[log]`: where a house lies on its machine, and what operators read."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from msgspec import Struct

from belltower.errors import SettingsError

_SOCKET_PATH_LIMIT = (
    100  # Linux keeps 108 octets for a socket's path, and a lane adds a suffix while it starts
)
_MEND = "give one on a local disk that belongs to the user of the lanes"


class SiteSettings(Struct, frozen=True, kw_only=True):
    """`[site]`: which campus this is."""

    # The folder of the site package.
    folder: Path = Path("site")


class StateSettings(Struct, frozen=True, kw_only=True):
    """`[state]`: where the lanes write."""

    # Journal, spool, keys and databases; on a local disk, readable by nobody else.
    folder: Path = Path("var")
    # Where the desk lane meets the alarm lane; by default `control.sock` in the folder.
    control_socket: Path | None = None

    def __post_init__(self) -> None:
        """Refuse a socket path that the system cannot hold."""
        if len(str(self.control)) > _SOCKET_PATH_LIMIT:
            raise SettingsError(
                f"the path of the control socket is longer than {_SOCKET_PATH_LIMIT} characters; "
                'give a shorter one with control_socket = "/run/belltower/control.sock"'
            )

    def make(self) -> None:
        """Make the folders, for nobody else to read. Raises `SettingsError`."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.links.mkdir(exist_ok=True, mode=0o700)
        except OSError as error:
            raise SettingsError(
                f"state.folder: {self.folder} cannot be made ({error.strerror}); {_MEND}"
            ) from error

    def unwritable(self) -> str:
        """Why this user could not write there; "": they could."""
        try:
            there = next(each for each in (self.folder, *self.folder.absolute().parents) if each.exists())
        except OSError as error:
            return f"{self.folder} cannot be reached ({error.strerror}); {_MEND}"
        if not there.is_dir():
            return f"{there} is no folder; {_MEND}"
        if not os.access(there, os.W_OK | os.X_OK):
            return f"this user may not write in {there}; {_MEND}"
        try:  # what rights do not say: a file system that takes nothing
            TemporaryDirectory(dir=there).cleanup()
        except OSError as error:
            return f"nothing can be made in {there} ({error.strerror}); {_MEND}"
        return ""

    @property
    def control(self) -> Path:
        """The unix socket of the alarm lane."""
        return self.control_socket or self.folder / "control.sock"

    @property
    def links(self) -> Path:
        """The folder for what links keep: clock offsets, addresses."""
        return self.folder / "links"

    @property
    def alarm_database(self) -> Path:
        """The alarm lane's journal."""
        return self.folder / "alarm.db"

    @property
    def desk_database(self) -> Path:
        """The desk lane's database, where it is a file."""
        return self.folder / "desk.db"

    @property
    def spool(self) -> Path:
        """Where a fact goes when the journal cannot take it."""
        return self.folder / "spool"

    @property
    def kept_site(self) -> Path:
        """The last site package that a lane could use."""
        return self.folder / "site.good.zip"

    @property
    def checkpoints(self) -> Path:
        """The text file of signed checkpoints."""
        return self.folder / "checkpoints.txt"

    @property
    def signing_key(self) -> Path:
        """The private key that signs checkpoints; made at the first start."""
        return self.folder / "signing.key"

    @property
    def public_key(self) -> Path:
        """What checkpoints are verified with; keep a copy elsewhere."""
        return self.folder / "signing.key.pub"


class LogSettings(Struct, frozen=True, kw_only=True):
    """`[log]`: what operators read on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
