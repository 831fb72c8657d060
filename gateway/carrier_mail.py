"""The mail side of the simulated carrier."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from aiosmtpd.smtp import SMTP, Envelope, Session

from gateway.carrier_records import Faults


class Mailroom:
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
