"""One client's connection to our MQTT listener.

Sessions end with their connection: CONNACK never says "session present", and what a client has not acknowledged is
not sent again; the unit protocol's own ACK repeats what matters. PUBACKs leave in the order of their PUBLISHes
(MQTT-3.1.1 §4.6), each after its future has resolved; those that are ready in one turn of the loop leave in one write.
"""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from typing import Any

from hardware.codecs import mqtt_fields as fields
from hardware.codecs import mqtt_packets as packets
from hardware.codecs.mqtt import Parser
from hardware.drivers import OnPublish, Received
from hardware.drivers import mqtt_reasons as reasons
from hardware.drivers.mqtt_registry import Authenticate, Permissions, Registry

_NO_PERMISSIONS = Permissions(publish=frozenset(), subscribe=frozenset())
_LINGER = 2.0
"""Seconds in which the last words of a connection must have left."""


class Session(asyncio.Protocol):
    """Serves one client over whatever transport it is given."""

    __slots__ = (
        "_admitted", "_authenticate", "_closing", "_flushing", "_granted", "_last_mid", "_loop",
        "_maximum_packet", "_on_publish", "_outbox", "_parser", "_paused", "_pending", "_permissions",
        "_receive_maximum", "_registry", "_seen", "_send_maximum", "_silence", "_timer", "_transport",
        "_unacknowledged", "_version", "_will", "address", "client_id",
    )  # fmt: skip

    def __init__(
        self,
        *,
        loop: asyncio.AbstractEventLoop,
        registry: Registry,
        authenticate: Authenticate,
        on_publish: OnPublish,
    ) -> None:
        self._loop = loop
        self._registry = registry
        self._authenticate = authenticate
        self._on_publish = on_publish
        self.client_id = ""
        self.address = ""
        self._parser = Parser(limit=registry.limits.connect_packet)
        self._version = 0
        self._permissions = _NO_PERMISSIONS
        self._will: packets.Will | None = None
        self._granted: set[str] = set()
        self._pending: deque[list[int]] = deque()  # [mid, reason], reason -1 while the future is open
        self._outbox: list[bytes] = []
        self._unacknowledged: set[int] = set()
        self._last_mid = 0
        self._receive_maximum = registry.limits.receive_maximum
        self._send_maximum = 0
        self._maximum_packet = 0
        self._silence = 0.0
        self._seen = 0.0
        self._admitted = self._closing = self._paused = self._flushing = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection in and wait for CONNECT."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - streams only
        self._transport = transport
        peer = transport.get_extra_info("peername")
        self.address = str(peer[0]) if isinstance(peer, tuple) and peer else ""
        limits = self._registry.limits
        transport.set_write_buffer_limits(high=limits.write_buffer)
        self._timer = self._loop.call_later(limits.connect_within, self._too_late)
        self._admitted = self._registry.admit(self)
        if not self._admitted:
            self._closing = True
            transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take in whatever has come."""
        self._seen = self._loop.time()
        if not self._closing:
            self._parser.push(data)
            self._drain()

    def pause_writing(self) -> None:
        """The client does not read what it is sent: it goes."""
        self._registry.counters.slow_readers += 1
        self._closing = True
        self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Count the connection out; publish its will unless it said good-bye."""
        self._closing = True
        self._timer.cancel()
        if not self._admitted:
            return
        for topic in self._granted:
            self._registry.unsubscribe(topic, self)
        self._registry.leave(self)
        self._publish_will()

    def send(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> bool:
        """Send a message; False when the client cannot take it."""
        if self._closing:
            return False
        mid = 0
        if qos:
            if len(self._unacknowledged) >= self._send_maximum:
                self._registry.counters.slow_readers += 1
                self._end(reasons.QUOTA)
                return False
            mid = self._last_mid % 65_535 + 1
            while mid in self._unacknowledged:
                mid = mid % 65_535 + 1
        packet = packets.publish(
            packets.Publish(topic=topic, payload=payload, qos=qos, retain=retain, mid=mid), self._version
        )
        if len(packet) > self._maximum_packet:
            return False
        if qos:
            self._last_mid = mid
            self._unacknowledged.add(mid)
        self._transport.write(packet)
        return not self._closing

    def overtaken(self) -> None:
        """The same client id signed in elsewhere: end, with the will (MQTT-3.1.1 §3.1.4)."""
        self._publish_will()
        self._end(reasons.TAKEN_OVER)

    def evicted(self) -> None:
        """Room is needed for another: end."""
        self._closing = True
        self._transport.abort()

    def shut_down(self) -> None:
        """The listener ends: so does the connection, and its will says nothing about the unit."""
        self._will = None
        self._end(reasons.SHUTTING_DOWN)

    def _drain(self) -> None:
        """Handle the packets at hand, as far as may be read on."""
        parser = self._parser
        try:
            while not (self._paused or self._closing):
                packet = parser.next()
                if packet is None:
                    break
                if type(packet) is packets.Publish:
                    self._publish(packet)
                else:
                    self._other(packet)
        except fields.MalformedPacket as error:
            self._malformed(error)
        if self._outbox:
            self._flush()

    def _publish(self, packet: packets.Publish) -> None:
        qos, topic = packet.qos, packet.topic
        counters = self._registry.counters
        counters.publishes += 1
        if qos == 2:
            counters.refused_publishes += 1
            self._end(reasons.NO_QOS_2)
            return
        if not self._permissions.may_publish(topic):
            counters.refused_publishes += 1
            if self._version == 4:
                self._end(reasons.NOT_ALLOWED)
            elif qos:
                self._answer(packet.mid, reasons.NOT_ALLOWED)
            return
        if packet.retain:
            self._retain(topic, packet.payload)
        future = self._on_publish(
            Received(
                client=self.client_id,
                topic=topic,
                payload=packet.payload,
                retain=False,
                dup=packet.dup,
                qos=qos,
            )
        )
        if not qos:
            if future is not None:
                future.add_done_callback(_looked_at)
        elif future is None:
            self._answer(packet.mid, 0)
        else:
            entry = [packet.mid, -1]
            self._await_turn(entry)
            future.add_done_callback(partial(self._resolved, entry))

    def _answer(self, mid: int, reason: int) -> None:
        """PUBACK with `reason`, now or when those before it have left."""
        if self._pending:
            self._await_turn([mid, reason])
        else:
            self._outbox.append(packets.puback(mid, reason))
            self._registry.counters.acknowledged += not reason

    def _await_turn(self, entry: list[int]) -> None:
        """Queue a PUBACK; with too many of them open, read no further."""
        self._pending.append(entry)
        if len(self._pending) >= self._receive_maximum:
            self._paused = True
            self._transport.pause_reading()

    def _resolved(self, entry: list[int], future: asyncio.Future[Any]) -> None:
        if not _looked_at(future):
            self._registry.counters.failed += 1
            if not self._closing:
                self._end(reasons.NOT_TAKEN)
            return
        entry[1] = 0
        if not self._closing and self._pending[0] is entry:
            self._settle()

    def _settle(self) -> None:
        """Let every PUBACK leave whose turn has come: at once when it is the last one, else all of this turn together."""
        pending, outbox = self._pending, self._outbox
        while pending and pending[0][1] >= 0:
            mid, reason = pending.popleft()
            outbox.append(packets.puback(mid, reason))
            self._registry.counters.acknowledged += not reason
        if not pending:
            self._flush()
        elif not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        outbox = self._outbox
        if self._closing or not outbox:
            return
        self._transport.write(outbox[0] if len(outbox) == 1 else b"".join(outbox))
        outbox.clear()
        if self._paused and 2 * len(self._pending) <= self._receive_maximum:
            self._paused = False
            self._transport.resume_reading()
            self._drain()

    def _other(self, packet: packets.Packet) -> None:
        match packet:
            case packets.PubAck(mid=mid):
                self._unacknowledged.discard(mid)
            case packets.PingReq():
                self._transport.write(packets.encode(packets.PingResp(), self._version))
            case packets.Connect():
                self._connect(packet)
            case packets.Subscribe():
                self._subscribe(packet)
            case packets.Unsubscribe(mid=mid, filters=filters):
                known = [self._registry.unsubscribe(topic, self) for topic in filters]
                self._granted.difference_update(filters)
                answer = packets.UnsubAck(mid=mid, reasons=tuple(0 if one else 0x11 for one in known))
                self._transport.write(packets.encode(answer, self._version))
            case packets.Disconnect(reason=reason):
                if reason != reasons.WITH_WILL:
                    self._will = None
                self._close()
            case _:  # the parser lets no other through
                self._end(fields.PROTOCOL_ERROR)

    def _connect(self, packet: packets.Connect) -> None:
        """CONNECT (MQTT-3.1.1 §3.1.4)."""
        if self._version:
            raise fields.malformed(self._version, "3.1.0-2", "a second CONNECT", fields.PROTOCOL_ERROR)
        self._version = packet.version
        client_id = packet.client_id or packet.username or ""
        refusal = reasons.refusal(packet, client_id)
        permissions = None
        if not refusal:
            permissions = self._authenticate(packet.username or "", packet.password or b"", client_id)
        if permissions is None:
            self._refuse(refusal or reasons.BAD_CREDENTIALS)
            return
        limits = self._registry.limits
        self.client_id = client_id
        self._permissions = permissions
        self._parser.limit = limits.packet
        self._send_maximum = min(limits.send_maximum, reasons.number(packet, fields.RECEIVE_MAXIMUM, 65_535))
        self._maximum_packet = reasons.number(packet, fields.MAXIMUM_PACKET_SIZE, 1 << 28)
        self._accept_will(packet.will)
        self._registry.sign_in(self)
        self._timer.cancel()
        keepalive = packet.keepalive
        if packet.version == 5:
            keepalive = min(keepalive or limits.keepalive, limits.keepalive)
        self._transport.write(reasons.welcome(packet, limits, client_id, keepalive))
        if keepalive:
            self._silence = 1.5 * keepalive
            self._timer = self._loop.call_later(self._silence, self._check_silence)

    def _accept_will(self, will: packets.Will | None) -> None:
        """Keep the will if it may be published; a unit with a wrong will is still let in, so that it can press."""
        if will is None:
            return
        if self._permissions.may_publish(will.topic):
            self._will = will
        else:
            self._registry.counters.refused_wills += 1

    def _refuse(self, reason: int) -> None:
        self._registry.counters.refused_connects += 1
        code = reason if self._version == 5 else reasons.RETURN_CODES.get(reason, 5)
        self._transport.write(packets.encode(packets.ConnAck(reason=code), self._version or 4))
        self._close()

    def _subscribe(self, packet: packets.Subscribe) -> None:
        """SUBSCRIBE (MQTT-3.1.1 §3.8.4), topic by topic; then what is retained there."""
        granted: list[int] = []
        fresh: list[str] = []
        for topic, options in packet.filters:
            if self._permissions.may_subscribe(topic):
                qos = min(options & 3, 1)
                handling = options >> 4 & 3
                if handling == 0 or (handling == 1 and topic not in self._granted):
                    fresh.append(topic)
                self._granted.add(topic)
                self._registry.subscribe(topic, self, qos)
                granted.append(qos)
            else:
                self._registry.counters.refused_subscriptions += 1
                granted.append(reasons.subscription_refusal(topic) if self._version == 5 else 0x80)
        answer = packets.SubAck(mid=packet.mid, reasons=tuple(granted))
        self._transport.write(packets.encode(answer, self._version))
        for topic in fresh:
            payload = self._registry.retained(topic)
            if payload is not None:
                self.send(topic, payload, qos=0, retain=True)

    def _retain(self, topic: str, payload: bytes) -> None:
        if topic in self._permissions.retain:
            self._registry.retain(topic, payload)
        else:
            self._registry.counters.not_retained += 1

    def _publish_will(self) -> None:
        will, self._will = self._will, None
        if will is None:
            return
        self._registry.counters.wills += 1
        if will.retain:
            self._retain(will.topic, will.payload)
        future = self._on_publish(
            Received(
                client=self.client_id,
                topic=will.topic,
                payload=will.payload,
                retain=False,
                dup=False,
                qos=will.qos,
            )
        )
        if future is not None:
            future.add_done_callback(_looked_at)

    def _malformed(self, error: fields.MalformedPacket) -> None:
        kept = error.sample if self.client_id else error.sample[:16]
        self._registry.sample(str(error), kept)
        if not self._version and error.reason == fields.UNSUPPORTED_VERSION:
            self._refuse(error.reason)
        else:
            self._end(error.reason)

    def _too_late(self) -> None:
        self._registry.counters.silent += 1
        self.evicted()

    def _check_silence(self) -> None:
        """Keep-alive (MQTT-3.1.1 §3.1.2.10): one and a half times what the client promised, then it is gone."""
        now = self._loop.time()
        if self._paused:
            self._seen = now
        due = self._seen + self._silence
        if due > now:
            self._timer = self._loop.call_at(due, self._check_silence)
            return
        self._registry.counters.silent += 1
        self._end(reasons.KEEP_ALIVE)

    def _end(self, reason: int) -> None:
        """Close; version 5 is told why (MQTT-5.0 §4.13)."""
        if self._closing:
            return
        if self._version == 5 and self.client_id:
            self._outbox.append(packets.encode(packets.Disconnect(reason=reason), 5))
        if self._outbox:
            self._transport.write(b"".join(self._outbox))
        self._close()

    def _close(self) -> None:
        """Let what was written leave, within two seconds."""
        if self._closing:
            return
        self._closing = True
        self._transport.close()
        self._timer.cancel()
        self._timer = self._loop.call_later(_LINGER, self._transport.abort)


def _looked_at(future: asyncio.Future[Any]) -> bool:
    """Whether `future` went well; marks its exception as seen."""
    return not future.cancelled() and future.exception() is None
