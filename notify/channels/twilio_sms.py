"""SMS by Twilio's REST API (2010-04-01), or by whoever speaks it at another base URL."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Collection, Mapping
from urllib.parse import quote_plus, urlencode

import aiohttp
import msgspec
from msgspec import Struct
from yarl import URL

from notify.channels.channel import DEADLINE, Answer, Later, Message, Refused, Settled, Uncertain
from notify.delivery import State
from notify.settings import TwilioSettings

MOST_OCTETS = 65_536
"""More of an answer than this is not read."""

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
# Seconds: Twilio's longest ValidityPeriod.
_LONGEST_VALIDITY = 14_400


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
        self._in_flight = settings.in_flight
        self._callback_url = callback_url
        self._callback = quote_plus(callback_url)
        self._deadline = min(settings.timeout, DEADLINE)
        self._session: aiohttp.ClientSession | None = None
        base = settings.base_url.rstrip("/")
        self._url = URL(f"{base}/2010-04-01/Accounts/{settings.account}/Messages.json", encoded=True)
        secret = b64encode(f"{settings.account}:{settings.token.reveal()}".encode()).decode()
        self._headers = {
            "Authorization": f"Basic {secret}",
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        key = "MessagingServiceSid" if settings.from_.startswith("MG") else "From"
        self._tail = urlencode({key: settings.from_})
        self._encoded: tuple[str, str] = ("", "")

    async def open(self) -> None:
        """Make the pool of connections; none is opened yet."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=max(self._in_flight, 1), ttl_dns_cache=300, keepalive_timeout=4.0
                ),
                # All before the connection stands fails as ConnectionTimeoutError: nothing has left by then.
                timeout=aiohttp.ClientTimeout(total=self._deadline, connect=self._deadline / 2),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                skip_auto_headers={"Accept-Encoding", "User-Agent"},
            )

    async def close(self) -> None:
        """Close the pool."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def send(self, message: Message) -> Answer:
        """POST the message, once."""
        data = self._form(message)
        try:
            status, headers, body = await self._exchange("POST", self._url, data)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            return Later(reason=f"unreachable:{type(error).__name__}", everyone=True)
        except aiohttp.InvalidURL:
            return Later(reason="base_url", everyone=True)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            return Uncertain(reason=f"no_answer:{type(error).__name__}")
        return _answer(status, headers, body)

    async def find(self, message: Message, *, known: Collection[str]) -> Answer | None:
        """Look for the message among the newest ones to its address; by its exact text, and not one that is known."""
        url = self._url.with_query({"To": message.address, "PageSize": "50"})
        try:
            status, _, body = await self._exchange("GET", url, None)
            if status != 200:
                return None
            listed = _listing.decode(body)
        except (TimeoutError, aiohttp.ClientError, OSError, msgspec.DecodeError):
            return None
        for one in listed.messages:
            if one.to == message.address and one.body == message.body and one.sid not in known:
                return _settled(one.sid, one.status, one.error_code)
        return None

    def _form(self, message: Message) -> bytes:
        body, encoded = self._encoded
        if body != message.body:  # the same text goes to thousands: encode it once
            encoded = quote_plus(message.body)
            self._encoded = (message.body, encoded)
        validity = max(1, min(_LONGEST_VALIDITY, int(message.ttl)))
        form = f"To={quote_plus(message.address)}&{self._tail}&Body={encoded}&ValidityPeriod={validity}"
        if self._callback_url:
            form += f"&StatusCallback={self._callback}{message.delivery}"
        return form.encode("ascii")

    async def _exchange(
        self, method: str, url: URL, data: bytes | None
    ) -> tuple[int, Mapping[str, str], bytes]:
        assert self._session is not None, "open() comes first"  # noqa: S101 - a fault of ours, not of the other side
        async with self._session.request(
            method, url, data=data, headers=self._headers, allow_redirects=False
        ) as response:
            body = b""
            while len(body) <= MOST_OCTETS:
                chunk = await response.content.read(MOST_OCTETS + 1 - len(body))
                if not chunk:
                    break
                body += chunk
            else:
                response.close()
            return response.status, response.headers, body


def _answer(status: int, headers: Mapping[str, str], body: bytes) -> Answer:
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
        return Later(reason=f"provider:{code or status}", after=_retry_after(headers), everyone=True)
    if status in {401, 403, 407} or code in _ACCOUNT_CODES:
        return Later(reason=f"account:{code or status}", after=10.0, everyone=True)
    return Refused(reason=f"provider:{code or status}")


def _settled(sid: str, status: str, code: int | None) -> Answer:
    state = STATUSES.get(status, State.ACCEPTED)
    reason = f"provider:{code}" if code else status
    return Settled(state=state, provider_id=sid, reason=reason)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    value = headers.get("Retry-After", "")
    return min(float(value), 300.0) if value.isascii() and value.isdigit() else None
