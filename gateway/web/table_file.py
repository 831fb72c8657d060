"""A CSV file for download, which ends as a file only if it is whole."""

from __future__ import annotations

import socket
import struct
from collections.abc import AsyncIterator

from aiohttp import web

from belltower import log
from belltower.errors import StoreError
from gateway.web.guard import HEADERS

_log = log.get("web")

# Close at once and say that it was no end: version 1.0 of HTTP, which proxies still speak, knows no other way.
_RESET = struct.pack("ii", 1, 0)


async def send_table(request: web.Request, name: str, pieces: AsyncIterator[bytes]) -> web.StreamResponse:
    """The answer, `NAME.csv`, a piece at a time; the first is its heading.

    What cannot be read before the first rows is raised, to be answered by a page. What cannot be read later breaks the
    connection, so that no browser takes the part that it has for the whole.
    """
    response = web.StreamResponse(
        headers={
            **HEADERS,
            "Content-Type": "text/csv; charset=utf-8",
            "Content-Disposition": f'attachment; filename="{name}.csv"',
            "Cache-Control": "no-store",
        }
    )
    begun = [await anext(pieces), await anext(pieces, b"")]
    await response.prepare(request)
    await response.write(b"".join(begun))
    try:
        async for piece in pieces:
            await response.write(piece)
    except StoreError as error:
        _log.error("table_cut", error=type(error).__name__)
        _reset(request)
        raise ConnectionResetError("the table could not be read to its end") from error
    await response.write_eof()
    return response


def _reset(request: web.Request) -> None:
    if request.transport is not None:
        line = request.transport.get_extra_info("socket")
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        request.transport.abort()
