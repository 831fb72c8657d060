"""The pages people see once they are signed in, and the verbs they have."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from multidict import MultiDictProxy

from belltower import log
from belltower.clock import Clock
from belltower.errors import NotAsked, NotFound, NotPermitted, StoreError, Unreachable
from belltower.ids import CallId, Ids, IncidentId, NoticeId, PlaceId, VerbId
from belltower.incident.facts import Action
from belltower.people.grant import Right
from gateway.web import store
from gateway.web.desk import DeskView
from gateway.web.ledger_view import spoken_name
from gateway.web.live import LIST, NONE_CLOSED, NONE_OPEN, Live
from gateway.web.permits import NOTICE_READERS, may, require, require_any
from gateway.web.render import Asset, Renderer
from gateway.web.sessions import Sessions
from gateway.web.store import Session
from gateway.web.story import Story
from gateway.web.stream import Fanout, written
from gateway.web.told import TOLD, still_told, taken_back
from gateway.web.view import ACTIONS, REASONS, calls_told, card, notice_block, reasons, recipients, unread
from hardware.codecs.unit_room import MAX_TEXT
from notify.compose import Composer
from notify.draft import Counted, DraftState

_log = log.get("web")

_RECHECK = 300.0
_DRAFTS_LOOKED_AT = 200
_OPERATOR = re.compile(r"[A-Za-z0-9-]{0,16}")
_FIELDS = ("verb", "action", "reason", "call", "place", "operator", "room", "words")
_VERB = re.compile(r"vrb_[0-9A-Z]{26}")


class Pages:
    """Answers requests for pages."""

    def __init__(
        self,
        *,
        desk: DeskView,
        live: Live,
        fanout: Fanout,
        renderer: Renderer,
        sessions: Sessions,
        ids: Ids,
        clock: Clock,
        static: dict[str, Asset],
    ) -> None:
        self._desk = desk
        self._live = live
        self._fanout = fanout
        self._renderer = renderer
        self._sessions = sessions
        self._ids = ids
        self._clock = clock
        self._static = static
        # Whether there is a page of devices to point at.
        self.devices = False
        # The same of notices.
        self.notices = False
        # The same of disclosures.
        self.disclosures = False
        # The same of people.
        self.people = False
        # Whether notices can be taken back.
        self.corrections = False
        # Whether browsers can be told.
        self.push = False
        # Knows the notices that are not sent yet; None: there are none here.
        self.composer: Composer | None = None
        # Who may read what became of a notice.
        self.reader: Callable[[web.Request, NoticeId], Awaitable[Session]] = _reader

    def routes(self) -> list[web.RouteDef]:
        """Where the pages stand."""
        return [
            web.get("/", self._list),
            web.get("/incidents/{incident}", self._incident),
            web.post("/incidents/{incident}/actions", self._order),
            web.post("/incidents/{incident}/close", self._close),
            web.post("/incidents/{incident}/cancel", self._cancel),
            web.post("/incidents/{incident}/correct", self._correct),
            web.post("/incidents/{incident}/read-back", self._read_back),
            web.post("/incidents/{incident}/texts", self._send_text),
            web.get("/incidents/{incident}/notices/{notice}", self._notice),
            web.get("/events", self._events),
            web.get("/static/{version}/{name}", self._asset),
            web.get("/health", self._health),
        ]

    def error_page(self, request: web.Request, status: int, title: str, text: str) -> web.Response:
        """An error, in the look of the house. Never raises."""
        return self.page(request, "error.html", {"title": title, "text": text}, None, status=status)

    def page(
        self,
        request: web.Request,
        template: str,
        values: dict[str, Any],
        session: Session | None,
        *,
        status: int = 200,
    ) -> web.Response:
        """A whole page with what every page has."""
        cookies: dict[str, str] = {}
        common = {
            "site": self._desk.site,
            "session": session,
            "form": self._sessions.form_token(request, cookies),
            "banner": self._live.banner() if session else [],
            "topic": "",
            "after": written(self._live.heads),
            "now": self._clock.now(),
            "disclosures": self.disclosures,
            "may": lambda *rights: any(may(request, session, Right(right)) for right in rights),
        }
        response = web.Response(
            text=self._renderer.page(template, common | values), content_type="text/html", status=status
        )
        for value in cookies.values():
            self._sessions.set_form_cookie(response, value)
        return response

    async def signed_in(self, request: web.Request) -> Session:
        """Who asks; sends everybody else to sign in."""
        session = await self._sessions.current(request)
        if session is None:
            raise web.HTTPSeeOther("/sign-in")
        return session

    async def _list(self, request: web.Request) -> web.Response:
        session = await self.signed_in(request)
        readable = not self._live.reading
        shown, closed = self._live.cards()
        values = {
            "topic": LIST,
            "readable": readable,
            "shown": shown,
            "closed": closed,
            "empty": NONE_OPEN,
            "none_closed": NONE_CLOSED,
            "console": self._live.console,
            "alerts": self._live.alerts(),
            "calling": self._renderer.calling(self._live.calling(), self._desk.names),
            "devices": self.devices,
            "notices": self.notices,
            "waiting": await self._waiting(request, session),
            "people": self.people,
        }
        return self.page(request, "list.html", values, session, status=200 if readable else 503)

    async def _waiting(self, request: web.Request, session: Session) -> int:
        """How many notices wait for somebody like them as the second person."""
        composer = self.composer
        if composer is None or not may(request, session, Right.NOTICE_SECOND):
            return 0
        return sum(
            draft.state is DraftState.WAITING
            and draft.asked_by != session.person
            and may(request, session, Right.NOTICE_SECOND, composer.concerned(draft.rule))
            for draft in await composer.drafts.open(_DRAFTS_LOOKED_AT)
        )

    async def _incident(self, request: web.Request) -> web.Response:
        session = await self.signed_in(request)
        after = written(self._live.heads)
        story = await self._live.story(IncidentId(request.match_info["incident"]))
        if story is None:
            raise NotFound("There is no such incident.")
        values = {
            "topic": story.incident.id,
            "after": after,
            "card": card(story, self._renderer.zone),
            "head": self._renderer.head(story),
            "steps": self._renderer.steps(story),
            "notices": self._renderer.notices(story),
            "rooms": self._renderer.rooms(story),
            "room_choices": story.rooms,
            "texts": self._renderer.texts(
                story, await self._live.texts(story.incident.id) if story.texts else ()
            ),
            "text_verb": self._ids.verb(),
            "pressed_at": story.pressed_at,
            "actions": [(action.value, words, self._ids.verb()) for action, words in ACTIONS.items()],
            "close_verb": self._ids.verb(),
            "reasons": reasons(story),
            "calls": calls_told(story),
            "unread": unread(story),
            "places": self._desk.names.places(),
            "writable": self.notices,
            "still_told": still_told(story.incident) if self.corrections else [],
            "told_words": TOLD,
            "over_verb": self._ids.verb(),
            "ready": await self._ready(request, session, story.incident.id),
            "may_cancel": _may_cancel(request, session, story),
            "cancelling": _cancelling(story),
            "call_verbs": {name: self._ids.verb() for name in ("cancel", "correct", "read-back")},
        }
        return self.page(request, "incident.html", values, session)

    async def _ready(
        self, request: web.Request, session: Session, incident: IncidentId
    ) -> list[tuple[str, str, Counted]]:
        """What waits for somebody like them to send it, of this incident: id, title and whom it would reach."""
        composer = self.composer
        if composer is None:
            return []
        return [
            (draft.id, spoken_name(draft.order.template), draft.counted)
            for draft in await composer.drafts.open(_DRAFTS_LOOKED_AT)
            if draft.order.incident == incident
            and draft.state is DraftState.OPEN
            and may(request, session, Right.NOTICE_SEND, composer.concerned(draft.rule))
        ]

    async def _notice(self, request: web.Request) -> web.Response:
        notice = NoticeId(request.match_info["notice"])
        session = await self.reader(request, notice)
        story = await self._live.story(IncidentId(request.match_info["incident"]))
        if story is None or notice not in story.tallies:
            raise NotFound("There is no such notice.")
        waiting, reached = recipients(await self._desk.recipients(notice), self._desk.names)
        values = {
            "card": card(story, self._renderer.zone),
            "block": notice_block(story.tallies[notice]),
            "waiting": waiting,
            "reached": reached,
            "correctable": self.corrections and not taken_back(story.incident, notice),
            "verb": self._ids.verb(),
        }
        return self.page(request, "notice.html", values, session)

    async def _order(self, request: web.Request) -> web.Response:
        session = await self.signed_in(request)
        form = await request.post()
        incident = IncidentId(request.match_info["incident"])
        try:
            action = Action(str(form.get("action", "")))
        except ValueError:
            raise web.HTTPBadRequest(text="There is no such action.") from None
        asking = self._desk.order_action(_verb(form), incident, action, session.person)
        return await self._asked(request, session, incident, asking)

    async def _close(self, request: web.Request) -> web.Response:
        session = await require(request, Right.INCIDENT_CLOSE, None)
        form = await request.post()
        incident = IncidentId(request.match_info["incident"])
        reason = str(form.get("reason", ""))
        if reason not in REASONS:
            raise web.HTTPBadRequest(text="Choose why the incident is closed.")
        asking = self._desk.close(_verb(form), incident, session.person, reason)
        return await self._asked(request, session, incident, asking)

    async def _cancel(self, request: web.Request) -> web.Response:
        session = await self.signed_in(request)
        form = await request.post()
        incident = IncidentId(request.match_info["incident"])
        if not _may_cancel(request, session, await self._live.story(incident)):
            await require(request, Right.INCIDENT_CLOSE, None)
        asking = self._desk.cancel_calls(_verb(form), incident, session.person)
        return await self._asked(request, session, incident, asking)

    async def _correct(self, request: web.Request) -> web.Response:
        session = await self.signed_in(request)
        form = await request.post()
        incident = IncidentId(request.match_info["incident"])
        place = PlaceId(str(form.get("place", "")))
        if place not in {known for known, _ in self._desk.names.places()}:
            raise web.HTTPBadRequest(text="Choose the place where help is needed.")
        asking = self._desk.correct_call(
            _verb(form), CallId(str(form.get("call", ""))), place, session.person
        )
        return await self._asked(request, session, incident, asking)

    async def _read_back(self, request: web.Request) -> web.Response:
        session = await self.signed_in(request)
        form = await request.post()
        incident = IncidentId(request.match_info["incident"])
        operator = str(form.get("operator", "")).strip()
        if not _OPERATOR.fullmatch(operator):
            raise web.HTTPBadRequest(text="Write the telecommunicator's code or position, not a name.")
        story = await self._live.story(incident)
        if (story is None or _cancelling(story)) and not _may_cancel(request, session, story):
            await require(request, Right.INCIDENT_CLOSE, None)
        asking = self._desk.note_read_back(_verb(form), incident, session.person, operator)
        return await self._asked(request, session, incident, asking)

    async def _send_text(self, request: web.Request) -> web.Response:
        session = await self.signed_in(request)
        form = await request.post()
        incident = IncidentId(request.match_info["incident"])
        room, words = PlaceId(str(form.get("room", ""))), str(form.get("words", "")).strip()
        if room not in {known.id for known in self._desk.names.rooms()}:
            raise web.HTTPBadRequest(text="Choose the room that is to read it.")
        if not words or len(words.encode()) > MAX_TEXT:
            raise web.HTTPBadRequest(text=f"Write a short text, of {MAX_TEXT} letters at most.")
        asking = self._desk.send_text(_verb(form), incident, room, words, session.person)
        return await self._asked(request, session, incident, asking)

    async def _asked(
        self, request: web.Request, session: Session, incident: IncidentId, asking: Awaitable[None]
    ) -> web.Response:
        """Back to the incident; where the alarm lane does not answer, a page that asks again under the same id."""
        try:
            await asking
        except Unreachable as error:
            _log.warning("verb_unreachable", incident=incident)
            form = await request.post()
            values = {
                "certain": isinstance(error, NotAsked),
                "incident": incident,
                "path": request.path,
                "fields": [(name, str(form[name])) for name in _FIELDS if name in form],
            }
            return self.page(request, "unanswered.html", values, session, status=503)
        raise web.HTTPSeeOther(f"/incidents/{incident}")

    async def _events(self, request: web.Request) -> web.StreamResponse:
        session = await self._sessions.current(request)
        if session is None:
            raise web.HTTPUnauthorized(text="signed out\n")
        if (topic := request.query.get("topic", "")).startswith("ntc_"):
            await self.reader(request, NoticeId(topic))
        owner = store.hashed(request.cookies.get(self._sessions.cookie, ""))
        response, screen = await self._fanout.serve(request, topic=topic, owner=owner)
        try:
            await self._stay(request, topic, screen.gone)
        finally:
            self._fanout.forget(screen)
        return response

    async def _stay(self, request: web.Request, topic: str, gone: asyncio.Event) -> None:
        """Wait until the screen has gone; a session or a right that ended meanwhile ends it."""
        while not gone.is_set():
            try:
                async with asyncio.timeout(_RECHECK):
                    await gone.wait()
            except TimeoutError:
                try:
                    if await self._sessions.current(request) is None:
                        return
                    if topic.startswith("ntc_"):
                        await self.reader(request, NoticeId(topic))
                except NotPermitted:
                    return
                except StoreError:
                    continue

    async def _asset(self, request: web.Request) -> web.Response:
        asset = self._static.get(request.match_info["name"])
        if asset is None:
            raise web.HTTPNotFound(text="There is no such file.")
        return web.Response(
            body=asset.body,
            content_type=asset.content_type,
            charset="utf-8",
            headers={"Cache-Control": "public, max-age=31536000, immutable"},
        )

    async def _health(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok\n")


async def _reader(request: web.Request, _notice: NoticeId) -> Session:
    return await require_any(request, NOTICE_READERS, None)


def _may_cancel(request: web.Request, session: Session, story: Story | None) -> bool:
    """Whether they may call the responders off: who may close it, and who alone raised it."""
    if may(request, session, Right.INCIDENT_CLOSE):
        return True
    return story is not None and story.raisers == {session.person}


def _cancelling(story: Story) -> bool:
    """Whether what is to be read back calls anybody off."""
    return any(call.unread and call.cancelling for call in story.incident.calls.values())


def _verb(form: MultiDictProxy[Any]) -> VerbId:
    """The id under which the form asks, made when its page was: sending it twice does it once."""
    verb = form.get("verb", "")
    if not isinstance(verb, str) or not _VERB.fullmatch(verb):
        raise web.HTTPBadRequest(
            text="This form is not complete. Go back, reload the page and send it again."
        )
    return VerbId(verb)
