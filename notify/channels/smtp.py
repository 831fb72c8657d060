"""E-mail through a mail server (RFC 5321): a pool of connections, and MIME built once per notice."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections import OrderedDict, deque
from collections.abc import Collection
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime

from belltower.clock import aware
from belltower.errors import Uncertain as LeftUnanswered
from belltower.errors import Unreachable
from belltower.ids import NoticeId
from notify.channels.channel import Answer, Later, Message, Refused, Settled, Uncertain
from notify.channels.smtp_session import Letter, SMTPSession, Taken
from notify.settings import SMTPSettings

# What may stand in a header and in RCPT without quoting; addresses beyond ASCII are refused, with a reason.
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,189}")
_POLICY = SMTP_POLICY.clone(cte_type="7bit")
_BUILT_LIMIT = 64
_DOMAIN_UNAVAILABLE = 421

FOR_EACH = 3
"""Messages in flight for each connection: one whose data has left, one whose envelope has, and one that follows."""


class SMTPChannel:
    """Satisfies `Channel`. The Message-ID is the delivery's own, so a double would be seen as one by mailboxes."""

    name = "email"

    def __init__(self, *, settings: SMTPSettings) -> None:
        self._settings = settings
        self._sender = settings.from_.encode()
        self._domain = settings.from_.rpartition("@")[2]
        self._sessions: set[SMTPSession] = set()
        self._idle: list[SMTPSession] = []
        # What waits for a connection.
        self._waiting: deque[Letter] = deque()
        self._tls: ssl.SSLContext | None = None
        self._built: OrderedDict[tuple[NoticeId, int, str], bytes] = OrderedDict()

    async def open(self) -> None:
        """Read the certificates we trust, off the loop; connections are opened as they are needed."""
        if self._settings.security != "none" and self._tls is None:
            self._tls = await asyncio.to_thread(ssl.create_default_context)

    async def close(self) -> None:
        """Close all connections, without farewell; what is under way becomes uncertain."""
        for session in list(self._sessions):
            session.close()

    async def send(self, message: Message) -> Answer:
        """Hand the message to the mail server, once."""
        if not _ADDRESS.fullmatch(message.address):
            return Refused(reason="address")
        recipient, data = message.address.encode(), self._mime(message)
        letter = Letter(sender=self._sender, recipient=recipient, data=data)
        try:
            async with asyncio.timeout(self._settings.timeout):
                while not await self._tried(letter):
                    letter = Letter(sender=self._sender, recipient=recipient, data=data)
        except (TimeoutError, OSError, UnicodeError) as error:
            if letter.answered:  # in the very turn of the loop in which the time was up
                return _answer(letter.taken.result())
            reason = "timeout" if isinstance(error, TimeoutError) else type(error).__name__
            if letter.exposed:
                return Uncertain(reason=f"no_answer:{reason}")
            return Later(reason=f"unreachable:{reason}", everyone=True)
        except Unreachable as error:
            return Later(reason=f"unreachable:{error}", everyone=True)
        except LeftUnanswered as error:
            return Uncertain(reason=f"no_answer:{error}")
        finally:
            if letter.taken.cancelled() and letter.session is not None:
                letter.session.close()
        return _answer(letter.taken.result())

    async def find(self, message: Message, *, known: Collection[str]) -> Answer | None:  # noqa: ARG002 - mail servers cannot be asked
        """Mail servers cannot be asked."""
        return None

    async def _tried(self, letter: Letter) -> bool:
        """Whether the server has answered; not where it had closed a connection that idled: nothing left on that."""
        fresh = False
        session = self._ready()
        if session is None and len(self._sessions) < self._settings.connections:
            session, fresh = await self._opened(), True
        if session is not None:
            session.hand_over(letter)
        else:
            self._waiting.append(letter)
        try:
            await letter.taken
        except Unreachable:
            if fresh:
                raise
            return False
        return True

    def _ready(self) -> SMTPSession | None:
        while self._idle:
            session = self._idle.pop()
            if session.usable:
                return session
        return None

    async def _opened(self) -> SMTPSession:
        """A new connection. Raises as `SMTPSession.open` does."""
        settings = self._settings
        session = SMTPSession(name=self._domain or "localhost", following=self._following, lost=self._lost)
        self._sessions.add(session)
        try:
            await session.open(
                settings.host, settings.port, tls=self._tls, starttls=settings.security == "starttls"
            )
            if settings.username:
                await session.sign_in(
                    settings.username, settings.password.reveal() if settings.password else ""
                )
        except BaseException:
            session.close()
            self._lost(session)
            raise
        return session

    def _following(self, session: SMTPSession) -> Letter | None:
        """What has waited longest for a connection; without any, an idle session waits for it."""
        while self._waiting:
            letter = self._waiting.popleft()
            if not letter.taken.done():
                return letter
        if session.idle:
            self._idle.append(session)
        return None

    def _lost(self, session: SMTPSession) -> None:
        """Its place is free: who has waited longest looks for a connection again."""
        if session in self._sessions:
            self._sessions.discard(session)
            while self._waiting:
                letter = self._waiting.popleft()
                if not letter.taken.done():
                    letter.lose("closed")
                    return

    def _mime(self, message: Message) -> bytes:
        key = (message.notice, message.revision, message.body)
        rest = self._built.get(key)
        if rest is None:
            mail = EmailMessage(policy=_POLICY)
            mail["From"] = self._settings.from_
            mail["Subject"] = message.subject
            mail["Date"] = format_datetime(aware(message.ordered_at))
            mail["Auto-Submitted"] = "auto-generated"
            mail.set_content(message.body)
            rest = self._built[key] = mail.as_bytes().replace(b"\r\n.", b"\r\n..")
            if len(self._built) > _BUILT_LIMIT:
                self._built.popitem(last=False)
        head = f"To: {message.address}\r\nMessage-ID: <{message.delivery}@{self._domain}>\r\n"
        return head.encode("ascii") + rest


def _answer(taken: Taken) -> Answer:
    code = taken.code
    if taken.stage == "end" and 200 <= code < 300:
        return Settled(reason=f"smtp:{code}")
    if taken.stage == "mail":  # our own settings, or the server's day: all mails fare alike
        return Later(reason=f"smtp:{code}", everyone=True)
    # RFC 5321, 4.2.1: 4yz asks to try again, 5yz not to.
    if 400 <= code < 500:
        return Later(reason=f"smtp:{code}", everyone=code == _DOMAIN_UNAVAILABLE)
    return Refused(reason=f"smtp:{code}")
