"""Writing a notice: choose, look, try it on a few, and let it go, with a second person where it takes two."""

from __future__ import annotations

import re
from collections.abc import Awaitable
from typing import Any

from aiohttp import web
from multidict import MultiDictProxy

from belltower.errors import NotPermitted, Refused
from belltower.ids import Ids, IncidentId, NoticeId, PersonId, VerbId
from belltower.people.grant import Right
from gateway.web.compose_view import (
    DraftView,
    chosen,
    draft_view,
    lists,
    spoken_forecast,
    spoken_quiet,
    unknown,
)
from gateway.web.desk import Names
from gateway.web.live import Live
from gateway.web.notice_room import NoticeRoom
from gateway.web.pages import Pages
from gateway.web.permits import NOTICE_HANDS, may, reach_of, require, require_any
from gateway.web.render import Renderer
from gateway.web.store import Session
from gateway.web.stream import Fanout, event
from gateway.web.view import day
from notify.audience import AudienceRule
from notify.compose import Changed
from notify.draft import REASONS, TEST_GROUP, Draft, DraftState
from notify.family_sites import ALWAYS_TWO
from notify.forecast import Load
from notify.meant import named

TOPIC = "notices"
"""Of the list, for live screens."""

_DRAFT = r"{draft:ntc_[0-9A-Z]{26}}"
_VERB = re.compile(r"vrb_[0-9A-Z]{26}")


