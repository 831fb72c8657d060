"""The device's end of a serial line: a pseudo-terminal under a name of one's own, or a TCP port that takes one at a time.

Both satisfy `Transport`; what is opened is the listening end, so `open` does not wait for anybody.
"""

from __future__ import annotations

import asyncio
import os
import tty
from contextlib import suppress
from pathlib import Path

from belltower.errors import SettingsError, Unreachable
from hardware.transports import Transport
from hardware.transports.descriptor import Descriptor


class Port(Transport):
    """A `Transport` that others connect to."""

    address: str
    """What the other side opens, once it is open: "/tmp/modem" or "127.0.0.1:40123"."""


def port_at(address: str) -> Port:
    """The port at a path, or at HOST:PORT; not yet open. SettingsError when it is neither."""
    if address.startswith("/"):
        return PseudoTerminal(path=Path(address))
    host, colon, digits = address.rpartition(":")
    if not colon or not host or not digits.isascii() or not digits.isdigit() or int(digits) > 65_535:
        raise SettingsError(f'"{address}": expected a path for a pseudo-terminal, or HOST:PORT')
    return TCPPort(host=host.strip("[]"), port=int(digits))


class PseudoTerminal(Port):
    """A new pseudo-terminal that `path` leads to. It stays when the other side closes it."""

    def __init__(self, *, path: Path, write_deadline: float = 5.0) -> None:
        self.address = str(path)
        self._path = path
        self._write_deadline = write_deadline
        self._ends: tuple[int, int] | None = None
        self._line: Descriptor | None = None

    async def open(self) -> None:
        """Make it. `Unreachable` when the path is taken by something else, or no link can be put there."""
        await self.close()
        if self._path.exists() and not self._path.is_symlink():
            raise Unreachable(f"{self._path}: is there already, and is no link")
        ours, theirs = os.openpty()
        tty.setraw(theirs)
        os.set_blocking(ours, False)
        self._ends = (ours, theirs)
        try:
            self._path.unlink(missing_ok=True)
            self._path.symlink_to(os.ttyname(theirs))
        except OSError as error:
            await self.close()
            raise Unreachable(f"{self._path}: {error.strerror}") from error
        self._line = Descriptor(number=ours, name=self.address, write_deadline=self._write_deadline)
        self._line.attach()

    async def read(self) -> bytes:
        """At least one octet."""
        return await self._opened().read()

    async def write(self, data: bytes) -> None:
        """Hand `data` to whoever has it open."""
        await self._opened().write(data)

    async def close(self) -> None:
        """Take it away."""
        if self._line is not None:
            self._line.detach()
            self._line = None
        ends, self._ends = self._ends, None
        if ends is not None:
            with suppress(OSError):
                if self._path.readlink() == Path(os.ttyname(ends[1])):
                    self._path.unlink()
            for end in ends:
                os.close(end)

    def _opened(self) -> Descriptor:
        if self._line is None:
            raise Unreachable(f"{self.address}: not open")
        return self._line


class TCPPort(Port):
    """Listens; the newest connection is the line. Without one, what is written is lost."""

    def __init__(self, *, host: str, port: int = 0) -> None:
        self.address = f"{host}:{port}"
        self._host = host
        self._port = port
        self._server: asyncio.Server | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._arrived: asyncio.Queue[bytes] = asyncio.Queue(maxsize=64)

    async def open(self) -> None:
        """Listen. `Unreachable` when the port is taken."""
        await self.close()
        try:
            self._server = await asyncio.start_server(self._connected, self._host, self._port)
        except OSError as error:
            raise Unreachable(f"{self.address}: {error.strerror}") from error
        self._port = self._server.sockets[0].getsockname()[1]
        self.address = f"{self._host}:{self._port}"

    async def read(self) -> bytes:
        """At least one octet, from whoever is connected."""
        return await self._arrived.get()

    async def write(self, data: bytes) -> None:
        """Send to whoever is connected."""
        writer = self._writer
        if writer is None or writer.is_closing():
            return
        writer.write(data)
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(5.0):
                await writer.drain()

    async def close(self) -> None:
        """Listen no more."""
        self.cut()
        if self._server is not None:
            self._server.close()
            self._server = None

    def cut(self) -> None:
        """End the connection there is."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.cut()
        self._writer = writer
        try:
            while data := await reader.read(4096):
                await self._arrived.put(data)
        except OSError:
            pass
        finally:
            writer.close()
            if self._writer is writer:
                self._writer = None
