"""Fan-out of server-sent events to many screens.

Every event is encoded once and handed to each client's transport as it is; the transport's own write buffer is the
client's queue. It is bounded: a screen that reads too slowly is told "resync" and let go, and nobody waits for it.
A screen that comes back names the positions it has seen (`Last-Event-ID`) and gets what it missed, or "resync".
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from socket import SO_SNDBUF, SOL_SOCKET

from aiohttp import web

from belltower.ids import StreamName

QUEUE = 160 * 1024
"""Octets that may wait here for one client."""

KERNEL = 48 * 1024
"""Octets that the kernel may hold for one client; Linux doubles it. Together no more than 256 KB."""

HEARTBEAT = 10.0
"""Seconds between signs of life."""

GRACE = 5.0
"""Seconds that a client too slow has to take its "resync" before the connection is cut."""

Heads = Mapping[StreamName, int]
"""The last position of each stream that something includes."""

EVERYBODY = ""
"""The topic that every screen hears."""


def event(kind: str, data: str, heads: Heads | None = None) -> bytes:
    """One event in the wire's form. With `heads`, a screen that comes back resumes after it."""
    lines = [f"event: {kind}", *(f"data: {line}" for line in data.split("\n"))]
    if heads is not None:
        lines.append(f"id: {written(heads)}")
    return ("\n".join(lines) + "\n\n").encode()


def written(heads: Heads) -> str:
    """Positions as text: "alarm-120!desk-33". A stream's name may hold a full stop, a tilde or a hyphen."""
    return "!".join(f"{stream}-{position}" for stream, position in sorted(heads.items()))


def understood(text: str) -> dict[StreamName, int] | None:
    """Positions from such a text; None where it is none."""
    heads: dict[StreamName, int] = {}
    for part in text.split("!") if text else []:
        stream, dash, position = part.rpartition("-")
        if not dash or not position.isascii() or not position.isdigit() or len(position) > 18:
            return None
        heads[StreamName(stream)] = int(position)
    return heads


def _covers(seen: Heads, wanted: Heads) -> bool:
    return all(seen.get(stream, 0) >= position for stream, position in wanted.items())


def _framed(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)  # RFC 9112, 7.1: one chunk


_RESYNC = _framed(event("resync", "")) + b"0\r\n\r\n"
_BEAT = event("beat", "")


class Screen:
    """One connected client."""

    __slots__ = ("closing", "gone", "owner", "topic", "transport", "waiting", "write")

    def __init__(self, transport: asyncio.Transport, topic: str, owner: bytes) -> None:
        self.transport = transport
        self.topic = topic
        self.owner = owner
        self.gone = asyncio.Event()
        self.closing = transport.is_closing
        self.waiting = transport.get_write_buffer_size
        self.write = transport.write


class Fanout:
    """All connected screens, and the last events for those that come back."""

    def __init__(
        self, *, queue: int = QUEUE, kept: int = 512, screens: int = 2_000, per_owner: int = 30
    ) -> None:
        self._queue = queue
        self._limit = screens
        self._per_owner = per_owner
        self._screens: set[Screen] = set()
        self._topics: dict[str, set[Screen]] = {}
        self._kept: deque[tuple[str, Heads, bytes]] = deque(maxlen=kept)
        # What somebody must have seen for the kept events to be all that they miss.
        self._base: Heads | None = None
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._screens)

    def begin(self, heads: Heads) -> None:
        """Everything is told afresh from `heads` on; whoever is connected must look again."""
        self._kept.clear()
        self._base = dict(heads)
        for screen in list(self._screens):
            self._let_go(screen)

    def publish(self, topic: str, data: bytes, heads: Heads) -> None:
        """Send `data`, one or more encoded events, to every screen of the topic, and keep it for those away."""
        if len(self._kept) == self._kept.maxlen:
            self._base = self._kept[0][1]
        self._kept.append((topic, dict(heads), data))
        self.send(topic, data)

    def send(self, topic: str, data: bytes) -> None:
        """Send `data` to every screen of the topic that is connected now."""
        framed = _framed(data)
        room = self._queue - len(framed)
        screens = self._screens if topic == EVERYBODY else self._topics.get(topic, ())
        slow: list[Screen] = []
        for screen in screens:
            if screen.closing() or screen.waiting() > room:
                slow.append(screen)
            else:
                screen.write(framed)
        for screen in slow:
            self._let_go(screen)

    def watched(self, topic: str) -> bool:
        """Whether any screen is on this topic."""
        return topic in self._topics

    def end(self) -> None:
        """Let go of everybody: this process ends."""
        for screen in list(self._screens):
            self._let_go(screen)

    async def heartbeats(self) -> None:
        """Give a sign of life to all, for ever."""
        while True:
            await asyncio.sleep(HEARTBEAT)
            self.send(EVERYBODY, _BEAT)

    async def serve(
        self, request: web.Request, *, topic: str, owner: bytes
    ) -> tuple[web.StreamResponse, Screen]:
        """Begin the answer to one screen: first what it missed, then it is one of us. See `Screen.gone`."""
        if len(self._screens) >= self._limit or self._of(owner) >= self._per_owner:
            raise web.HTTPServiceUnavailable(
                text="too many screens are connected\n", headers={"Retry-After": "30"}
            )
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        )
        response.enable_chunked_encoding()
        response.force_close()  # once let go, nobody is to send a next request on this connection
        await response.prepare(request)
        await response.write(b"retry: 2000\n\n")
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the screen is gone")
        socket = transport.get_extra_info("socket")
        if socket is not None:
            socket.setsockopt(SOL_SOCKET, SO_SNDBUF, KERNEL)
        screen = Screen(transport, topic, owner)
        asked = request.headers.get("Last-Event-ID") or request.query.get("after", "")
        missed = self._missed(topic, understood(asked))
        self._screens.add(screen)
        self._topics.setdefault(topic, set()).add(screen)
        if missed is None:
            self._let_go(screen)
        elif missed:
            transport.write(_framed(missed))
        return response, screen

    def forget(self, screen: Screen) -> None:
        """It is not connected any more."""
        self._screens.discard(screen)
        of_topic = self._topics.get(screen.topic)
        if of_topic is not None:
            of_topic.discard(screen)
            if not of_topic:
                del self._topics[screen.topic]
        screen.gone.set()

    def sign_out(self, owner: bytes) -> None:
        """Let go of every screen of this session."""
        for screen in [screen for screen in self._screens if screen.owner == owner]:
            self._let_go(screen)

    def _of(self, owner: bytes) -> int:
        return sum(screen.owner == owner for screen in self._screens)

    def _missed(self, topic: str, seen: Heads | None) -> bytes | None:
        if seen is None or self._base is None or not _covers(seen, self._base):
            return None
        return b"".join(
            data for of, heads, data in self._kept if of in (topic, EVERYBODY) and not _covers(seen, heads)
        )

    def _let_go(self, screen: Screen) -> None:
        self.forget(screen)
        transport = screen.transport
        if transport.is_closing():
            return
        self.dropped += 1
        transport.write(_RESYNC)
        transport.close()
        asyncio.get_running_loop().call_later(GRACE, transport.abort)
