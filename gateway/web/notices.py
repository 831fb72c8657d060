"""The list of notices: what waits for somebody, and what was sent."""

from __future__ import annotations

from aiohttp import web

from belltower.clock import Clock
from gateway.web.desk import Names
from gateway.web.ledger import NoticeRoom
from gateway.web.ledger_view import title
from gateway.web.pages import Pages
from gateway.web.render import Renderer

TOPIC = "notices"
"""Of the list, for live screens."""

SHOWN = 50
"""How many notices are listed."""


class NoticePages:
    """Serves `/notices`."""

    def __init__(
        self, *, room: NoticeRoom, pages: Pages, renderer: Renderer, names: Names, clock: Clock
    ) -> None:
        self._room = room
        self._pages = pages
        self._renderer = renderer
        self._names = names
        self._clock = clock

    def routes(self) -> list[web.RouteDef]:
        """Where it stands."""
        return [web.get("/notices", self._list)]

    async def _list(self, request: web.Request) -> web.Response:
        session = await self._pages.signed_in(request)
        listed = await self._room.reports.newest(before=self._clock.now(), limit=SHOWN)
        values = {
            "topic": TOPIC,
            "lines": [title(one, self._names, self._renderer.zone) for one in listed],
            "drafts": [],
            "alone": {},
            "composing": False,
        }
        return self._pages.page(request, "notices.html", values, session)
