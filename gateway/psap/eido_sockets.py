"""WebSockets for EIDO, on aiohttp: the door that dispatch systems come through, and the notifier that is dialled.

What is conveyed is decided in gateway.psap.eido; here a message is a text of octets that goes out or comes in.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import aiohttp
from aiohttp import WSMsgType, web
from aiohttp.abc import AbstractResolver, AbstractStreamWriter, ResolveResult

from belltower.errors import Unreachable
from gateway.psap.eido.conveyance import EVENT_MOST, REQUEST_MOST, SUBPROTOCOL
from gateway.psap.eido.document import MEDIA_TYPE
from gateway.psap.link import AddressBook

_CLOSED_WITHIN = 0.4
_DIALLED_WITHIN = 10.0
_PINGED = 30.0
_RECEIVED_AT_ONCE = 4096


class Wire(Protocol):
    """One open WebSocket."""

    @property
    def names(self) -> frozenset[str]:
        """Who is at the other end, by the certificate they showed; nobody knows where they showed none."""
        ...

    async def send(self, octets: bytes) -> None:
        """Return once the operating system has taken the message; `Unreachable` when the socket is gone."""
        ...

    async def receive(self) -> bytes:
        """The next message; `Unreachable` once the socket is gone."""
        ...

    async def close(self) -> None:
        """Let go of it, within half a second."""
        ...

    def abort(self) -> None:
        """Cut it, now."""
        ...


Meet = Callable[[Wire], Awaitable[None]]
Fetch = Callable[[str], bytes | None]
Dial = Callable[[], Awaitable[Wire]]
"""Opens a WebSocket to a notifier, or raises `Unreachable`."""


class Door(Protocol):
    """Where systems connect to us."""

    async def open(self, meet: Meet, fetch: Fetch) -> None:
        """Let them in: `meet` has each WebSocket until it returns, `fetch` finds the document of one incident.

        `Unreachable`: it cannot be opened.
        """
        ...

    async def close(self) -> None:
        """Let nobody in any more and end every `meet`, within a second."""
        ...


class WebDoor:
    """Satisfies `Door`: an HTTP server with one path."""

    def __init__(
        self,
        *,
        bind: str,
        port: int,
        path: str,
        tls: Callable[[], ssl.SSLContext] | None = None,
        client_names: frozenset[str] = frozenset(),
    ) -> None:
        self._bind = bind
        self._port = port
        self._path = path.rstrip("/")
        self._tls = tls
        # Who may come in, by the names in their certificates; none: whoever the authority has signed.
        self._client_names = client_names
        self._runner: web.AppRunner | None = None
        self._wires: set[ServerWire] = set()
        self._meet: Meet | None = None
        self._fetch: Fetch | None = None

    @property
    def port(self) -> int:
        """The port in force, once it is open."""
        if self._runner is None or not self._runner.addresses:
            return self._port
        return int(self._runner.addresses[0][1])

    async def open(self, meet: Meet, fetch: Fetch) -> None:
        """Listen."""
        self._meet, self._fetch = meet, fetch
        app = web.Application(client_max_size=0)
        app.add_routes(
            [web.get(self._path or "/", self._upgrade), web.get(f"{self._path}/{{incident}}", self._get)]
        )
        # Whoever connects and says nothing is not to hold up the end.
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, keepalive_timeout=15.0)
        await self._runner.setup()
        try:
            context = await _built(self._tls)
            site = web.TCPSite(self._runner, self._bind, self._port, ssl_context=context, reuse_address=True)
            await site.start()
        except OSError as error:
            raise Unreachable(f"{self._bind}:{self._port} cannot be listened on: {error.strerror}") from error

    async def close(self) -> None:
        """Stop listening and cut everybody off."""
        runner, self._runner = self._runner, None
        if runner is None:
            return
        for wire in tuple(self._wires):
            wire.abort()
        await runner.cleanup()

    async def _upgrade(self, request: web.Request) -> web.StreamResponse:
        self._admit(request)
        offered = [each.strip() for each in request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
        if SUBPROTOCOL not in offered:
            raise web.HTTPBadRequest(text=f"this is a WebSocket with the subprotocol {SUBPROTOCOL}\n")
        socket_ = web.WebSocketResponse(
            protocols=(SUBPROTOCOL,), timeout=_CLOSED_WITHIN, max_msg_size=REQUEST_MOST + 1, compress=False
        )
        writer = await socket_.prepare(request)
        if request.transport is None or writer is None or self._meet is None:
            return socket_
        # So that `drain` waits for the last octet; with 0 a TLS transport would pause for ever.
        request.transport.set_write_buffer_limits(high=1)
        names = names_in(request.get_extra_info("peercert") or {})
        wire = ServerWire(socket_=socket_, writer=writer, transport=request.transport, names=names)
        self._wires.add(wire)
        try:
            await self._meet(wire)
        finally:
            self._wires.discard(wire)
        return socket_

    async def _get(self, request: web.Request) -> web.Response:
        self._admit(request)
        found = self._fetch(request.match_info["incident"]) if self._fetch is not None else None
        if found is None:
            raise web.HTTPNotFound(text="there is no such incident\n")
        return web.Response(body=found, content_type=MEDIA_TYPE)

    def _admit(self, request: web.Request) -> None:
        if not self._client_names:
            return
        certificate = request.get_extra_info("peercert") or {}
        if not self._client_names & names_in(certificate):
            raise web.HTTPUnauthorized(text="this certificate is not of a system that is expected here\n")


class ServerWire:
    """A WebSocket that came in."""

    def __init__(
        self,
        *,
        socket_: web.WebSocketResponse,
        writer: AbstractStreamWriter,
        transport: asyncio.Transport,
        names: frozenset[str] = frozenset(),
    ) -> None:
        self.names = names
        self._socket = socket_
        self._writer = writer
        self._transport = transport

    async def send(self, octets: bytes) -> None:
        """Hand it over, and wait until it has gone."""
        try:
            await self._socket.send_frame(octets, WSMsgType.TEXT)
            await self._writer.drain()
        except (OSError, RuntimeError, aiohttp.ClientError) as error:
            raise Unreachable("the dispatch system is gone") from error

    async def receive(self) -> bytes:
        """The next message."""
        try:
            message = await self._socket.receive()
        except (OSError, RuntimeError) as error:
            raise Unreachable("the dispatch system is gone") from error
        return _said(message, "the dispatch system is gone")

    async def close(self) -> None:
        """Say goodbye if that is heard at once; else cut it."""
        try:
            async with asyncio.timeout(_CLOSED_WITHIN):
                await self._socket.close()
        except (TimeoutError, OSError, RuntimeError):
            pass
        finally:
            self.abort()

    def abort(self) -> None:
        """Cut it."""
        self._transport.abort()


class DialledWire:
    """A WebSocket that we opened, with its session."""

    def __init__(self, *, session: aiohttp.ClientSession, socket_: aiohttp.ClientWebSocketResponse) -> None:
        self.names: frozenset[str] = frozenset()
        self._session = session
        self._socket = socket_

    async def send(self, octets: bytes) -> None:
        """Hand it over."""
        try:
            await self._socket.send_frame(octets, WSMsgType.TEXT)
        except (OSError, RuntimeError, aiohttp.ClientError) as error:
            raise Unreachable("the county's notifier is gone") from error

    async def receive(self) -> bytes:
        """The next message."""
        try:
            message = await self._socket.receive()
        except (OSError, RuntimeError, aiohttp.ClientError) as error:
            raise Unreachable("the county's notifier is gone") from error
        return _said(message, "the county's notifier is gone")

    async def close(self) -> None:
        """Say goodbye if that is heard at once; else cut it."""
        try:
            async with asyncio.timeout(_CLOSED_WITHIN):
                await self._socket.close()
        except (TimeoutError, OSError, RuntimeError, aiohttp.ClientError):
            pass
        finally:
            await self._session.close()

    def abort(self) -> None:
        """Cut it."""
        line = self._socket.get_extra_info("socket")
        if line is not None:
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)


class WebDial:
    """Satisfies `Dial`: a WebSocket client; with `addresses` it looks no name up itself."""

    def __init__(
        self,
        *,
        url: str,
        host: str,
        addresses: AddressBook | None = None,
        tls: Callable[[], ssl.SSLContext] | None = None,
    ) -> None:
        self._url = url
        self._host = host
        self._addresses = addresses
        self._tls = tls

    async def __call__(self) -> Wire:
        """Open one."""
        resolver = None
        if self._addresses is not None:
            self._addresses.watch(self._host)
            resolver = _Resolver(self._addresses)
        context = await _built(self._tls)
        connector = aiohttp.TCPConnector(
            resolver=resolver,
            use_dns_cache=False,
            ssl=context or True,
            limit=1,
            socket_factory=_modest_socket,
        )
        session = aiohttp.ClientSession(connector=connector, trust_env=False)
        opened = False
        try:
            async with asyncio.timeout(_DIALLED_WITHIN):
                socket_ = await session.ws_connect(
                    self._url, protocols=(SUBPROTOCOL,), max_msg_size=EVENT_MOST, heartbeat=_PINGED
                )
            opened = True
        except (TimeoutError, OSError, ValueError, aiohttp.ClientError) as error:
            raise Unreachable(f"the county's notifier cannot be reached: {type(error).__name__}") from error
        finally:
            if not opened:
                await session.close()
        return DialledWire(session=session, socket_=socket_)


def _modest_socket(info: Any) -> socket.socket:
    family, kind, protocol, *_ = info
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * _RECEIVED_AT_ONCE)
    return made


class _Resolver(AbstractResolver):
    """Gives the address that was looked up ahead."""

    def __init__(self, addresses: AddressBook) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The one address of `host`; OSError: there never was one."""
        address = self._addresses.of(host)
        if address is None:
            raise OSError(f"no address of {host} is known")
        version = socket.AF_INET6 if ":" in address else family or socket.AF_INET
        return [
            ResolveResult(
                hostname=host, host=address, port=port, family=version, proto=0, flags=socket.AI_NUMERICHOST
            )
        ]

    async def close(self) -> None:
        """Nothing is held."""


