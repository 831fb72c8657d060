"""The pages of disclosures: what is open for somebody outside, a new one, and what leaves by each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

from aiohttp import web
from msgspec import Struct
from multidict import MultiDict, MultiDictProxy

from belltower import log
from belltower.clock import Clock, Instant
from belltower.errors import NotPermitted, Refused
from belltower.ids import Ids, IncidentId, PersonId
from belltower.people.disclosure import (
    BASES,
    Asked,
    Basis,
    Disclosure,
    DisclosureId,
    Field,
    Recipient,
    Selection,
    Way,
    in_order,
)
from belltower.people.disclosure_register import Batch, Register
from belltower.people.disclosure_rows import called
from belltower.people.grant import Right
from belltower.people.store import RosterStore
from gateway.web.correction_page import verb_of
from gateway.web.desk import Names
from gateway.web.disclosure_papers import FIELDS, Line, Papers
from gateway.web.live import Live
from gateway.web.pages import Pages
from gateway.web.permits import reach_of, require, require_any
from gateway.web.render import Renderer
from gateway.web.store import Session
from gateway.web.table_file import send_table
from gateway.web.view import day

_log = log.get("web")

_LISTED = 50
_CLASSES = 500
_NAMED = 30
_ROWS = 100
_MINUTES = {15: "15 minutes", 60: "1 hour", 120: "2 hours", 240: "4 hours", 480: "8 hours", 1440: "a day"}
_ENDED = {
    "deadline": "Ended at its time",
    "by-hand": "Ended by hand",
    "incident-closed": "Ended with its incident",
    "": "Ended at its time",
}
_ID = r"{disclosure:dsc_[0-9A-Z]{26}}"
_TEXTS = ("agency", "function", "threat", "students")


class DisclosureRoom(Struct, frozen=True, kw_only=True):
    """What the pages stand on."""

    register: Register
    papers: Papers
    roster: RosterStore


class DisclosureLine(Struct, frozen=True, kw_only=True):
    """One disclosure as people read it."""

    id: str
    incident: str
    exercise: bool
    open: bool
    # "Open until 14:30", "Ended by hand, 14:02".
    said: str
    agency: str
    function: str
    ground: str
    threat: str
    fields: str
    students: int
    opened: str


class BatchLine(Struct, frozen=True, kw_only=True):
    """What left at one time."""

    at: str
    by: str
    way: str
    students: int


class MeantLine(Struct, frozen=True, kw_only=True):
    """One of few students, for whoever gives their records to tell them from others."""

    name: str
    # Grade and birth date, as far as they are known.
    told: str
    alike: bool


class DisclosurePages:
    """Serves `/disclosures`."""

    def __init__(
        self,
        *,
        room: DisclosureRoom,
        pages: Pages,
        live: Live,
        renderer: Renderer,
        names: Names,
        ids: Ids,
        clock: Clock,
    ) -> None:
        self._register = room.register
        self._papers = room.papers
        self._roster = room.roster
        self._pages = pages
        self._live = live
        self._renderer = renderer
        self._names = names
        self._ids = ids
        self._clock = clock

    def routes(self) -> list[web.RouteDef]:
        """Where they stand."""
        return [
            web.get("/disclosures", self._list),
            web.get("/disclosures/new", self._new),
            web.post("/disclosures/new", self._open),
            web.get(f"/disclosures/{_ID}", self._show),
            web.post(f"/disclosures/{_ID}/rows", self._rows),
            web.post(f"/disclosures/{_ID}/export", self._export),
            web.post(f"/disclosures/{_ID}/close", self._close),
            web.get(f"/disclosures/{_ID}/record.csv", self._record),
            web.get(
                "/disclosures/incidents/{incident:inc_[0-9A-Z]{26}}/record.csv", self._record_of_incident
            ),
            web.get("/disclosures/students/{student:per_[0-9A-Z]{26}}/record.csv", self._record_of_student),
        ]

    # -- the list, and a new one

    async def _list(self, request: web.Request) -> web.Response:
        session = await require(request, Right.PEOPLE_DISCLOSE, None)
        reach = reach_of(request, session, Right.PEOPLE_DISCLOSE)
        known = [one for one in await self._register.last(_LISTED) if reach.covers(one.schools)]
        lines = [self._line(one) for one in known]
        values = {
            "open": [line for line in lines if line.open],
            "ended": [line for line in lines if not line.open],
        }
        return self._pages.page(request, "disclosures.html", values, session)

    async def _new(self, request: web.Request) -> web.Response:
        session = await require(request, Right.PEOPLE_DISCLOSE, None)
        return await self._form(request, session, MultiDictProxy(MultiDict(request.query)), "")

    async def _form(
        self,
        request: web.Request,
        session: Session,
        given: MultiDictProxy[Any],
        fault: str,
        status: int = 200,
    ) -> web.Response:
        reach = reach_of(request, session, Right.PEOPLE_DISCLOSE)
        schools = {
            str(one.key): one.name
            for one in await self._roster.schools()
            if one.kind == "school" and reach.covers([one.key])
        }
        classes = [
            (one.key, f"{one.title} ({schools[one.school]})" if len(schools) > 1 else one.title)
            for one in await self._roster.classes()
            if one.school in schools
        ]
        shown, _ = self._live.cards()
        values = {
            "incidents": [
                (card.id, f"No. {card.number}, {card.where}{', EXERCISE' if card.exercise else ''}")
                for card in shown
            ],
            "bases": [(basis.value, _sentence(words)) for basis, words in BASES.items()],
            "fields": [(field.value, _sentence(words)) for field, words in FIELDS.items()],
            "schools": sorted(schools.items(), key=lambda each: each[1]),
            "classes": sorted(classes, key=lambda each: each[1])[:_CLASSES],
            "more_classes": max(0, len(classes) - _CLASSES),
            "minutes": _MINUTES.items(),
            "given": {name: [str(value) for value in given.getall(name)] for name in given},
            "texts": {name: str(given.get(name, "")) for name in _TEXTS},
            "fault": fault,
            "verb": self._ids.verb(),
        }
        return self._pages.page(request, "disclosure_new.html", values, session, status=status)

    async def _open(self, request: web.Request) -> web.Response:
        session = await require(request, Right.PEOPLE_DISCLOSE, None)
        form = await request.post()
        try:
            made = await self._register.open(verb_of(form), _asked(form), session.person)
        except NotPermitted:
            raise
        except Refused as error:
            return await self._form(request, session, form, str(error), status=409)
        _log.info("disclosure_opened", disclosure=made.id, person=session.person)
        raise web.HTTPSeeOther(f"/disclosures/{made.id}")

    # -- one of them

    async def _may(self, request: web.Request) -> tuple[Disclosure, Session]:
        """The one that is asked for, and who asks, where they may."""
        await require(request, Right.PEOPLE_DISCLOSE, None)
        known = await self._register.get(DisclosureId(request.match_info["disclosure"]))
        return known, await require(request, Right.PEOPLE_DISCLOSE, known.schools)

    async def _show(self, request: web.Request) -> web.Response:
        known, session = await self._may(request)
        return await self._page(request, known, session)

    async def _page(
        self,
        request: web.Request,
        known: Disclosure,
        session: Session,
        rows: Sequence[tuple[str, Sequence[tuple[str, str]]]] = (),
        start: int = 0,
    ) -> web.Response:
        after = start + len(rows)
        values = {
            "it": self._line(known),
            "as_of": self._day(self._clock.now()),
            "batches": [self._batch(one) for one in await self._register.batches(known.id)],
            "meant": await self._few(known),
            "rows": rows,
            "first": start + 1,
            "last": after,
            "next": after if after < known.count else 0,
            "at_once": min(_ROWS, known.count),
        }
        return self._pages.page(request, "disclosure.html", values, session)

    async def _rows(self, request: web.Request) -> web.Response:
        known, session = await self._may(request)
        start = _start((await request.post()).get("from", "0"), known.count)
        sheet = await self._register.give(known.id, Way.SHOWN, session.person, start=start, count=_ROWS)
        _log.info("disclosure_shown", disclosure=known.id, person=session.person, students=len(sheet.rows))
        rows = []
        for row in sheet.rows:
            told = [
                (name, cell.replace("; ", "\n"))
                for name, cell in zip(sheet.columns, row.cells, strict=True)
                if cell.strip()
            ]
            rows.append((row.student, told))
        return await self._page(request, known, session, rows, start)

    async def _export(self, request: web.Request) -> web.StreamResponse:
        known, session = await self._may(request)
        sheet = await self._register.give(known.id, Way.EXPORTED, session.person)
        _log.info("disclosure_exported", disclosure=known.id, person=session.person, students=len(sheet.rows))
        return await send_table(request, f"disclosure-{known.id}", _each(self._papers.export(sheet)))

    async def _close(self, request: web.Request) -> web.Response:
        known, session = await self._may(request)
        await self._register.close(known.id, session.person)
        raise web.HTTPSeeOther(f"/disclosures/{known.id}")

    async def _record(self, request: web.Request) -> web.StreamResponse:
        known, session = await self._may(request)
        _log.info("disclosure_record_read", disclosure=known.id, person=session.person)
        return await self._recorded(request, known.id, self._papers.of_disclosures([known]))

    async def _record_of_incident(self, request: web.Request) -> web.StreamResponse:
        session = await require(request, Right.PEOPLE_DISCLOSE, None)
        reach = reach_of(request, session, Right.PEOPLE_DISCLOSE)
        incident = IncidentId(request.match_info["incident"])
        known = [one for one in await self._register.of_incident(incident) if reach.covers(one.schools)]
        _log.info("disclosure_record_read", incident=incident, person=session.person)
        return await self._recorded(request, incident, self._papers.of_disclosures(known))

    async def _record_of_student(self, request: web.Request) -> web.StreamResponse:
        rights = (Right.PEOPLE_DISCLOSE, Right.PEOPLE_SEE)
        await require_any(request, rights, None)
        student = PersonId(request.match_info["student"])
        at = await self._roster.schools_of([student], await self._roster.in_force())
        session = await require_any(request, rights, [str(key) for key in at.get(student, ())[:1]])
        _log.info("disclosure_record_read", student=student, person=session.person)
        return await self._recorded(request, student, self._papers.of_student(student))

    async def _recorded(
        self, request: web.Request, of: str, lines: AsyncIterator[Sequence[Line]]
    ) -> web.StreamResponse:
        return await send_table(request, f"record-{of}", self._papers.record(lines))

    # -- as people read it

    def _line(self, known: Disclosure) -> DisclosureLine:
        now, asked = self._clock.now(), known.asked
        still = known.is_open(now)
        ended = f"{_ENDED.get(known.closed_why, 'Ended')}, {self._day(known.closed_at or known.until)}"
        return DisclosureLine(
            id=known.id,
            incident=asked.incident,
            exercise=known.exercise,
            open=still,
            said=f"Open until {self._day(known.until)}" if still else ended,
            agency=asked.recipient.agency,
            function=asked.recipient.function,
            ground=BASES[asked.basis],
            threat=asked.threat,
            fields="; ".join(FIELDS[field] for field in in_order(asked.fields)),
            students=known.count,
            opened=f"{self._day(known.opened_at)} by {self._names.person(known.opened_by)}",
        )

    def _batch(self, one: Batch) -> BatchLine:
        return BatchLine(
            at=self._day(one.at),
            by=self._names.person(one.by),
            way="Shown on the screen" if one.way is Way.SHOWN else "Written to a file",
            students=one.students,
        )

    async def _few(self, known: Disclosure) -> list[MeantLine]:
        """Who they are, where they are so few that a person looks at each."""
        if known.count > _NAMED:
            return []
        known = await self._register.whole(known.id)
        return [
            MeantLine(
                name=called(one.human),
                told=", ".join(
                    filter(
                        None,
                        (
                            f"grade {one.human.grade}" if one.human.grade else "",
                            f"born {one.human.birth_date}" if one.human.birth_date else "",
                        ),
                    )
                ),
                alike=one.id in known.alike,
            )
            for one in await self._roster.known(known.students)
        ]

    def _day(self, at: Instant) -> str:
        return day(at, self._renderer.zone)


def _asked(form: MultiDictProxy[Any]) -> Asked:
    """What the form asks for; what is no choice of ours counts as not chosen."""

    def chosen(name: str) -> list[str]:
        return [str(value) for value in form.getall(name, [])]

    minutes = chosen("minutes")
    fields = [field for field in Field if field.value in chosen("field")]
    bases = [basis for basis in Basis if basis.value in chosen("basis")]
    if not bases:
        raise Refused("Choose whether it is a safety or a health emergency.")
    return Asked(
        incident=IncidentId(str(form.get("incident", ""))),
        recipient=Recipient(
            agency=" ".join(str(form.get("agency", "")).split()),
            function=" ".join(str(form.get("function", "")).split()),
        ),
        basis=bases[0],
        threat=str(form.get("threat", "")).strip(),
        fields=frozenset(fields),
        selection=Selection(
            schools=frozenset(chosen("school")),
            classes=frozenset(chosen("class")),
            students=tuple(
                line.strip() for line in str(form.get("students", "")).splitlines() if line.strip()
            ),
        ),
        minutes=next((known for known in _MINUTES if str(known) in minutes), 0),
    )


async def _each(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def _sentence(words: str) -> str:
    return words[0].upper() + words[1:]


def _start(given: object, count: int) -> int:
    text = str(given)
    return min(int(text), max(0, count - 1)) if text.isascii() and text.isdigit() and len(text) < 9 else 0
