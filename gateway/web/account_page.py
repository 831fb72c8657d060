"""Who may sign in, which roles they have and where; given and taken here by administrators."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import tzinfo
from typing import Any

from aiohttp import web
from msgspec import Struct
from multidict import MultiDictProxy

from belltower import log
from belltower.errors import NotFound, NotPermitted, StoreError
from belltower.ids import PersonId
from belltower.people.grant import SPOKEN, Grant, Right, Role, may_hand_on
from gateway.web.grant_store import Listed
from gateway.web.grants import Grants
from gateway.web.pages import Pages
from gateway.web.permits import require
from gateway.web.sessions import Sessions
from gateway.web.sign_in import SignIn
from gateway.web.store import Invitation, Session
from gateway.web.stream import Fanout
from gateway.web.view import day

_log = log.get("web")

PAGE = "/accounts"
_PERSON = r"{person:per_[0-9A-Z]{26}}"

Schools = Callable[[], Awaitable[Mapping[str, str]]]
"""The names of the roster's schools by their keys. May raise `StoreError`."""


class GrantLine(Struct, frozen=True, kw_only=True):
    """One role of one person as people read it."""

    role: str
    where: str
    # Whether the reader may take it away.
    may_take: bool


class AccountView(Struct, frozen=True, kw_only=True):
    """One account on the page."""

    person: PersonId
    name: str
    sign_in: str
    own: bool
    closed: str
    # Browsers that are signed in, and when one was seen last.
    sessions: int
    seen: str
    grants: Sequence[GrantLine]
    # Whether the reader may close or reopen it: nobody does to those who may do more.
    may_close: bool


class RoleView(Struct, frozen=True, kw_only=True):
    """What a role brings."""

    name: str
    may: Sequence[str]
    # Whether the reader may give it.
    may_give: bool


