"""A few megabytes kept on the disk for nothing, to be thrown off when there is no other room left."""

from __future__ import annotations

import os
from pathlib import Path

SIZE = 4 * 1024 * 1024
_SUFFIX = ".ballast"


def reserve_used(database: Path) -> bool:
    """Whether this database of another process is there, and its ballast is not."""
    return database.is_file() and not database.with_suffix(_SUFFIX).exists()


class Ballast:
    """The file `NAME.ballast` beside the database `NAME.db`, its own. Deleting it makes room for some thousand presses."""

    def __init__(self, *, database: Path, size: int = SIZE) -> None:
        self._path = database.with_suffix(_SUFFIX)
        self._size = size

    def load(self) -> bool:
        """Take the ballast aboard when it would leave three times its size free; say whether it is aboard."""
        try:
            if self._path.exists():
                return True
            disk = os.statvfs(self._path.parent)
            if disk.f_bavail * disk.f_frsize < 4 * self._size:
                return False
            file = os.open(self._path, os.O_CREAT | os.O_WRONLY, 0o600)
            try:
                os.posix_fallocate(file, 0, self._size)
                os.fsync(file)
            finally:
                os.close(file)
        except OSError:
            self._path.unlink(missing_ok=True)
            return False
        return True

    def drop(self) -> bool:
        """Throw it off; say whether there was any."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True
