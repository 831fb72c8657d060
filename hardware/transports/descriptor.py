"""A non-blocking file descriptor, driven by the loop: what serial lines and sockets have in common.

The loop reads as octets come, at most `READ_AHEAD` of them ahead of the reader, and so notices a hang-up even
while nobody reads. A write is tried at once; the loop takes over only when the line is full.
"""

from __future__ import annotations

import asyncio
import os

from belltower.errors import Uncertain, Unreachable

READ_AHEAD = 65_536
"""Octets kept for a reader that is slow; beyond them the far side has to wait."""
MAX_WRITERS = 64
"""Writers that may wait for a full line; the next one is told at once."""

_CHUNK = 16_384


class Descriptor:
    """The two directions of one open descriptor. Whoever opened it closes it, after `detach()`."""

    def __init__(self, *, number: int, name: str, write_deadline: float) -> None:
        self._number = number
        self._name = name
        self._write_deadline = write_deadline
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._reading = False
        self._reader: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._turn = asyncio.Lock()
        self._writers = 0
        self._gone = ""

    def attach(self) -> None:
        """Begin to listen."""
        self._loop.add_reader(self._number, self._take)
        self._reading = True

    def detach(self, reason: str = "closed") -> None:
        """Leave the descriptor alone for good; everybody who waits gets `Unreachable`."""
        if self._reading:
            self._loop.remove_reader(self._number)
            self._reading = False
        if self._writable is not None:
            self._loop.remove_writer(self._number)
        self._gone = self._gone or reason
        for waiting in (self._reader, self._writable):
            if waiting is not None and not waiting.done():
                waiting.set_result(None)

    async def read(self) -> bytes:
        """What has come, at least one octet."""
        while not self._buffer:
            if self._gone:
                raise Unreachable(f"{self._name}: {self._gone}")
            self._reader = self._loop.create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        data = bytes(self._buffer)
        self._buffer.clear()
        if not self._reading and not self._gone:
            self.attach()
        return data

    async def write(self, data: bytes) -> None:
        """Hand `data` to the operating system, whole."""
        if self._writers >= MAX_WRITERS:
            raise Unreachable(f"{self._name}: {self._writers} writers wait already")
        left = len(data)
        alone = not self._writers
        self._writers += 1
        try:
            if alone and not (left := self._push(data)):
                return
            async with asyncio.timeout(self._write_deadline), self._turn:
                if not alone:
                    left = self._push(data)
                while left:
                    await self._room()
                    left = self._push(data[-left:])
        except TimeoutError:
            raise self._failure(f"full for {self._write_deadline:g} s", left, data) from None
        except OSError as error:
            self.detach(error.strerror or type(error).__name__)
            raise self._failure(self._gone, left, data) from error
        finally:
            self._writers -= 1

    def _failure(self, reason: str, left: int, data: bytes) -> Unreachable | Uncertain:
        if left == len(data):
            return Unreachable(f"{self._name}: {reason}")
        return Uncertain(f"{self._name}: {reason} after {len(data) - left} of {len(data)} octets")

    def _push(self, data: bytes) -> int:
        if self._gone:
            raise OSError(0, self._gone)
        try:
            return len(data) - os.write(self._number, data)
        except (BlockingIOError, InterruptedError):
            return len(data)

    async def _room(self) -> None:
        self._writable = self._loop.create_future()
        self._loop.add_writer(self._number, self._wake)
        try:
            await self._writable
        finally:
            self._writable = None
            if not self._gone:
                self._loop.remove_writer(self._number)

    def _wake(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    def _take(self) -> None:
        try:
            data = os.read(self._number, _CHUNK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self.detach(error.strerror or type(error).__name__)
            return
        if not data:
            self.detach("hung up")
            return
        self._buffer += data
        if len(self._buffer) >= READ_AHEAD:
            self._loop.remove_reader(self._number)
            self._reading = False
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
