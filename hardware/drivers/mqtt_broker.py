"""Units behind an existing MQTT broker: we are its client, and acknowledge to it after the commit.

The session is persistent and never shared (`$share` parks messages at a dead node). What is not acknowledged when the
connection ends comes again from the broker; an acknowledgement never crosses from one connection to the next, for
the next one may be another session with the same packet identifiers.

We speak MQTT 5. A broker that says that it does not know it, or hangs up twice running as The Things Stack's, is asked
in 3.1.1 the next time; after that in 5 again, for 3.1.1 cannot say that an order was refused.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from paho.mqtt.enums import MQTTProtocolVersion

from belltower import log
from belltower.errors import LinkError, SettingsError, Unreachable
from hardware.drivers import TLS, OnPublish
from hardware.drivers.mqtt_link import TOPICS, BrokerLink

_log = log.get("mqtt")

CONNECT_WITHIN = 10.0
"""Seconds from dialling to a granted subscription."""
_RESOLVE_WITHIN = 3.0
_HUNG_UP = 2


class BrokerIntake:
    """An `MQTTIntake` through a broker. `run` ends with LinkError when the broker is lost, and is then run again.

    True from `publish` says that the broker's connection took it; whether the unit is there the broker does not say.
    """

    def __init__(
        self,
        *,
        url: str,
        on_publish: OnPublish,
        username: str = "",
        password: str = "",
        client_id: str = "belltower",
        tls: TLS | None = None,
        connect_within: float = CONNECT_WITHIN,
        topics: tuple[str, ...] = TOPICS,
        on_takeover: Callable[[str], None] | None = None,
        kept: bool = True,
        will: tuple[str, bytes] | None = None,
    ) -> None:
        """Be a client of the broker at `url`; without `kept` it forgets us when we go.

        `on_takeover` hears of every name that a second connection took, ours too. `will` is a topic, and what the broker
        is to keep there once we are gone, however we went.
        """
        self._will = will
        self._version = MQTTProtocolVersion.MQTTv5
        self._hung_up = 0
        self._on_takeover = on_takeover
        self._url = url
        self._on_publish = on_publish
        self._username = username
        self._password = password
        self._client_id = client_id
        self._tls = tls
        self._connect_within = connect_within
        self._topics = topics
        self._kept = kept
        self._good = ""
        self._doubted = False
        self._attempts = 0
        self._link: BrokerLink | None = None
        self._threads: dict[str, ThreadPoolExecutor] = {}
        self.connected = asyncio.Event()
        """Set while the subscription is granted."""

    async def run(self) -> None:
        """Connect, subscribe, take messages in. Raises Unreachable or Rejected, what `tls` raises, and SettingsError for a useless URL."""
        try:
            await self._serve()
        except asyncio.CancelledError:
            self.close()
            raise

    def publish(self, topic: str, payload: bytes, *, qos: int = 0, retain: bool = False) -> bool:
        """Hand a message to the broker; False when it is away or the queue to it is full."""
        return self._link is not None and self._link.publish(topic, payload, qos=qos, retain=retain)

    async def deliver(self, topic: str, payload: bytes) -> None:
        """Hand a message to the broker, and wait until it has taken it. Raises as `BrokerLink.deliver`."""
        if self._link is None:
            raise Unreachable("the broker is away")
        await self._link.deliver(topic, payload)

    def close(self) -> None:
        """Give back the threads that dial and resolve."""
        for executor in self._threads.values():
            executor.shutdown(wait=False, cancel_futures=True)
        self._threads = {}

    async def _serve(self) -> None:
        host, port, tls = self._where()
        try:
            async with asyncio.timeout(self._connect_within):
                address = await self._resolved(host, port)
                link = BrokerLink(
                    address=address,
                    host=host,
                    port=port,
                    tls=tls,
                    username=self._username,
                    password=self._password,
                    client_id=self._client_id,
                    on_publish=self._on_publish,
                    topics=self._topics,
                    on_takeover=self._on_takeover,
                    kept=self._kept,
                    will=self._will,
                    version=self._version,
                )
                await self._open(link)
        except TimeoutError as error:
            raise Unreachable(f"{host}:{port} did not answer within {self._connect_within:g} s") from error
        self._link, self._good, self._doubted = link, address, False
        self.connected.set()
        _log.info("broker_connected", session_present=link.session_present)
        try:
            await link.lost
        finally:
            self._link = None
            self.connected.clear()
            link.close()

    async def _open(self, link: BrokerLink) -> None:
        asked, self._version = self._version, MQTTProtocolVersion.MQTTv5
        hung_up, self._hung_up = self._hung_up, 0
        try:
            await link.open(self._thread("dial"))
        except LinkError:
            if asked is MQTTProtocolVersion.MQTTv5 and link.unanswered:
                self._hung_up = hung_up + 1
            if link.too_new or self._hung_up == _HUNG_UP:
                self._version, self._hung_up = MQTTProtocolVersion.MQTTv311, 0
            raise

    def _where(self) -> tuple[str, int, ssl.SSLContext | None]:
        parts = urlsplit(self._url)
        if parts.scheme not in {"mqtt", "mqtts"} or not parts.hostname:
            raise SettingsError(f"{self._url!r} is no broker: mqtt://HOST[:PORT] or mqtts://HOST[:PORT]")
        if parts.scheme == "mqtt":
            return parts.hostname, parts.port or 1883, None
        return parts.hostname, parts.port or 8883, (self._tls or ssl.create_default_context)()

    def _thread(self, work: str) -> ThreadPoolExecutor:
        """A thread of our own for each: a name that does not resolve must block nobody."""
        if work not in self._threads:
            self._threads[work] = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"mqtt-{work}")
        return self._threads[work]

    async def _resolved(self, host: str, port: int) -> str:
        """A numeric address: the one that worked last; the resolver is asked only when that has failed."""
        try:
            return str(ipaddress.ip_address(host))
        except ValueError:
            pass
        if self._good and not self._doubted:
            self._doubted = True
            return self._good
        try:
            async with asyncio.timeout(_RESOLVE_WITHIN):
                found: list[tuple[Any, ...]] = await asyncio.get_running_loop().run_in_executor(
                    self._thread("resolve"), lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                )
        except OSError as error:
            if self._good:
                return self._good
            raise Unreachable(f"the name {host} does not resolve") from error
        self._attempts += 1
        return str(found[self._attempts % len(found)][4][0])
