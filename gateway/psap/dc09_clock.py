"""How far the receivers' clocks are from ours, kept on disk: a report with the wrong time is refused, and costs a try."""

from __future__ import annotations

import contextlib
from pathlib import Path
from threading import Lock, Thread

import msgspec

from belltower import log

_log = log.get("psap")

_MOST = 64
_MAX_FILE = 65_536


class Offsets:
    """Seconds to add to our clock, by receiver. A change is in force at once and written by a thread of its own."""

    def __init__(self, *, file: Path | None = None) -> None:
        self._file = file
        self._seconds: dict[str, int] | None = None
        self._lock = Lock()
        # What the writer has not taken yet, and whether it will still look for it: both under the lock.
        self._unwritten: bytes | None = None
        self._writing = False
        self._writer: Thread | None = None

    def of(self, receiver: str) -> int:
        """Seconds by which this receiver's clock is ahead of ours; 0 as long as it has not said so."""
        return self._known().get(receiver, 0)

    def set(self, receiver: str, seconds: int) -> None:
        """The receiver has said its time."""
        known = self._known()
        known[receiver] = seconds
        while len(known) > _MOST:
            del known[next(iter(known))]
        if self._file is None:
            return
        with self._lock:
            self._unwritten = msgspec.json.encode(known)
            if not self._writing:
                self._writing = True
                self._writer = Thread(target=self._write, args=(self._file,), name="dc09 clock", daemon=True)
                self._writer.start()

    def written(self) -> None:
        """Wait until all is on disk: for whoever ends on purpose."""
        if self._writer is not None:
            self._writer.join()

    def _known(self) -> dict[str, int]:
        if self._seconds is None:
            self._seconds = _read(self._file)
        return self._seconds

    def _write(self, file: Path) -> None:
        while True:
            with self._lock:
                octets, self._unwritten = self._unwritten, None
                if octets is None:
                    self._writing = False
                    return
            try:
                _keep(file, octets)
            except OSError as error:
                _log.warning("clock_offset_not_kept", error=error.strerror)


def _keep(file: Path, octets: bytes) -> None:
    """Whole or not at all. That it fails costs one NAK after the next start."""
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_suffix(".new")
    beside.write_bytes(octets)
    beside.replace(file)


def _read(file: Path | None) -> dict[str, int]:
    if file is not None:
        with contextlib.suppress(OSError, msgspec.DecodeError), file.open("rb") as opened:
            return msgspec.json.decode(opened.read(_MAX_FILE), type=dict[str, int])
    return {}
