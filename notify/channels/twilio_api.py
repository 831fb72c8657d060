"""What all of Twilio's REST API (2010-04-01) has in common: requests, answers, error codes, signed reports."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from functools import partial
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from belltower import errors, log
from belltower.clock import SECOND, Instant
from notify.channels.channel import Answer, Later, Refused, Settled, Uncertain
from notify.channels.http_answer import HTTPAnswer
from notify.channels.http_end import end_of
from notify.channels.http_pool import HTTPPool
from notify.channels.reports import Report
from notify.channels.spoken import key_report
from notify.delivery import State
from notify.signature import signed_form

# Codes that mean our account, not this message: a person must mend the settings, then it goes on.
_ACCOUNT_CODES = frozenset({20003, 20005, 20404})
# The account or the sender is over its rate: surely not taken.
_RATE_CODES = frozenset({20429, 14107, 21611, 63038})
# What this number or this account may not reach, another provider may: permissions, wrong kind of sender, capability.
_ELSEWHERE_CODES = frozenset({13227, 21215, 21216, 21408, 21606, 21612, 21659, 21660})
_SID = re.compile(r"[A-Z]{2}[0-9A-Za-z]{1,62}")
_STANDS_FOR = "{sid}"

_log = log.get("notify")


# Of a list: what an address was sent last. Fifty, as they come unasked, would be more than is read of an answer.
PAGE = "20"


class _Created(Struct):
    """The description of the API lets every field be null or missing."""

    sid: str | None = None
    status: str | None = None
    error_code: int | None = None


class _Problem(Struct):
    code: int = 0


_created = msgspec.json.Decoder(_Created)
_problem = msgspec.json.Decoder(_Problem)


class TwilioAPI:
    """One resource of an account, `Messages.json` for instance; `statuses` says what we know by its statuses."""

    def __init__(
        self,
        *,
        base_url: str,
        account: str,
        token: str,
        resource: str,
        statuses: Mapping[str, State],
        in_flight: int,
        deadline: float,
    ) -> None:
        self._base_url = base_url
        self._account = account
        self._token = token
        self._resource = resource
        self._statuses = statuses
        self._in_flight = in_flight
        self._deadline = deadline
        self._pool: HTTPPool | None = None
        self._post = self._one = ""
        self._get = ("", "")

    def open(self) -> None:
        """Make the pool of connections; none is opened yet."""
        if self._pool is not None:
            return
        base = self._base_url.rstrip("/")
        end = end_of(f"{base}/2010-04-01/Accounts/{self._account}/{self._resource}")
        if end is None:
            _log.error("base_url_unusable", resource=self._resource)
            return
        secret = b64encode(f"{self._account}:{self._token}".encode()).decode()
        fields = f"Host: {end.shown}\r\nAuthorization: Basic {secret}\r\nAccept: application/json\r\n"
        self._get = (f"GET {end.path}?", f" HTTP/1.1\r\n{fields}\r\n")
        one = f"{end.path.removesuffix('.json')}/{_STANDS_FOR}.json"
        self._one = f"GET {one} HTTP/1.1\r\n{fields}\r\n"
        self._post = (
            f"POST {end.path} HTTP/1.1\r\n{fields}Content-Type: application/x-www-form-urlencoded\r\n"
            "Content-Length: "
        )
        self._pool = end.pool(limit=self._in_flight, deadline=self._deadline)

    def close(self) -> None:
        """Close the pool."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()

    async def create(self, form: str) -> Answer:
        """POST `form`, once."""
        if self._pool is None:
            return Later(reason="base_url", everyone=True)
        try:
            answer = await self._pool.exchange(self._request(form))
        except errors.Unreachable as error:
            return Later(reason=f"unreachable:{error}", everyone=True)
        except errors.Uncertain as error:
            return self._answer(error)
        return self._answer(answer)

    def begin(self, form: str, done: Callable[[Answer], None]) -> bool:
        """As `create`, without waiting, where a connection rests. Whether it was sent."""
        return self._pool is not None and self._pool.begin(self._request(form), partial(self._heard, done))

    def _heard(self, done: Callable[[Answer], None], answer: HTTPAnswer | errors.Uncertain) -> None:
        done(self._answer(answer))

    def _request(self, form: str) -> bytes:
        return f"{self._post}{len(form)}\r\n\r\n{form}".encode("ascii")

    async def list(self, **query: str) -> bytes:
        """The newest of the resource that fit; no octet where the provider does not say."""
        if self._pool is None:
            return b""
        before, after = self._get
        try:
            answer = await self._pool.exchange(f"{before}{urlencode(query)}{after}".encode("ascii"))
        except errors.LinkError:
            return b""
        return answer.body if answer.status == 200 else b""

    async def fetch(self, sid: str) -> Settled | None:
        """What the provider says of one that it took; None where it says nothing."""
        if self._pool is None or not _SID.fullmatch(sid):
            return None
        try:
            answer = await self._pool.exchange(self._one.replace(_STANDS_FOR, sid).encode("ascii"))
            created = _created.decode(answer.body) if answer.status == 200 else None
        except (errors.LinkError, msgspec.DecodeError):
            return None
        if created is None or created.sid != sid:
            return None
        return self.settled(sid, created.status, created.error_code)

    def settled(self, sid: str | None, status: str | None, code: int | None = None) -> Settled:
        """What a resource's own status comes to; without one it was taken, and no more is known."""
        status = status or "queued"
        state = self._statuses.get(status, State.ACCEPTED)
        return Settled(state=state, provider_id=sid or "", reason=f"provider:{code}" if code else status)

    def _answer(self, answer: HTTPAnswer | errors.Uncertain) -> Answer:
        if isinstance(answer, errors.Uncertain):
            return Uncertain(reason=f"no_answer:{answer}")
        status, body = answer.status, answer.body
        if 200 <= status < 300:
            try:
                created = _created.decode(body)
            except msgspec.DecodeError:
                return Uncertain(reason=f"unreadable:{status}")
            if (
                not created.sid and status != 201
            ):  # nothing was named, nor said to be made: it may be anybody's answer
                return Uncertain(reason=f"nameless:{status}")
            return self.settled(created.sid, created.status, created.error_code)
        if status < 200 or status >= 500 or status in {408, 409}:
            return Uncertain(reason=f"http:{status}")
        if status < 400:  # a captive portal; whoever redirects a POST has not taken it
            return Later(reason=f"redirect:{status}", everyone=True)
        try:
            code = _problem.decode(body).code
        except msgspec.DecodeError:
            code = 0
        if status == 429 or code in _RATE_CODES:
            return Later(
                reason=f"provider:{code or status}", after=retry_after(answer.retry_after), everyone=True
            )
        if status in {401, 403, 407} or code in _ACCOUNT_CODES:
            return Later(reason=f"account:{code or status}", after=10.0, everyone=True)
        return Refused(reason=f"provider:{code or status}", elsewhere=code in _ELSEWHERE_CODES)


