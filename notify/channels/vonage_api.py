"""What Vonage's Messages and Voice APIs have in common: tokens, requests, answers, signed reports."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from msgspec import Struct

from belltower import errors, log
from belltower.clock import SECOND, Clock
from belltower.errors import Malformed, NotVerified
from belltower.ids import DeliveryId
from notify.channels.channel import Answer, Later, Refused, Uncertain
from notify.channels.http_answer import HTTPAnswer
from notify.channels.http_end import end_of
from notify.channels.http_pool import HTTPPool

_log = log.get("notify")

# Seconds that a token is good for, and after which the next one is made.
_TOKEN_FOR = 900
_TOKEN_USED = 600
_UUID = re.compile(r"[0-9A-Za-z-]{1,64}")


class _Parameter(Struct):
    name: str = ""


class _Problem(Struct):
    invalid_parameters: list[_Parameter] = []


class _Head(Struct):
    alg: str


class _Claims(Struct):
    payload_hash: str
    application_id: str = ""


_problem = msgspec.json.Decoder(_Problem)
_head = msgspec.json.Decoder(_Head)
_claims = msgspec.json.Decoder(_Claims)


class Application(Struct, frozen=True, kw_only=True):
    """An application at the provider, and what proves that we are it."""

    id: str
    # PEM.
    private_key: str


class VonageAPI:
    """One path of the API."""

    def __init__(
        self,
        *,
        url: str,
        application: Application,
        in_flight: int,
        deadline: float,
        clock: Clock,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._url = url
        self._application = application
        self._in_flight = in_flight
        self._deadline = deadline
        self._clock = clock
        self._random_bytes = random_bytes
        self._key: RSAPrivateKey | None = None
        self._pool: HTTPPool | None = None
        self._heads = ("", "")
        self._one = ""
        self._token = ""
        self._token_at = 0.0

    def open(self) -> None:
        """Make the pool of connections; none is opened yet."""
        if self._pool is not None:
            return
        end = end_of(self._url)
        try:
            key = load_pem_private_key(self._application.private_key.encode(), password=None)
        except ValueError:
            key = None
        if end is None or not isinstance(key, RSAPrivateKey):
            _log.error("channel_unusable", why="base_url" if end is None else "private_key")
            return
        fields = f"Host: {end.shown}\r\nAccept: application/json\r\nAuthorization: Bearer "
        self._heads = (
            f"POST {end.path} HTTP/1.1\r\nContent-Type: application/json\r\n{fields}",
            f"GET {end.path}?%s HTTP/1.1\r\n{fields}",
        )
        self._one = f"GET {end.path}/%s HTTP/1.1\r\n{fields}"
        self._key = key
        self._pool = end.pool(limit=self._in_flight, deadline=self._deadline)

    def close(self) -> None:
        """Close the pool."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    async def create(self, asked: Mapping[str, Any], made: Callable[[bytes], Answer]) -> Answer:
        """POST `asked`, once; `made` reads the body of a good answer, and raises `msgspec.DecodeError`."""
        if self._pool is None or self._key is None:
            return Later(reason="settings", everyone=True)
        body = msgspec.json.encode(asked)
        head = f"{self._heads[0]}{self._bearer(self._key)}\r\nContent-Length: {len(body)}\r\n\r\n"
        try:
            answer = await self._pool.exchange(head.encode("ascii") + body)
        except errors.Unreachable as error:
            return Later(reason=f"unreachable:{error}", everyone=True)
        except errors.Uncertain as error:
            return Uncertain(reason=f"no_answer:{error}")
        if not 200 <= answer.status < 300:
            return _refusal(answer)
        try:
            return made(answer.body)
        except msgspec.DecodeError:
            return Uncertain(reason=f"unreadable:{answer.status}")

    async def list(self, query: str) -> bytes:
        """What fits `query`; no octet where the provider does not say."""
        if self._pool is None or self._key is None:
            return b""
        head = self._heads[1] % query + self._bearer(self._key) + "\r\n\r\n"
        try:
            answer = await self._pool.exchange(head.encode("ascii"))
        except errors.LinkError:
            return b""
        return answer.body if answer.status == 200 else b""

    async def fetch(self, uuid: str) -> bytes:
        """One of them, by its id; no octet where the provider does not say."""
        if self._pool is None or self._key is None or not _UUID.fullmatch(uuid):
            return b""
        head = self._one % uuid + self._bearer(self._key) + "\r\n\r\n"
        try:
            answer = await self._pool.exchange(head.encode("ascii"))
        except errors.LinkError:
            return b""
        return answer.body if answer.status == 200 else b""

    def _bearer(self, key: RSAPrivateKey) -> str:
        """The token of the moment: RFC 7519, RS256, for this application."""
        now = self._clock.now() / SECOND
        if not self._token or not 0 <= now - self._token_at < _TOKEN_USED:
            claims = {
                "application_id": self._application.id,
                "iat": int(now),
                "exp": int(now) + _TOKEN_FOR,
                "jti": self._random_bytes(16).hex(),
            }
            text = ".".join(
                _written(msgspec.json.encode(part)) for part in ({"alg": "RS256", "typ": "JWT"}, claims)
            )
            self._token = f"{text}.{_written(key.sign(text.encode(), PKCS1v15(), SHA256()))}"
            self._token_at = now
        return self._token


