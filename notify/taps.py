"""A tap on a notification: its reader has heard. Who taps proves it with what only that message held."""

from __future__ import annotations

import hmac
from collections import Counter
from collections.abc import Awaitable, Callable, Collection

from aiohttp import web

from belltower import log
from belltower.errors import StoreError
from belltower.ids import DeliveryId
from belltower.people.vault import Vault

_log = log.get("notify")

Proof = Callable[[DeliveryId], str]
"""What a message holds, and its tap gives back."""

_MOST_OCTETS = 64


def proving(vault: Vault) -> Proof:
    """The proofs under these keys, another one for each delivery."""
    return lambda delivery: vault.mark("push.tap", delivery).hex()


def believing(vault: Vault) -> Callable[[DeliveryId], Collection[str]]:
    """The proofs that are believed: that one, and while keys are turned the one before."""
    return lambda delivery: [mark.hex() for mark in vault.marks("push.tap", delivery)]


class Taps:
    """The web side of taps. Add `routes` to what machines reach: neither sign-in nor form is asked of them."""

    def __init__(
        self,
        *,
        proofs: Callable[[DeliveryId], Collection[str]],
        heard: Callable[[DeliveryId], Awaitable[bool]],
    ) -> None:
        """`heard` writes down that a person has heard."""
        self._proofs = proofs
        self._heard = heard
        self.refused: Counter[str] = Counter()
        """Taps not believed, by reason."""

    def routes(self) -> list[web.RouteDef]:
        """The one route."""
        return [web.post("/notices/push/heard/{delivery:dlv_[0-9A-Za-z_]{1,40}}", self._tap)]

    async def _tap(self, request: web.Request) -> web.Response:
        """Believe a tap with the delivery's own proof; answer once it is written down."""
        delivery = DeliveryId(request.match_info["delivery"])
        if not 0 < (request.content_length or 0) <= _MOST_OCTETS:
            return self._no(413, "size")
        given = await request.read()
        if not any(hmac.compare_digest(proof.encode(), given) for proof in self._proofs(delivery)):
            return self._no(403, "proof")
        try:
            known = await self._heard(delivery)
        except StoreError as error:
            _log.error("tap_not_kept", delivery=delivery, error=type(error).__name__)
            return self._no(503, "store")
        return web.Response(status=204) if known else self._no(404, "delivery")

    def _no(self, status: int, reason: str) -> web.Response:
        self.refused[reason] += 1
        return web.Response(status=status)
