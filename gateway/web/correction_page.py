"""What takes a notice back and what says that it is over: each one form, one press."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Protocol

from aiohttp import web

from belltower.ids import IncidentId, NoticeId, PersonId, VerbId
from belltower.incident.told import Readers
from gateway.web.permits import ENDING, require_any

_VERB = re.compile(r"vrb_[0-9A-Z]{26}")


class Correcting(Protocol):
    """What orders corrections and all-clears, once for each verb id. Either raises `Refused`."""

    async def correct(self, verb: VerbId, notice: NoticeId, by: PersonId) -> None:
        """Take the notice back, to all to whom it may have gone."""
        ...

    async def all_clear(
        self, verb: VerbId, incident: IncidentId, by: PersonId, whose: Sequence[Readers] = ...
    ) -> None:
        """Tell those of `whose` who were told anything that it is over."""
        ...


class CorrectionPage:
    """Takes the forms of the incident's and the notice's page."""

    def __init__(self, *, correcting: Correcting) -> None:
        self._correcting = correcting

    def routes(self) -> list[web.RouteDef]:
        """Where the forms go."""
        return [
            web.post("/incidents/{incident}/notices/{notice}/correct", self._correct),
            web.post("/notices/{notice}/correct", self._correct),
            web.post("/incidents/{incident}/all-clear", self._all_clear),
        ]

    async def _correct(self, request: web.Request) -> web.Response:
        session = await require_any(request, ENDING, None)
        verb = verb_of(await request.post())
        await self._correcting.correct(verb, NoticeId(request.match_info["notice"]), session.person)
        raise web.HTTPSeeOther(request.path.removesuffix("/correct"))

    async def _all_clear(self, request: web.Request) -> web.Response:
        session = await require_any(request, ENDING, None)
        form = await request.post()
        try:
            whose = [Readers(str(each)) for each in form.getall("whose", [])]
        except ValueError:
            raise web.HTTPBadRequest(text="Choose who is told that it is over.") from None
        if not whose:
            raise web.HTTPBadRequest(text="Choose who is told that it is over.")
        incident = IncidentId(request.match_info["incident"])
        await self._correcting.all_clear(verb_of(form), incident, session.person, whose)
        raise web.HTTPSeeOther(f"/incidents/{incident}")


def verb_of(form: Any) -> VerbId:
    """The id under which the form asks, made when its page was: sending it twice does it once."""
    verb = form.get("verb", "")
    if not isinstance(verb, str) or not _VERB.fullmatch(verb):
        raise web.HTTPBadRequest(
            text="This form is not complete. Go back, reload the page and send it again."
        )
    return VerbId(verb)