_BUILDER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="eido-tls")


async def _built(tls: Callable[[], ssl.SSLContext] | None) -> ssl.SSLContext | None:
    """Read certificates in a thread of their own: a trust store takes tens of milliseconds."""
    if tls is None:
        return None
    return await asyncio.get_running_loop().run_in_executor(_BUILDER, tls)


def server_tls(certificate: Path, private_key: Path, client_ca: Path | None) -> ssl.SSLContext:
    """Who we are to those who come in, and who must have signed their certificates; `Unreachable` names what is wrong."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _chain(context, certificate, private_key)
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        _trust(context, client_ca)
    return context


def client_tls(ca: Path | None, certificate: Path | None, private_key: Path | None) -> ssl.SSLContext:
    """Whom we trust, by default whom this machine trusts, and who we are; `Unreachable` names what is wrong."""
    if ca is None:
        context = ssl.create_default_context()
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        _trust(context, ca)
    if certificate is not None and private_key is not None:
        _chain(context, certificate, private_key)
    return context


def names_in(certificate: Any) -> frozenset[str]:
    """The DNS names and URIs a peer's certificate is for, or its common name where it has none."""
    names = {value for kind, value in certificate.get("subjectAltName", ()) if kind in ("DNS", "URI")}
    if not names:
        names = {
            value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"
        }
    return frozenset(names)


def _chain(context: ssl.SSLContext, certificate: Path, private_key: Path) -> None:
    try:
        # A locked key would be asked for at the terminal, for ever.
        context.load_cert_chain(certificate, private_key, password=lambda: "")
    except (OSError, ValueError) as error:
        raise Unreachable(f"{certificate} with {private_key} cannot be used: {error}") from error


def _trust(context: ssl.SSLContext, ca: Path) -> None:
    try:
        context.load_verify_locations(ca)
    except OSError as error:
        raise Unreachable(f"the authorities in {ca} cannot be used: {error}") from error


def _said(message: aiohttp.WSMessage, gone: str) -> bytes:
    match message.type:
        case WSMsgType.TEXT:
            return str(message.data).encode()
        case WSMsgType.BINARY:
            return bytes(message.data)
        case _:
            raise Unreachable(gone)
