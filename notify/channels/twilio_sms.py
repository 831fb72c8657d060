"""SMS by Twilio's REST API (2010-04-01), or by whoever speaks it at another base URL."""

from __future__ import annotations

import re
import ssl
from base64 import b64encode
from collections.abc import Collection
from urllib.parse import quote_plus, urlencode, urlsplit

import msgspec
from msgspec import Struct

from belltower import errors, log
from notify.channels.channel import DEADLINE, Answer, Later, Message, Refused, Settled, Uncertain
from notify.channels.http_answer import HTTPAnswer
from notify.channels.http_pool import HTTPPool
from notify.delivery import State
from notify.settings import TwilioSettings

# Twilio's message statuses -> what we know by them.
STATUSES: dict[str, State] = {
    "accepted": State.ACCEPTED,
    "scheduled": State.ACCEPTED,
    "queued": State.ACCEPTED,
    "sending": State.ACCEPTED,
    "sent": State.ACCEPTED,
    "delivered": State.DELIVERED,
    "read": State.DELIVERED,
    "undelivered": State.REFUSED,
    "failed": State.REFUSED,
    "canceled": State.REFUSED,
}
# Codes that mean our account, not this message: a person must mend the settings, then it goes on.
_ACCOUNT_CODES = frozenset({20003, 20005, 20404})
# The account or the sender is over its rate: surely not taken.
_RATE_CODES = frozenset({20429, 14107, 21611, 63038})
# What this number or this account may not reach, another provider may: permissions, wrong kind of sender, capability.
_ELSEWHERE_CODES = frozenset({21408, 21606, 21612, 21659, 21660})
# Seconds: Twilio's longest ValidityPeriod.
_LONGEST_VALIDITY = 14_400
_PATH = re.compile(r"/[!-~]+")

_log = log.get("notify")


class _Created(Struct):
    sid: str
    status: str = "queued"
    error_code: int | None = None


class _Problem(Struct):
    code: int = 0


class _Listed(Struct):
    sid: str
    status: str
    to: str = ""
    body: str = ""
    error_code: int | None = None


class _List(Struct):
    messages: list[_Listed]


_created = msgspec.json.Decoder(_Created)
_problem = msgspec.json.Decoder(_Problem)
_listing = msgspec.json.Decoder(_List)


class TwilioSMS:
    """Satisfies `Channel`."""

    name = "sms"

    def __init__(self, *, settings: TwilioSettings, callback_url: str = "") -> None:
        self._settings = settings
        self._callback_url = callback_url
        self._callback = quote_plus(callback_url)
        self._deadline = min(settings.timeout, DEADLINE)
        self._pool: HTTPPool | None = None
        self._post = ""
        self._get = ("", "")
        self._senders = [
            urlencode({"MessagingServiceSid" if number.startswith("MG") else "From": number})
            for number in settings.numbers
        ]
        self._encoded: tuple[str, str] = ("", "")

    async def open(self) -> None:
        """Make the pool of connections; none is opened yet."""
        if self._pool is not None:
            return
        settings = self._settings
        secret = b64encode(f"{settings.account}:{settings.token.reveal()}".encode()).decode()
        try:
            base = urlsplit(settings.base_url)
            tls = {"http": False, "https": True}[base.scheme]
            port = base.port or (443 if tls else 80)
            host = (base.hostname or "").encode("idna").decode("ascii")
        except (KeyError, ValueError):
            host, tls, port = "", False, 0
        path = f"{base.path.rstrip('/')}/2010-04-01/Accounts/{settings.account}/Messages.json" if host else ""
        if not _PATH.fullmatch(path):
            _log.error("base_url_unusable", channel=self.name)
            return
        shown = f"[{host}]" if ":" in host else host
        if base.port:
            shown += f":{port}"
        fields = f"Host: {shown}\r\nAuthorization: Basic {secret}\r\nAccept: application/json\r\n"
        self._get = (f"GET {path}?", f" HTTP/1.1\r\n{fields}\r\n")
        self._post = (
            f"POST {path} HTTP/1.1\r\n{fields}Content-Type: application/x-www-form-urlencoded\r\n"
            "Content-Length: "
        )
        self._pool = HTTPPool(
            host=host,
            port=port,
            tls=ssl.create_default_context() if tls else None,
            limit=max(settings.in_flight, 1),
            deadline=self._deadline,
        )

    async def close(self) -> None:
        """Close the pool."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    async def send(self, message: Message) -> Answer:
        """POST the message, once."""
        if self._pool is None:
            return Later(reason="base_url", everyone=True)
        form = self._form(message)
        try:
            answer = await self._pool.exchange(f"{self._post}{len(form)}\r\n\r\n{form}".encode("ascii"))
        except errors.Unreachable as error:
            return Later(reason=f"unreachable:{error}", everyone=True)
        except errors.Uncertain as error:
            return Uncertain(reason=f"no_answer:{error}")
        return _answer(answer)

    async def find(self, message: Message, *, known: Collection[str]) -> Answer | None:
        """Look for the message among the newest ones to its address; by its exact text, and not one that is known."""
        if self._pool is None:
            return None
        before, after = self._get
        query = urlencode({"To": message.address, "PageSize": "50"})
        try:
            answer = await self._pool.exchange(f"{before}{query}{after}".encode("ascii"))
            if answer.status != 200:
                return None
            listed = _listing.decode(answer.body)
        except (errors.LinkError, msgspec.DecodeError):
            return None
        for one in listed.messages:
            if one.to == message.address and one.body == message.body and one.sid not in known:
                return _settled(one.sid, one.status, one.error_code)
        return None

    def _form(self, message: Message) -> str:
        body, encoded = self._encoded
        if body != message.body:  # the same text goes to thousands: encode it once
            encoded = f"&Body={quote_plus(message.body)}&ValidityPeriod="
            self._encoded = (message.body, encoded)
        validity = max(1, min(_LONGEST_VALIDITY, int(message.ttl)))
        sender = self._senders[message.number % len(self._senders)]
        form = f"To={quote_plus(message.address)}&{sender}{encoded}{validity}"
        if self._callback_url:
            form += f"&StatusCallback={self._callback}{message.delivery}"
        return form


def _answer(answer: HTTPAnswer) -> Answer:
    status, body = answer.status, answer.body
    if 200 <= status < 300:
        try:
            created = _created.decode(body)
        except msgspec.DecodeError:
            return Uncertain(reason=f"unreadable:{status}")
        return _settled(created.sid, created.status, created.error_code)
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
            reason=f"provider:{code or status}", after=_retry_after(answer.retry_after), everyone=True
        )
    if status in {401, 403, 407} or code in _ACCOUNT_CODES:
        return Later(reason=f"account:{code or status}", after=10.0, everyone=True)
    return Refused(reason=f"provider:{code or status}", elsewhere=code in _ELSEWHERE_CODES)


def _settled(sid: str, status: str, code: int | None) -> Answer:
    state = STATUSES.get(status, State.ACCEPTED)
    reason = f"provider:{code}" if code else status
    return Settled(state=state, provider_id=sid, reason=reason)


def _retry_after(value: str) -> float | None:
    return min(float(value), 300.0) if value.isascii() and value.isdigit() else None
