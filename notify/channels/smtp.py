"""E-mail through a mail server (RFC 5321): a pool of connections, and MIME built once per notice."""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Collection
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime

import aiosmtplib

from belltower.clock import aware
from belltower.ids import NoticeId
from notify.channels.channel import Answer, Later, Message, Refused, Settled, Uncertain
from notify.settings import SMTPSettings

# What may stand in a header and in RCPT without quoting; addresses beyond ASCII are refused, with a reason.
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,189}")
_POLICY = SMTP_POLICY.clone(cte_type="7bit")
_BUILT_LIMIT = 64


class SMTPChannel:
    """Satisfies `Channel`. The Message-ID is the delivery's own, so a double would be seen as one by mailboxes."""

    name = "email"

    def __init__(self, *, settings: SMTPSettings) -> None:
        self._settings = settings
        self._domain = settings.from_.rpartition("@")[2]
        self._slots = asyncio.Semaphore(settings.connections)
        self._idle: list[aiosmtplib.SMTP] = []
        self._built: OrderedDict[tuple[NoticeId, int, str], bytes] = OrderedDict()

    async def open(self) -> None:
        """Connections are opened as they are needed."""

    async def close(self) -> None:
        """Close all idle connections, without farewell."""
        while self._idle:
            self._idle.pop().close()

    async def send(self, message: Message) -> Answer:
        """Hand the message to the mail server, once."""
        if not _ADDRESS.fullmatch(message.address):
            return Refused(reason="address")
        data = self._mime(message)
        phase = _Phase()
        try:
            async with asyncio.timeout(self._settings.timeout), self._slots:
                return await self._exchange(message.address, data, phase)
        except TimeoutError:
            return phase.silence("timeout")
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            return phase.silence(type(error).__name__)

    async def find(self, message: Message, *, known: Collection[str]) -> Answer | None:  # noqa: ARG002 - mail servers cannot be asked
        """Mail servers cannot be asked."""
        return None

    async def _exchange(self, address: str, data: bytes, phase: _Phase) -> Answer:
        while True:
            client, fresh = await self._client()
            phase.data = False
            try:
                answer = await _hand_over(client, self._settings.from_, address, data, phase)
            except (aiosmtplib.SMTPServerDisconnected, OSError):
                client.close()
                if fresh or phase.data:
                    raise
                continue  # an idle connection that the server had closed: nothing left on it
            except BaseException:
                client.close()
                raise
            if client.is_connected:
                self._idle.append(client)
            return answer

    async def _client(self) -> tuple[aiosmtplib.SMTP, bool]:
        while self._idle:
            client = self._idle.pop()
            if client.is_connected:
                return client, False
        settings = self._settings
        client = aiosmtplib.SMTP(
            hostname=settings.host,
            port=settings.port,
            username=settings.username or None,
            password=settings.password.reveal() if settings.password else None,
            local_hostname=self._domain or "localhost",
            use_tls=settings.security == "tls",
            start_tls=settings.security == "starttls",
            timeout=None,  # the deadline over the whole try is ours
        )
        try:
            await client.connect()
        except BaseException:
            client.close()
            raise
        return client, True

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
            rest = self._built[key] = mail.as_bytes()
            if len(self._built) > _BUILT_LIMIT:
                self._built.popitem(last=False)
        head = f"To: {message.address}\r\nMessage-ID: <{message.delivery}@{self._domain}>\r\n"
        return head.encode("ascii") + rest


class _Phase:
    """How far one try has come."""

    def __init__(self) -> None:
        self.data = False

    def silence(self, reason: str) -> Answer:
        """What no answer means here: before DATA nothing was taken, after it nobody knows."""
        if self.data:
            return Uncertain(reason=f"no_answer:{reason}")
        return Later(reason=f"unreachable:{reason}", everyone=True)


async def _hand_over(
    client: aiosmtplib.SMTP, sender: str, address: str, data: bytes, phase: _Phase
) -> Answer:
    try:
        await client.mail(sender)
    except (
        aiosmtplib.SMTPSenderRefused
    ) as error:  # our own settings, or the server's day: all mails fare alike
        await _reset(client)
        return Later(reason=f"smtp:{error.code}", everyone=True)
    try:
        await client.rcpt(address)
    except aiosmtplib.SMTPRecipientRefused as error:
        await _reset(client)
        return _no(error.code)
    phase.data = True
    try:
        response = await client.data(data)
    except aiosmtplib.SMTPDataError as error:
        await _reset(client)
        return _no(error.code)
    return Settled(reason=f"smtp:{response.code}")


async def _reset(client: aiosmtplib.SMTP) -> None:
    """Ready the connection for the next message; close it where that fails."""
    try:
        await client.rset()
    except aiosmtplib.SMTPException:
        client.close()


def _no(code: int) -> Answer:
    # RFC 5321, 4.2.1: 4yz asks to try again, 5yz not to.
    if 400 <= code < 500:
        return Later(reason=f"smtp:{code}", everyone=code == aiosmtplib.SMTPStatus.domain_unavailable)
    return Refused(reason=f"smtp:{code}")
