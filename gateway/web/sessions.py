"""Who is signed in: random tokens in a cookie, kept hashed in our own table; form tokens derived from them."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections import OrderedDict

from aiohttp import web

from belltower import log
from belltower.clock import SECOND, Clock, Instant
from belltower.errors import StoreError
from belltower.ids import PersonId, RandomBytes
from belltower.store import Database, Transaction
from gateway.web import store
from gateway.web.store import Session

_log = log.get("web")

LIFETIME = 7 * 24 * 3600 * SECOND
"""A session ends after this, however busy."""

IDLE = 24 * 3600 * SECOND
"""And after this without a sign of life. An open page is one."""

_TOUCH = 60 * SECOND


class Sessions:
    """Sessions of browsers. When the database cannot be read, those seen lately still hold: screens go on."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        random_bytes: RandomBytes,
        secure: bool,
        remembered: int = 2_000,
    ) -> None:
        self._database = database
        self._clock = clock
        self._random_bytes = random_bytes
        self._secure = secure
        self._remembered = remembered
        self._seen: OrderedDict[bytes, Session] = OrderedDict()

    @property
    def cookie(self) -> str:
        """The session cookie's name. `__Host-` holds it to this host, and needs https."""
        return "__Host-belltower" if self._secure else "belltower"

    @property
    def form_cookie(self) -> str:
        """The cookie that ties a form to a browser nobody has signed in with yet."""
        return "__Host-belltower-form" if self._secure else "belltower-form"

    def token(self) -> str:
        """32 unpredictable octets as text."""
        return base64.urlsafe_b64encode(self._random_bytes(32)).decode().rstrip("=")

    async def current(self, request: web.Request) -> Session | None:
        """The session this request belongs to, or None. Raises `StoreError` when nobody can tell."""
        token = request.cookies.get(self.cookie, "")
        if not 40 <= len(token) <= 60:
            return None
        now = self._clock.now()
        key = store.hashed(token)
        try:
            session = await store.session(self._database, token, now, Instant(now - IDLE))
        except StoreError:
            known = self._seen.get(key)
            if known is None or known.expires_at <= now:
                raise
            return known
        if session is None:
            self._seen.pop(key, None)
            return None
        self._seen[key] = session
        self._seen.move_to_end(key)
        while len(self._seen) > self._remembered:
            self._seen.popitem(last=False)
        if now - session.seen_at > _TOUCH:
            await self._touch(token, now)
        return session

    async def begin(self, response: web.Response, person: PersonId, tx: Transaction | None = None) -> None:
        """Sign the browser that gets `response` in. Raises `StoreError`."""
        token, now = self.token(), self._clock.now()
        landing = tx or Transaction()
        store.add_session(landing, token, person, now, Instant(now + LIFETIME))
        await self._database.submit(landing)
        self._set(response, self.cookie, token, LIFETIME // SECOND)
        response.del_cookie(self.form_cookie, path="/", secure=self._secure, httponly=True, samesite="Lax")

    async def end(self, request: web.Request, response: web.Response) -> None:
        """Sign this browser out. Raises `StoreError`: then it is not."""
        token = request.cookies.get(self.cookie, "")
        tx = Transaction()
        store.end_session(tx, token)
        await self._database.submit(tx)
        self._seen.pop(store.hashed(token), None)
        response.del_cookie(self.cookie, path="/", secure=self._secure, httponly=True, samesite="Lax")

    def forget(self, person: PersonId) -> None:
        """Remember nothing of this person's sessions, which were ended."""
        for key in [key for key, session in self._seen.items() if session.person == person]:
            del self._seen[key]

    def form_token(self, request: web.Request, response_cookies: dict[str, str]) -> str:
        """The token for this browser's forms. May add a cookie for the response to set."""
        secret = request.cookies.get(self.cookie) or request.cookies.get(self.form_cookie)
        if not secret:
            secret = response_cookies[self.form_cookie] = self.token()
        return _form_token(secret)

    def form_is_ours(self, request: web.Request, given: str) -> bool:
        """The form was made for this browser."""
        secrets = [request.cookies.get(name, "") for name in (self.cookie, self.form_cookie)]
        return any(
            secret and hmac.compare_digest(_form_token(secret).encode(), given.encode()) for secret in secrets
        )

    def set_form_cookie(self, response: web.StreamResponse, value: str) -> None:
        """Give the browser the cookie that `form_token` asked for."""
        self._set(response, self.form_cookie, value, 3600)

    def _set(self, response: web.StreamResponse, name: str, value: str, seconds: int) -> None:
        response.set_cookie(
            name, value, max_age=seconds, path="/", secure=self._secure, httponly=True, samesite="Lax"
        )

    async def _touch(self, token: str, now: Instant) -> None:
        tx = Transaction()
        store.touch_session(tx, token, now)
        try:
            await self._database.submit(tx)
        except StoreError:
            _log.warning("session_not_touched")


def _form_token(secret: str) -> str:
    digest = hmac.new(secret.encode(), b"belltower form", hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
