"""The web side of providers' reports, before anybody has signed for anything."""

import asyncio

import pytest
from aiohttp import web

from belltower.errors import NotVerified
from notify import callbacks
from notify.callbacks import Callbacks
from notify.channels.reports import PATH
from tests.peers.waiting import PATIENCE


class Forged:
    """Reports of which none is true."""

    def read(self, url, headers, body):
        raise NotVerified("forged")


class Idle:
    """A ledger with nothing to do."""

    backlog = 0


async def answered(port: int, body: bytes) -> bytes:
    """The status line of the answer to a post that says it has 4 octets."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"POST {PATH}sms/dlv_1 HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n".encode() + body)
    try:
        async with asyncio.timeout(PATIENCE):
            return (await reader.readline()).split()[1]
    finally:
        writer.close()


async def test_a_body_that_never_comes_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds its place for a while, and only so many do: others are asked to come again."""
    monkeypatch.setattr(callbacks, "_WITHIN", 0.5)
    monkeypatch.setattr(callbacks, "_AT_ONCE", 2)
    page = Callbacks(reports={"sms": Forged()}, ledger=Idle(), heard=None)
    app = web.Application()
    app.add_routes(page.routes())
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]

        statuses = await asyncio.gather(*(answered(port, b"a") for _ in range(3)))
        assert [b"408", b"408", b"503"] == sorted(statuses)
        assert b"403" == await answered(port, b"abcd")
    finally:
        await runner.cleanup()
    assert {"slow": 2, "busy": 1, "signature": 1} == dict(page.refused)
