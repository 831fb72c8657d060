"""Devices that call a URL: each request is one message, and its answer leaves once what it carried is written down.

A request proves itself by an HMAC over the time of signing, its method, its path and its body, and is taken once; or at
least it comes from an address that may speak here. The size, the time and the rate of requests are bounded, and so are the connections.
"""

from __future__ import annotations

import asyncio
import hmac
from collections import Counter, OrderedDict
from hashlib import sha256
from typing import Literal

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from belltower import log
from belltower.clock import SECOND, Clock
from belltower.errors import Unreachable
from hardware.drivers import TLS, OnPublish, Received
from hardware.drivers.rate import Rates
from hardware.drivers.sources import Sources

_log = log.get("webhook")

LONGEST = 65_536
"""Octets of the longest body."""
BODY_WITHIN = 5.0
"""Seconds for a body to come in."""
ANSWER_WITHIN = 10.0
"""Seconds for what was said to be written down; then the sender is told to come again."""
SILENT_FOR = 15.0
"""Seconds that a connection may be without a whole request."""
SIGNED_WITHIN = 300.0
"""Seconds that the time of signing may be away from ours."""
REMEMBERED = 65_536
"""Signed requests that are known when they come again."""

SignedOver = Literal["request", "timed-body", "body"]
"""What is signed: `TIME.METHOD.PATH.BODY`; `TIME.BODY`, good for any path; or the body alone, good for ever."""


class Signed:
    """How a request is signed: HMAC-SHA256, hexadecimal.

    PATH is as the request line has it, without a query; BODY of a GET is its query.
    """

    def __init__(self, *, key: bytes, header: str = "X-Signature", over: SignedOver = "request") -> None:
        self._key = key
        self._header = header
        self._over = over

    @property
    def once(self) -> bool:
        """Whether the time is signed, so that a request is good once."""
        return self._over != "body"

    def good(self, request: web.BaseRequest, body: bytes, now: float) -> bool:
        """Whether the request bears our key's signature, made lately."""
        said = request.headers.get(self._header, "").removeprefix("sha256=").strip().lower()
        signed = body
        if self.once:
            stamp = request.headers.get("X-Timestamp", "")
            if not (stamp.isascii() and stamp.isdecimal() and len(stamp) <= 12):
                return False
            if abs(now - int(stamp)) > SIGNED_WITHIN:
                return False
            signed = signed_text(stamp, request.method, path_of(request), body, over=self._over)
        expected = hmac.new(self._key, signed, sha256).hexdigest()
        return hmac.compare_digest(expected.encode(), said.encode("utf-8", "replace"))


def signed_text(stamp: str, method: str, path: str, body: bytes, *, over: SignedOver = "request") -> bytes:
    """The octets over which the signature is made."""
    if over == "body":
        return body
    head = stamp if over == "timed-body" else f"{stamp}.{method}.{path}"
    return head.encode("utf-8", "surrogateescape") + b"." + body


def path_of(request: web.BaseRequest) -> str:
    """The path as the request line has it."""
    return request.raw_path.partition("?")[0]


class Once:
    """Signed requests of the last minutes, so that none counts twice. Bounded: what is older than a forgotten one is late."""

    def __init__(self, *, most: int = REMEMBERED) -> None:
        self._most = most
        # By request: when it was signed, and whether what it said is written down.
        self._taken: OrderedDict[bytes, tuple[float, bool]] = OrderedDict()
        self._forgotten = float("-inf")

    def before(self, request: bytes, signed_at: float, now: float) -> bool | None:
        """Whether the same came before and is written down; None: it is new, and is remembered from here on."""
        while self._taken and next(iter(self._taken.values()))[0] < now - SIGNED_WITHIN:
            self._taken.popitem(last=False)
        if (known := self._taken.get(request)) is not None:
            return known[1]
        if signed_at <= self._forgotten:
            return False
        self._taken[request] = signed_at, False
        if len(self._taken) > self._most:
            _, (oldest, _) = self._taken.popitem(last=False)
            self._forgotten = max(self._forgotten, oldest)
        return None

    def done(self, request: bytes, *, written: bool) -> None:
        """It is written down; or it is not, and may come again."""
        if (known := self._taken.get(request)) is None:
            return
        if written:
            self._taken[request] = known[0], True
        else:
            del self._taken[request]


class _Server(web.Server):
    """Knows when each connection last brought a whole request, and keeps no more than it may."""

    most = 256

    def __init__(self, *args: object, **more: object) -> None:
        super().__init__(*args, **more)  # type: ignore[arg-type]
        self.heard: dict[RequestHandler, float] = {}

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        """A further connection takes the place of the one silent for longest."""
        if len(self.heard) >= self.most:
            oldest = min(self.heard, key=self.heard.__getitem__)
            del self.heard[oldest]
            oldest.force_close()
        super().connection_made(handler, transport)
        self.heard[handler] = asyncio.get_running_loop().time()

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        """Forget it."""
        super().connection_lost(handler, exc)
        self.heard.pop(handler, None)

    def look(self) -> None:
        """Close what has brought nothing for too long."""
        now = asyncio.get_running_loop().time()
        for connection in [each for each, at in self.heard.items() if now - at > SILENT_FOR]:
            del self.heard[connection]
            connection.force_close()


