"""One server of a centre: a connection that stays open, is asked for signs of life, and carries transactions both ways.

Only a transport that is a stream can be given: a call is too large for a datagram (RFC 3428, section 8).
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from functools import partial
from typing import Protocol

from msgspec import Struct

from belltower import log
from belltower.errors import Uncertain, Unreachable
from belltower.ids import LinkName, RandomBytes
from belltower.tasks import together
from gateway.psap.bucket import Bucket
from gateway.psap.sip_request import BRANCH
from gateway.psap.sip_settings import SIPTarget
from hardware.codecs import sip, sip_digest
from hardware.codecs.sip import Blank, Decoder, Garbled, Request, Response
from hardware.codecs.sip_digest import Challenge
from hardware.transports import Transport

_log = log.get("psap")

MISSES = 3
"""Signs of life that may be missed; with the interval halved while one is missing, a cut is known after 2.5 of it."""
_REOPEN = (0.1, 1.5)
_PENDING = 1_024
_REPLIES = 64
_TRIES = 3
_BLANK_PING = b"\r\n\r\n"


class Login(Struct, frozen=True, kw_only=True):
    """Who we are to a server that asks; its `repr` shows no password."""

    username: str
    password: str

    def __repr__(self) -> str:
        return "Login(***)"


class Heeding(Protocol):
    """Who is told what happens on a line; each call returns at once."""

    def opened(self) -> None:
        """There is a connection."""
        ...

    def closed(self, line: SIPLine, reason: str, /) -> None:
        """There is none any more, or none could be had."""
        ...

    def alive(self, line: SIPLine, /) -> None:
        """The server has said something that proves that it heard us."""
        ...

    def responded(self, line: SIPLine, errand: str, response: Response, /) -> None:
        """The last word on a request that was sent for this errand."""
        ...

    def requested(self, request: Request, /) -> Response | asyncio.Future[Response | None]:
        """The server asks something of us; the future may resolve to None: it is not answered."""
        ...


class _Nobody:
    """Before it runs nothing can happen on a line."""

    def opened(self) -> None:
        pass

    def closed(self, line: SIPLine, reason: str) -> None:
        pass

    def alive(self, line: SIPLine) -> None:
        pass

    def responded(self, line: SIPLine, errand: str, response: Response) -> None:
        pass

    def requested(self, request: Request) -> Response:
        raise NotImplementedError


_NOBODY = _Nobody()


class _Asked(Struct, kw_only=True):
    template: Request
    errand: str
    call_id: str
    cseq: int
    tries: int = 1
    # The nonce that was answered with it; "" for none.
    nonce: str = ""


class SIPLine:
    """The connection to one server. `run` it for ever; `ask` on it while it is open."""

    def __init__(
        self,
        *,
        link: LinkName,
        target: SIPTarget,
        connect: Callable[[], Transport],
        domain: str,
        random_bytes: RandomBytes,
        login: Login | None = None,
        heartbeat: float = 30.0,
        by_options: bool = True,
    ) -> None:
        self.target = target
        self.busy_until = 0.0
        """Loop time until which the server wants to be left alone."""
        self.counts: Counter[str] = Counter()
        """What came: responses, requests, stray, garbled."""
        self.samples: deque[bytes] = deque(maxlen=8)
        self._link = link
        self._connect = connect
        self._domain = domain
        self._heeding: Heeding = _NOBODY
        self._random_bytes = random_bytes
        self._login = login
        self._heartbeat = heartbeat
        self._by_options = by_options
        self._transport: Transport | None = None
        self._pending: OrderedDict[str, _Asked] = OrderedDict()
        self._heard_at = float("-inf")
        self._replies: deque[bytes] = deque(maxlen=_REPLIES)
        self._bell = asyncio.Event()
        self._cseq = 0
        # A ping by CR LF is out and not answered yet.
        self._pinged = False
        self._challenge: tuple[str, Challenge] | None = None
        self._answers = 0

    def __repr__(self) -> str:
        return f"SIPLine({self.target})"

    @property
    def open(self) -> bool:
        """Whether there is a connection."""
        return self._transport is not None

    async def run(self, heeding: Heeding) -> None:
        """Open, listen and supervise; reopen within two seconds."""
        self._heeding = heeding
        wait = _REOPEN[0]
        while True:
            reason = "the connection ended"
            try:
                transport = self._connect()
                try:
                    await transport.open()
                    self._begin(transport)
                    wait = _REOPEN[0]
                    await together(sip_supervise=self._supervise(), sip_listen=self._listen(transport))
                finally:
                    self._transport = None
                    await transport.close()
            except Unreachable as error:
                reason = str(error)
            self._heeding.closed(self, reason)
            await asyncio.sleep(wait)
            wait = min(2 * wait, _REOPEN[1])

    async def ask(self, template: Request, *, errand: str) -> bool:
        """Send a request under a new branch. True: its first octet is out, or may be."""
        self._cseq += 1
        call_id = f"{self._random_bytes(8).hex()}@{self._domain}"
        asked = _Asked(template=template, errand=errand, call_id=call_id, cseq=self._cseq)
        return await self._send(asked)

    def _begin(self, transport: Transport) -> None:
        self._pending.clear()
        self._replies.clear()
        self._heard_at = float("-inf")
        self._pinged = False
        self._transport = transport
        self._heeding.opened()

    async def _write(self, octets: bytes) -> bool:
        if self._transport is None:
            return False
        try:
            await self._transport.write(octets)
        except Unreachable:
            return False
        except Uncertain:
            return True  # cut in the middle: the first octet is out
        return True

    async def _send(self, asked: _Asked) -> bool:
        branch = BRANCH + self._random_bytes(10).hex()
        self._pending[branch] = asked
        if len(self._pending) > _PENDING:
            self._pending.popitem(last=False)
        if await self._write(sip.encode(self._final(asked, branch))):
            return True
        self._pending.pop(branch, None)
        return False

    def _final(self, asked: _Asked, branch: str) -> Request:
        template = asked.template
        wire = "TLS" if self.target.tls else "TCP"
        route = f"<{self.target.uri};lr>" if template.uri != self.target.uri else None
        new: dict[str, str | None] = {
            "Via": f"SIP/2.0/{wire} {self._domain};branch={branch};rport;alias",
            "Call-ID": asked.call_id,
            "CSeq": f"{asked.cseq} {template.method}",
        }
        headers = sip.replaced(template.headers, new)
        if route is not None:
            headers = (headers[0], ("Route", route), *headers[1:])
        if self._challenge is not None and self._login is not None:
            name, challenge = self._challenge
            asked.nonce = challenge.nonce
            self._answers += 1
            value = sip_digest.answer(
                challenge,
                username=self._login.username,
                password=self._login.password,
                method=template.method,
                uri=template.uri,
                cnonce=self._random_bytes(8).hex(),
                count=self._answers,
            )
            headers = (*headers, (name, value))
        return Request(method=template.method, uri=template.uri, headers=headers, body=template.body)

    # ---- hearing

    async def _listen(self, transport: Transport) -> None:
        decoder = Decoder()
        bucket = Bucket(now=asyncio.get_running_loop().time())
        while True:
            for each in decoder.feed(await transport.read()):
                await bucket.take()
                match each:
                    case Response():
                        if await self._responded(each):
                            bucket.spare()
                    case Request():
                        # Asking proves that it speaks, not that it hears us.
                        self.counts["requests"] += 1
                        self._requested(each)
                    case Blank():
                        if self._pinged:
                            self._pinged = False
                            self._alive()
                    case Garbled(sample=sample):
                        self.counts["garbled"] += 1
                        self.samples.append(sample)

    async def _responded(self, response: Response) -> bool:
        """Whether it settles what we had asked."""
        self.counts["responses"] += 1
        branch = sip.parameters(sip.header(response, "Via"))[1].get("branch", "")
        asked = self._pending.get(branch)
        number, _, method = sip.header(response, "CSeq").partition(" ")
        if (
            asked is None
            or sip.header(response, "Call-ID") != asked.call_id
            or number != str(asked.cseq)
            or method.strip() != asked.template.method
        ):
            self.counts["stray"] += 1
            return False
        self._alive()
        if response.status < 200:
            return False
        if response.status in (401, 407) and await self._again(asked, response):
            return False
        self._pending.pop(branch, None)
        if asked.errand:
            self._heeding.responded(self, asked.errand, response)
        return True

    async def _again(self, asked: _Asked, response: Response) -> bool:
        """Prove who we are, where that is asked for and has not just failed. Whether it was tried."""
        offer, name = (
            ("WWW-Authenticate", "Authorization")
            if response.status == 401
            else ("Proxy-Authenticate", "Proxy-Authorization")
        )
        offered = [value for each, value in response.headers if each == offer]
        challenge = sip_digest.strongest(offered)
        if self._login is None or challenge is None or not asked.errand or asked.tries >= _TRIES:
            return False
        if asked.nonce and not challenge.stale and asked.tries > 1:
            self._challenge = None
            return False  # answered with this password already
        self._challenge, self._answers = (name, challenge), 0
        self._cseq += 1
        again = _Asked(
            template=asked.template,
            errand=asked.errand,
            call_id=asked.call_id,
            cseq=self._cseq,
            tries=asked.tries + 1,
        )
        return await self._send(again)

    def _requested(self, request: Request) -> None:
        answer = self._heeding.requested(request)
        if isinstance(answer, Response):
            self._reply(answer)
        else:
            answer.add_done_callback(partial(self._decided, self._transport))

    def _decided(self, transport: Transport | None, answer: asyncio.Future[Response | None]) -> None:
        if answer.cancelled() or answer.exception() is not None or transport is not self._transport:
            return
        if (response := answer.result()) is not None:
            self._reply(response)

    def _reply(self, response: Response) -> None:
        try:
            self._replies.append(sip.encode(response))
        except ValueError:  # it repeats headers that leave no room for more
            self.counts["unanswerable"] += 1
        self._bell.set()

    # ---- supervising

    async def _supervise(self) -> None:
        loop = asyncio.get_running_loop()
        misses = 0
        asked_at = float("-inf")
        due = loop.time()
        while True:
            while self._replies:
                await self._write(self._replies.popleft())
            now = loop.time()
            if now >= due:
                misses = 0 if self._heard_at >= asked_at else misses + 1
                if misses >= MISSES:
                    raise Unreachable(f"{self.target}: no answer to {MISSES} heartbeats")
                quiet_until = self._heard_at + self._heartbeat
                if now >= quiet_until or misses:
                    asked_at = now
                    due = now + self._heartbeat / 2
                    await self._ask_for_life()
                else:
                    due = quiet_until
            self._bell.clear()
            if self._replies:
                continue
            try:
                async with asyncio.timeout_at(due):
                    await self._bell.wait()
            except TimeoutError:
                pass

    async def _ask_for_life(self) -> None:
        if not self._by_options:
            self._pinged = await self._write(_BLANK_PING)
            return
        self._cseq += 1
        tag = self._random_bytes(6).hex()
        template = Request(
            method="OPTIONS",
            uri=self.target.uri,
            headers=(
                ("Via", ""),
                ("Max-Forwards", "70"),
                ("From", f"<sip:{self._domain}>;tag={tag}"),
                ("To", f"<{self.target.uri}>"),
                ("Call-ID", ""),
                ("CSeq", ""),
                ("Accept", "application/EmergencyCallData.cap+xml"),
                ("User-Agent", "Belltower"),
            ),
        )
        asked = _Asked(template=template, errand="", call_id=f"{tag}@{self._domain}", cseq=self._cseq)
        await self._send(asked)

    def _alive(self) -> None:
        self._heard_at = asyncio.get_running_loop().time()
        self._heeding.alive(self)
