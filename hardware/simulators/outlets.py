"""The near ends of the wires that devices speak on: a broker, a URL, a TCP connection, a serial line.

What is sent is handed over; only the broker and the URL answer, and only they say that a message was taken.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import ssl
from collections import Counter
from hashlib import sha256
from typing import Protocol
from urllib.parse import quote, urlsplit

import aiohttp
from msgspec import Struct
from yarl import URL

from belltower.clock import SECOND, Clock
from belltower.errors import LinkError, Malformed, Rejected, SettingsError, Unreachable
from hardware.codecs import mqtt, mqtt_packets
from hardware.drivers.webhook import SignedOver, signed_text
from hardware.simulators.port import port_at
from hardware.simulators.spoken import Spoken
from hardware.transports import Transport, open_transport

_V5, _V3 = 5, 4
_OTHER_VERSION = {1, 0x84}
_NO_SUBSCRIBER = 0x10
_REASONS = {
    2: "our client id",
    4: "the user name or password",
    5: "the user name or password, or what it allows this user",
    0x85: "our client id",
    0x86: "the user name or password",
    0x87: "what it allows this user",
    0x89: "it is busy",
    0x8A: "it has banned us",
    0x90: "the topic",
    0x97: "its quota",
    0x9A: "that it is to be kept (retain)",
}
_ANSWER_WITHIN = 10.0
_UNANSWERED = 64
_CHUNK = 65_536
_LAST_WORDS = 0.2
_CLIENT_IDS = 1 << 48


class Outlet(Protocol):
    """A way for simulated devices to speak."""

    counts: Counter[str]
    """Messages by what became of them: `sent`, and `refused` where the other side says so."""
    refused: str
    """Why the latest message was refused that was; "": none was."""

    async def open(self) -> None:
        """Connect. Raises `Unreachable`, or `Rejected` where it is not let in."""
        ...

    async def send(self, message: Spoken) -> None:
        """Hand over. Raises `Unreachable` when the wire is gone."""
        ...

    async def flush(self) -> None:
        """Return once the other side has answered everything that it answers."""
        ...

    async def close(self) -> None:
        """Let go."""
        ...


class SignedBy(Struct, frozen=True, kw_only=True):
    """How requests are signed."""

    key: bytes
    header: str = "X-Signature"
    over: SignedOver = "request"


def outlet_at(
    url: str,
    *,
    clock: Clock,
    username: str = "",
    password: str = "",
    tls: ssl.SSLContext | None = None,
    signed: SignedBy | None = None,
) -> Outlet:
    """The way that `url` names, not yet open.

    Raises:
        SettingsError: it names none.
    """
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        raise SettingsError(f'"{url}": a port is 1 to 65535') from None
    if parts.scheme in ("mqtt", "mqtts") and parts.hostname:
        context = (tls or ssl.create_default_context()) if parts.scheme == "mqtts" else None
        return BrokerOutlet(
            host=parts.hostname,
            port=port or (8883 if context else 1883),
            tls=context,
            username=username,
            password=password,
            client_id=f"simulated-{clock.now() % _CLIENT_IDS:x}",
        )
    if parts.scheme in ("http", "https") and parts.hostname:
        return WebhookOutlet(url=url.rstrip("/"), clock=clock, signed=signed, tls=tls)
    if parts.scheme == "tcp" and parts.hostname and port:
        return ConnectionOutlet(host=parts.hostname, port=port)
    if parts.scheme == "serial":
        return LineOutlet(line=open_transport(url))
    if parts.scheme == "lines":
        return LineOutlet(line=port_at(url.removeprefix("lines:").removeprefix("//")))
    raise SettingsError(
        f'"{url}" is no way to speak; write mqtt://HOST:PORT, http://HOST:PORT, tcp://HOST:PORT (JSON), '
        "serial:///dev/ttyUSB0, or lines:/tmp/line and lines:HOST:PORT for a line that others open"
    )


class BrokerOutlet:
    """A client of a broker; everything is sent with QoS 1, and the broker's PUBACK is waited for.

    MQTT 5, for only that says what the broker does not let through; 3.1.1 with a broker that knows no other.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        tls: ssl.SSLContext | None,
        username: str,
        password: str,
        client_id: str,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.refused = ""
        self._host = host
        self._port = port
        self._tls = tls
        self._username = username
        self._password = password
        self._client_id = client_id
        self._version = _V5
        self._mid = 0
        self._waiting: set[int] = set()

    async def open(self) -> None:
        """Sign in."""
        reason = await self._sign_in()
        if reason in _OTHER_VERSION:
            await self.close()
            self._version = _V3
            reason = await self._sign_in()
        if reason:
            why = _REASONS.get(reason, f"reason {reason:#04x}")
            raise Rejected(
                f"the broker does not let us in because of {why}; give --username and --password-file"
            )

    async def _sign_in(self) -> int:
        """Connect and say who we are; the broker's reason not to let us in, 0: it does."""
        try:
            async with asyncio.timeout(_ANSWER_WITHIN):
                self._reader, self._writer = await asyncio.open_connection(
                    self._host, self._port, ssl=self._tls
                )
        except (OSError, TimeoutError) as error:
            raise Unreachable(f"no MQTT broker answers at {self._host}:{self._port}") from error
        self._parser = mqtt.Parser(version=self._version, client=True)
        # Without a session and a keep-alive: silence is what devices are good at.
        connect = mqtt_packets.Connect(
            version=self._version,
            client_id=self._client_id,
            username=self._username or None,
            password=self._password.encode() if self._username else None,
        )
        self._writer.write(mqtt_packets.encode(connect, self._version))
        try:
            answer = await self._next()
        except Unreachable as error:
            # One that knows no MQTT 5 refuses it in the words of 3.1.1, which are none of 5.
            if self._version == _V5 and isinstance(error.__cause__, Malformed):
                return min(_OTHER_VERSION)
            raise
        if not isinstance(answer, mqtt_packets.ConnAck):
            raise Rejected(f"what listens at {self._host}:{self._port} is no MQTT broker")
        return answer.reason

    async def send(self, message: Spoken) -> None:
        """Publish; waits only while many are unanswered."""
        if not message.topic:
            raise SettingsError(
                "messages without a topic cannot go to a broker; this profile reads a line or a URL"
            )
        self._mid = self._mid % 0xFFFF + 1
        packet = mqtt_packets.Publish(
            topic=message.topic, payload=message.payload, qos=1, retain=message.retained, mid=self._mid
        )
        self._waiting.add(self._mid)
        try:
            self._writer.write(mqtt_packets.encode(packet, self._version))
            await self._writer.drain()
        except OSError as error:
            raise Unreachable("the broker closed the connection") from error
        while len(self._waiting) >= _UNANSWERED:
            await self._answer()

    async def flush(self) -> None:
        """Wait for every PUBACK."""
        while self._waiting:
            await self._answer()

    async def close(self) -> None:
        """Sign off."""
        writer: asyncio.StreamWriter | None = getattr(self, "_writer", None)
        if writer is None:
            return
        with contextlib.suppress(OSError, TimeoutError):
            writer.write(mqtt_packets.encode(mqtt_packets.Disconnect(), self._version))
            writer.close()
            async with asyncio.timeout(1.0):
                await writer.wait_closed()

    async def _answer(self) -> None:
        packet = await self._next()
        if isinstance(packet, mqtt_packets.PubAck) and packet.mid in self._waiting:
            self._waiting.discard(packet.mid)
            if packet.reason >= 0x80:
                self.counts["refused"] += 1
                self.refused = "the broker refused it because of " + _REASONS.get(
                    packet.reason, f"reason {packet.reason:#04x}"
                )
            else:
                self.counts["sent"] += 1
                if packet.reason == _NO_SUBSCRIBER:
                    self.counts["read_by_nobody"] += 1

    async def _next(self) -> mqtt_packets.Packet:
        try:
            async with asyncio.timeout(_ANSWER_WITHIN):
                while (packet := self._parser.next()) is None:
                    data = await self._reader.read(_CHUNK)
                    if not data:
                        raise Unreachable("the broker closed the connection; does it let us publish there?")
                    self._parser.push(data)
        except (OSError, TimeoutError, Malformed) as error:
            raise Unreachable(f"the broker does not answer: {error or 'too late'}") from error
        return packet


