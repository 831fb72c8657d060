"""Signing in: the one-time link that makes an account, the password, the way out."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Any

from aiohttp import hdrs, web

from belltower import log
from belltower.clock import SECOND, Clock, Instant
from belltower.errors import Conflict, NotVerified
from belltower.ids import Ids, PersonId
from belltower.incident.facts import GrantGiven
from belltower.people.grant import Grant
from belltower.store import Database, Transaction
from gateway.web import grant_store, store
from gateway.web.grants import Grants
from gateway.web.guard import whole_seconds
from gateway.web.passwords import LONGEST, SHORTEST, Passwords
from gateway.web.sessions import Sessions
from gateway.web.store import Account, Invitation
from gateway.web.stream import Fanout
from gateway.web.throttle import Throttle

_log = log.get("web")

INVITATION = 24 * 3600 * SECOND
"""How long a one-time link may be used."""

_SIGN_IN = re.compile(r"[a-z0-9][a-z0-9._@-]{1,63}")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")

Page = Callable[..., web.Response]


class SignIn:
    """Accounts and the way in and out."""

    def __init__(
        self,
        *,
        database: Database,
        grants: Grants,
        sessions: Sessions,
        passwords: Passwords,
        throttle: Throttle,
        fanout: Fanout,
        ids: Ids,
        clock: Clock,
        page: Page,
        on_account: Callable[[PersonId, str], None],
    ) -> None:
        self._database = database
        self._grants = grants
        self._sessions = sessions
        self._passwords = passwords
        self._throttle = throttle
        self._fanout = fanout
        self._ids = ids
        self._clock = clock
        self._page = page
        self._on_account = on_account

    def routes(self) -> list[web.RouteDef]:
        """Where the pages stand."""
        return [
            web.get("/sign-in", self._ask),
            web.post("/sign-in", self._enter),
            web.post("/sign-out", self._leave),
            web.get("/setup/{token}", self._invited),
            web.post("/setup/{token}", self._set_up),
        ]

    async def invite(self, brings: Invitation) -> str:
        """A new one-time link's path, valid for a day; links never used before are void. Raises `StoreError`."""
        token, now = self._sessions.token(), self._clock.now()
        tx = Transaction()
        store.add_invitation(tx, token, now, Instant(now + INVITATION), brings)
        await self._database.submit(tx)
        return f"/setup/{token}"

    async def _ask(self, request: web.Request) -> web.Response:
        if await self._sessions.current(request) is not None:
            raise web.HTTPSeeOther("/")
        return self._form(request)

    def _form(self, request: web.Request, fault: str = "", status: int = 200) -> web.Response:
        return self._page(request, "sign_in.html", {"fault": fault}, None, status=status)

    async def _enter(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        name, password = _text(form.get("name")).strip().casefold()[:64], _text(form.get("password"))
        address = request.remote or ""
        wait = self._throttle.wait(name, address)
        if wait > 0:
            seconds = whole_seconds(wait)
            answer = self._form(request, f"Too many tries. Try again in {seconds} s.", 429)
            answer.headers[hdrs.RETRY_AFTER] = seconds
            return answer
        account = await store.account(self._database, name)
        if not await self._passwords.verify(account.password if account else None, _folded(password)):
            self._throttle.wrong(name, address)
            _log.warning("sign_in_refused")
            return self._form(request, "That name and password do not go together.", 401)
        assert account is not None  # noqa: S101 - nothing verifies against no account
        self._throttle.right(name, address)
        response = web.Response(status=303, headers={hdrs.LOCATION: "/"})
        await self._sessions.begin(response, account.person)
        _log.info("signed_in", person=account.person)
        return response

    async def _leave(self, request: web.Request) -> web.Response:
        response = web.Response(status=303, headers={hdrs.LOCATION: "/sign-in"})
        await self._sessions.end(request, response)
        self._fanout.sign_out(store.hashed(request.cookies.get(self._sessions.cookie, "")))
        return response

    async def _invited(self, request: web.Request) -> web.Response:
        await self._brings(request.match_info["token"])
        return self._setup_form(request, {})

    async def _brings(self, token: str) -> Invitation:
        """What the link brings. Raises `NotVerified` where it is void, as it is once its maker may not hand that on."""
        brings = (
            await store.invited(self._database, token, self._clock.now()) if _TOKEN.fullmatch(token) else None
        )
        if brings is None:
            raise NotVerified(_VOID)
        if brings.made_by is not None and not await self._grants.may_bring(brings.made_by, brings.role):
            raise NotVerified(_VOID)
        return brings

    def _setup_form(self, request: web.Request, values: dict[str, Any], status: int = 200) -> web.Response:
        given = {"fault": "", "name": "", "sign_in_name": "", "shortest": SHORTEST, "longest": LONGEST}
        return self._page(request, "setup.html", given | values, None, status=status)

    async def _set_up(self, request: web.Request) -> web.StreamResponse:
        token, now = request.match_info["token"], self._clock.now()
        brings = await self._brings(token)
        form = await request.post()
        name = " ".join(_text(form.get("name")).split())[:80]
        sign_in = _text(form.get("sign_in")).strip().casefold()
        given = {"name": name, "sign_in_name": sign_in}
        password, again = _text(form.get("password")), _text(form.get("again"))
        fault = ""
        if not name:
            fault = "Say what people call you."
        elif not _SIGN_IN.fullmatch(sign_in):
            fault = "A sign-in name has 2 to 64 letters, digits, dots or dashes."
        elif password != again:
            fault = "The two passwords are not the same."
        if fault:
            return self._setup_form(request, given | {"fault": fault}, 400)
        try:
            kept = await self._passwords.hash(_folded(password))
        except NotVerified as error:
            return self._setup_form(request, given | {"fault": str(error)}, 400)
        account = Account(person=self._ids.person(), sign_in=sign_in, name=name, password=kept)
        tx = Transaction()
        store.use_invitation(tx, token, now)
        store.add_account(tx, account, now)
        grant = Grant(person=account.person, role=brings.role, schools=brings.schools)
        grant_store.add_grant(tx, grant, now)
        fact = GrantGiven(
            person=grant.person, role=grant.role, schools=tuple(sorted(grant.schools)), by=brings.made_by
        )
        grant_store.add_change(tx, self._ids.fact(), fact, now)
        response = web.Response(status=303, headers={hdrs.LOCATION: "/"})
        try:
            await self._sessions.begin(response, account.person, tx)
        except Conflict:
            return self._setup_form(request, given | {"fault": "That sign-in name is taken."}, 409)
        self._on_account(account.person, account.name)
        _log.info("account_made", person=account.person)
        return response


_VOID = "This link is not valid any more. Whoever runs Belltower makes a new one with: belltower invite"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _folded(password: str) -> str:
    return unicodedata.normalize("NFKC", password)
