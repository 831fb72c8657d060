"""A CSV file that breaks off is never taken for a whole one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from belltower.errors import StoreError
from gateway.web.table_file import send_table
from tests.peers.waiting import PATIENCE

PIECES = [b"name\r\n", b"Ann\r\n", b"Bo\r\n"]


async def rows(fails_at: int) -> AsyncIterator[bytes]:
    """The heading and two rows; what should be read there cannot be."""
    for number, piece in enumerate(PIECES):
        if number == fails_at:
            raise StoreError("the disk is gone")
        yield piece
    if fails_at == len(PIECES):
        raise StoreError("the disk is gone")


async def download(version: str, fails_at: int) -> tuple[bytes, bool]:
    """All octets that came, and whether the connection ended as it should."""

    async def table(request: web.Request) -> web.StreamResponse:
        try:
            return await send_table(request, "people", rows(fails_at))
        except StoreError:
            return web.Response(status=503, text="Cannot read")

    app = web.Application()
    app.router.add_get("/", table)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        reader, writer = await asyncio.open_connection(*runner.addresses[0][:2])
        writer.write(f"GET / HTTP/{version}\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        said = b""
        try:
            async with asyncio.timeout(PATIENCE):
                while piece := await reader.read(4096):
                    said += piece
        except ConnectionResetError:
            return said, False
        finally:
            writer.close()
        return said, True
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("fails_at", [2, 3])
async def test_what_cannot_be_read_to_its_end_breaks_the_connection(version: str, fails_at: int) -> None:
    """W15, P13: also where only the end of the connection is the end of the file; no other answer is mixed into it."""
    said, ended = await download(version, fails_at)

    assert not ended
    assert b"503" not in said
    assert not said.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("fails_at", [0, 1])
async def test_what_cannot_be_read_at_all_begins_no_file(version: str, fails_at: int) -> None:
    """A heading alone would look like nothing to show."""
    said, ended = await download(version, fails_at)

    assert ended
    assert said.startswith(f"HTTP/{version} 503".encode())
    assert b"name" not in said


@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_a_whole_file_ends_as_one(version: str) -> None:
    """With its name, and for no other program to guess at."""
    said, ended = await download(version, 9)

    assert ended
    assert all(piece in said for piece in PIECES)
    assert b'filename="people.csv"' in said
    assert b"nosniff" in said
