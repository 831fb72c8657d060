"""The web side of what people answer: messages that providers bring, signed, any number of times."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping

from aiohttp import web

from belltower import log
from belltower.errors import Malformed, NotVerified, StoreError
from notify.channels.inbox import PATH, Inbox
from notify.hearing import Hearing

_log = log.get("notify")

_MOST_OCTETS = 65_536
_AT_ONCE = 1_000
_WITHIN = 10.0


class Inbound:
    """Add `routes` to the application that the public reaches; `inboxes` by the providers' names."""

    def __init__(self, *, inboxes: Mapping[str, Inbox], hearing: Hearing) -> None:
        self._inboxes = inboxes
        self._hearing = hearing
        self._under_way = 0
        self.refused: Counter[str] = Counter()
        """Messages not believed or not taken, by reason."""

    def routes(self) -> list[web.RouteDef]:
        """The one route; none where no provider brings messages."""
        return [web.post(PATH + "{provider}", self.take)] if self._inboxes else []

    async def take(self, request: web.Request) -> web.Response:
        """Believe a message that its provider signed; answer once what it means is written down."""
        provider = request.match_info["provider"]
        inbox = self._inboxes.get(provider)
        if inbox is None:
            return self._no(404, "provider")
        if self._under_way >= _AT_ONCE:
            return self._no(503, "busy")
        self._under_way += 1
        try:
            async with asyncio.timeout(_WITHIN):
                return await self._take(request, provider, inbox)
        except TimeoutError:
            return self._no(503, "slow")
        finally:
            self._under_way -= 1

    async def _take(self, request: web.Request, provider: str, inbox: Inbox) -> web.Response:
        body = b""
        while len(body) <= _MOST_OCTETS and not request.content.at_eof():
            body += await request.content.read(_MOST_OCTETS + 1 - len(body))
        if len(body) > _MOST_OCTETS:
            return self._no(413, "size")
        try:
            incoming = inbox.read(request.path_qs, request.headers, body)
        except Malformed:
            return self._no(400, "form")
        except NotVerified:
            return self._no(403, "signature")
        try:
            await self._hearing.hear(provider, incoming)
        except StoreError as error:
            _log.error("reply_not_kept", provider=provider, error=type(error).__name__)
            return self._no(503, "store")
        media, answer = inbox.answer
        return web.Response(body=answer, content_type=media) if answer else web.Response(status=204)

    def _no(self, status: int, reason: str) -> web.Response:
        self.refused[reason] += 1
        return web.Response(status=status)