class TwilioReports:
    """Status callbacks and key presses. Satisfies `Reports`; `statuses` as the provider names them.

    The signature covers the whole address, so the delivery named there is the provider's word too.
    """

    def __init__(
        self, *, public_url: str, token: str, statuses: Mapping[str, State], kind: str = "Message"
    ) -> None:
        """`kind` begins the names of the fields: Message or Call."""
        self._public_url = public_url.rstrip("/")
        self._token = token
        self._statuses = statuses
        self._kind = kind

    def read(self, path: str, headers: Mapping[str, str], body: bytes) -> Report:
        """See `Reports`."""
        form = signed_form(self._public_url, path, headers, body, self._token)
        sid = form.get(f"{self._kind}Sid", "")[:64]
        if "Digits" in form:
            return key_report(form["Digits"], provider_id=sid)
        status, code = form.get(f"{self._kind}Status", ""), form.get("ErrorCode", "")
        return Report(
            state=self._statuses.get(status),
            reason=f"provider:{code}" if code.isdigit() and code.isascii() else status,
            provider_id=sid,
        )

    def answer(self, report: Report, *, language: str) -> tuple[str, bytes]:
        """Nothing: a report asks for nothing."""
        del report, language
        return "", b""


def retry_after(value: str) -> float | None:
    """Seconds, as a Retry-After field names them; None where it does not."""
    return min(float(value), 300.0) if value.isascii() and value.isdigit() else None


def created_at(text: str) -> Instant:
    """When the provider says it took something; long ago where it does not say."""
    try:
        return Instant(int(parsedate_to_datetime(text).timestamp() * SECOND))
    except ValueError:
        return Instant(0)
