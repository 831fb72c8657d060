"""A unit's side of MQTT in test words, built on the codec alone."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any, Self

from hardware.codecs import mqtt, mqtt_packets
from hardware.drivers import Received
from hardware.drivers.mqtt_listener import MQTTListener
from hardware.drivers.mqtt_registry import Limits, Permissions, own_unit
from tests.peers.waiting import PATIENCE


class Intake:
    """Stands where the intake stands: keeps what was received and resolves when told."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.futures: list[asyncio.Future[Any]] = []
        self.at_once = True
        self.news = asyncio.Event()

    def __call__(self, received: Received) -> asyncio.Future[Any] | None:
        self.received.append(received)
        self.news.set()
        if self.at_once:
            return None
        future = asyncio.get_running_loop().create_future()
        self.futures.append(future)
        return future

    async def wants(self, count: int) -> list[Received]:
        """Wait until `count` messages are here."""
        async with asyncio.timeout(PATIENCE):
            while len(self.received) < count:
                self.news.clear()
                await self.news.wait()
        return self.received


def authenticate(username: str, password: bytes, client_id: str) -> Permissions | None:
    """Units whose password is their own name."""
    return own_unit(username) if password == username.encode() and client_id == username else None


class Unit:
    """One raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, version: int) -> None:
        self.reader, self.writer, self.version = reader, writer, version
        self.parser = mqtt.Parser(version=version, client=True)
        self.inbox: list[mqtt_packets.Packet] = []

    @classmethod
    async def dial(cls, port: int, *, version: int = 4, tls: ssl.SSLContext | None = None) -> Unit:
        """Connect without a word."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
        return cls(reader, writer, version)

    @classmethod
    async def signed_in(cls, port: int, name: str = "u1", *, version: int = 4, **more: Any) -> Unit:
        """Connect and sign in; more are fields of CONNECT."""
        unit = await cls.dial(port, version=version)
        answer = await unit.sign_in(name, **more)
        assert isinstance(answer, mqtt_packets.ConnAck)
        assert answer.reason == 0
        return unit

    async def sign_in(self, name: str = "u1", **more: Any) -> mqtt_packets.Packet:
        """Send CONNECT and return the answer."""
        fields = {"client_id": name, "username": name, "password": name.encode(), "keepalive": 30, **more}
        self.tell(mqtt_packets.Connect(version=self.version, **fields))
        return await self.hears()

    def tell(self, *packets: mqtt_packets.Packet) -> None:
        """Send packets in one write."""
        self.writer.write(b"".join(mqtt_packets.encode(packet, self.version) for packet in packets))

    def presses(self, name: str = "u1", mid: int = 1, payload: bytes = b"!", **more: Any) -> None:
        """Publish to up/NAME with QoS 1."""
        self.tell(mqtt_packets.Publish(topic=f"up/{name}", payload=payload, qos=1, mid=mid, **more))

    async def hears(self) -> mqtt_packets.Packet:
        """The next packet from the other side."""
        async with asyncio.timeout(PATIENCE):
            while not self.inbox:
                data = await self.reader.read(65_536)
                if not data:
                    raise EOFError
                self.inbox += self.parser.feed(data)
        return self.inbox.pop(0)

    async def is_closed(self) -> list[mqtt_packets.Packet]:
        """Wait for the other side to close; what it said before."""
        said = []
        while True:
            try:
                said.append(await self.hears())
            except (EOFError, ConnectionError):
                self.writer.close()
                return said

    async def is_alive(self) -> None:
        """The other side still answers, and has nothing else to say."""
        self.tell(mqtt_packets.PingReq())
        assert mqtt_packets.PingResp() == await self.hears()

    def hang_up(self) -> None:
        """End without DISCONNECT."""
        self.writer.transport.abort()


class Running:
    """A listener that runs while the block lasts."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, **limits: Any) -> None:
        self.intake = Intake()
        self.listener = MQTTListener(
            on_publish=self.intake,
            authenticate=authenticate,
            port=0,
            tls=(lambda: tls) if tls else None,
            limits=Limits(**limits),
        )
        self._units: list[Unit] = []

    @property
    def port(self) -> int:
        return self.listener.port

    async def __aenter__(self) -> Self:
        self._task = asyncio.get_running_loop().create_task(self.listener.run())
        async with asyncio.timeout(PATIENCE):
            await self.listener.ready.wait()
        return self

    async def __aexit__(self, *details: object) -> None:
        for unit in self._units:
            unit.hang_up()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        async with asyncio.timeout(PATIENCE):
            while self.listener.counters.connections:  # noqa: ASYNC110 - no event is promised
                await asyncio.sleep(0.005)

    async def unit(self, name: str = "u1", **more: Any) -> Unit:
        """One more unit, signed in."""
        unit = await Unit.signed_in(self.port, name, **more)
        self._units.append(unit)
        return unit

    async def stranger(self, **more: Any) -> Unit:
        """One more connection, not signed in."""
        unit = await Unit.dial(self.port, **more)
        self._units.append(unit)
        return unit
