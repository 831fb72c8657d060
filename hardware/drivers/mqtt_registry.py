"""What the connections of one MQTT listener share."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

from msgspec import Struct, field

SAMPLES = 16
SAMPLE_OCTETS = 256
CONTESTED = 64


class Permissions(Struct, frozen=True, kw_only=True):
    """What one client may do, topic by topic; there are no wildcards."""

    publish: frozenset[str]
    """Topics that it may publish."""
    subscribe: frozenset[str]
    """Topics that it may read."""
    retain: frozenset[str] = frozenset()
    """Topics under which its retained messages are kept; elsewhere they are passed on and not kept."""

    def may_publish(self, topic: str) -> bool:
        """Whether `topic` may be published."""
        return topic in self.publish

    def may_subscribe(self, topic_filter: str) -> bool:
        """Whether `topic_filter` may be subscribed to; one with a wildcard never."""
        return topic_filter in self.subscribe


def own_unit(unit: str) -> Permissions:
    """What one of our own units may do: publish `up/` and `state/`, read `down/`, each its own."""
    state = frozenset((f"state/{unit}",))
    return Permissions(publish=state | {f"up/{unit}"}, subscribe=frozenset((f"down/{unit}",)), retain=state)


Authenticate = Callable[[str, bytes, str], Permissions | None]
"""(user name, password, client id) to permissions, or None to refuse. Called on the loop, in constant time."""


class Limits(Struct, frozen=True, kw_only=True):
    """What bounds a listener. Every default serves a campus of 10,000 units."""

    connections: int = 20_000
    """Connections at a time. At the bound the oldest one not yet signed in makes room; else the newcomer is refused."""
    unauthenticated: int = 512
    """Connections from one address that have not signed in; one more closes the oldest of them, for a unit that
    signs in at once must get in although somebody at its address holds connections open."""
    handshakes: int = 256
    """TLS handshakes at a time; one more ends the oldest."""
    connect_within: float = 5.0
    """Seconds for CONNECT, and as many for the TLS handshake before it."""
    packet: int = 65_536
    """Remaining length of one packet, in octets."""
    connect_packet: int = 8_192
    """Remaining length of CONNECT, in octets."""
    receive_maximum: int = 64
    """QoS 1 messages of one client not yet acknowledged; beyond, nothing is read from it."""
    send_maximum: int = 16
    """QoS 1 messages to one client that it has not acknowledged; a client that leaves so many is dropped."""
    write_buffer: int = 65_536
    """Octets waiting for a client that does not read; beyond, it is dropped."""
    keepalive: int = 30
    """Longest keep-alive, in seconds, that a version 5 client is allowed."""
    retained: int = 20_000
    """Retained messages kept."""
    retained_payload: int = 1_024
    """Octets of one retained message; a longer one is not kept."""


class Sample(Struct, frozen=True, kw_only=True):
    """Bytes that were not understood, for whoever has to find out what sent them."""

    fault: str
    start: bytes
    """At most 256 octets; 16 before sign-in, so that no password is kept."""


class Counters(Struct, kw_only=True):
    """What a listener has seen since it started."""

    connections: int = 0
    """Open now."""
    accepted: int = 0
    refused_connections: int = 0
    """Closed at a bound: too many in all, or from one address before signing in."""
    connects: int = 0
    """Sign-ins that succeeded."""
    refused_connects: int = 0
    """Sign-ins refused: credentials, client id, version."""
    refused_handshakes: int = 0
    """TLS handshakes that failed, took too long or made room for others."""
    silent: int = 0
    """No CONNECT in time, or the keep-alive ran out."""
    takeovers: int = 0
    """A client id signed in while it was connected."""
    contested: dict[str, int] = field(default_factory=dict)
    """Takeovers by client id, for the last 64 of them; when one grows, two devices share an identity."""
    publishes: int = 0
    acknowledged: int = 0
    refused_publishes: int = 0
    refused_subscriptions: int = 0
    refused_wills: int = 0
    not_retained: int = 0
    failed: int = 0
    """Messages that could not be taken over: the connection was dropped without PUBACK."""
    wills: int = 0
    slow_readers: int = 0
    malformed: int = 0
    samples: deque[Sample] = field(default_factory=lambda: deque(maxlen=SAMPLES))
    """The last malformed packets."""


class Client(Protocol):
    """A connection, as the others see it."""

    client_id: str
    address: str

    def send(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> bool:
        """Send a message; False when it could not take it."""
        ...

    def overtaken(self) -> None:
        """The same client id signed in elsewhere: end, with the will."""
        ...

    def evicted(self) -> None:
        """Room is needed: end."""
        ...


class Registry:
    """Who is connected, who wants which topic, what is retained."""

    def __init__(self, *, limits: Limits, on_takeover: Callable[[str], None] | None = None) -> None:
        self.limits = limits
        self._on_takeover = on_takeover
        self.counters = Counters()
        self._waiting: dict[str, dict[Client, None]] = {}
        self._clients: dict[str, Client] = {}
        self._wanted: dict[str, dict[Client, int]] = {}
        self._retained: dict[str, bytes] = {}

    def admit(self, client: Client) -> bool:
        """Count a new connection in; False when there is no room for it."""
        counters, limits = self.counters, self.limits
        counters.accepted += 1
        neighbours = self._waiting.setdefault(client.address, {})
        evicted: Client | None = None
        if len(neighbours) >= limits.unauthenticated:
            evicted = next(iter(neighbours))
        elif counters.connections >= limits.connections:
            evicted = next((one for waiting in self._waiting.values() for one in waiting), None)
            if evicted is None:
                counters.refused_connections += 1
                self._forget_empty(client.address)
                return False
        neighbours[client] = None
        counters.connections += 1
        if evicted is not None:
            counters.refused_connections += 1
            self._waiting[evicted.address].pop(evicted)
            self._forget_empty(evicted.address)
            evicted.evicted()
        return True

    def sign_in(self, client: Client) -> None:
        """`client` proved who it is: an older connection of that id ends."""
        self._waiting.get(client.address, {}).pop(client, None)
        self._forget_empty(client.address)
        self.counters.connects += 1
        older = self._clients.get(client.client_id)
        self._clients[client.client_id] = client
        if older is not None:
            self._count_takeover(client.client_id)
            older.overtaken()

    def leave(self, client: Client) -> None:
        """`client`, once admitted, is gone."""
        self.counters.connections -= 1
        self._waiting.get(client.address, {}).pop(client, None)
        self._forget_empty(client.address)
        if self._clients.get(client.client_id) is client:
            del self._clients[client.client_id]

    def subscribe(self, topic: str, client: Client, qos: int) -> None:
        """`client` wants `topic`, at `qos` at most."""
        self._wanted.setdefault(topic, {})[client] = qos

    def unsubscribe(self, topic: str, client: Client) -> bool:
        """`client` no longer wants `topic`; False when it did not."""
        wanting = self._wanted.get(topic)
        if wanting is None or wanting.pop(client, None) is None:
            return False
        if not wanting:
            del self._wanted[topic]
        return True

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> bool:
        """Send to all who want `topic`; False when nobody took it."""
        if retain:
            self.retain(topic, payload)
        taken = False
        for client, granted in list(self._wanted.get(topic, {}).items()):
            taken |= client.send(topic, payload, qos=min(qos, granted), retain=False)
        return taken

    def retain(self, topic: str, payload: bytes) -> None:
        """Keep `payload` for those who come later; an empty one deletes (MQTT-3.1.1 §3.3.1.3)."""
        if not payload:
            self._retained.pop(topic, None)
        elif len(payload) <= self.limits.retained_payload and (
            topic in self._retained or len(self._retained) < self.limits.retained
        ):
            self._retained[topic] = payload
        else:
            self.counters.not_retained += 1

    def retained(self, topic: str) -> bytes | None:
        """What is kept under `topic`."""
        return self._retained.get(topic)

    def clients(self) -> list[Client]:
        """All who are signed in."""
        return list(self._clients.values())

    def waiting(self) -> list[Client]:
        """All who are not."""
        return [client for waiting in self._waiting.values() for client in waiting]

    def sample(self, fault: str, start: bytes) -> None:
        """Count a malformed packet and keep its start."""
        self.counters.malformed += 1
        self.counters.samples.append(Sample(fault=fault, start=start[:SAMPLE_OCTETS]))

    def _count_takeover(self, client_id: str) -> None:
        contested = self.counters.contested
        self.counters.takeovers += 1
        contested[client_id] = contested.pop(client_id, 0) + 1
        if len(contested) > CONTESTED:
            del contested[next(iter(contested))]
        if self._on_takeover is not None:
            self._on_takeover(client_id)

    def _forget_empty(self, address: str) -> None:
        if not self._waiting.get(address, True):
            del self._waiting[address]
