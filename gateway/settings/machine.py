"""`[site]`, `[state]`, `[log]`: where a house lies on its machine, and what operators read."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from msgspec import Struct

from belltower.errors import SettingsError

_SOCKET_PATH_LIMIT = (
    100  # Linux keeps 108 octets for a socket's path, and a lane adds a suffix while it starts
)


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
