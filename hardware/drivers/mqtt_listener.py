"""Our own MQTT server for units: MQTT 3.1.1 and 5.0, QoS 0 and 1, exact topics, PUBACK after the commit."""

from __future__ import annotations

import asyncio
import socket
import ssl

from hardware.drivers import OnPublish
from hardware.drivers.mqtt_registry import Authenticate, Counters, Limits, Registry
from hardware.drivers.mqtt_session import Session

_ACCEPTED_PER_TURN = 64
_BACKLOG = 4_096


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
        tls: ssl.SSLContext | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._on_publish = on_publish
        self._authenticate = authenticate
        self._host = host
        self._tls = tls
        self._registry = Registry(limits=limits or Limits())
        self.port = port
        """The port listened on; 0 until `ready` picks a free one."""
        self.ready = asyncio.Event()
        """Set while connections are accepted."""

    @property
    def counters(self) -> Counters:
        """What has been seen since the start."""
        return self._registry.counters

    async def run(self) -> None:
        """Serve until cancelled. Raises OSError when the address cannot be had."""
        loop = asyncio.get_running_loop()
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        listening = socket.create_server((self._host, self.port), family=family, backlog=_BACKLOG)
        server = await loop.create_server(
            self.connection,
            sock=listening,
            backlog=_ACCEPTED_PER_TURN,
            ssl=self._tls,
            ssl_handshake_timeout=self._registry.limits.connect_within if self._tls else None,
        )
        listening.listen(_BACKLOG)  # the loop accepts as many in one turn as it is told the backlog is
        self.port = listening.getsockname()[1]
        self.ready.set()
        try:
            await loop.create_future()
        finally:
            self.ready.clear()
            server.close()
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