class WebhookOutlet:
    """Calls a URL by POST; the topic is the path."""

    def __init__(
        self, *, url: str, clock: Clock, signed: SignedBy | None, tls: ssl.SSLContext | None
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.refused = ""
        self._url = url
        self._clock = clock
        self._signed = signed
        self._tls = tls

    async def open(self) -> None:
        """Nothing is called yet."""
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_ANSWER_WITHIN))

    async def send(self, message: Spoken) -> None:
        """Call; the answer is waited for."""
        headers = {}
        where = URL(f"{self._url}/{quote(message.topic)}", encoded=True)
        if self._signed is not None:
            stamp = str(self._clock.now() // SECOND)
            if self._signed.over != "body":
                headers["X-Timestamp"] = stamp
            said = signed_text(stamp, "POST", where.raw_path, message.payload, over=self._signed.over)
            headers[self._signed.header] = hmac.new(self._signed.key, said, sha256).hexdigest()
        try:
            async with self._session.post(
                where, data=message.payload, headers=headers, ssl=self._tls or True
            ) as answer:
                good = answer.status < 300
                self.counts["sent" if good else f"refused_{answer.status}"] += 1
                if not good:
                    self.refused = f"{self._url} refused it: HTTP {answer.status}"
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(f"{self._url} does not answer: {error or 'too late'}") from error

    async def flush(self) -> None:
        """Every answer has been waited for."""

    async def close(self) -> None:
        """Let go of the connections."""
        if hasattr(self, "_session"):
            await self._session.close()


class ConnectionOutlet:
    """One TCP connection, and JSON in it, an object a line."""

    def __init__(self, *, host: str, port: int) -> None:
        self.counts: Counter[str] = Counter()
        self.refused = ""
        self._host = host
        self._port = port
        self._writer: asyncio.StreamWriter | None = None

    async def open(self) -> None:
        """Connect."""
        try:
            async with asyncio.timeout(_ANSWER_WITHIN):
                _, self._writer = await asyncio.open_connection(self._host, self._port)
        except (OSError, TimeoutError) as error:
            raise Unreachable(f"nobody listens at {self._host}:{self._port}") from error

    async def send(self, message: Spoken) -> None:
        """Write."""
        if self._writer is None:
            raise Unreachable(f"{self._host}:{self._port}: not open")
        try:
            self._writer.write(message.payload + b"\n")
            await self._writer.drain()
        except OSError as error:
            raise Unreachable(f"{self._host}:{self._port} closed the connection") from error
        self.counts["sent"] += 1

    async def flush(self) -> None:
        """Nothing is answered here."""

    async def close(self) -> None:
        """Close; what was written leaves first."""
        if self._writer is not None:
            with contextlib.suppress(OSError, TimeoutError):
                self._writer.close()
                async with asyncio.timeout(1.0):
                    await self._writer.wait_closed()


class LineOutlet:
    """A serial line, or the end of one that others open: lines of text."""

    def __init__(self, *, line: Transport) -> None:
        self.counts: Counter[str] = Counter()
        self.refused = ""
        self._line = line

    async def open(self) -> None:
        """Open it."""
        await self._line.open()

    async def send(self, message: Spoken) -> None:
        """Write a line."""
        try:
            await self._line.write(message.payload + b"\r\n")
        except LinkError as error:
            raise Unreachable(f"the line is gone: {error}") from error
        self.counts["sent"] += 1

    async def flush(self) -> None:
        """Let the other side read what stands in the line: nothing is answered here."""
        await asyncio.sleep(_LAST_WORDS)

    async def close(self) -> None:
        """Close it."""
        await self._line.close()
