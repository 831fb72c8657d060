"""A real mail server (aiosmtpd) on a free port, and a tarpit."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from aiosmtpd.smtp import SMTP

from tests.peers.waiting import everybody_rests


class Mailbox:
    """What the mail server took: (recipient, content)."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, bytes]] = []

    async def handle_DATA(self, server: SMTP, session: object, envelope) -> str:  # noqa: N802
        self.mails += [(to, envelope.content) for to in envelope.rcpt_tos]
        return "250 OK"


@asynccontextmanager
async def mail_server(handler: object | None = None) -> AsyncIterator[tuple[Mailbox, int]]:
    """The server's mailbox and port; `handler` may decide otherwise than the mailbox."""
    mailbox = Mailbox()
    loop = asyncio.get_running_loop()
    sessions: list[SMTP] = []

    def session() -> SMTP:
        sessions.append(SMTP(handler or mailbox, hostname="mail.test", loop=loop))
        return sessions[-1]

    server = await loop.create_server(session, "127.0.0.1", 0)
    try:
        yield mailbox, server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for one in sessions:
            if one.transport is not None:
                one.transport.close()


Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]


@asynccontextmanager
async def peer(behave: Behaviour) -> AsyncIterator[int]:
    """A TCP peer that does exactly `behave` with each connection; yields its port."""
    serving: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving[asyncio.current_task()] = writer
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await behave(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        # Nobody more is let in, and who was let in just now is among them then: its connection still needs the server.
        for listening in server.sockets:
            asyncio.get_running_loop().remove_reader(listening.fileno())
        await everybody_rests()
        server.close()
        for task, writer in serving.items():
            task.cancel()
            writer.transport.abort()
        await everybody_rests()


async def tarpit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Greets for ever, a line a second."""
    while True:
        writer.write(b"220-patience\r\n")
        await writer.drain()
        await asyncio.sleep(1)


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Reads everything and says nothing."""
    while await reader.read(65_536):
        pass


async def drop_after_dot(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says yes to everything, and hangs up after the final dot."""
    writer.write(b"220 mail.test\r\n")
    while line := await reader.readline():
        verb = line[:4].upper()
        if verb == b"DATA":
            writer.write(b"354 go on\r\n")
            while await reader.readline() != b".\r\n":
                pass
            writer.transport.abort()
            return
        writer.write(b"250 OK\r\n")
