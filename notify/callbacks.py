"""What providers say later: signed reports, in any order, any number of times."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from belltower import log
from belltower.errors import Malformed, NotVerified, StoreError
from belltower.ids import DeliveryId
from notify.channels.reports import PATH, Report, Reports
from notify.channels.spoken import HEARD
from notify.delivery import Evidence
from notify.ledger import At, Ledger, nowhere

_log = log.get("notify")

_MOST_OCTETS = 16_384
_BUSY = 20_000
# Bodies that are read at one time, and the seconds that one may take: nobody has signed for them yet.
_AT_ONCE = 5_000
_WITHIN = 10.0


class Callbacks:
    """The web side of all providers' reports, by the providers' names. Add `routes` to what the public reaches."""

    def __init__(
        self,
        *,
        reports: Mapping[str, Reports],
        ledger: Ledger,
        heard: Callable[[DeliveryId], Awaitable[bool]],
        at: At = nowhere,
    ) -> None:
        """`heard` writes down that a person pressed the key that says: I have heard this."""
        self._reports = reports
        self._ledger = ledger
        self._heard = heard
        self._at = at
        self._reading = 0
        self.refused: Counter[str] = Counter()
        """Reports not believed, by reason."""

    def routes(self) -> list[web.RouteDef]:
        """The one route; none where nobody reports."""
        return [web.post(PATH + "{provider}/{delivery}", self.report)] if self._reports else []

    async def report(self, request: web.Request) -> web.Response:
        """Believe a report that its provider signed; answer once it is written down."""
        reports = self._reports.get(request.match_info["provider"])
        if reports is None:
            return self._no(404, "provider")
        if (request.content_length or 0) > _MOST_OCTETS:
            return self._no(413, "size")
        if self._reading >= _AT_ONCE:
            return self._no(503, "busy")
        if request.content.is_eof():  # all of it came with the head
            body = request.content.read_nowait(_MOST_OCTETS + 1)
        else:
            self._reading += 1
            try:
                async with asyncio.timeout(_WITHIN):
                    body = await _body(request)
            except TimeoutError:
                return self._no(408, "slow")
            finally:
                self._reading -= 1
        if len(body) > _MOST_OCTETS:
            return self._no(413, "size")
        try:
            report = reports.read(request.path_qs, request.headers, body)
        except Malformed:
            return self._no(400, "form")
        except NotVerified:
            return self._no(403, "signature")
        delivery = DeliveryId(request.match_info["delivery"])
        if report.delivery not in {None, delivery}:
            return self._no(403, "signature")
        if self._ledger.backlog > _BUSY:
            return self._no(503, "busy")
        return await self._believe(delivery, report, reports)

    async def _believe(self, delivery: DeliveryId, report: Report, reports: Reports) -> web.Response:
        if report.state is None:
            return self._no(204, "status")
        self._at("callback.got")
        known = await self._ledger.learn(
            Evidence(
                delivery=delivery,
                state=report.state,
                reason=report.reason,
                provider_id=report.provider_id,
            )
        )
        self._at("callback.kept")
        if known is None:
            return self._no(404, "delivery")
        if report.key == HEARD:
            try:
                await self._heard(delivery)
            except StoreError as error:
                _log.error("key_not_kept", delivery=delivery, error=type(error).__name__)
                return self._no(503, "store")
        media, body = reports.answer(report, language=known.language)
        return web.Response(body=body, content_type=media) if body else web.Response(status=204)

    def _no(self, status: int, reason: str) -> web.Response:
        self.refused[reason] += 1
        return web.Response(status=status)


async def _body(request: web.Request) -> bytes:
    """All of it, or one octet more than is believed."""
    body = b""
    while len(body) <= _MOST_OCTETS and not request.content.at_eof():
        body += await request.content.read(_MOST_OCTETS + 1 - len(body))
    return body
