"""TLS over TCP, to one numeric address; the certificate must be the named host's."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from belltower.errors import Uncertain, Unreachable

_OPEN_DEADLINE = 5.0
_CHUNK = 16_384


class TLSTransport:
    """One connection. `address` is numeric, so that nothing is looked up; `host` is whom the certificate must name."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        address: str,
        ca: Path | None = None,
        certificate: Path | None = None,
        private_key: Path | None = None,
        write_deadline: float = 5.0,
    ) -> None:
        self._host = host
        self._port = port
        self._address = address
        self._ca = ca
        self._certificate = certificate
        self._private_key = private_key
        self._write_deadline = write_deadline
        self._name = f"tls://{host}:{port}"
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._turn = asyncio.Lock()
        self._builder = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tls")

    async def open(self) -> None:
        """Connect and check the other side's certificate. `Unreachable` when that is not done within 5 s."""
        await self.close()
        try:
            async with asyncio.timeout(_OPEN_DEADLINE):
                # Reading a trust store takes tens of milliseconds, which the loop does not have.
                context = await asyncio.get_running_loop().run_in_executor(self._builder, self._context)
                self._reader, self._writer = await asyncio.open_connection(
                    self._address, self._port, ssl=context, server_hostname=self._host
                )
        except TimeoutError:
            raise Unreachable(f"{self._name}: no connection within {_OPEN_DEADLINE:g} s") from None
        except ssl.SSLError as error:
            raise Unreachable(f"{self._name}: {error.reason or 'TLS was refused'}") from error
        except OSError as error:
            why = os.strerror(error.errno) if error.errno else "the connection broke"
            raise Unreachable(f"{self._name}: {why}") from error
        # Nothing waits in our own buffer: what `write` returns from is the kernel's.
        self._writer.transport.set_write_buffer_limits(high=0)

    async def read(self) -> bytes:
        """What has come, at least one octet."""
        if self._reader is None:
            raise Unreachable(f"{self._name}: not open")
        try:
            data = await self._reader.read(_CHUNK)
        except (OSError, ssl.SSLError) as error:
            raise Unreachable(f"{self._name}: the connection broke") from error
        if not data:
            raise Unreachable(f"{self._name}: hung up")
        return data

    async def write(self, data: bytes) -> None:
        """Hand `data` to the kernel, whole."""
        writer = self._writer
        if writer is None or writer.is_closing():
            raise Unreachable(f"{self._name}: not open")
        began = False
        try:
            async with asyncio.timeout(self._write_deadline), self._turn:
                began = True
                writer.write(data)
                await writer.drain()
        except TimeoutError:
            if not began:
                raise Unreachable(f"{self._name}: full for {self._write_deadline:g} s") from None
            # What is half written can never be gone on with.
            writer.transport.abort()
            raise Uncertain(f"{self._name}: full for {self._write_deadline:g} s") from None
        except (OSError, ssl.SSLError) as error:
            raise Uncertain(f"{self._name}: the connection broke") from error

    async def close(self) -> None:
        """Close the connection, without waiting for the other side's farewell."""
        writer, self._reader, self._writer = self._writer, None, None
        if writer is not None:
            writer.transport.abort()
            with contextlib.suppress(OSError, ssl.SSLError):
                await writer.wait_closed()

    def _context(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self._ca)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            if self._certificate is not None and self._private_key is not None:
                context.load_cert_chain(self._certificate, self._private_key, password=_no_password)
        except (OSError, ValueError) as error:
            what = self._ca if self._certificate is None else self._certificate
            raise Unreachable(f"{self._name}: {what} cannot be used: {type(error).__name__}") from error
        return context


def _no_password() -> str:
    # Left to itself the library would ask at the terminal, and wait.
    raise ValueError("the private key is locked with a password")
