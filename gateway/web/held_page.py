"""What came too late and is held: the two buttons of the ledger."""

from __future__ import annotations

from typing import Protocol

from aiohttp import web

from belltower.ids import NoticeId, PersonId
from belltower.people.grant import Right
from gateway.web.permits import require


class Holding(Protocol):
    """What decides about what is held; either may raise `Refused`."""

    async def send(self, notice: NoticeId, by: PersonId) -> int:
        """Have it sent after all."""
        ...

    async def leave(self, notice: NoticeId, by: PersonId) -> int:
        """Leave it unsent."""
        ...


class HeldPage:
    """Takes the form of the notice's page."""

    def __init__(self, *, held: Holding) -> None:
        self._held = held

    def routes(self) -> list[web.RouteDef]:
        """Where the form goes."""
        return [web.post("/notices/{notice}/held", self._decide)]

    async def _decide(self, request: web.Request) -> web.Response:
        session = await require(request, Right.NOTICE_SEND, None)
        notice = NoticeId(request.match_info["notice"])
        match (await request.post()).get("decision"):
            case "send":
                await self._held.send(notice, session.person)
            case "leave":
                await self._held.leave(notice, session.person)
            case _:
                raise web.HTTPBadRequest(text="Say whether they are to be sent or left.")
        raise web.HTTPSeeOther(f"/notices/{notice}")
