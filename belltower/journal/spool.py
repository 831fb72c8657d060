"""The spool: an fsynced file for what the store could not take in time.

Each record is its length and the CRC-32 of its octets (32 bits each, big-endian), then the octets. A torn tail, as a
power cut leaves it, ends the file where it begins. One thread at a time calls in here.
"""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol
from zlib import crc32

from msgspec import Struct, msgpack

from belltower.store import Statement
from belltower.store.faults import DiskFailed, DiskFull

LIMIT = 64 * 1024 * 1024
PIECE = 256 * 1024
"""Octets of the spool that are held in memory at a time, while it is brought in."""
_HEAD = struct.Struct(">II")


class SpooledFact(Struct, frozen=True, array_like=True):
    """One draft, already encoded."""

    id: str
    at: int
    tag: str
    subject: str
    body: bytes


class SpooledStatement(Struct, frozen=True, array_like=True):
    """One statement of the transaction which the facts rode in."""

    sql: str
    params: dict[str, Any] | list[Any]
    expect: int | None


class SpoolRecord(Struct, frozen=True, array_like=True):
    """One commit: what was to be written together."""

    facts: list[SpooledFact]
    statements: list[SpooledStatement]


def spooled(statement: Statement) -> SpooledStatement:
    """`statement` as it is spooled."""
    params = statement.params
    return SpooledStatement(
        statement.sql, list(params) if isinstance(params, tuple) else dict(params), statement.expect
    )


_encoder = msgpack.Encoder()
_decoder = msgpack.Decoder(SpoolRecord)


def frame(record: SpoolRecord) -> bytes:
    """One record as it lies in the file."""
    octets = _encoder.encode(record)
    return _HEAD.pack(len(octets), crc32(octets)) + octets


def unframe(data: bytes) -> list[SpoolRecord]:
    """All whole records of a file, up to the first that is torn."""
    return [_decoder.decode(octets) for octets in _whole(data)]


def unframe_piece(spool: Spool, start: int, size: int = PIECE) -> tuple[list[SpoolRecord], int]:
    """The whole records of about `size` octets of `spool` from octet `start` on, and where the next one begins.

    No records: there are no more. Blocks.
    """
    pieces, end = _piece(spool, start, size)
    return [_decoder.decode(octets) for octets in pieces], end


def survey(spool: Spool, size: int = PIECE) -> tuple[int, int]:
    """How many whole records `spool` holds, and where the last one ends; read a piece at a time. Blocks."""
    count = end = 0
    while True:
        pieces, end = _piece(spool, end, size)
        if not pieces:
            return count, end
        count += len(pieces)


def _piece(spool: Spool, start: int, size: int) -> tuple[list[bytes], int]:
    while True:
        data = spool.read(start, size)
        pieces = list(_whole(data))
        if pieces or len(data) < size:
            return pieces, start + sum(_HEAD.size + len(octets) for octets in pieces)
        size *= 2  # a record larger than the piece


def _whole(data: bytes) -> Iterator[bytes]:
    """The octets of the whole records that `data` begins with."""
    start = 0
    while start + _HEAD.size <= len(data):
        length, crc = _HEAD.unpack_from(data, start)
        octets = data[start + _HEAD.size : start + _HEAD.size + length]
        if len(octets) < length or crc32(octets) != crc:
            return
        yield octets
        start += _HEAD.size + length


class Spool(Protocol):
    """Where records are kept until the store is well. Every method may block; one call at a time."""

    def append(self, data: bytes) -> None:
        """Keep `data` behind what is there; synced on return. Raises `StoreError`."""
        ...

    def read(self, start: int = 0, size: int = -1) -> bytes:
        """What is kept from octet `start` on: `size` octets of it, fewer only at its end; by default all."""
        ...

    def clear(self) -> None:
        """Forget everything."""
        ...


class RunSpool(Protocol):
    """Runs the spool's blocking work somewhere else, one piece at a time, in the order given."""

    def __call__(self, work: Callable[[], Any], /) -> asyncio.Future[Any]:
        """Start `work` after all given before it."""
        ...


class SpoolFile:
    """`Spool` in a file. A write that fails is cut off again, so that the next one can be read."""

    def __init__(self, *, path: Path, limit: int = LIMIT) -> None:
        self._path = path
        self._limit = limit
        self._file: int | None = None
        self._size = 0

    def append(self, data: bytes) -> None:
        """See `Spool.append`."""
        try:
            file = self._opened()
            if self._size + len(data) > self._limit:
                raise DiskFull(f"the spool holds its {self._limit} octets")
            try:
                written = 0
                while written < len(data):
                    written += os.pwrite(file, data[written:], self._size + written)
                os.fdatasync(file)
            except OSError:
                self._file = None
                os.close(file)
                raise
            self._size += len(data)
        except OSError as error:
            raise DiskFailed(f"the spool cannot be written: {error.strerror}") from error

    def read(self, start: int = 0, size: int = -1) -> bytes:
        """See `Spool.read`."""
        try:
            if not self._path.exists():
                return b""
            with self._path.open("rb") as file:
                file.seek(start)
                return file.read(size)
        except OSError as error:
            raise DiskFailed(f"the spool cannot be read: {error.strerror}") from error

    def clear(self) -> None:
        """See `Spool.clear`."""
        try:
            os.ftruncate(self._opened(), 0)
            self._size = 0
            os.fdatasync(self._opened())
        except OSError as error:
            raise DiskFailed(f"the spool cannot be cleared: {error.strerror}") from error

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _opened(self) -> int:
        """The file, its torn tail cut off."""
        if self._file is None:
            file = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600)
            try:
                _, self._size = survey(self)
                os.ftruncate(file, self._size)
                folder = os.open(self._path.parent, os.O_RDONLY)
                try:
                    os.fsync(folder)
                finally:
                    os.close(folder)
            except OSError:
                os.close(file)
                raise
            self._file = file
        return self._file
