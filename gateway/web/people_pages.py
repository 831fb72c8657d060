"""Who people are: searched by name, looked at, corrected by hand; and who may collect whom today."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any

from aiohttp import web
from multidict import MultiDictProxy

from belltower import log
from belltower.clock import Clock, aware
from belltower.errors import Refused
from belltower.ids import Ids, PersonId, VerbId
from belltower.people.by_hand import HandField, moment
from belltower.people.doubt import Answer
from belltower.people.editing import Editing, Paper
from belltower.people.grant import Right
from belltower.people.reach import RosterPeople
from belltower.people.record import PersonRecord, called, record
from belltower.people.roster import ClassKey, HumanKind, LinkSource, MayCollect, SchoolKey
from belltower.people.search import SHOWN, NameIndex
from belltower.people.store import RosterStore
from gateway.web.desk import Names
from gateway.web.pages import Pages
from gateway.web.people_view import (
    CHANGES,
    DAYS,
    KINDS,
    MAY,
    PAPERS,
    doubt_view,
    fields,
    iso_day,
    origin,
    pair_view,
    person_line,
    told_by,
    unreached_line,
)
from gateway.web.permits import may, reach_of, require
from gateway.web.render import Renderer
from gateway.web.store import Session
from gateway.web.view import day

_log = log.get("web")

_PERSON = r"{person:per_[0-9A-Z]{26}}"
_ADULT = re.compile(r"per_[0-9A-Z]{26}")
_VERB = re.compile(r"vrb_[0-9A-Z]{26}")
_SHOWN = 500
_NOT_WHOLE = "This form is not complete. Go back, reload the page and send it again."


class PeoplePages:
    """Serves `/people` and `/people/ID`."""

    def __init__(
        self, *, store: RosterStore, pages: Pages, renderer: Renderer, names: Names, ids: Ids, clock: Clock
    ) -> None:
        self._store = store
        self._roster = RosterPeople(store=store, clock=clock)
        self.index = NameIndex(store=store)
        self._editing = Editing(store=store, clock=clock, ids=ids)
        self._pages = pages
        self._renderer = renderer
        self._names = names
        self._ids = ids
        self._clock = clock

    def routes(self) -> list[web.RouteDef]:
        """Where they stand. What is searched for travels in a form's body: never in an address."""
        return [
            web.get("/people", self._ask),
            web.post("/people", self._search),
            web.get("/people/unreachable", self._unreachable),
            web.get("/people/review", self._review),
            web.post("/people/review", self._answer),
            web.get(f"/people/{_PERSON}", self._show),
            web.post(f"/people/{_PERSON}/set", self._set),
            web.post(f"/people/{_PERSON}/unset", self._unset),
            web.post(f"/people/{_PERSON}/collecting", self._put_word),
            web.post(f"/people/{_PERSON}/collecting/end", self._end_word),
        ]

    # -- whom no notice can reach

    async def _unreachable(self, request: web.Request) -> web.Response:
        session = await require(request, Right.PEOPLE_SEE, None)
        reach = reach_of(request, session, Right.PEOPLE_SEE)
        found = [
            one
            for one in await self._roster.beyond_reach()
            if reach.everywhere or reach.schools & one.person.schools
        ]
        shown = found[:_SHOWN]
        names = await self._roster.names(sorted({child for one in shown for child in one.person.children}))
        lines = [unreached_line(one, names) for one in shown]
        values = {"lines": lines, "count": len(found), "roster": await self._store.in_force()}
        return self._pages.page(request, "unreachable.html", values, session)

    # -- searching

    async def _ask(self, request: web.Request) -> web.Response:
        session = await require(request, Right.PEOPLE_SEE, None)
        return await self._answered(request, session, {})

    async def _search(self, request: web.Request) -> web.Response:
        session = await require(request, Right.PEOPLE_SEE, None)
        form = await request.post()
        given = {name: str(form.get(name, "")).strip() for name in ("name", "school", "class")}
        reach = reach_of(request, session, Right.PEOPLE_SEE)
        try:
            found = await self.index.search(
                given["name"],
                school=SchoolKey(given["school"]) if given["school"] else None,
                school_class=ClassKey(given["class"]) if given["class"] else None,
                within=None if reach.everywhere else reach.schools,
            )
        except Refused as error:
            return await self._answered(request, session, given, fault=str(error), status=409)
        known = {one.id: one for one in await self._store.known(found.people)}
        schools = {str(one.key): one.name for one in await self._store.schools()}
        lines = []
        for person in found.people:
            if person in known:
                close = bool(self.index.close_to(person))
                lines.append(person_line(known[person], schools, close=close))
                await asyncio.sleep(0)
        _log.info("people_searched", person=session.person, found=len(lines))
        return await self._answered(request, session, given, lines=lines, more=found.more)

    async def _answered(
        self,
        request: web.Request,
        session: Session,
        given: Mapping[str, str],
        *,
        fault: str = "",
        lines: object = None,
        more: bool = False,
        status: int = 200,
    ) -> web.Response:
        reach = reach_of(request, session, Right.PEOPLE_SEE)
        schools = {
            str(one.key): one.name
            for one in await self._store.schools()
            if reach.covers({one.key}) and one.kind == "school"
        }
        classes = sorted(
            (f"{one.title} ({schools[one.school]})", str(one.key))
            for one in await self._store.classes()
            if one.school in schools
        )
        values = {
            "given": {"name": "", "school": "", "class": "", **given},
            "fault": fault,
            "lines": lines,
            "more": more,
            "count": SHOWN,
            "roster": await self._store.in_force() > 0,
            "schools": sorted((name, key) for key, name in schools.items()),
            "classes": classes,
            "waiting": len(await self._store.doubts.open())
            if may(request, session, Right.ROSTER_APPROVE)
            else 0,
        }
        return self._pages.page(request, "people.html", values, session, status=status)

    # -- one person

    async def _show(self, request: web.Request) -> web.Response:
        session, found = await self._seen(request, Right.PEOPLE_SEE)
        return await self._person(request, session, found)

    async def _seen(self, request: web.Request, right: Right) -> tuple[Session, PersonRecord]:
        """Who asks and the person, where they may; nobody learns more of whom they may not see."""
        await require(request, right, None)
        person = PersonId(request.match_info["person"])
        today = aware(self._clock.now()).astimezone(self._renderer.zone).date()
        found = await record(self._store, person, on=today)
        return await require(request, right, found.places), found

    async def _person(
        self,
        request: web.Request,
        session: Session,
        found: PersonRecord,
        *,
        fault: str = "",
        status: int = 200,
    ) -> web.Response:
        await self.index.fresh()
        human, zone, known = found.known.human, self._renderer.zone, found.known
        sealed = may(request, session, Right.PEOPLE_DISCLOSE, found.places)
        close = await self._store.known(self.index.close_to(known.id))
        students = await self._store.names_of([one.student for one in found.doubts])
        befores = {one.id: one for one in await self._store.known([one.before for one in found.doubts])}
        values = {
            "person": known.id,
            "name": called(human),
            "kind": KINDS[human.kind],
            "student": human.kind is HumanKind.STUDENT,
            "active": human.active,
            "told_by": told_by(human),
            "close": [(one.id, called(one.human), told_by(one.human)) for one in close],
            "fields": fields(found, self._names, zone),
            "schools": [name for _, name in found.schools],
            "classes": [(one.title, role, one.location) for one, role in found.classes],
            "origin": origin(known.source, human.file, known.since, found.loads, zone),
            "addresses": [
                (one.written, origin(one.source, one.file, one.since, found.loads, zone))
                for one in known.addresses
                if one.source
            ],
            "pairs": [pair_view(one, found, self._names, zone, sealed_shown=sealed) for one in found.pairs],
            "today": f"{aware(self._clock.now()).astimezone(zone):%A, %-d %b %Y}",
            "doubts": [
                doubt_view(one, befores.get(one.before), students.get(one.student, ""), zone)
                for one in found.doubts
            ],
            "changes": [
                (
                    day(one.at, zone),
                    self._names.person(one.by),
                    f"{CHANGES[one.what]} {', '.join(one.fields).replace('_', ' ')}".strip(),
                )
                for one in found.changes
                # Only who may see a sealed order may see that somebody wrote one down.
                if sealed or not one.what.startswith("collecting")
            ],
            "editable": may(request, session, Right.PEOPLE_CHANGE, found.places),
            "approves": may(request, session, Right.ROSTER_APPROVE, found.places),
            "sealed_shown": sealed,
            "papers": [(one.value, words) for one, words in PAPERS.items()],
            "may_collect": [(one.value, words) for one, words in MAY.items()],
            "days": list(enumerate(DAYS)),
            "fault": fault,
            "verb": self._ids.verb(),
        }
        return self._pages.page(request, "person.html", values, session, status=status)

    # -- by hand

    async def _set(self, request: web.Request) -> web.Response:
        session, found = await self._seen(request, Right.PEOPLE_CHANGE)
        form = await request.post()
        name, adult = _field(form), _adult(form)
        values = [line for one in form.getall("value", []) for line in str(one).splitlines()]
        student = self._pair_of(found, adult) if adult is not None else found.known.id
        try:
            if name is HandField.AWAY:
                zone, now = self._renderer.zone, aware(self._clock.now())
                values = [moment(one, zone, now=now) for one in values if one]
            await self._editing.set(_verb(form), student, name, values, by=session.person, adult=adult)
        except Refused as error:
            return await self._person(request, session, found, fault=str(error), status=409)
        raise web.HTTPSeeOther(f"/people/{found.known.id}")

    async def _unset(self, request: web.Request) -> web.Response:
        session, found = await self._seen(request, Right.PEOPLE_CHANGE)
        form = await request.post()
        adult = _adult(form)
        student = self._pair_of(found, adult) if adult is not None else found.known.id
        await self._editing.unset(_verb(form), student, _field(form), by=session.person, adult=adult)
        raise web.HTTPSeeOther(f"/people/{found.known.id}")

    def _pair_of(self, found: PersonRecord, adult: PersonId) -> PersonId:
        """The student of a pair on this record."""
        if adult not in {one.adult for one in found.pairs} or found.known.human.kind is not HumanKind.STUDENT:
            raise web.HTTPBadRequest(text=_NOT_WHOLE)
        return found.known.id

    async def _put_word(self, request: web.Request) -> web.Response:
        session, found = await self._seen(request, Right.PEOPLE_CHANGE)
        form = await request.post()
        sealed = "sealed" in form
        if sealed:
            await require(request, Right.PEOPLE_DISCLOSE, found.places)
        adult = _adult(form)
        try:
            paper = _paper(form, sealed=sealed)
            await self._editing.put_word(
                _verb(form),
                found.known.id,
                paper,
                by=session.person,
                adult=adult,
                adult_name=str(form.get("adult_name", "")),
            )
        except Refused as error:
            return await self._person(request, session, found, fault=str(error), status=409)
        raise web.HTTPSeeOther(f"/people/{found.known.id}")

    async def _end_word(self, request: web.Request) -> web.Response:
        session, found = await self._seen(request, Right.PEOPLE_CHANGE)
        form = await request.post()
        own = {word.id: word for pair in found.pairs for word in pair.words}
        word = own.get(str(form.get("word", "")))
        if word is None:
            raise web.HTTPBadRequest(text=_NOT_WHOLE)
        if word.link.sealed:
            await require(request, Right.PEOPLE_DISCLOSE, found.places)
        await self._editing.end_word(_verb(form), word.id, by=session.person)
        raise web.HTTPSeeOther(f"/people/{found.known.id}")

    # -- perhaps the same person

    async def _review(self, request: web.Request) -> web.Response:
        session = await require(request, Right.ROSTER_APPROVE)
        doubts = await self._store.doubts.open()
        befores = {one.id: one for one in await self._store.known([one.before for one in doubts])}
        students = await self._store.names_of([one.student for one in doubts])
        values = {
            "doubts": [
                doubt_view(one, befores.get(one.before), students.get(one.student, ""), self._renderer.zone)
                for one in doubts
            ],
            "verb": self._ids.verb(),
        }
        return self._pages.page(request, "people_review.html", values, session)

    async def _answer(self, request: web.Request) -> web.Response:
        session = await require(request, Right.ROSTER_APPROVE)
        form = await request.post()
        try:
            answer = Answer(str(form.get("answer", "")))
        except ValueError:
            raise web.HTTPBadRequest(text=_NOT_WHOLE) from None
        # Every question of a page bears the page's verb: each needs an id of its own.
        await self._store.doubts.answer(
            self._ids.verb(),
            str(form.get("question", "")),
            answer,
            by=session.person,
            at=self._clock.now(),
        )
        raise web.HTTPSeeOther("/people/review")