class Webhook:
    """Listens, and hands every request to `on_message`: its topic is the path, its payload the body or the query."""

    def __init__(
        self,
        *,
        on_message: OnPublish,
        clock: Clock,
        host: str,
        port: int,
        sources: Sources,
        signed: Signed | None = None,
        tls: TLS | None = None,
        connections: int = 256,
        per_second: float = 200.0,
        longest: int = LONGEST,
    ) -> None:
        self._on_message = on_message
        self._clock = clock
        self._host = host
        self._sources = sources
        self._signed = signed
        self._once = Once()
        self._tls = tls
        self._connections = connections
        self._per_second = per_second
        self._longest = longest
        self.counts: Counter[str] = Counter()
        self.ready = asyncio.Event()
        self.port = port

    async def run(self) -> None:
        """Listen until cancelled; raises `Unreachable` when the port cannot be had, and what `tls` raises."""
        loop = asyncio.get_running_loop()
        self._rates = Rates(per_second=self._per_second, burst=2 * self._per_second, now=loop.time)
        self._server = _Server(self._handle, access_log=None, keepalive_timeout=SILENT_FOR)
        self._server.most = self._connections
        context = self._tls() if self._tls is not None else None
        try:
            server = await loop.create_server(self._server, self._host, self.port, ssl=context)
        except OSError as error:
            raise Unreachable(f"{self._host}:{self.port} cannot be listened on: {error.strerror}") from error
        self.port = server.sockets[0].getsockname()[1]
        self.ready.set()
        try:
            async with server:
                while True:
                    await asyncio.sleep(1.0)
                    self._server.look()
        finally:
            self.ready.clear()
            await self._server.shutdown(0.1)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        source = request.remote or ""
        if not self._sources.may(source):
            return self._no(403, "wrong_source")
        if wait := self._rates.take(source):
            refused = self._no(429, "too_fast")
            refused.headers["Retry-After"] = str(int(wait) + 1)
            return refused
        if request.method not in ("POST", "PUT", "GET"):
            return self._no(405, "wrong_method")
        if (request.content_length or 0) > self._longest:
            return self._no(413, "too_long")
        try:
            async with asyncio.timeout(BODY_WITHIN):
                body = await self._body(request)
        except TimeoutError:
            return self._no(408, "too_slow")
        except (web.RequestPayloadError, ValueError):
            return self._no(400, "broken")
        if body is None:
            return self._no(413, "too_long")
        if self._signed is not None and not self._signed.good(request, body, self._clock.now() / SECOND):
            return self._no(401, "unsigned")
        if request.protocol in self._server.heard:
            self._server.heard[request.protocol] = asyncio.get_running_loop().time()
        if self._signed is None or not self._signed.once:
            return await self._take(source, request, body)
        stamp = request.headers["X-Timestamp"]
        named = sha256(signed_text(stamp, request.method, path_of(request), body)).digest()
        before = self._once.before(named, float(stamp), self._clock.now() / SECOND)
        if before is not None:
            self.counts["repeated"] += 1
            return web.Response(text="ok\n") if before else self._no(503, "not_written")
        written = False
        try:
            answer = await self._take(source, request, body)
            written = answer.status == 200
        finally:
            self._once.done(named, written=written)
        return answer

    async def _body(self, request: web.BaseRequest) -> bytes | None:
        if request.method == "GET":
            return request.query_string.encode("utf-8", "replace")[: self._longest]
        held = bytearray()
        async for chunk in request.content.iter_chunked(8_192):
            held += chunk
            if len(held) > self._longest:
                return None
        return bytes(held)

    async def _take(self, source: str, request: web.BaseRequest, body: bytes) -> web.Response:
        self.counts["messages"] += 1
        waiting = self._on_message(
            Received(
                client=source, topic=request.path.strip("/"), payload=body, retain=False, dup=False, qos=1
            )
        )
        if waiting is not None:
            try:
                async with asyncio.timeout(ANSWER_WITHIN):
                    written = await asyncio.shield(waiting)
            except TimeoutError:
                return self._no(503, "not_written")
            if written is False:
                return self._no(503, "not_written")
        return web.Response(text="ok\n")

    def _no(self, status: int, why: str) -> web.Response:
        self.counts[why] += 1
        if self.counts[why] == 1:
            _log.warning("webhook_refused", why=why)
        return web.Response(status=status, text=f"{why}\n")
