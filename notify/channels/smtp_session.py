"""One connection to a mail server (RFC 5321), which knows whether a message may have been taken.

Commands are pipelined where the server offers it (RFC 2920), and behind a message's final dot goes the envelope of the
next, so that a message costs one round trip; STARTTLS is RFC 3207, AUTH is PLAIN (RFC 4616) or LOGIN over RFC 4954. A
general client waits for each answer by itself, which costs many times what the exchange does.
"""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode
from collections import deque
from collections.abc import Callable
from typing import cast

from msgspec import Struct

from belltower.errors import Malformed, Uncertain, Unreachable
from notify.channels.smtp_replies import Replies, Reply

# RFC 5321, 3.8: it is about to close.
_CLOSING = 421


class Taken(Struct, frozen=True):
    """How far one message came. `stage` is the command that `code` answers: mail, rcpt, data, or end (the final dot)."""

    stage: str
    code: int


class Letter:
    """One message on its way: `data` is a whole MIME message, its leading dots doubled, ending in CRLF."""

    __slots__ = ("data", "exposed", "mail", "rcpt", "refused", "session", "taken")

    def __init__(self, *, sender: bytes, recipient: bytes, data: bytes) -> None:
        self.mail = b"MAIL FROM:<%b>\r\n" % sender
        self.rcpt = b"RCPT TO:<%b>\r\n" % recipient
        self.data = data
        self.taken: asyncio.Future[Taken] = asyncio.get_running_loop().create_future()
        """How far it came.

        Raises:
            Unreachable: the connection went away, and nothing was taken.
            Uncertain: it went away after the final dot had left and before the answer to it.
        """
        # Where it was begun.
        self.session: SMTPSession | None = None
        # The first no.
        self.refused: Taken | None = None
        self.exposed = False
        """Whether the whole of it has left and the final answer has not come: only then nobody knows."""

    @property
    def answered(self) -> bool:
        """Whether the server has said how far it came."""
        return self.taken.done() and not self.taken.cancelled() and self.taken.exception() is None

    def settle(self, taken: Taken) -> None:
        """So far it came."""
        self.exposed = False
        if not self.taken.done():
            self.taken.set_result(taken)

    def lose(self, reason: str) -> None:
        """The connection went away."""
        if not self.taken.done():
            self.taken.set_exception(Uncertain(reason) if self.exposed else Unreachable(reason))


def nothing_more(_session: SMTPSession) -> Letter | None:
    """The `following` of a session that is handed its messages one by one."""
    return None


