"""TLS as a pipe: what a stalled or vanished far side does to it."""

import asyncio
import ssl
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from belltower.errors import Uncertain, Unreachable
from hardware.transports.tls import TLSTransport
from tests.hardware.mqtt.certificate import write_certificate
from tests.peers.waiting import PATIENCE


@asynccontextmanager
async def server(folder: Path, serve):
    """A TLS server on a free port, and a transport to it."""
    certificate = write_certificate(folder, "far.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, folder / "key.pem")
    ended = asyncio.Event()

    async def handle(reader, writer):
        try:
            await serve(reader, writer, ended)
        finally:
            writer.transport.abort()

    listening = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)
    transport = TLSTransport(
        host="far.example",
        port=listening.sockets[0].getsockname()[1],
        address="127.0.0.1",
        ca=certificate,
        write_deadline=0.3,
    )
    try:
        yield transport
    finally:
        await transport.close()
        ended.set()
        listening.close()
        await asyncio.sleep(0.01)


async def test_what_is_written_comes_back_and_a_hang_up_is_noticed(tmp_path: Path):
    """An echo, then the end; then it can be opened again."""

    async def echo(reader, writer, _):
        writer.write(await reader.readexactly(5))
        await writer.drain()

    async with server(tmp_path, echo) as transport:
        for _ in range(2):
            await transport.open()
            await transport.write(b"hello")
            assert b"hello" == await transport.read()
            with pytest.raises(Unreachable, match="hung up|broke"):
                await transport.read()


async def test_a_far_side_that_takes_nothing_holds_nobody(tmp_path: Path):
    """A part may have left: uncertain within the deadline; the next write knows that the line is gone."""

    async def deaf(reader, writer, ended):
        await ended.wait()

    async with server(tmp_path, deaf) as transport:
        await transport.open()
        with pytest.raises((Uncertain, Unreachable)) as error:
            async with asyncio.timeout(PATIENCE):
                for _ in range(200):
                    await transport.write(bytes(262_144))
        assert isinstance(error.value, Uncertain)
        with pytest.raises(Unreachable):
            await transport.write(b"x")


async def test_another_name_or_an_unknown_authority_is_unreachable(tmp_path: Path):
    """Nothing is ever written to it."""

    async def never(reader, writer, ended):
        await ended.wait()

    async with server(tmp_path, never) as good:
        for host, ca in (("other.example", tmp_path / "certificate.pem"), ("far.example", None)):
            transport = TLSTransport(host=host, port=good._port, address="127.0.0.1", ca=ca)
            with pytest.raises(Unreachable):
                await transport.open()
            with pytest.raises(Unreachable, match="not open"):
                await transport.write(b"x")
    broken = TLSTransport(host="a", port=1, address="127.0.0.1", ca=tmp_path / "nothing.pem")
    with pytest.raises(Unreachable, match="cannot be used"):
        await broken.open()
    with pytest.raises(Unreachable, match="not open"):
        await broken.read()
