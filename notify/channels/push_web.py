"""Web Push (RFC 8030): a browser that asked to be told shows the notice, by its maker's push service.

The address of a person is the subscription that the browser gave out. Where it points is taken from no one: only
push services that the settings name are spoken to.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection

import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from belltower import errors, log
from belltower.clock import SECOND, Clock
from belltower.errors import Malformed
from belltower.ids import DeliveryId
from notify.channels.channel import DEADLINE, Answer, Later, Message, Refused, Settled, Uncertain
from notify.channels.http_answer import HTTPAnswer
from notify.channels.http_end import HTTPEnd, end_of
from notify.channels.http_pool import HTTPPool
from notify.channels.push_message import MOST_OCTETS, base64, public, sealed, subscription, vapid
from notify.settings import WebPushSettings

_log = log.get("notify")

_MOST_ORIGINS = 64
# Seconds that a proof of who we are is good for, and after which the next one is made; a day is the most.
_PROOF_FOR = 43_200
_PROOF_USED = 21_600
_LONGEST_TTL = 2_419_200
_GONE = Refused(reason="gone")


class WebPush:
    """Satisfies `Channel`."""

    name = "push"

    def __init__(
        self,
        *,
        settings: WebPushSettings,
        clock: Clock,
        plain: bool = False,
        random_bytes: Callable[[int], bytes] = os.urandom,
        proof: Callable[[DeliveryId], str] | None = None,
        gone: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        """`plain` speaks to push services without TLS; only tests do.

        `proof` makes what the tap on a notification proves itself with; `gone` hears of subscriptions that are no more.
        """
        self._settings = settings
        self._clock = clock
        self._plain = plain
        self._random_bytes = random_bytes
        self._proof_of = proof
        self._gone = gone
        self._deadline = min(settings.timeout, DEADLINE)
        self._key: EllipticCurvePrivateKey | None = None
        self._pools: OrderedDict[str, HTTPPool] = OrderedDict()
        self._proofs: OrderedDict[str, tuple[float, str]] = OrderedDict()

    async def open(self) -> None:
        """Read the key that says who sends."""
        self._key = _key(self._settings)
        if self._key is None:
            _log.error("channel_unusable", why="private_key")

    async def close(self) -> None:
        """Close all pools."""
        while self._pools:
            self._pools.popitem()[1].close()

    async def send(self, message: Message) -> Answer:
        """Hand the message to the browser's push service, once."""
        if self._key is None:
            return Later(reason="settings", everyone=True)
        try:
            to = subscription(message.address)
        except Malformed:
            return Refused(reason="address")
        end = end_of(to.endpoint)
        if end is None or not served(end, self._settings.services, plain=self._plain):
            return Refused(reason="address")
        said = {
            "title": message.subject,
            "body": message.body,
            "language": message.language,
            "notice": message.notice,
            "delivery": message.delivery,
        }
        if self._proof_of is not None:
            said["proof"] = self._proof_of(message.delivery)
        text = msgspec.json.encode(said)
        if len(text) > MOST_OCTETS:
            return Refused(reason="too_long")
        body = sealed(text, to, key=generate_private_key(SECP256R1()), salt=self._random_bytes(16))
        request = (
            f"POST {end.path} HTTP/1.1\r\nHost: {end.shown}\r\nAuthorization: {self._proof(end, self._key)}\r\n"
            f"TTL: {max(0, min(_LONGEST_TTL, int(message.ttl)))}\r\nUrgency: high\r\n"
            "Content-Encoding: aes128gcm\r\nContent-Type: application/octet-stream\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        try:
            answer = _answer(await self._pool(end).exchange(request.encode("ascii") + body))
        except errors.Unreachable as error:  # the service of this browser; those of others may be well
            return Later(reason=f"unreachable:{error}")
        except errors.Uncertain as error:
            return Uncertain(reason=f"no_answer:{error}")
        if self._gone is not None and answer == _GONE:
            await self._gone(message.address)
        return answer

    async def find(self, message: Message, *, known: Collection[str]) -> Answer | None:
        """No push service tells what it holds."""
        del message, known
        return None

    def _pool(self, end: HTTPEnd) -> HTTPPool:
        pool = self._pools.get(end.shown)
        if pool is None:
            pool = self._pools[end.shown] = end.pool(limit=self._settings.in_flight, deadline=self._deadline)
            if len(self._pools) > _MOST_ORIGINS:
                self._pools.popitem(last=False)[1].close()
        self._pools.move_to_end(end.shown)
        return pool

    def _proof(self, end: HTTPEnd, key: EllipticCurvePrivateKey) -> str:
        origin = f"{'https' if end.tls else 'http'}://{end.shown}"
        now = self._clock.now() / SECOND
        made, proof = self._proofs.get(origin, (0.0, ""))
        if not proof or not 0 <= now - made < _PROOF_USED:
            proof = vapid(origin, key=key, contact=self._settings.contact, until=int(now) + _PROOF_FOR)
            self._proofs[origin] = (now, proof)
            if len(self._proofs) > _MOST_ORIGINS:
                self._proofs.popitem(last=False)
        return proof


def public_key(settings: WebPushSettings) -> str:
    """The key that browsers subscribe to, as they want it; "" where the private key is none."""
    key = _key(settings)
    return base64(public(key)) if key is not None else ""


def _key(settings: WebPushSettings) -> EllipticCurvePrivateKey | None:
    try:
        key = load_pem_private_key(settings.private_key.reveal().encode(), password=None)
    except ValueError:
        return None
    return key if isinstance(key, EllipticCurvePrivateKey) and key.curve.name == SECP256R1.name else None


def served(end: HTTPEnd, services: Collection[str], *, plain: bool = False) -> bool:
    """Whether it is one of these push services: its host, or one below ".its.domain"; without TLS only if `plain`."""
    if not end.tls and not plain:
        return False
    return any(
        end.host == service or (service.startswith(".") and end.host.endswith(service))
        for service in services
    )


def _answer(answer: HTTPAnswer) -> Answer:
    status = answer.status
    if 200 <= status < 300:
        return Settled(reason=f"push:{status}")
    if status in {404, 410}:  # RFC 8030, 7.3: the browser takes no more
        return _GONE
    if status == 429:
        value = answer.retry_after
        after = min(float(value), 300.0) if value.isascii() and value.isdigit() else None
        return Later(reason="push:429", after=after)
    if status < 200 or status >= 500 or status in {408, 409}:
        return Uncertain(reason=f"http:{status}")
    if status < 400:
        return Later(reason=f"redirect:{status}")
    return Refused(reason=f"push:{status}")
