"""Kept connections to one HTTP/1.1 server: each asks one thing at a time, and knows whether it was asked at all.

A general client costs many times what the exchange itself does, and hides when a request's first octet left; on
that rests whether a message may be sent again.
"""

from __future__ import annotations

import asyncio
import math
import socket
import ssl
from collections.abc import Callable
from functools import partial
from typing import TypeAlias, cast

from belltower.errors import Malformed, Uncertain, Unreachable
from belltower.tasks import unless_mistaken
from notify.channels.http_answer import AnswerReader, HTTPAnswer

# Servers close connections that idle; some do after 5 seconds.
_IDLE = 4.0
_ADDRESSES_FOR = 300.0

Heard: TypeAlias = Callable[[HTTPAnswer | Uncertain], None]
"""Called once for what was asked, with the answer or with why none was understood."""


class HTTPPool:
    """At most `limit` connections to one server. An exchange takes at most `deadline` seconds, all told."""

    def __init__(
        self, *, host: str, port: int, tls: ssl.SSLContext | None, limit: int, deadline: float
    ) -> None:
        self._host = host
        self._port = port
        self._tls = tls
        self._limit = limit
        self._deadline = deadline
        self._lines: set[_Line] = set()
        self._idle: list[_Line] = []
        self._opening = 0
        self._waiting: list[asyncio.Future[None]] = []
        self._looking = asyncio.Lock()
        self._addresses: list[str] = []
        self._addresses_until = 0.0

    async def exchange(self, request: bytes) -> HTTPAnswer:
        """Send `request`, once, and wait for the answer.

        Raises:
            Unreachable: not an octet of it was sent.
            Uncertain: it was sent, wholly or in part, and no answer was understood.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        line = self._ready(now) or await self._opened()
        answer: asyncio.Future[HTTPAnswer] = loop.create_future()
        line.ask(request, now + self._deadline, partial(_tell, answer))
        try:
            return await answer
        except asyncio.CancelledError:
            line.drop()
            raise

    def begin(self, request: bytes, heard: Heard) -> bool:
        """As `exchange`, without waiting, where a connection rests that nobody waits for. Whether it was sent."""
        now = asyncio.get_running_loop().time()
        line = None if self._waiting else self._ready(now)
        if line is None:
            return False
        line.ask(request, now + self._deadline, heard)
        return True

    def close(self) -> None:
        """Close all connections, without farewell; what is under way becomes uncertain."""
        for line in list(self._lines):
            line.fail("closed")

    # -- what lines tell

    def stands(self, line: _Line) -> None:
        """`line` is connected."""
        self._lines.add(line)

    def free(self, line: _Line) -> None:
        """`line` may be asked again."""
        self._idle.append(line)
        if self._waiting:
            self._wake()

    def lost(self, line: _Line) -> None:
        """`line` is closed."""
        self._lines.discard(line)
        self._wake()

    # -- a line to ask on

    def _wake(self) -> None:
        """Let the one who has waited longest look for a line. It waits until it runs, so that `begin` takes none from it."""
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)
                return

    def _ready(self, now: float) -> _Line | None:
        while self._idle:
            line = self._idle.pop()
            if line.usable(now):
                return line
            line.drop()
        return None

    async def _opened(self) -> _Line:
        """A line as soon as one stands; half of the time is kept for the question."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._deadline / 2):
                while len(self._lines) + self._opening >= self._limit:
                    await self._wait(loop)
                    line = self._ready(loop.time())
                    if line is not None:
                        return line
                line = await self._open(loop)
        except (OSError, UnicodeError) as error:  # TimeoutError and ssl.SSLError are OSErrors
            raise Unreachable(type(error).__name__) from error
        if not line.stands:
            raise Unreachable("closed")
        return line

    async def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        waiter: asyncio.Future[None] = loop.create_future()
        self._waiting.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled():
                self._wake()  # it was our turn: it is another's now
            raise
        finally:
            self._waiting.remove(waiter)

    async def _open(self, loop: asyncio.AbstractEventLoop) -> _Line:
        line = None
        self._opening += 1
        try:
            line = await self._connect(loop)
        finally:
            self._opening -= 1
            if line is None:
                self._wake()
        return line

    async def _connect(self, loop: asyncio.AbstractEventLoop) -> _Line:
        async with self._looking:
            if loop.time() >= self._addresses_until:
                found = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
                self._addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
                self._addresses_until = loop.time() + _ADDRESSES_FOR
        addresses = list(self._addresses)
        last = OSError()
        for address in addresses:
            try:
                async with asyncio.timeout(self._deadline / 2 / len(addresses)):
                    _, line = await loop.create_connection(
                        lambda: _Line(self),
                        address,
                        self._port,
                        ssl=self._tls,
                        server_hostname=self._host if self._tls else None,
                    )
            except OSError as error:
                last = error
                # From now on the others first.
                self._addresses.sort(key=address.__eq__)
            else:
                return line
        self._addresses_until = 0.0
        raise last


class _Line(asyncio.Protocol):
    """One connection."""

    def __init__(self, pool: HTTPPool) -> None:
        self._pool = pool
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._reader = AnswerReader()
        self._heard: Heard | None = None
        # When the exchange, or the idling, is over.
        self._until = 0.0
        # One timer serves many exchanges: it looks again at `_until` whenever it fires.
        self._timer: asyncio.TimerHandle | None = None
        self._looks_at = math.inf

    @property
    def stands(self) -> bool:
        """Whether it is connected."""
        return self._transport is not None and not self._transport.is_closing()

    def usable(self, now: float) -> bool:
        """Whether a request may be written."""
        return now < self._until and self.stands

    def ask(self, request: bytes, until: float, heard: Heard) -> None:
        """Write `request` to a line that stands."""
        assert self._transport is not None  # noqa: S101 - it stands
        self._until = until
        if self._looks_at > until:
            self._set_timer()
        if self._reader.begun:
            self._reader = AnswerReader()
        self._heard = heard
        self._transport.write(request)

    def fail(self, reason: str) -> None:
        """What was asked is uncertain, and nothing more is."""
        self.drop()
        self._tell(Uncertain(reason))

    def drop(self) -> None:
        """Close, at once."""
        if self._transport is not None:
            self._transport.abort()

    # -- what the loop tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = cast(asyncio.Transport, transport)
        self._pool.stands(self)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        if self._heard is None:  # nobody asked
            self.drop()
            return
        try:
            answer = self._reader.feed(data)
        except Malformed:
            self.fail("Malformed")
            return
        if answer is None:
            return
        if answer.reusable:
            self._until = self._loop.time() + _IDLE
            self._pool.free(self)
        else:
            self.drop()
        self._tell(answer)

    def connection_lost(self, error: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
        self._pool.lost(self)
        answer = self._reader.end() if error is None else None
        self._tell(answer or Uncertain("closed" if error is None else type(error).__name__))

    def _tell(self, answer: HTTPAnswer | Uncertain) -> None:
        heard, self._heard = self._heard, None
        if heard is not None:
            unless_mistaken(heard, answer)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._looks_at = self._until
        self._timer = self._loop.call_at(self._until, self._look)

    def _look(self) -> None:
        self._timer, self._looks_at = None, math.inf
        if self._loop.time() < self._until:
            self._set_timer()
        else:
            self.fail("timeout")


def _tell(waits: asyncio.Future[HTTPAnswer], answer: HTTPAnswer | Uncertain) -> None:
    if waits.done():
        return
    if isinstance(answer, Uncertain):
        waits.set_exception(answer)
    else:
        waits.set_result(answer)