class SMTPSession(asyncio.Protocol):
    """One connection; carries one message at a time, and the envelope of the next.

    session = SMTPSession(name="school.example")
    await session.open(host, port, tls=context, starttls=True)
    await session.sign_in(username, password)
    taken = await session.hand_over(Letter(sender=b"bell@school.example", recipient=b"a@b.example", data=data))
    """

    def __init__(
        self,
        *,
        name: str,
        following: Callable[[SMTPSession], Letter | None] = nothing_more,
        lost: Callable[[SMTPSession], None] | None = None,
    ) -> None:
        """`name` is how we introduce ourselves.

        `following` is asked for the next message wherever one may begin; `lost` is told once nothing more may.
        """
        self._name = name.encode("idna")
        self._following = following
        self._tell_lost = lost
        self._transport: asyncio.Transport | None = None
        self._replies = Replies()
        # Who hears the replies that are still to come, in their order.
        self._due: deque[Callable[[Reply], None]] = deque()
        self._said: list[bytes] = []
        self._asking: asyncio.Future[list[Reply]] | None = None
        self._lost = ""
        self._offers: dict[bytes, bytes] = {}
        self._pipelining = False
        self._untidy = False
        # The message whose envelope has left, and the one whose data has.
        self._envelope: Letter | None = None
        self._body: Letter | None = None

    @property
    def usable(self) -> bool:
        """Whether another message may be tried on it."""
        return self._transport is not None and not self._transport.is_closing() and not self._lost

    @property
    def idle(self) -> bool:
        """Whether nothing was asked that is not answered."""
        return not self._due

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
            if self._replies.pending or self._lost:
                raise Unreachable("starttls_injection")
            transport, context = self._transport, tls
            assert transport is not None  # noqa: S101 - it has just answered
            assert context is not None  # noqa: S101 - as the caller promised
            secured = await loop.start_tls(transport, self, context, server_hostname=host)
            if secured is None:
                raise Unreachable("starttls")
            self._transport = secured
            await self._hello()
        self._pipelining = b"PIPELINING" in self._offers

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

    def hand_over(self, letter: Letter) -> asyncio.Future[Taken]:
        """Offer one message to a session that is idle; see `Letter.taken`."""
        if self.usable:
            self._begin(letter)
            self._flush()
        else:
            letter.lose(self._lost or "closed")
        return letter.taken

    def close(self) -> None:
        """Close, at once and without farewell."""
        if self._transport is not None:
            self._transport.abort()

    # -- messages

    def _begin(self, letter: Letter) -> None:
        self._envelope, letter.session = letter, self
        if self._untidy:
            self._say(b"RSET\r\n", _ignored)
        self._untidy = True
        self._say(letter.mail, self._mailed)
        if self._pipelining:
            self._say(letter.rcpt, self._named)
            self._say(b"DATA\r\n", self._go)

    def _next(self) -> None:
        """The next message, if there is one and it may begin."""
        if self._envelope is None and not self._lost:
            letter = self._following(self)
            if letter is not None:
                self._begin(letter)

    def _mailed(self, reply: Reply) -> None:
        letter = self._accepted("mail", reply)
        if letter is not None and not self._pipelining:
            self._say(letter.rcpt, self._named)

    def _named(self, reply: Reply) -> None:
        letter = self._accepted("rcpt", reply)
        if letter is not None and not self._pipelining:
            self._say(b"DATA\r\n", self._go)

    def _accepted(self, stage: str, reply: Reply) -> Letter | None:
        """The message whose envelope this was about; None where it was refused."""
        letter = self._envelope
        assert letter is not None  # noqa: S101 - its reply has come
        if reply.good:
            return letter
        letter.refused = letter.refused or Taken(stage, reply.code)
        if not self._pipelining:
            self._refuse(letter, letter.refused)
        return None

    def _go(self, reply: Reply) -> None:
        letter = self._envelope
        assert letter is not None  # noqa: S101 - its reply has come
        if letter.refused is not None and reply.code == 354:
            # RFC 2920 §3.1: it waits for a message all the same, and gets an empty one.
            self._say(b".\r\n", self._emptied)
        elif letter.refused is not None or reply.code != 354:
            self._refuse(letter, letter.refused or Taken("data", reply.code))
        else:
            self._envelope, self._body = None, letter
            self._untidy = False
            letter.exposed = True
            self._say(letter.data + b".\r\n", self._ended)
            if self._pipelining:
                self._next()

    def _emptied(self, _reply: Reply) -> None:
        letter = self._envelope
        assert letter is not None  # noqa: S101 - its reply has come
        assert letter.refused is not None  # noqa: S101 - only then it was emptied
        self._refuse(letter, letter.refused)

    def _refuse(self, letter: Letter, taken: Taken) -> None:
        self._envelope = None
        letter.settle(taken)
        self._next()

    def _ended(self, reply: Reply) -> None:
        letter, self._body = self._body, None
        assert letter is not None  # noqa: S101 - its reply has come
        letter.settle(Taken("end", reply.code))
        if self._envelope is None:
            self._untidy = not reply.good
            if reply.code != _CLOSING:
                self._next()

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
        asking: asyncio.Future[list[Reply]] = asyncio.get_running_loop().create_future()
        self._asking = asking
        heard: list[Reply] = []

        def hear(reply: Reply) -> None:
            heard.append(reply)
            if len(heard) == replies and not asking.done():
                asking.set_result(heard)

        self._due.extend([hear] * replies)
        if said:
            self._transport.write(said)
        try:
            return await asking
        finally:
            self._asking = None

    def _say(self, said: bytes, hear: Callable[[Reply], None]) -> None:
        """With the next `_flush`, in one write with all else."""
        self._said.append(said)
        self._due.append(hear)

    def _flush(self) -> None:
        said, self._said = self._said, []
        if said and self._transport is not None:
            self._transport.write(b"".join(said))

    # -- what the loop tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        try:
            replies = self._replies.feed(data)
        except Malformed:
            self._lose("malformed")
            return
        for reply in replies:
            if self._due:
                self._due.popleft()(reply)
            elif reply.code != _CLOSING:  # it answers what nobody asked
                self._lose("malformed")
            if reply.code == _CLOSING:
                self._lose("closing:421")
            if self._lost:
                return
        self._flush()

    def connection_lost(self, error: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._lose("closed" if error is None else type(error).__name__)

    def _lose(self, reason: str) -> None:
        if self._lost:
            return
        self._lost = reason
        self.close()
        if self._asking is not None and not self._asking.done():
            self._asking.set_exception(Unreachable(reason))
        for letter in (self._body, self._envelope):
            if letter is not None:
                letter.lose(reason)
        if self._tell_lost is not None:
            self._tell_lost(self)


def _ignored(_reply: Reply) -> None:
    """Of RSET: if it is no good, the next one is not either."""
