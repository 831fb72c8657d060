"""One connection to an MQTT broker: paho's client, driven by asyncio through its socket callbacks."""

from __future__ import annotations

import asyncio
import fcntl
import re
import socket
import ssl
import termios
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from typing import Any, cast

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from belltower.errors import LinkError, Rejected, Uncertain, Unreachable
from hardware.drivers import OnPublish, Received

TOPICS = ("up/+", "state/+")
TAKEOVERS = "$SYS/broker/log/E"
"""Where mosquitto says that a second connection took a name, if it logs there and lets us read it."""
_TAKEOVER = re.compile(rb"Client (\S{1,80}) already connected, closing old connection")
_TAKEN_OVER = 0x8E
_UNSUPPORTED_VERSION = 0x84
_WITH_WILL = ReasonCode(PacketTypes.DISCONNECT, identifier=4)
KEEPALIVE = 15
"""Seconds; a dead broker is known after at most twice that."""
SESSION_EXPIRY = 7 * 86_400
"""Seconds that the broker shall keep what comes while we are away."""
MAX_PACKET = 65_536
_UNACKNOWLEDGED = 1_000
_QUEUED = 10_000
_READ_PER_TURN = 64


class _NamedTLS:
    """A TLS context that checks the certificate against `name`, although we dial a numeric address."""

    def __init__(self, context: ssl.SSLContext, name: str) -> None:
        self._context = context
        self._name = name
        self.check_hostname = context.check_hostname
        self.wrapped: ssl.SSLSocket | None = None
        """The last socket given out; paho forgets to close it when the handshake fails."""

    def wrap_socket(self, sock: socket.socket, **more: Any) -> ssl.SSLSocket:
        """As `SSLContext.wrap_socket`, with our name."""
        self.wrapped = self._context.wrap_socket(sock, **{**more, "server_hostname": self._name})
        return self.wrapped


