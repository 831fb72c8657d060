"""Our own MQTT server for units: MQTT 3.1.1 and 5.0, QoS 0 and 1, exact topics, PUBACK after the commit."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from asyncio import sslproto
from collections.abc import Callable

from belltower.errors import Unreachable
from hardware.drivers import TLS, OnPublish
from hardware.drivers.mqtt_registry import Authenticate, Counters, Limits, Registry
from hardware.drivers.mqtt_session import Session

_ACCEPTED_PER_TURN = 64
_BACKLOG = 4_096
_BREATH = 0.1
_TLS_BUFFER = 16_384
"""One TLS record. asyncio zeroes 256 KiB for each connection otherwise: 10,000 units would need 2.9 GB."""
_OUT_OF_ROOM = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ECONNABORTED})
_KEEPALIVE = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 45_000}
"""A peer that vanished is known after 45 seconds."""


class MQTTListener:
    """An `MQTTIntake` that units connect to.

    Differences from a broker, each on purpose: no session outlives its connection; QoS 2 is refused (version 5:
    DISCONNECT 0x9B; 3.1.1: closed); subscriptions bear no wildcards; a refused publish is answered with PUBACK 0x87 in
    version 5 and a closed connection in 3.1.1; retained messages are kept only where `Permissions.retain` says,
    elsewhere the message itself is still taken, for a press must not be lost over a flag.
    """

    def __init__(
        self,
        *,
        on_publish: OnPublish,
        authenticate: Authenticate,
        host: str = "127.0.0.1",
        port: int = 8883,
        tls: TLS | None = None,
        limits: Limits | None = None,
        on_takeover: Callable[[str], None] | None = None,
    ) -> None:
        """Keep what it is made of; `on_takeover` hears of every name that a second connection took."""
        self._on_publish = on_publish
        self._authenticate = authenticate
        self._host = host
        self._tls = tls
        self._registry = Registry(limits=limits or Limits(), on_takeover=on_takeover)
        self.port = port
        """The port listened on; 0 until `ready` picks a free one."""
        self.ready = asyncio.Event()
        """Set while connections are accepted."""

    @property
    def counters(self) -> Counters:
        """What has been seen since the start."""
        return self._registry.counters

    async def run(self) -> None:
        """Serve until cancelled. Raises Unreachable when the address cannot be had, and what `tls` raises."""
        tls = self._tls() if self._tls is not None else None
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        try:
            listening = socket.create_server((self._host, self.port), family=family, backlog=_BACKLOG)
        except OSError as error:
            raise Unreachable(
                f"cannot listen on {self._host}:{self.port}: {error.strerror or error}"
            ) from error
        _notice_dead_peers(listening)
        self.port = listening.getsockname()[1]
        try:
            if tls is None:
                await self._serve_plain(listening)
            else:
                await self._serve_tls(listening, tls)
        finally:
            self.ready.clear()
            listening.close()
            for session in (*self._registry.clients(), *self._registry.waiting()):
                if isinstance(session, Session):
                    session.shut_down()

    def connection(self) -> Session:
        """A protocol for one more connection, over whatever stream transport it is attached to."""
        return Session(
            loop=asyncio.get_running_loop(),
            registry=self._registry,
            authenticate=self._authenticate,
            on_publish=self._on_publish,
        )

    def publish(self, topic: str, payload: bytes, *, qos: int = 0, retain: bool = False) -> bool:
        """Send to the clients that want `topic`; False when none could take it."""
        return self._registry.publish(topic, payload, qos=qos, retain=retain)

    async def _serve_plain(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self.connection, sock=listening, backlog=_ACCEPTED_PER_TURN)
        listening.listen(_BACKLOG)  # the loop accepts as many in one turn as it is told the backlog is
        self.ready.set()
        try:
            await loop.create_future()
        finally:
            server.close()

    async def _serve_tls(self, listening: socket.socket, tls: ssl.SSLContext) -> None:
        """As the loop's own server, but with a bound on the handshakes under way."""
        loop = asyncio.get_running_loop()
        listening.setblocking(False)
        sslproto.SSLProtocol.max_size = _TLS_BUFFER
        under_way: dict[asyncio.Task[None], None] = {}
        async with asyncio.TaskGroup() as group:
            self.ready.set()
            while True:
                try:
                    accepted, _ = await loop.sock_accept(listening)
                except OSError as error:  # out of descriptors: those at hand are served meanwhile
                    if error.errno not in _OUT_OF_ROOM:
                        raise
                    await asyncio.sleep(_BREATH)
                    continue
                if len(under_way) >= self._registry.limits.handshakes:
                    next(iter(under_way)).cancel()
                task = group.create_task(self._shake_hands(accepted, tls), name="mqtt-handshake")
                under_way[task] = None
                task.add_done_callback(lambda done: under_way.pop(done, None))

    async def _shake_hands(self, accepted: socket.socket, tls: ssl.SSLContext) -> None:
        limit = self._registry.limits.connect_within
        done = False
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                self.connection, accepted, ssl=tls, ssl_handshake_timeout=limit
            )
            done = True
        except OSError:  # what the other side got wrong is its own affair
            pass
        finally:
            if not done:
                self._registry.counters.refused_handshakes += 1
                accepted.close()


def _notice_dead_peers(listening: socket.socket) -> None:
    """Have the kernel ask silent peers, for a 3.1.1 client may promise nothing; accepted sockets inherit it."""
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        option = getattr(socket, name, None)  # not every system has them all
        if option is not None:
            listening.setsockopt(socket.IPPROTO_TCP, option, value)
