"""TCP, to a software modem or a device server."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
from urllib.parse import SplitResult

from belltower.errors import SettingsError, Unreachable
from hardware.transports.addresses import AddressBook, system_resolver
from hardware.transports.descriptor import Descriptor

_OPEN_DEADLINE = 5.0
_RESOLVE_DEADLINE = 2.0
_UNANSWERED = 10_000
"""Milliseconds after which octets that nobody confirmed end the connection."""


class TCPTransport:
    """One connection.

    With `addresses` a name's address is the one that was looked up ahead. Without, it is looked up at each opening, in
    a thread of its own, never in the loop's pool, which hung look-ups would fill; if that fails, the last one is used.
    """

    def __init__(
        self, *, host: str, port: int, write_deadline: float = 5.0, addresses: AddressBook | None = None
    ) -> None:
        self._host = host
        self._port = port
        self._write_deadline = write_deadline
        self._name = f"tcp://{host}:{port}"
        self._addresses = addresses
        self._look_up = system_resolver()
        self._last: tuple[socket.AddressFamily, str] | None = None
        self._socket: socket.socket | None = None
        self._line: Descriptor | None = None

    async def open(self) -> None:
        """Connect. `Unreachable` when refused, unresolved or not connected within 5 s."""
        await self.close()
        family, address = await self._resolve()
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.setblocking(False)
            async with asyncio.timeout(_OPEN_DEADLINE):
                await asyncio.get_running_loop().sock_connect(connection, (address, self._port))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNANSWERED)
        except TimeoutError:
            connection.close()
            raise Unreachable(f"{self._name}: no connection within {_OPEN_DEADLINE:g} s") from None
        except OSError as error:
            connection.close()
            raise Unreachable(f"{self._name}: {os.strerror(error.errno or 0)}") from error
        except BaseException:
            connection.close()
            raise
        self._socket = connection
        self._line = Descriptor(
            number=connection.fileno(), name=self._name, write_deadline=self._write_deadline
        )
        self._line.attach()

    async def read(self) -> bytes:
        """What has come, at least one octet."""
        return await self._opened().read()

    async def write(self, data: bytes) -> None:
        """Hand `data` to the kernel, whole."""
        await self._opened().write(data)

    async def close(self) -> None:
        """Close the connection."""
        if self._line is not None:
            self._line.detach()
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _opened(self) -> Descriptor:
        if self._line is None:
            raise Unreachable(f"{self._name}: not open")
        return self._line

    async def _resolve(self) -> tuple[socket.AddressFamily, str]:
        if (known := _numeric(self._host)) is not None:
            return known
        if self._addresses is not None:
            if (known := _numeric(self._addresses.of(self._host) or "")) is None:
                raise Unreachable(f"{self._name}: its address was never found")
            return known
        try:
            async with asyncio.timeout(_RESOLVE_DEADLINE):
                found = await self._look_up(self._host)
        except (OSError, UnicodeError) as error:  # TimeoutError is an OSError
            if self._last is None:
                raise Unreachable(f"{self._name}: the name was not resolved") from error
        else:
            self._last = next(filter(None, map(_numeric, found)), self._last)
        if self._last is None:
            raise Unreachable(f"{self._name}: the name was not resolved")
        return self._last


def _numeric(host: str) -> tuple[socket.AddressFamily, str] | None:
    try:
        number = ipaddress.ip_address(host)
    except ValueError:
        return None
    return (socket.AF_INET if number.version == 4 else socket.AF_INET6), host


def from_url(url: str, parts: SplitResult, addresses: AddressBook | None = None) -> TCPTransport:
    """The connection of `tcp://host:port`; `addresses` looks the host up ahead from now on."""
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or not port or parts.path or parts.query or parts.fragment or parts.username is not None:
        raise SettingsError(f"transport {url!r}: expected tcp://host:port and nothing else")
    if addresses is not None:
        addresses.watch(host)
    return TCPTransport(host=host, port=port, addresses=addresses)
