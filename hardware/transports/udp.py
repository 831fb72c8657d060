"""UDP to one address: what is written at once is one datagram, and what is read is one."""

from __future__ import annotations

import asyncio
import os
from collections import deque

from belltower.errors import Unreachable

_OPEN_DEADLINE = 2.0
_READ_AHEAD = 64
"""Datagrams kept for a reader that is slow; the oldest are dropped."""


class UDPTransport:
    """A socket that talks to one address only. A name is resolved at each opening."""

    def __init__(self, *, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._name = f"udp://{host}:{port}"
        self._line: _Line | None = None

    async def open(self) -> None:
        """Open it; that says nothing of the other side. `Unreachable` when the name is not resolved within 2 s."""
        await self.close()
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_OPEN_DEADLINE):
                _, self._line = await loop.create_datagram_endpoint(
                    lambda: _Line(self._name), remote_addr=(self._host, self._port)
                )
        except (OSError, UnicodeError) as error:  # TimeoutError is an OSError
            raise Unreachable(f"{self._name}: {_reason(error)}") from error

    async def read(self) -> bytes:
        """The next datagram that is not empty."""
        return await self._opened().read()

    async def write(self, data: bytes) -> None:
        """Hand one datagram to the kernel."""
        self._opened().write(data)

    async def close(self) -> None:
        """Close the socket."""
        if self._line is not None:
            self._line.end(f"{self._name}: not open")
            self._line = None

    def _opened(self) -> _Line:
        if self._line is None:
            raise Unreachable(f"{self._name}: not open")
        return self._line


class _Line(asyncio.DatagramProtocol):
    def __init__(self, name: str) -> None:
        self._name = name
        self._arrived: deque[bytes] = deque(maxlen=_READ_AHEAD)
        self._bell = asyncio.Event()
        self._gone = ""
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's is no subclass of asyncio's

    def datagram_received(self, data: bytes, addr: object) -> None:
        del addr
        if data:
            self._arrived.append(data)
            self._bell.set()

    def error_received(self, exc: Exception) -> None:
        self.end(f"{self._name}: {_reason(exc)}")

    def connection_lost(self, exc: Exception | None) -> None:
        self.end(f"{self._name}: {_reason(exc) if exc else 'closed'}")

    async def read(self) -> bytes:
        while not self._arrived:
            if self._gone:
                raise Unreachable(self._gone)
            self._bell.clear()
            await self._bell.wait()
        return self._arrived.popleft()

    def write(self, data: bytes) -> None:
        if self._gone or self._transport is None:
            raise Unreachable(self._gone)
        self._transport.sendto(data)

    def end(self, why: str) -> None:
        self._gone = self._gone or why
        self._bell.set()
        if self._transport is not None:
            self._transport.abort()
            self._transport = None


def _reason(error: BaseException) -> str:
    number = getattr(error, "errno", None)
    return os.strerror(number) if isinstance(number, int) else "the name was not resolved"