def _verb(form: MultiDictProxy[Any]) -> VerbId:
    verb = str(form.get("verb", ""))
    if not _VERB.fullmatch(verb):
        raise web.HTTPBadRequest(text=_NOT_WHOLE)
    return VerbId(verb)


def _field(form: MultiDictProxy[Any]) -> HandField:
    try:
        return HandField(str(form.get("field", "")))
    except ValueError:
        raise web.HTTPBadRequest(text=_NOT_WHOLE) from None


def _adult(form: MultiDictProxy[Any]) -> PersonId | None:
    adult = str(form.get("adult", ""))
    if adult and not _ADULT.fullmatch(adult):
        raise web.HTTPBadRequest(text=_NOT_WHOLE)
    return PersonId(adult) if adult else None


def _paper(form: MultiDictProxy[Any], *, sealed: bool) -> Paper:
    def text(name: str) -> str:
        return " ".join(str(form.get(name, "")).split())

    try:
        return Paper(
            source=LinkSource(text("source")),
            may_collect=MayCollect(text("may_collect")),
            order_reference=text("order_reference"),
            restrictions=text("restrictions"),
            begins=iso_day(text("begins")),
            ends=iso_day(text("ends")),
            weekdays=frozenset(int(str(one)) for one in form.getall("day", [])),
            sealed=sealed,
            restraining="restraining" in form,
        )
    except ValueError:
        raise Refused("Choose the paper and what it says; write days as year-month-day.") from None
