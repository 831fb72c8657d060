"""One connection to a mail server (RFC 5321), which knows whether a message may have been taken.

Commands are pipelined where the server offers it (RFC 2920), so that a message costs two round trips; STARTTLS is RFC
3207, AUTH is PLAIN (RFC 4616) or LOGIN over RFC 4954. A general client waits for each answer by itself, which costs many
times what the exchange does.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from base64 import b64encode
from typing import cast

from msgspec import Struct

from belltower.errors import Malformed, Uncertain, Unreachable

_REPLY = re.compile(rb"([2-5][0-9][0-9])(?:([ -])([^\r\n]*))?\r?\n")
_MOST_OCTETS = 65_536
_MOST_LINES = 128


class Reply(Struct, frozen=True):
    """An answer of the server: its code, and its lines as they came."""

    code: int
    lines: tuple[bytes, ...]

    @property
    def good(self) -> bool:
        """Whether the command was carried out."""
        return 200 <= self.code < 300


class Taken(Struct, frozen=True):
    """How far one message came. `stage` is the command that `code` answers: mail, rcpt, data, or end (the final dot)."""

    stage: str
    code: int


class Replies:
    """The server's octets into its replies (RFC 5321 §4.2). Bounded: more than 64 KiB or 128 lines is `Malformed`."""

    def __init__(self) -> None:
        self._octets = b""
        self._lines: list[bytes] = []

    @property
    def pending(self) -> bool:
        """Whether part of a reply is there."""
        return bool(self._octets or self._lines)

    def feed(self, octets: bytes) -> list[Reply]:
        """The replies that are whole now. Raises `Malformed`."""
        octets = self._octets + octets
        found: list[Reply] = []
        at = 0
        while (end := octets.find(b"\n", at)) >= 0:
            line = _REPLY.fullmatch(octets, at, end + 1)
            if line is None:
                raise Malformed("a line of a mail server's answer does not begin with a code")
            at = end + 1
            self._lines.append(line[3] or b"")
            if line[2] != b"-":
                found.append(Reply(int(line[1]), tuple(self._lines)))
                self._lines = []
        self._octets = octets[at:]
        if len(self._octets) > _MOST_OCTETS or len(self._lines) > _MOST_LINES:
            raise Malformed("a mail server's answer has no end")
        return found


