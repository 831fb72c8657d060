"""The mail side of the simulated carrier."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as mail_policy
from typing import Self
from weakref import WeakSet

from aiosmtpd.smtp import SMTP, Envelope, Session

from belltower.clock import Clock
from gateway.carrier.records import CarrierOptions, Faults, Mail

_MOST_MAILS = 100_000


class MailEnd:
    """The mail server, and what came into its mailboxes."""

    def __init__(
        self,
        *,
        options: CarrierOptions,
        faults: Callable[[], Faults],
        taken: Callable[[], None],
        clock: Clock,
    ) -> None:
        """`taken` hears of each mail."""
        self._options = options
        self._faults = faults
        self._taken = taken
        self._clock = clock
        self._server: asyncio.Server | None = None
        self._sessions: WeakSet[SMTP] = WeakSet()
        self.mails: list[Mail] = []
        self.port = 0

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._session, self._options.host, self._options.smtp_port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_details: object) -> None:
        if self._server is not None:
            self._server.close()
        for session in self._sessions:
            if session.transport is not None:
                session.transport.close()

    def _session(self) -> SMTP:
        room = _Mailroom(faults=self._faults, deliver=self._deliver)
        session = SMTP(room, hostname="carrier.simulated", loop=asyncio.get_running_loop(), ident="ESMTP")
        self._sessions.add(session)
        return session

    def _deliver(self, to: Sequence[str], content: bytes) -> None:
        mail = message_from_bytes(content, policy=mail_policy)
        assert isinstance(mail, EmailMessage)  # noqa: S101 - the policy says so
        part = mail.get_body(("plain",))
        self.mails += [
            Mail(
                to=one,
                subject=str(mail["Subject"]),
                body=part.get_content() if part is not None else "",
                message_id=str(mail["Message-ID"]),
                at=self._clock.now(),
            )
            for one in to
        ]
        del self.mails[:-_MOST_MAILS]
        self._taken()


class _Mailroom:
    """The mail server's decisions; aiosmtpd finds the methods by their names."""

    def __init__(
        self, *, faults: Callable[[], Faults], deliver: Callable[[Sequence[str], bytes], None]
    ) -> None:
        self._faults = faults
        self._deliver = deliver

    async def _answer(self, where: str) -> str | None:
        faults = self._faults()
        if faults.smtp_slow:
            await asyncio.sleep(faults.smtp_slow)
        return f"{faults.smtp_code} as asked for" if faults.smtp == where else None

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """Greet."""
        session.host_name = hostname
        refusal = await self._answer("connect")
        return [refusal] if refusal else responses

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take the sender."""
        refusal = await self._answer("mail")
        if refusal:
            return refusal
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take a mailbox."""
        refusal = await self._answer("rcpt")
        if refusal:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Take the mail."""
        refusal = await self._answer("data")
        if refusal:
            return refusal
        content = envelope.content
        self._deliver(envelope.rcpt_tos, content if isinstance(content, bytes) else b"")
        if self._faults().smtp_drop and isinstance(server.transport, asyncio.WriteTransport):
            server.transport.abort()
        return "250 OK"