class ComposePages:
    """Serves `/notices/new` and `/notices/drafts/ID`."""

    def __init__(
        self,
        *,
        room: NoticeRoom,
        pages: Pages,
        live: Live,
        fanout: Fanout,
        renderer: Renderer,
        names: Names,
        ids: Ids,
    ) -> None:
        self._room = room
        self._composer = room.composer
        self._pages = pages
        self._live = live
        self._fanout = fanout
        self._renderer = renderer
        self._names = names
        self._ids = ids

    def routes(self) -> list[web.RouteDef]:
        """Where they stand."""
        return [
            web.get("/notices/new", self._new),
            web.post("/notices/new", self._write),
            web.get(f"/notices/drafts/{_DRAFT}", self._show),
            web.post(f"/notices/drafts/{_DRAFT}/test", self._test),
            web.post(f"/notices/drafts/{_DRAFT}/send", self._send),
            web.post(f"/notices/drafts/{_DRAFT}/let-go", self._let_go),
            web.post(f"/notices/drafts/{_DRAFT}/alone", self._alone),
            web.post(f"/notices/drafts/{_DRAFT}/drop", self._drop),
        ]

    async def views(self, drafts: list[Draft], reader: PersonId) -> list[DraftView]:
        """Drafts for the list."""
        site = self._room.site()
        schools, classes = await self._room.roster.schools_and_classes() if drafts else ({}, {})
        return [
            draft_view(
                draft,
                meant=named(
                    draft.rule,
                    draft.order.audience,
                    places=site.places,
                    schools=schools,
                    classes=classes,
                    told_before=bool(draft.order.corrects),
                ),
                names=self._names,
                reader=reader,
                zone=self._renderer.zone,
                source=site.wording.source.language,
            )
            for draft in drafts
        ]

    async def _new(self, request: web.Request) -> web.Response:
        session = await require(request, Right.NOTICE_WRITE, None)
        return await self._form(request, session, "")

    async def family_site(self) -> str:
        """What families were told to do of late, in a sentence; "" where they were told of no place."""
        told = await self._room.notify.sites.told(IncidentId(""))
        if not told:
            return ""
        since = day(told[-1].at, self._renderer.zone)
        if not told[-1].site:
            return f"wait, since {since}: the place was taken back"
        return f"go to {self._names.place(told[-1].site)}, since {since}"

    async def _form(
        self, request: web.Request, session: Session, fault: str, status: int = 200
    ) -> web.Response:
        site = self._room.site()
        reach = reach_of(request, session, Right.NOTICE_WRITE)
        within = None if reach.everywhere else reach.schools
        schools, classes = await self._room.roster.schools_and_classes(within)
        shown, over = self._live.cards()
        form = await request.post() if request.method == "POST" else request.query
        given = {name: [str(value) for value in form.getall(name)] for name in form}
        if within is not None and request.method != "POST":
            given.setdefault(
                "school", sorted(schools)
            )  # of no school named, all are meant: that is not theirs
        values = {
            "lists": lists(
                site.wording,
                audiences=self._usable(request, session, Right.NOTICE_WRITE),
                names=self._names,
                served=self._composer.served,
                schools=schools,
                classes=classes,
                incidents=[
                    (card.id, f"No. {card.number}, {card.where}{', EXERCISE' if card.exercise else ''}")
                    for card in shown
                ]
                + [(card.id, f"No. {card.number}, {card.where}, over: where families go") for card in over],
            ),
            "family_site": await self.family_site(),
            "given": given,
            "fault": fault,
            "verb": self._ids.verb(),
        }
        return self._pages.page(request, "notice_new.html", values, session, status=status)

    async def _write(self, request: web.Request) -> web.Response:
        session = await require(request, Right.NOTICE_WRITE, None)
        form = await request.post()
        choice = chosen(form)
        schools, classes = await self._room.roster.schools_and_classes()
        if fault := unknown(choice.rule, schools=schools, classes=classes):
            return await self._form(request, session, fault, status=409)
        try:
            draft = await self._composer.write(verb(form), choice, session.person)
        except NotPermitted:
            raise
        except Refused as error:
            return await self._form(request, session, str(error), status=409)
        self._changed()
        raise web.HTTPSeeOther(f"/notices/drafts/{draft.id}")

    async def _show(self, request: web.Request) -> web.Response:
        session = await require_any(request, NOTICE_HANDS, None)
        return await self._draft(request, session, "")

    async def _draft(
        self, request: web.Request, session: Session, fault: str, status: int = 200
    ) -> web.Response:
        draft = await self._composer.get(_id(request))
        if draft.state is DraftState.SENT:
            raise web.HTTPSeeOther(f"/notices/{draft.id}")
        await require_any(request, NOTICE_HANDS, self._composer.concerned(draft.rule))
        (view,) = await self.views([draft], session.person)
        site = self._room.site()
        loads = {kind: Load(*load) for kind, load in draft.counted.loads.items()}
        names = {person: site.people[person].name for person in site.people}
        unknown = [person for person in draft.counted.unreachable_people if person not in names]
        names |= dict(await self._room.roster.names(unknown))
        values = {
            "topic": draft.id,
            "draft": view,
            "fault": fault,
            "can": self._can(request, session, draft),
            "takes": spoken_forecast(
                await self._room.notify.forecast(loads, routine=draft.order.routine)
            ).capitalize()
            if loads
            else "Nothing would leave",
            "quiet": spoken_quiet(*self._composer.quiet(draft), self._renderer.zone),
            "without": sorted(names.get(person, person) for person in draft.counted.unreachable_people),
            "audiences": await self._composer.test_groups(
                draft, self._usable(request, session, Right.NOTICE_SEND)
            ),
            "group": TEST_GROUP,
            "verb": self._ids.verb(),
            "reasons": REASONS,
            "always_two": ALWAYS_TWO,
        }
        return self._pages.page(request, "notice_draft.html", values, session, status=status)

    def _usable(self, request: web.Request, session: Session, right: Right) -> dict[str, AudienceRule]:
        """The audiences of the site package that whoever is signed in has this right for."""
        return {
            name: rule
            for name, rule in self._room.site().audiences.items()
            if may(request, session, right, self._composer.concerned(rule))
        }

    def _can(self, request: web.Request, session: Session, draft: Draft) -> dict[str, bool]:
        """What the page offers; the composer is the lock."""
        schools = self._composer.concerned(draft.rule)
        write, send, second = (may(request, session, right, schools) for right in NOTICE_HANDS)
        moves = not draft.never_alone or may(request, session, Right.SITE_CHANGE, schools)
        return {"write": write, "send": send and moves, "second": second}

    async def _test(self, request: web.Request) -> web.Response:
        session = await require(request, Right.NOTICE_SEND, None)
        form = await request.post()
        audience = str(form.get("audience", ""))
        try:
            notice = await self._composer.test(verb(form), _id(request), audience, session.person)
        except NotPermitted:
            raise
        except Refused as error:
            return await self._draft(request, session, str(error), status=409)
        raise web.HTTPSeeOther(f"/notices/{notice}")

    async def _send(self, request: web.Request) -> web.Response:
        session = await require(request, Right.NOTICE_SEND, None)
        form = await request.post()
        return await self._done(
            request, session, self._composer.ask(_id(request), session.person, seen=_seen(form))
        )

    async def _let_go(self, request: web.Request) -> web.Response:
        session = await require(request, Right.NOTICE_SECOND, None)
        form = await request.post()
        return await self._done(
            request, session, self._composer.let_go(_id(request), session.person, seen=_seen(form))
        )

    async def _alone(self, request: web.Request) -> web.Response:
        session = await require(request, Right.NOTICE_SEND, None)
        form = await request.post()
        reason = str(form.get("reason", ""))
        return await self._done(
            request,
            session,
            self._composer.send_alone(_id(request), session.person, reason, seen=_seen(form)),
        )

    async def _drop(self, request: web.Request) -> web.Response:
        session = await require(request, Right.NOTICE_WRITE, None)
        await self._composer.drop(_id(request), session.person)
        self._changed(_id(request))
        raise web.HTTPSeeOther("/notices")

    async def _done(self, request: web.Request, session: Session, doing: Awaitable[Draft]) -> web.Response:
        """To the notice once it is sent, back to the draft while it waits, and where its audience has changed."""
        try:
            draft = await doing
        except Changed as error:
            return await self._draft(request, session, str(error), status=409)
        self._changed(draft.id)
        sent = draft.state is DraftState.SENT
        raise web.HTTPSeeOther(f"/notices/{draft.id}" if sent else f"/notices/drafts/{draft.id}")

    def _changed(self, draft: NoticeId | None = None) -> None:
        """Screens that show the list, or this draft, look again."""
        for topic in (TOPIC, draft):
            if topic is not None:
                self._fanout.send(topic, event("again", ""))


def verb(form: MultiDictProxy[Any]) -> VerbId:
    """The id under which the form asks: sending it twice does it once."""
    given = form.get("verb", "")
    if not isinstance(given, str) or not _VERB.fullmatch(given):
        raise web.HTTPBadRequest(
            text="This form is not complete. Go back, reload the page and send it again."
        )
    return VerbId(given)


def _id(request: web.Request) -> NoticeId:
    return NoticeId(request.match_info["draft"])


def _seen(form: MultiDictProxy[Any]) -> int:
    given = str(form.get("seen", ""))
    if not (given.isascii() and given.isdigit() and len(given) < 10):
        raise web.HTTPBadRequest(
            text="This form is not complete. Go back, reload the page and send it again."
        )
    return int(given)
