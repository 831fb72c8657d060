"""The other sides for B6 and B7, in a process of their own: as little work for each message as can be.

python -m gateway.bench.sink http 50     # answers 201 to every POST, 50 ms later; prints its port
python -m gateway.bench.sink smtp 0
"""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

_BODY = b'{"sid": "SM0123456789abcdef0123456789abcdef", "status": "queued", "error_code": null}'
ANSWER = (
    b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(_BODY)
    + _BODY
)


class HTTPSink(asyncio.Protocol):
    """Answers each request once its body is whole."""

    def __init__(self, latency: float) -> None:
        self._latency = latency
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Cut the stream into requests."""
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            head = self._data[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self._data) < end + 4 + length:
                return
            self._data = self._data[end + 4 + length :]
            if self._latency:
                asyncio.get_running_loop().call_later(self._latency, self._transport.write, ANSWER)
            else:
                self._transport.write(ANSWER)


class SMTPSink(asyncio.Protocol):
    """Says yes to everything, pipelined or not."""

    def __init__(self, _latency: float) -> None:
        self._data = b""
        self._in_mail = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        """Answer whole lines, and whole mails."""
        self._data += data
        answers = []
        while True:
            ending = b"\r\n.\r\n" if self._in_mail else b"\r\n"
            unit, found, rest = self._data.partition(ending)
            if not found:
                break
            self._data = rest
            if self._in_mail:
                self._in_mail = False
                answers.append(b"250 OK\r\n")
            elif unit[:4].upper() == b"DATA":
                self._in_mail = True
                answers.append(b"354 go on\r\n")
            elif unit[:4].upper() == b"EHLO":
                answers.append(b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n")
            else:
                answers.append(b"221 bye\r\n" if unit[:4].upper() == b"QUIT" else b"250 OK\r\n")
        if answers:
            self._transport.write(b"".join(answers))


async def serve(kind: str, latency: float) -> None:
    """Serve for ever; prints the port."""
    make: Callable[[float], asyncio.Protocol] = HTTPSink if kind == "http" else SMTPSink
    server = await asyncio.get_running_loop().create_server(
        lambda: make(latency), "127.0.0.1", 0, backlog=1_000
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@asynccontextmanager
async def sink(kind: str, *, milliseconds: int = 0) -> AsyncIterator[int]:
    """A sink in another process; yields its port."""
    process: Process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway.bench.sink", kind, str(milliseconds), stdout=PIPE
    )
    assert process.stdout is not None
    try:
        yield int(await process.stdout.readline())
    finally:
        process.kill()
        await process.wait()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2]) / 1000))
