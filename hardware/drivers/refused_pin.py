"""The PIN that a SIM has refused, remembered over restarts: three wrong ones lock it.

What is kept is a hash, readable by nobody else. Another PIN in the settings is another try; so is taking the file away.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

from belltower import log
from belltower.values import Secret

_log = log.get("modem")

_MOST = 200


class RefusedPIN:
    """Of one modem. Without a file it is remembered until the process ends."""

    def __init__(self, *, file: Path | None = None) -> None:
        """Keep its hash in `file`."""
        self._file = file
        self._hash = ""

    def is_this(self, pin: Secret) -> bool:
        """Whether this PIN was refused."""
        if not self._hash and self._file is not None:
            with suppress(OSError, UnicodeDecodeError), self._file.open(encoding="ascii") as opened:
                self._hash = opened.read(_MOST).strip()
        return self._hash == self._hashed(pin)

    def note(self, pin: Secret) -> None:
        """This PIN is given now; until `forget` it counts as refused."""
        self._hash = self._hashed(pin)
        if self._file is None:
            return
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._file.touch(mode=0o600)
            self._file.write_text(self._hash, encoding="ascii")
        except OSError as error:
            _log.warning("refused_pin_not_kept", error=error.strerror)

    def forget(self) -> None:
        """The SIM is unlocked."""
        self._hash = ""
        if self._file is not None:
            with suppress(OSError):
                self._file.unlink(missing_ok=True)

    def _hashed(self, pin: Secret) -> str:
        name = self._file.name if self._file is not None else ""
        return hashlib.sha256(f"{name}\0{pin.reveal()}".encode()).hexdigest()