class BrokerLink:
    """Opened once, lost once. `lost` ends with the LinkError that ended it."""

    def __init__(
        self,
        *,
        address: str,
        host: str,
        port: int,
        tls: ssl.SSLContext | None,
        username: str,
        password: str,
        client_id: str,
        on_publish: OnPublish,
        topics: tuple[str, ...] = TOPICS,
        on_takeover: Callable[[str], None] | None = None,
        kept: bool = True,
        will: tuple[str, bytes] | None = None,
        version: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv5,
    ) -> None:
        """Speak this version of MQTT: 5, or 3.1.1 to a broker that knows no other."""
        self._version = version
        self._asked = self._answered = False
        self.too_new = False
        """The broker said that it does not know this version."""
        self._topics = topics
        self._on_takeover = on_takeover
        self._name = username or client_id
        self._kept = kept
        # What was handed over and is not acknowledged, by packet identifier.
        self._handed: dict[int, asyncio.Future[None]] = {}
        self._loop = asyncio.get_running_loop()
        self._address, self._port = address, port
        self._on_publish = on_publish
        self._heard = 0
        self._reading = self._attached = False
        self._sock: Any = None
        self._misc: asyncio.TimerHandle | None = None
        self._granted: asyncio.Future[None] = self._loop.create_future()
        self.lost: asyncio.Future[None] = self._loop.create_future()
        self.session_present = False
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=version,
            clean_session=None if self._new else not kept,
            manual_ack=True,
            reconnect_on_failure=False,
        )
        client.connect_timeout = 5.0
        client.max_inflight_messages_set(_UNACKNOWLEDGED)
        client.max_queued_messages_set(_QUEUED)
        if username:
            client.username_pw_set(username, password)
        self._will = will
        if will is not None:
            client.will_set(*will, qos=1, retain=True)
        self._tls = None if tls is None else _NamedTLS(tls, host)
        if self._tls is not None:
            client.tls_set_context(cast(ssl.SSLContext, self._tls))
        client.on_connect = self._connected
        client.on_subscribe = self._subscribed
        client.on_message = self._message
        client.on_publish = self._taken
        client.on_disconnect = self._disconnected
        client.on_socket_close = self._socket_closed
        client.on_socket_register_write = self._wants_to_write
        client.on_socket_unregister_write = self._has_written
        self._client = client

    @property
    def _new(self) -> bool:
        return self._version is MQTTProtocolVersion.MQTTv5

    @property
    def unanswered(self) -> bool:
        """The broker was asked to let us in, and did not answer: it may be older, or is just beginning anew."""
        return self._asked and not self._answered

    async def open(self, executor: Executor) -> None:
        """Dial in `executor`, sign in, subscribe. Raises Unreachable, or Rejected with what the broker said."""
        dialled = self._loop.run_in_executor(executor, self._dial)
        try:
            await asyncio.shield(dialled)
            self._attach()
            await self._granted
        except ssl.SSLCertVerificationError as error:
            raise Rejected(f"the broker's certificate is not trusted: {error.verify_message}") from error
        except OSError as error:
            raise Unreachable(f"{self._address}:{self._port}: {error}") from error
        finally:
            if not dialled.done():
                dialled.add_done_callback(self._dialled_too_late)
            elif not self._granted.done() or self._granted.cancelled() or self._granted.exception():
                self.close()

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> bool:
        """Hand a message over; False when the queue is full or the link is lost."""
        if self.lost.done():
            return False
        info = self._client.publish(topic, payload, qos=qos, retain=retain)
        self._write_now()
        return info.rc == paho.MQTT_ERR_SUCCESS

    async def deliver(self, topic: str, payload: bytes) -> None:
        """Hand a message over and wait until the broker has taken it.

        Raises Unreachable where nothing left, Rejected where it may not be written, Uncertain where the link ends.
        """
        if self.lost.done():
            raise Unreachable("the broker is away")
        info = self._client.publish(topic, payload, qos=1)
        if info.rc != paho.MQTT_ERR_SUCCESS:
            raise Unreachable("the queue to the broker is full")
        taken = self._handed[info.mid] = self._loop.create_future()
        try:
            self._write_now()
            await asyncio.wait([taken, self.lost], return_when=asyncio.FIRST_COMPLETED)
            if not taken.done():
                raise Uncertain("the broker was lost before it took the order")
            taken.result()
        finally:
            del self._handed[info.mid]

    def close(self) -> None:
        """Say good-bye if that is possible, and let go of the socket."""
        self._lose(Unreachable("closed"))
        if self._misc is not None:
            self._misc.cancel()
        client = self._client
        silently = self._will is not None and not self._new  # 3.1.1 cannot say good-bye and leave a will
        if client.socket() is not None and not silently:
            client.disconnect(reasoncode=_WITH_WILL if self._will is not None else None)
            client.loop_write()
        left = client.socket()
        if left is not None:
            self._detach()
            left.close()

    def _dial(self) -> None:
        """Runs in a thread: paho's connect blocks."""
        more: dict[str, Any] = {}
        if self._new:
            properties = more["properties"] = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = SESSION_EXPIRY if self._kept else 0
            properties.ReceiveMaximum = _UNACKNOWLEDGED
            properties.MaximumPacketSize = MAX_PACKET
            more["clean_start"] = not self._kept
        try:
            self._client.connect(self._address, self._port, keepalive=KEEPALIVE, **more)
        finally:
            if self._client.socket() is None and self._tls is not None and self._tls.wrapped is not None:
                self._tls.wrapped.close()

    def _dialled_too_late(self, dialled: asyncio.Future[None]) -> None:
        if not dialled.cancelled() and dialled.exception() is None:
            self.close()

    def _attach(self) -> None:
        self._sock = self._client.socket()
        self._asked = True
        if self._sock is None:
            raise Unreachable("the broker hung up")
        self._attached = True
        self._loop.add_reader(self._sock, self._readable)
        self._loop.add_writer(self._sock, self._client.loop_write)
        self._misc = self._loop.call_later(1.0, self._every_second)

    def _detach(self) -> None:
        if self._attached:
            self._attached = False
            self._loop.remove_reader(self._sock)
            self._loop.remove_writer(self._sock)

    def _readable(self) -> None:
        well = False
        self._reading = True
        try:
            for _ in range(_READ_PER_TURN):
                heard = self._heard
                self._client.loop_read()
                if not self._attached or not (
                    self._waiting() or (self._tls is not None and self._heard != heard)
                ):
                    break
            else:
                self._loop.call_soon(self._read_on)  # what TLS holds decrypted wakes no reader
            well = True
        finally:
            self._reading = False
            if not well:
                self._lose(Unreachable("a message could not be handled"))

    def _waiting(self) -> bool:
        """Whether there is more to read: asking the kernel is cheaper than having paho find out that there is not."""
        if isinstance(self._sock, ssl.SSLSocket):
            return self._sock.pending() > 0
        left = bytearray(4)
        fcntl.ioctl(self._sock, termios.FIONREAD, left)
        return any(left)

    def _read_on(self) -> None:
        if self._attached:
            self._readable()

    def _every_second(self) -> None:
        self._client.loop_misc()
        if not self.lost.done():
            self._misc = self._loop.call_later(1.0, self._every_second)

    def _wants_to_write(self, *_: Any) -> None:
        if self._attached:
            self._loop.add_writer(self._sock, self._client.loop_write)

    def _has_written(self, *_: Any) -> None:
        if self._attached:
            self._loop.remove_writer(self._sock)

    def _write_now(self) -> None:
        """Spare a turn of the loop, unless paho is in the middle of reading."""
        if self._attached and not self._reading and self._client.want_write():
            self._client.loop_write()

    def _socket_closed(self, *_: Any) -> None:
        self._detach()

    def _connected(
        self, client: paho.Client, _data: Any, flags: paho.ConnectFlags, reason: ReasonCode, _properties: Any
    ) -> None:
        self._answered, self.too_new = True, reason.value == _UNSUPPORTED_VERSION
        if reason.is_failure:
            self._lose(Rejected(f"the broker refuses us: {reason}"))
            return
        self.session_present = bool(flags.session_present)
        self._subscribe(client, self._topics)
        if self._on_takeover is not None:
            self._subscribe(client, (TAKEOVERS,))

    def _subscribe(self, client: paho.Client, topics: tuple[str, ...]) -> None:
        if self._new:
            client.subscribe([(topic, SubscribeOptions(qos=1)) for topic in topics])
        else:
            client.subscribe([(topic, 1) for topic in topics])

    def _subscribed(
        self, _client: paho.Client, _data: Any, _mid: int, reasons: list[ReasonCode], _properties: Any
    ) -> None:
        if self._granted.done():  # for the second time: a broker need not let us read its log
            return
        refused = [topic for topic, reason in zip(self._topics, reasons, strict=False) if reason.is_failure]
        if refused:
            self._lose(Rejected(f"the broker does not let us read {' and '.join(refused)}"))
        else:
            self._granted.set_result(None)

    def _disconnected(
        self, _client: paho.Client, _data: Any, _flags: Any, reason: ReasonCode, _p: Any
    ) -> None:
        if reason.value == _TAKEN_OVER and self._on_takeover is not None:
            self._on_takeover(self._name)
        self._lose(Unreachable(f"the broker's connection ended: {reason}"))

    def _taken(
        self, _client: paho.Client, _data: Any, mid: int, reason: ReasonCode, _properties: Any
    ) -> None:
        handed = self._handed.get(mid)
        if handed is None or handed.done():
            return
        if reason.is_failure:
            handed.set_exception(Rejected(f"the broker does not take it: {reason}"))
            handed.exception()  # whoever waits raises it; who has given up need not
        else:
            handed.set_result(None)

    def _message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        self._heard += 1
        if message.topic == TAKEOVERS:
            self._logged(message)
            return
        future = self._on_publish(
            Received(
                client="",
                topic=message.topic,
                payload=bytes(message.payload),
                retain=bool(message.retain),
                dup=bool(message.dup),
                qos=message.qos,
            )
        )
        if future is None:
            self._acknowledge(message.mid, message.qos)
        else:
            future.add_done_callback(partial(self._resolved, message.mid, message.qos))

    def _logged(self, message: paho.MQTTMessage) -> None:
        taken = _TAKEOVER.search(bytes(message.payload[:256]))
        if taken is not None and self._on_takeover is not None:
            self._on_takeover(taken[1].decode("utf-8", "replace"))
        self._acknowledge(message.mid, message.qos)

    def _resolved(self, mid: int, qos: int, future: asyncio.Future[Any]) -> None:
        if not future.cancelled() and future.exception() is None:
            self._acknowledge(mid, qos)
        elif qos:
            self._lose(Unreachable("a message was not taken; the broker will send it again"))

    def _acknowledge(self, mid: int, qos: int) -> None:
        if qos and not self.lost.done():
            self._client.ack(mid, qos)
            self._write_now()

    def _lose(self, error: LinkError) -> None:
        for waiting in (self._granted, self.lost):
            if not waiting.done():
                waiting.set_exception(error)
                waiting.exception()  # seen: whoever awaits it raises it all the same
