"""A chat room at the other end of HTTP: it takes JSON, as Apprise posts it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from aiohttp import web


class ChatRoom(NamedTuple):
    """Where it is, and what was posted there."""

    url: str
    posts: list[dict]


@asynccontextmanager
async def chat_room(*, status: int = 200, location: str = "") -> AsyncIterator[ChatRoom]:
    """A room that answers with `status`."""
    posts: list[dict] = []

    async def take(request: web.Request) -> web.Response:
        posts.append(await request.json())
        return web.Response(status=status, headers={"Location": location} if location else {})

    application = web.Application()
    application.add_routes([web.post("/{path:.*}", take)])
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield ChatRoom(url=f"json://127.0.0.1:{runner.addresses[0][1]}/room", posts=posts)
    finally:
        await runner.cleanup()
