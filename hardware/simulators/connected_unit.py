"""A simulated unit on a real MQTT connection: signs in, beats, presses, repeats, and shows what it was told."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable

from belltower.errors import Malformed, Rejected, Unreachable
from belltower.tasks import together
from hardware.codecs import mqtt, mqtt_packets
from hardware.codecs import unit as codec
from hardware.codecs.unit import Kind, Level
from hardware.codecs.unit_room import Word
from hardware.simulators.unit import SimulatedUnit

_VERSION = 4
_KEEPALIVE = 30
_ANSWER_WITHIN = 10.0
_CHUNK = 65_536
_LOST = (OSError, TimeoutError, Malformed, Unreachable)


class ConnectedUnit:
    """Serves one unit over MQTT 3.1.1."""

    def __init__(
        self,
        *,
        name: str,
        unit: SimulatedUnit,
        password: str,
        host: str,
        port: int,
        tls: ssl.SSLContext | None = None,
        heartbeat: float = 30.0,
        on_level: Callable[[Level], None] | None = None,
    ) -> None:
        self.name = name
        self.unit = unit
        self.connected = asyncio.Event()
        """Set while the unit is signed in and hears its own topic."""
        self._password = password
        self._host = host
        self._port = port
        self._tls = tls
        self._heartbeat = heartbeat
        self._on_level = on_level
        self._writer: asyncio.StreamWriter | None = None
        self._pressed = asyncio.Event()
        self._mid = 0
        self.mute = False
        """Whether it hears, and says nothing of what it shows."""
        self.deaf = False
        """Whether it hears nothing."""
        self.late = 0.0
        """Seconds until it confirms what it shows."""

    @property
    def level(self) -> Level:
        """How far the latest press has come, as the wearer sees it."""
        return self.unit.level

    def press(self, kind: Kind = Kind.PANIC) -> None:
        """Press. Away from the server it is kept and sent as soon as there is a connection."""
        frame = self.unit.press(self._now(), kind)
        if self.connected.is_set():
            self._publish(frame)
        self._pressed.set()

    def status(self, word: Word, count: int = 0) -> None:
        """Say how the room is; kept like a press while there is no connection."""
        self._speak(self.unit.status(self._now(), word, count))

    def text(self, words: str) -> None:
        """Say something in the room's own words."""
        self._speak(self.unit.text(self._now(), words))

    def _speak(self, frame: bytes) -> None:
        if self.connected.is_set():
            self._publish(frame)
        self._pressed.set()

    async def run(self) -> None:
        """One connection's life; ends by being cancelled, with `Unreachable`, or with `Rejected` when it is not let in."""
        try:
            async with asyncio.timeout(_ANSWER_WITHIN):
                reader, writer = await asyncio.open_connection(self._host, self._port, ssl=self._tls)
        except (OSError, TimeoutError) as error:
            raise Unreachable(f"no MQTT server answers at {self._host}:{self._port}") from error
        self._writer = writer
        parser = mqtt.Parser(version=_VERSION, client=True)
        try:
            await self._sign_in(reader, parser)
            self.connected.set()
            await together(
                unit_hear=self._hear(reader, parser), unit_repeat=self._repeat(), unit_beat=self._beat()
            )
        except _LOST as error:
            raise Unreachable(f"{self.name}: {error}") from error
        finally:
            self.connected.clear()
            writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(1.0):
                    await writer.wait_closed()

    async def _sign_in(self, reader: asyncio.StreamReader, parser: mqtt.Parser) -> None:
        will = mqtt_packets.Will(topic=f"state/{self.name}", payload=b"offline", qos=1)
        self._send(
            mqtt_packets.Connect(
                version=_VERSION,
                client_id=self.name,
                username=self.name,
                password=self._password.encode(),
                keepalive=_KEEPALIVE,
                will=will,
            )
        )
        answer = await self._next(reader, parser)
        if not isinstance(answer, mqtt_packets.ConnAck) or answer.reason:
            raise Rejected("the server refused to let the unit in; is its key the one the lane has?")
        self._send(mqtt_packets.Subscribe(mid=self._next_mid(), filters=((f"down/{self.name}", 1),)))
        while not isinstance(await self._next(reader, parser), mqtt_packets.SubAck):
            pass
        self._send(
            mqtt_packets.Publish(topic=f"state/{self.name}", payload=b"online", qos=1, mid=self._next_mid())
        )

    async def _next(self, reader: asyncio.StreamReader, parser: mqtt.Parser) -> mqtt_packets.Packet:
        async with asyncio.timeout(_ANSWER_WITHIN):
            while (packet := parser.next()) is None:
                parser.push(await self._read(reader))
        return packet

    async def _read(self, reader: asyncio.StreamReader) -> bytes:
        data = await reader.read(_CHUNK)
        if not data:
            raise Unreachable("the server closed the connection")
        return data

    async def _hear(self, reader: asyncio.StreamReader, parser: mqtt.Parser) -> None:
        while True:
            while (packet := parser.next()) is not None:
                if isinstance(packet, mqtt_packets.Publish):
                    self._heard(packet)
            async with asyncio.timeout(2 * _KEEPALIVE):
                parser.push(await self._read(reader))

    def _heard(self, packet: mqtt_packets.Publish) -> None:
        if packet.qos and packet.mid:
            self._send(mqtt_packets.PubAck(mid=packet.mid))
        if self.deaf:
            return
        before = self.unit.level
        for frame in self.unit.heard(packet.payload):
            if codec.peek(frame).type != codec.Type.SHOWN or (not self.mute and not self.late):
                self._publish(frame)
            elif not self.mute:
                asyncio.get_running_loop().call_later(self.late, self._publish, frame)
        if self.unit.level is not before and self._on_level is not None:
            self._on_level(self.unit.level)

    async def _repeat(self) -> None:
        while True:
            self._pressed.clear()
            for frame in self.unit.due(self._now()):
                self._publish(frame)
            due = self.unit.next_due()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await self._pressed.wait()

    async def _beat(self) -> None:
        while True:
            self._publish(self.unit.heartbeat(), qos=0)
            waited = 0.0
            while waited < self._heartbeat:
                step = min(_KEEPALIVE / 2, self._heartbeat - waited)
                await asyncio.sleep(step)
                waited += step
                self._send(mqtt_packets.PingReq())

    def _publish(self, frame: bytes, *, qos: int = 1) -> None:
        mid = self._next_mid() if qos else 0
        self._send(mqtt_packets.Publish(topic=f"up/{self.name}", payload=frame, qos=qos, mid=mid))

    def _send(self, packet: mqtt_packets.Packet) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(mqtt_packets.encode(packet, _VERSION))

    def _next_mid(self) -> int:
        self._mid = self._mid % 0xFFFF + 1
        return self._mid

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