class SMTPSession(asyncio.Protocol):
    """One connection; carries one message at a time.

    session = SMTPSession(name="school.example")
    await session.open(host, port, tls=context, starttls=True)
    await session.sign_in(username, password)
    taken = await session.hand_over(b"bell@school.example", b"a@b.example", data)
    """

    def __init__(self, *, name: str) -> None:
        """`name` is how we introduce ourselves."""
        self._name = name.encode("idna")
        self._transport: asyncio.Transport | None = None
        self._replies = Replies()
        self._heard: list[Reply] = []
        self._wanted = 0
        self._waiter: asyncio.Future[None] | None = None
        self._lost = ""
        self._offers: dict[bytes, bytes] = {}
        self._untidy = False
        # Replies still to come of what was asked.
        self._owing = 0
        self.exposed = False
        """Whether the whole of a message has left and its final answer has not come: only then nobody knows."""

    @property
    def usable(self) -> bool:
        """Whether another message may be tried on it."""
        return self._transport is not None and not self._transport.is_closing() and not self._lost

    @property
    def idle(self) -> bool:
        """Whether nothing was asked that is not answered."""
        return not self._owing

    async def open(self, host: str, port: int, *, tls: ssl.SSLContext | None, starttls: bool) -> None:
        """Connect and introduce ourselves; with `tls`, from the first octet or after STARTTLS.

        Raises:
            Unreachable: the server is not there, will not talk, or does not offer what we insist on.
            OSError: the connection could not be made; ssl.SSLError is one.
        """
        loop = asyncio.get_running_loop()
        direct = tls if not starttls else None
        await loop.create_connection(
            lambda: self, host, port, ssl=direct, server_hostname=host if direct else None
        )
        await self._good(1, b"", "greeting")
        await self._hello()
        if starttls:
            if b"STARTTLS" not in self._offers:
                raise Unreachable("no_starttls")
            await self._good(1, b"STARTTLS\r\n", "starttls")
            if self._replies.pending or self._heard:
                raise Unreachable("starttls_injection")
            transport, context = self._transport, tls
            assert transport is not None  # noqa: S101 - it has just answered
            assert context is not None  # noqa: S101 - as the caller promised
            secured = await loop.start_tls(transport, self, context, server_hostname=host)
            if secured is None:
                raise Unreachable("starttls")
            self._transport = secured
            await self._hello()

    async def sign_in(self, username: str, password: str) -> None:
        """AUTH PLAIN, or LOGIN where only that is offered. Raises `Unreachable`."""
        ways = self._offers.get(b"AUTH", b"").upper().split()
        if b"PLAIN" in ways:
            secret = b64encode(f"\0{username}\0{password}".encode())
            await self._good(1, b"AUTH PLAIN " + secret + b"\r\n", "auth")
        elif b"LOGIN" in ways:
            for said in (b"AUTH LOGIN", b64encode(username.encode())):
                (reply,) = await self._ask(said + b"\r\n", 1)
                if reply.code != 334:
                    raise Unreachable(f"auth:{reply.code}")
            await self._good(1, b64encode(password.encode()) + b"\r\n", "auth")
        else:
            raise Unreachable("auth_not_offered")

    async def hand_over(self, sender: bytes, recipient: bytes, data: bytes) -> Taken:
        """Offer one message: `data` is a whole MIME message, its leading dots doubled, ending in CRLF.

        Raises:
            Unreachable: the connection went away, and nothing was taken.
            Uncertain: it went away after the final dot had left and before the answer to it.
        """
        mail = b"MAIL FROM:<%b>\r\n" % sender
        rcpt = b"RCPT TO:<%b>\r\n" % recipient
        if self._untidy:
            mail = b"RSET\r\n" + mail
        tidying = int(self._untidy)
        self._untidy = True
        if b"PIPELINING" in self._offers:
            replies = await self._ask(mail + rcpt + b"DATA\r\n", 3 + tidying)
            mailed, named, go = replies[tidying:]
        else:
            mailed = (await self._ask(mail, 1 + tidying))[-1]
            if not mailed.good:
                return Taken("mail", mailed.code)
            (named,) = await self._ask(rcpt, 1)
            if not named.good:
                return Taken("rcpt", named.code)
            (go,) = await self._ask(b"DATA\r\n", 1)
        if not (mailed.good and named.good):
            if go.code == 354:  # RFC 2920 §3.1: it waits for a message all the same, and gets an empty one
                await self._ask(b".\r\n", 1)
            return Taken("rcpt", named.code) if mailed.good else Taken("mail", mailed.code)
        if go.code != 354:
            return Taken("data", go.code)
        self.exposed = True
        (end,) = await self._ask(data + b".\r\n", 1)
        self.exposed = False
        self._untidy = not end.good
        return Taken("end", end.code)

    def close(self) -> None:
        """Close, at once and without farewell."""
        if self._transport is not None:
            self._transport.abort()

    # -- asking

    async def _hello(self) -> None:
        (reply,) = await self._ask(b"EHLO " + self._name + b"\r\n", 1)
        if not reply.good:
            raise Unreachable(f"ehlo:{reply.code}")
        offers = (line.upper().partition(b" ") for line in reply.lines[1:])
        self._offers = {word: rest for word, _, rest in offers}

    async def _good(self, count: int, said: bytes, stage: str) -> None:
        for reply in await self._ask(said, count):
            if not reply.good:
                raise Unreachable(f"{stage}:{reply.code}")

    async def _ask(self, said: bytes, replies: int) -> list[Reply]:
        """Write `said` and wait for so many replies."""
        if self._lost or self._transport is None:
            raise Unreachable(self._lost or "closed")
        self._owing = replies
        if said:
            self._transport.write(said)
        if len(self._heard) < replies:
            self._wanted = replies
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        self._owing = 0
        heard, self._heard = self._heard[:replies], self._heard[replies:]
        return heard

    # -- what the loop tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        try:
            self._heard += self._replies.feed(data)
        except Malformed:
            self._lose("malformed")
            return
        if len(self._heard) > _MOST_LINES:
            self._lose("malformed")
            return
        if self._waiter is not None and not self._waiter.done() and len(self._heard) >= self._wanted:
            self._waiter.set_result(None)
        if self._heard and self._heard[-1].code == 421:  # RFC 5321 §3.8: it is about to close
            self._lose("closing:421")

    def connection_lost(self, error: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._lose("closed" if error is None else type(error).__name__)

    def _lose(self, reason: str) -> None:
        self._lost = self._lost or reason
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(Uncertain(reason) if self.exposed else Unreachable(reason))
        self.close()
