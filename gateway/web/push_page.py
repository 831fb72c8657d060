"""Where somebody who is signed in asks to be told in this browser: "Tell me on this device"."""

from __future__ import annotations

import hashlib

from aiohttp import web

from belltower import log
from belltower.errors import Refused
from gateway.web.pages import Pages
from gateway.web.render import Asset
from notify.browsers import MOST, Browsers

_log = log.get("web")

PAGE = "/notices/push"

WORKER = "/notices/push_worker.js"
"""Where the service worker stands: what it may have lies below its folder."""


class PushPage:
    """Serves `/notices/push` and the service worker."""

    def __init__(self, *, pages: Pages, browsers: Browsers, key: str, worker: Asset) -> None:
        """`key` is what browsers subscribe to; "": no browser can be told now."""
        self._pages = pages
        self._browsers = browsers
        self._key = key
        self._worker = worker

    def routes(self) -> list[web.RouteDef]:
        """Where it stands."""
        return [
            web.get(PAGE, self._show),
            web.post(PAGE, self._subscribe),
            web.post(f"{PAGE}/end", self._end),
            web.get(WORKER, self._script),
        ]

    async def _show(self, request: web.Request) -> web.Response:
        session = await self._pages.signed_in(request)
        known = self._browsers.endpoints(session.person)
        values = {
            "key": self._key,
            "worker": WORKER,
            # So that the page can tell whether this browser is one of them, and no other page can tell which.
            "known": " ".join(hashlib.sha256(one.encode()).hexdigest() for one in known),
            "count": len(known),
            "most": MOST,
        }
        return self._pages.page(request, "push.html", values, session)

    async def _subscribe(self, request: web.Request) -> web.Response:
        session = await self._pages.signed_in(request)
        if not self._key:
            raise Refused("No browser can be told: the key in the settings is none.")
        form = await request.post()
        await self._browsers.subscribe(session.person, str(form.get("subscription", "")))
        _log.info("browser_told", person=session.person)
        raise web.HTTPSeeOther(PAGE)

    async def _end(self, request: web.Request) -> web.Response:
        session = await self._pages.signed_in(request)
        form = await request.post()
        endpoint = str(form.get("endpoint", ""))
        if not endpoint and form.get("all") != "yes":
            raise web.HTTPBadRequest(text="This form is not complete. Go back and send it again.")
        await self._browsers.unsubscribe(session.person, endpoint)
        _log.info("browser_told_no_more", person=session.person)
        raise web.HTTPSeeOther(PAGE)

    async def _script(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._worker.body, content_type=self._worker.content_type, charset="utf-8")