class AccountPage:
    """Serves `/accounts`."""

    def __init__(
        self,
        *,
        grants: Grants,
        pages: Pages,
        sign_in: SignIn,
        sessions: Sessions,
        fanout: Fanout,
        schools: Schools,
        zone: tzinfo,
        url: str,
    ) -> None:
        """`url` is how one-time links begin; "": with what the browser calls us."""
        self._grants = grants
        self._pages = pages
        self._sign_in = sign_in
        self._sessions = sessions
        self._fanout = fanout
        self._schools = schools
        self._zone = zone
        self._url = url

    def routes(self) -> list[web.RouteDef]:
        """Where it stands."""
        return [
            web.get(PAGE, self._show),
            web.post(f"{PAGE}/invite", self._invite),
            web.post(f"{PAGE}/{_PERSON}/give", self._give),
            web.post(f"{PAGE}/{_PERSON}/take", self._take),
            web.post(f"{PAGE}/{_PERSON}/sign-out", self._sign_out),
            web.post(f"{PAGE}/{_PERSON}/close", self._close),
            web.post(f"{PAGE}/{_PERSON}/reopen", self._reopen),
        ]

    async def _show(self, request: web.Request) -> web.Response:
        session = await require(request, Right.ACCOUNT_MANAGE)
        return await self._page(request, session)

    async def _page(self, request: web.Request, session: Session, link: str = "") -> web.Response:
        schools = await self._known_schools()
        every = [self._view(one, session, schools) for one in await self._grants.listed()]
        values = {
            "link": link,
            "accounts": [one for one in every if not one.closed],
            "closed": [one for one in every if one.closed],
            "roles": [self._role(role, session) for role in self._grants.roles.values()],
            "schools": sorted(schools.items(), key=lambda each: each[1]),
        }
        return self._pages.page(request, "accounts.html", values, session)

    async def _known_schools(self) -> Mapping[str, str]:
        try:
            return await self._schools()
        except StoreError:  # the roster's keys are lost, perhaps: who may sign in does not hang on them
            return {}

    def _view(self, one: Listed, session: Session, schools: Mapping[str, str]) -> AccountView:
        lines = [
            GrantLine(
                role=grant.role,
                where=", ".join(sorted(schools.get(key, key) for key in grant.schools)),
                may_take=may_hand_on(session.grants, self._grants.roles, grant.role),
            )
            for grant in one.grants
        ]
        return AccountView(
            person=one.person,
            name=one.name,
            sign_in=one.sign_in,
            own=one.person == session.person,
            closed=day(one.closed_at, self._zone) if one.closed_at is not None else "",
            sessions=one.sessions,
            seen=day(one.seen_at, self._zone) if one.seen_at is not None else "",
            grants=lines,
            may_close=all(line.may_take for line in lines),
        )

    def _role(self, role: Role, session: Session) -> RoleView:
        return RoleView(
            name=role.name,
            may=[words for right, words in SPOKEN.items() if right in role.rights],
            may_give=may_hand_on(session.grants, self._grants.roles, role.name),
        )

    async def _invite(self, request: web.Request) -> web.Response:
        session = await require(request, Right.ACCOUNT_MANAGE)
        form = await request.post()
        role = self._role_of(form)
        if not may_hand_on(session.grants, self._grants.roles, role):
            raise NotPermitted(f"You may not do this: {role} may do more than you may.")
        schools = await self._schools_of(form)
        path = await self._sign_in.invite(Invitation(role=role, schools=schools, made_by=session.person))
        _log.info("account_invited", by=session.person)
        return await self._page(request, session, (self._url or str(request.url.origin())) + path)

    async def _give(self, request: web.Request) -> web.Response:
        session = await require(request, Right.ACCOUNT_MANAGE)
        form = await request.post()
        grant = Grant(person=_person(request), role=self._role_of(form), schools=await self._schools_of(form))
        await self._grants.give(grant, session.person)
        await self._look_again(grant.person)
        raise web.HTTPSeeOther(PAGE)

    async def _take(self, request: web.Request) -> web.Response:
        session = await require(request, Right.ACCOUNT_MANAGE)
        form = await request.post()
        person = _person(request)
        await self._grants.take(person, str(form.get("role", "")), session.person)
        await self._look_again(person)
        raise web.HTTPSeeOther("/" if person == session.person else PAGE)

    async def _sign_out(self, request: web.Request) -> web.Response:
        session = await require(request, Right.ACCOUNT_MANAGE)
        person = _person(request)
        self._ended(person, await self._grants.end_sessions(person, session.person))
        _log.info("sessions_ended", person=person, by=session.person)
        raise web.HTTPSeeOther(PAGE)

    async def _close(self, request: web.Request) -> web.Response:
        session = await require(request, Right.ACCOUNT_MANAGE)
        person = _person(request)
        self._ended(person, await self._grants.close(person, session.person))
        raise web.HTTPSeeOther(PAGE)

    async def _reopen(self, request: web.Request) -> web.Response:
        session = await require(request, Right.ACCOUNT_MANAGE)
        await self._grants.reopen(_person(request), session.person)
        raise web.HTTPSeeOther(PAGE)

    async def _look_again(self, person: PersonId) -> None:
        """Their screens ask afresh for what they show, and are told that they may not where they may not."""
        self._sessions.forget(person)
        for owner in await self._grants.screens(person):
            self._fanout.sign_out(owner)

    def _ended(self, person: PersonId, sessions: Sequence[bytes]) -> None:
        """Let go of what those browsers show, and do not let them in when the database cannot be read."""
        self._sessions.forget(person)
        for owner in sessions:
            self._fanout.sign_out(owner)

    def _role_of(self, form: MultiDictProxy[Any]) -> str:
        role = str(form.get("role", ""))
        if role not in self._grants.roles:
            raise web.HTTPBadRequest(text="Choose a role.")
        return role

    async def _schools_of(self, form: MultiDictProxy[Any]) -> frozenset[str]:
        """The schools that were ticked; none: everywhere, where that was chosen or there is nothing to choose."""
        given, where = frozenset(str(each) for each in form.getall("school", [])), form.get("where")
        schools = await self._known_schools()
        if given - schools.keys():
            raise NotFound("There is no such school in the roster.")
        if where == "everywhere" and given:
            raise web.HTTPBadRequest(
                text="Schools are ticked, and Everywhere is chosen. Choose one of both: nothing was given."
            )
        if where != "everywhere" and not given and (where or len(schools) > 1):
            raise web.HTTPBadRequest(text="Choose the schools, or everywhere.")
        return given


def _person(request: web.Request) -> PersonId:
    return PersonId(request.match_info["person"])
