"""What the carrier says later: status callbacks, signed, in any order, any number of times."""

from __future__ import annotations

from collections import Counter
from urllib.parse import parse_qsl

from aiohttp import web

from belltower.ids import DeliveryId
from notify.channels.twilio_sms import STATUSES
from notify.delivery import Evidence
from notify.ledger import At, Ledger, nowhere
from notify.signature import verified

PATH = "/notices/callbacks/sms/"
"""Where carriers report; the delivery's id follows."""

_MOST_OCTETS = 16_384
_MOST_FIELDS = 100
_BUSY = 20_000


class Callbacks:
    """The web side of a carrier's status callbacks. Add `routes` to the application that the public reaches."""

    def __init__(self, *, public_url: str, token: str, ledger: Ledger, at: At = nowhere) -> None:
        self._public_url = public_url.rstrip("/")
        self._token = token
        self._ledger = ledger
        self._at = at
        self.refused: Counter[str] = Counter()
        """Reports not believed, by reason."""

    @property
    def url(self) -> str:
        """What a channel appends a delivery's id to, for its StatusCallback."""
        return self._public_url + PATH

    def routes(self) -> list[web.RouteDef]:
        """The one route."""
        return [web.post(PATH + "{delivery}", self.report)]

    async def report(self, request: web.Request) -> web.Response:
        """Believe a report that is signed over the URL we gave out; answer 204 once it is written down."""
        if (request.content_length or 0) > _MOST_OCTETS:
            return self._no(413, "size")
        body = await request.content.read(_MOST_OCTETS + 1)
        while len(body) <= _MOST_OCTETS and not request.content.at_eof():
            body += await request.content.read(_MOST_OCTETS + 1 - len(body))
        if len(body) > _MOST_OCTETS:
            return self._no(413, "size")
        try:
            fields = parse_qsl(
                body.decode("ascii"),
                keep_blank_values=True,
                strict_parsing=True,
                errors="strict",
                max_num_fields=_MOST_FIELDS,
            )
        except ValueError:  # UnicodeDecodeError is one
            return self._no(400, "form")
        signature = request.headers.get("X-Twilio-Signature", "")
        if not verified(self._public_url + request.path_qs, fields, self._token, signature):
            return self._no(403, "signature")
        if self._ledger.backlog > _BUSY:
            return self._no(503, "busy")
        return await self._believe(DeliveryId(request.match_info["delivery"]), dict(fields))

    async def _believe(self, delivery: DeliveryId, form: dict[str, str]) -> web.Response:
        status = form.get("MessageStatus", "")
        state = STATUSES.get(status)
        if state is None:
            return self._no(204, "status")
        code = form.get("ErrorCode", "")
        self._at("callback.got")
        known = await self._ledger.learn(
            Evidence(
                delivery=delivery,
                state=state,
                reason=f"provider:{code}" if code.isdigit() else status,
                provider_id=form.get("MessageSid", "")[:64],
            )
        )
        self._at("callback.kept")
        return web.Response(status=204) if known is not None else self._no(404, "delivery")

    def _no(self, status: int, reason: str) -> web.Response:
        self.refused[reason] += 1
        return web.Response(status=status)