def _refusal(answer: HTTPAnswer) -> Answer:
    status = answer.status
    if status < 200 or status >= 500 or status in {408, 409}:
        return Uncertain(reason=f"http:{status}")
    if status < 400:  # a captive portal; whoever redirects a POST has not taken it
        return Later(reason=f"redirect:{status}", everyone=True)
    if status == 429:
        value = answer.retry_after
        after = min(float(value), 300.0) if value.isascii() and value.isdigit() else None
        return Later(reason="provider:429", after=after, everyone=True)
    if status in {401, 402, 403, 407}:  # a person must mend the account, then it goes on
        return Later(reason=f"account:{status}", after=10.0, everyone=True)
    try:
        names = {one.name for one in _problem.decode(answer.body).invalid_parameters}
    except msgspec.DecodeError:
        names = set()
    # Where it is not the number that is wrong, another provider may well take it.
    return Refused(
        reason=f"provider:{status}", elsewhere="to" not in {name.rpartition(".")[2] for name in names}
    )


class Way:
    """Where reports of a delivery go, and how it is told that they are the provider's and about that delivery.

    A report bears a token signed with the application's secret, over the body alone; that the address belongs to the
    delivery is proven by what stands in the address itself, which nobody but the provider was told.
    """

    def __init__(self, *, report_to: str, secret: str, application: str) -> None:
        self._report_to = report_to
        self._secret = secret.encode()
        self._application = application

    def to(self, delivery: DeliveryId) -> str:
        """The address for reports of this delivery; "" where none can come, or none could be believed."""
        if not self._report_to or not self._secret:
            return ""
        return f"{self._report_to}{delivery}?by={self._proof(delivery)}"

    def check(self, path: str, headers: Mapping[str, str], body: bytes) -> DeliveryId:
        """The delivery that a report is about.

        Raises:
            NotVerified: it is not the provider's, or not about that one.
        """
        where, _, query = path.partition("?")
        delivery = DeliveryId(where.rpartition("/")[2])
        if not hmac.compare_digest(query.encode(), f"by={self._proof(delivery)}".encode()):
            raise NotVerified("the address was given to nobody")
        check_signed(headers, body, secret=self._secret, application=self._application)
        return delivery

    def _proof(self, delivery: DeliveryId) -> str:
        return hmac.digest(self._secret, b"report:" + delivery.encode(), "sha256").hex()[:32]


def check_signed(headers: Mapping[str, str], body: bytes, *, secret: bytes, application: str) -> None:
    """Believe that the provider wrote `body` for this application: a token by HS256 over the body's hash.

    Raises:
        NotVerified: it did not.
    """
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    parts = token.encode("utf-8", "replace").split(b".")
    if scheme.lower() != "bearer" or len(parts) != 3 or not secret:
        raise NotVerified("it bears no token")
    head, claims, signature = parts
    expected = urlsafe_b64encode(hmac.digest(secret, head + b"." + claims, "sha256")).rstrip(b"=")
    if not hmac.compare_digest(expected, signature.rstrip(b"=")):
        raise NotVerified("its token is not signed by the provider")
    try:
        algorithm = _head.decode(_octets(head)).alg
        said = _claims.decode(_octets(claims))
    except (ValueError, msgspec.DecodeError):
        raise NotVerified("its token cannot be read") from None
    if algorithm != "HS256" or said.application_id not in {"", application}:
        raise NotVerified("its token is for somebody else")
    if not hmac.compare_digest(said.payload_hash.encode(), hashlib.sha256(body).hexdigest().encode()):
        raise NotVerified("its token is for another text")


def read_json(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    """The record in `body`. Raises `Malformed`."""
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"it is not a report: {type(error).__name__}") from None


def bare(number: str) -> str:
    """The number as this API writes it: E.164 without its plus."""
    return number.removeprefix("+")


def _written(octets: bytes) -> str:
    return urlsafe_b64encode(octets).decode().rstrip("=")


def _octets(text: bytes) -> bytes:
    return urlsafe_b64decode(text + b"=" * (-len(text) % 4))
