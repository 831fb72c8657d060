"""What comes back over the county's own notifier: who has a call, who read an update back, how far responders are."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from functools import partial

from belltower import log
from belltower.errors import Malformed, Unreachable
from belltower.ids import LinkName
from belltower.incident.facts import ResponseStatus
from belltower.tasks import together
from gateway.psap.bucket import Bucket
from gateway.psap.eido import reading
from gateway.psap.eido.standing import Standing
from gateway.psap.eido.subscriber import Notified, Subscriber
from gateway.psap.eido.writing import Issuer
from gateway.psap.eido_flow import bell_or, send
from gateway.psap.eido_sockets import Dial, Wire
from gateway.psap.link import PersonAnswered, ReadBack, Report, ResponseSaid

_log = log.get("psap")

_REDIAL = (0.5, 30.0)
_REMEMBERED = 1_024


class _County:
    """The county's notifier, while we are connected to it."""

    def __init__(self, *, subscriber: Subscriber, wire: Wire) -> None:
        self.subscriber = subscriber
        self.wire = wire
        self.bell = asyncio.Event()


class CountyEar:
    """Subscribes to the county's notifier and reports what it says of our calls. `run` it beside the link."""

    def __init__(
        self,
        *,
        name: LinkName,
        issuer: Issuer,
        dial: Dial,
        mint: Callable[[], str],
        standing: Standing,
        counts: Counter[str],
        samples: deque[bytes],
    ) -> None:
        self._name = name
        self._issuer = issuer
        self._dial = dial
        self._mint = mint
        self._standing = standing
        self._counts = counts
        self._samples = samples
        self.trouble = ""
        """Why nothing is heard from the county now; empty: nothing is known to be wrong."""
        self._said: OrderedDict[tuple[int, str], ResponseStatus] = OrderedDict()

    async def run(self, report: Report) -> None:
        """Dial, subscribe and listen, for ever."""
        wait = _REDIAL[0]
        known: bool | None = None
        while True:
            county: _County | None = None
            try:
                county = _County(subscriber=Subscriber(mint=self._mint), wire=await self._dial())
                await together(
                    psap_county_hear=self._listen(county, report), psap_county_speak=self._ask(county)
                )
            except Unreachable as error:
                if county is not None and county.subscriber.subscription:
                    wait, known = _REDIAL[0], True
                self.trouble = f"responders are not heard of: {error}"
                if known is not False:
                    known = False
                    _log.warning("responders_unheard", link=self._name, reason=str(error))
            finally:
                if county is not None:
                    await county.wire.close()
            await asyncio.sleep(wait)
            wait = min(2 * wait, _REDIAL[1])

    async def _ask(self, county: _County) -> None:
        loop = asyncio.get_running_loop()
        county.subscriber.begin(loop.time())
        while True:
            county.bell.clear()
            county.subscriber.tick(loop.time())
            for octets in county.subscriber.outgoing():
                await send(county.wire, octets)
            if county.subscriber.closing:
                raise Unreachable(f"the county's notifier: {county.subscriber.closing}")
            await bell_or(county.bell, county.subscriber.next_at())

    async def _listen(self, county: _County, report: Report) -> None:
        loop = asyncio.get_running_loop()
        bucket = Bucket(now=loop.time(), cut=county.wire.abort)
        while True:
            octets = await county.wire.receive()
            await bucket.take()
            notified = county.subscriber.receive(octets, loop.time())
            if county.subscriber.subscription:
                self.trouble = ""
            if notified is not None:
                await self._read(notified, county, report)
            county.bell.set()

    async def _read(self, notified: Notified, county: _County, report: Report) -> None:
        noted: list[asyncio.Future[bool]] = []
        fault = ""
        for octets in notified.documents:
            self._counts["events"] += 1
            try:
                said = reading.read(octets, element=self._issuer.element, agency=self._issuer.agency)
            except Malformed as error:
                self._counts["malformed"] += 1
                self._samples.append(octets[:256])
                fault = str(error)
                continue
            if said is None:
                self._counts["foreign"] += 1
            else:
                noted += self._heard(said, report)
            await asyncio.sleep(0)
        if noted:
            # The answer waits until what a person said is written down, so that the county says it again if not.
            written = asyncio.gather(*noted, return_exceptions=True)
            written.add_done_callback(partial(self._written, county, notified.transaction, fault))
        else:
            county.subscriber.answer(notified.transaction, fault=fault)

    def _heard(self, said: reading.Said, report: Report) -> list[asyncio.Future[bool]]:
        noted: list[asyncio.Future[bool] | None] = []
        for call in said.own:
            if said.person:
                self._counts["people"] += 1
                noted.append(report(PersonAnswered(number=call.number, key=call.key, by=said.person)))
            kind, number = said.read_back, said.read_number
            if kind is not None and self._standing.asked(call, kind, number):
                noted.append(
                    report(ReadBack(number=call.number, update=number, key=call.key, by=said.read_by))
                )
        for call in said.calls:
            known = call.number, call.key
            if said.status is not None and self._said.get(known) is not said.status:
                self._remember(known, said.status)
                report(ResponseSaid(number=call.number, key=call.key, status=said.status))
            if said.status is ResponseStatus.CLOSED:
                self._standing.close(call, asyncio.get_running_loop().time())
        return [each for each in noted if each is not None]

    def _written(
        self,
        county: _County,
        transaction: str,
        fault: str,
        written: asyncio.Future[list[bool | BaseException]],
    ) -> None:
        if written.cancelled() or any(isinstance(each, BaseException) for each in written.result()):
            return
        known = all(written.result())
        county.subscriber.answer(transaction, fault=fault or ("" if known else "There is no such call"))
        county.bell.set()

    def _remember(self, call: tuple[int, str], status: ResponseStatus) -> None:
        self._said[call] = status
        self._said.move_to_end(call)
        if len(self._said) > _REMEMBERED:
            self._said.popitem(last=False)
