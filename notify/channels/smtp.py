"""E-mail through a mail server (RFC 5321): a pool of connections, and MIME built once per notice."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections import OrderedDict
from collections.abc import Collection
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime

from belltower.clock import aware
from belltower.errors import Uncertain as LeftUnanswered
from belltower.errors import Unreachable
from belltower.ids import NoticeId
from notify.channels.channel import Answer, Later, Message, Refused, Settled, Uncertain
from notify.channels.smtp_session import SMTPSession, Taken
from notify.settings import SMTPSettings

# What may stand in a header and in RCPT without quoting; addresses beyond ASCII are refused, with a reason.
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,189}")
_POLICY = SMTP_POLICY.clone(cte_type="7bit")
_BUILT_LIMIT = 64
_DOMAIN_UNAVAILABLE = 421


class SMTPChannel:
    """Satisfies `Channel`. The Message-ID is the delivery's own, so a double would be seen as one by mailboxes."""

    name = "email"

    def __init__(self, *, settings: SMTPSettings) -> None:
        self._settings = settings
        self._sender = settings.from_.encode()
        self._domain = settings.from_.rpartition("@")[2]
        self._slots = asyncio.Semaphore(settings.connections)
        self._idle: list[SMTPSession] = []
        self._tls: ssl.SSLContext | None = None
        self._built: OrderedDict[tuple[NoticeId, int, str], bytes] = OrderedDict()

    async def open(self) -> None:
        """Read the certificates we trust, off the loop; connections are opened as they are needed."""
        if self._settings.security != "none" and self._tls is None:
            self._tls = await asyncio.to_thread(ssl.create_default_context)

    async def close(self) -> None:
        """Close all idle connections, without farewell."""
        while self._idle:
            self._idle.pop().close()

    async def send(self, message: Message) -> Answer:
        """Hand the message to the mail server, once."""
        if not _ADDRESS.fullmatch(message.address):
            return Refused(reason="address")
        data = self._mime(message)
        session: SMTPSession | None = None
        try:
            async with asyncio.timeout(self._settings.timeout), self._slots:
                while session is None:
                    session, fresh = await self._session()
                    try:
                        taken = await session.hand_over(self._sender, message.address.encode(), data)
                    except Unreachable:
                        if fresh:
                            raise
                        session = None  # one that idled, and that the server had closed: nothing left on it
        except (TimeoutError, OSError, UnicodeError) as error:
            reason = "timeout" if isinstance(error, TimeoutError) else type(error).__name__
            if session is not None and session.exposed:
                return Uncertain(reason=f"no_answer:{reason}")
            return Later(reason=f"unreachable:{reason}", everyone=True)
        except Unreachable as error:
            return Later(reason=f"unreachable:{error}", everyone=True)
        except LeftUnanswered as error:
            return Uncertain(reason=f"no_answer:{error}")
        finally:
            self._give_back(session)
        return _answer(taken)

    async def find(self, message: Message, *, known: Collection[str]) -> Answer | None:  # noqa: ARG002 - mail servers cannot be asked
        """Mail servers cannot be asked."""
        return None

    def _give_back(self, session: SMTPSession | None) -> None:
        if session is None:
            return
        if session.usable and session.idle:
            self._idle.append(session)
        else:
            session.close()

    async def _session(self) -> tuple[SMTPSession, bool]:
        """A connection, and whether it is a new one. Raises as `SMTPSession.open` does."""
        while self._idle:
            session = self._idle.pop()
            if session.usable:
                return session, False
        settings = self._settings
        session = SMTPSession(name=self._domain or "localhost")
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
            raise
        return session, True

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
