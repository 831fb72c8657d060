"""The list of notices: what waits for somebody, and what was sent."""

from __future__ import annotations

from aiohttp import web

from belltower.clock import Clock
from gateway.web.channel_page import unproven
from gateway.web.compose_pages import TOPIC, ComposePages
from gateway.web.compose_view import spoken_alone
from gateway.web.desk import Names
from gateway.web.ledger_view import taken_back, title
from gateway.web.notice_room import NoticeRoom
from gateway.web.pages import Pages
from gateway.web.permits import NOTICE_HANDS, may
from gateway.web.render import Renderer
from notify.wording import unread

SHOWN = 50
"""How many notices are listed."""


class NoticePages:
    """Serves `/notices`."""

    def __init__(
        self,
        *,
        room: NoticeRoom,
        pages: Pages,
        writing: ComposePages,
        renderer: Renderer,
        names: Names,
        clock: Clock,
    ) -> None:
        self._writing = writing
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
        drafts = self._room.composer.drafts
        listed = await self._room.reports.newest(before=self._clock.now(), limit=SHOWN)
        values = {
            "topic": TOPIC,
            "push": self._pages.push,
            "family_site": await self._writing.family_site(),
            "unproven": await self._unproven(),
            "unread": unread(self._room.site().wording),
            "lines": [title(one, self._names, self._renderer.zone) for one in listed],
            "mistakes": {
                one.notice: taken_back(mistake, self._names, self._renderer.zone).said
                for one in listed
                if (mistake := await self._room.reports.taken_back(one)) is not None
            },
            "drafts": await self._writing.views(
                [
                    draft
                    for draft in await drafts.open(SHOWN)
                    if any(
                        may(request, session, right, self._room.composer.concerned(draft.rule))
                        for right in NOTICE_HANDS
                    )
                ],
                session.person,
            ),
            "alone": {
                notice: spoken_alone(draft.alone)
                for notice, draft in (await drafts.sent([one.notice for one in listed])).items()
                if draft.alone
            },
        }
        return self._pages.page(request, "notices.html", values, session)

    async def _unproven(self) -> list[str]:
        """The channels that no test proves now."""
        return unproven(await self._room.notify.proofs.standing(), self._clock.now())
