"""The EIDO link: dispatch systems subscribe to our calls, and we to what becomes of them.

Towards the PSAP we are the notifier: a system that is subscribed gets every call as an event, and its eventResponse
2xx is the receipt. Where the county has a notifier of its own we subscribe to it as well: that is how responders and
the person who has the call come back. Both over WebSockets, NENA-STA-024.1; what is said is NENA-STA-021.1.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Iterable
from functools import partial

from belltower import log
from belltower.clock import Clock
from belltower.errors import Unreachable
from belltower.ids import LinkName, RandomBytes
from belltower.incident.facts import ReceiptLevel
from belltower.tasks import together
from gateway.psap.bucket import Bucket
from gateway.psap.eido.notifier import Answered as EventAnswered
from gateway.psap.eido.notifier import Lapsed, Notifier, Subscribed
from gateway.psap.eido.standing import Standing
from gateway.psap.eido.writing import Issuer
from gateway.psap.eido_flow import bell_or, send
from gateway.psap.eido_responders import CountyEar
from gateway.psap.eido_sockets import Dial, Door, Wire
from gateway.psap.link import (
    Answered,
    Call,
    Frame,
    LinkTest,
    LinkTraits,
    Lost,
    More,
    Opened,
    Receipt,
    Refusal,
    Report,
    Update,
)

_log = log.get("psap")

SYSTEMS_MOST = 8
"""Dispatch systems at once."""
SUBSCRIBED_WITHIN = 10.0
"""Seconds after which whoever has not subscribed is cut off."""
_REMEMBERED = 1_024
_SENT_WITHIN = 3.0
_REOPEN = (0.2, 2.0)


class _System:
    """One dispatch system that is connected."""

    def __init__(self, *, notifier: Notifier, wire: Wire, settles: bool) -> None:
        self.notifier = notifier
        self.wire = wire
        # Its answers are the centre's; another's are counted, and settle nothing.
        self.settles = settles
        self.bell = asyncio.Event()
        self.sent: list[asyncio.Future[bool]] = []
        self.was_subscribed = False


class EIDOLink:
    """Satisfies `PSAPLink`. One door that systems come through, and perhaps one notifier that we dial."""

    def __init__(
        self,
        *,
        name: LinkName,
        issuer: Issuer,
        door: Door,
        clock: Clock,
        random_bytes: RandomBytes,
        dial: Dial | None = None,
        centre_names: frozenset[str] = frozenset(),
        heartbeat: float = 30.0,
        exercise: bool = False,
    ) -> None:
        self._name = name
        # Whose answers count, by the names in their certificates; none: everybody's who may come in.
        self._centre_names = centre_names
        self._issuer = issuer
        self._door = door
        self._random_bytes = random_bytes
        self._heartbeat = heartbeat
        self._traits = LinkTraits(
            retries=(5.0, 10.0, 20.0),
            again=30.0,
            exercise=exercise,
            person=dial is not None,
            supervision=2.5 * heartbeat,
        )
        self._systems: list[_System] = []
        self._accepted: OrderedDict[str, None] = OrderedDict()
        self._answering: bool | None = None
        self.counts: Counter[str] = Counter()
        """What came: malformed, refused, silent, busy, others, events, foreign, people."""
        self.samples: deque[bytes] = deque(maxlen=8)
        """The last documents that were not understood, cut short."""
        self._standing = Standing(issuer=issuer, clock=clock, exercise=exercise)
        self._ear: CountyEar | None = None
        if dial is not None:
            self._ear = CountyEar(
                name=name,
                issuer=issuer,
                dial=dial,
                mint=self._mint,
                standing=self._standing,
                counts=self.counts,
                samples=self.samples,
            )

    def __repr__(self) -> str:
        return f"EIDOLink({self._name})"

    @property
    def name(self) -> LinkName:
        """The name of its settings table."""
        return self._name

    @property
    def traits(self) -> LinkTraits:
        """An exercise only where the centre agreed to take one; persons answer where we subscribe."""
        return self._traits

    @property
    def answering(self) -> bool | None:
        """Whether a dispatch system answers; None while that is not known yet."""
        return self._answering

    @property
    def detail(self) -> str:
        """That responders cannot be heard of, while it is so."""
        return "" if self._ear is None else self._ear.trouble

    # ---- what is sent

    def first(self, call: Call) -> Frame:
        """The call as one document."""
        return self._standing.first(call)

    def more(self, more: More) -> Frame:
        """The calls again, each with the further alarms of its building."""
        return self._standing.more(more)

    def update(self, update: Update) -> Frame:
        """The call again, cancelled or corrected."""
        return self._standing.update(update)

    def test(self, test: LinkTest) -> Frame | str:
        """An event without a document, marked in its transactionId: the road is proven, nothing looks like a call."""
        return Frame(
            id=f"T{test.number}-{test.key}",
            octets=b"[]",
            text=f"TEST {test.number} {test.key}: an event without an incident",
        )

    def airtime(self, frame: Frame) -> float:  # noqa: ARG002 - a wire of its own
        """Nobody shares the wire."""
        return 0.0

    async def send(self, frame: Frame) -> bool:
        """Tell every subscribed system; True as soon as one system's octets have left."""
        told = self._standing.told(frame)
        now = asyncio.get_running_loop().time()
        waiting: set[asyncio.Future[bool]] = set()
        for system in self._systems:
            if system.notifier.tell(frame.id, told, now):
                sent: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
                system.sent.append(sent)
                system.bell.set()
                if system.settles:
                    waiting.add(sent)
        until = now + _SENT_WITHIN
        while waiting:
            left = until - asyncio.get_running_loop().time()
            done, waiting = await asyncio.wait(waiting, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            if any(each.result() for each in done):
                return True
            if not done:
                break
        return False

    def ended(self, call: Call) -> None:
        """The incident is over: no new subscriber is told of the call."""
        self._standing.ended(call)

    # ---- running

    async def run(self, report: Report) -> None:
        """Keep the door open and the county's notifier dialled, for ever."""
        wait = _REOPEN[0]
        while True:
            try:
                await self._door.open(partial(self._meet, report), self._standing.fetch)
                wait = _REOPEN[0]
                work = {"psap_watch": self._watch(report)}
                if self._ear is not None:
                    work["psap_follow"] = self._ear.run(report)
                await together(**work)
            except Unreachable as error:
                self._lose(report, str(error))
            finally:
                await self._door.close()
            await asyncio.sleep(wait)
            wait = min(2 * wait, _REOPEN[1])

    async def _watch(self, report: Report) -> None:
        await asyncio.sleep(self._heartbeat)
        if not any(system.settles and system.notifier.subscribed for system in self._systems):
            self._lose(report, "no dispatch system is subscribed")
        await asyncio.Event().wait()

    # ---- systems that subscribe to us

    async def _meet(self, report: Report, wire: Wire) -> None:
        if len(self._systems) >= SYSTEMS_MOST and not self._make_room():
            self.counts["refused"] += 1
            await wire.close()
            return
        notifier = Notifier(
            element=self._issuer.element,
            mint=self._mint,
            active=self._standing.active,
            heartbeat=self._heartbeat,
        )
        settles = not self._centre_names or not self._centre_names.isdisjoint(wire.names)
        system = _System(notifier=notifier, wire=wire, settles=settles)
        self._systems.append(system)
        reason = "the dispatch system is gone"
        try:
            await together(
                psap_system_hear=self._hear(system, report),
                psap_system_speak=self._speak(system, report),
                psap_system_wait=self._expect_subscription(system),
            )
        except Unreachable as error:
            reason = str(error)
        finally:
            if system in self._systems:
                self._systems.remove(system)
            for sent in system.sent:
                if not sent.done():
                    sent.set_result(False)
            if system.was_subscribed and not any(other.was_subscribed for other in self._systems):
                self._lose(report, reason)
            await wire.close()

    def _make_room(self) -> bool:
        """Cut off whoever has waited longest without subscribing; False: everybody has subscribed."""
        silent = next((system for system in self._systems if not system.notifier.in_use), None)
        if silent is None:
            return False
        self.counts["silent"] += 1
        self._systems.remove(silent)
        silent.wire.abort()
        return True

    async def _expect_subscription(self, system: _System) -> None:
        await asyncio.sleep(SUBSCRIBED_WITHIN)
        if not system.notifier.in_use:
            self.counts["silent"] += 1
            system.wire.abort()
            raise Unreachable(f"nothing was subscribed to within {SUBSCRIBED_WITHIN:g} s")

    async def _hear(self, system: _System, report: Report) -> None:
        loop = asyncio.get_running_loop()
        bucket = Bucket(now=loop.time(), cut=system.wire.abort)
        while True:
            octets = await system.wire.receive()
            await bucket.take()
            system.notifier.receive(octets, loop.time())
            self._note(system, report)
            system.bell.set()

    async def _speak(self, system: _System, report: Report) -> None:
        loop = asyncio.get_running_loop()
        while True:
            system.bell.clear()
            system.notifier.tick(loop.time())
            self._note(system, report)
            taken, system.sent = system.sent, []
            try:
                for octets in system.notifier.outgoing():
                    await send(system.wire, octets)
            except BaseException:
                system.sent += taken
                raise
            for sent in taken:
                if not sent.done():
                    sent.set_result(True)
            if system.notifier.closing:
                raise Unreachable(f"the dispatch system: {system.notifier.closing}")
            await bell_or(system.bell, system.notifier.next_at())

    def _note(self, system: _System, report: Report) -> None:
        for noticed in system.notifier.noticed():
            match noticed:
                case _ if not system.settles:
                    self.counts["others"] += 1
                case Subscribed():
                    if not any(other.was_subscribed for other in self._systems):
                        report(Opened())
                    system.was_subscribed = True
                case Lapsed():
                    system.was_subscribed = system.notifier.subscribed
                    if not any(other.was_subscribed for other in self._systems):
                        self._lose(report, "the dispatch system has ended its subscription")
                case EventAnswered(frames=frames, code=code):
                    self._alive(report)
                    self._receipts(frames, code, report)

    def _receipts(self, frames: Iterable[str], code: int, report: Report) -> None:
        for frame in frames:
            if 200 <= code < 300:
                self._accepted[frame] = None
                if len(self._accepted) > _REMEMBERED:
                    self._accepted.popitem(last=False)
                report(Receipt(frame=frame, level=ReceiptLevel.SYSTEM))
            elif 400 <= code < 500 and frame not in self._accepted:
                report(Refusal(frame=frame, reason=f"the dispatch system answers {code}"))
            else:
                self.counts["busy"] += 1

    def _alive(self, report: Report) -> None:
        if self._answering is not True:
            self._answering = True
            _log.info("link_answers", link=self._name)
            report(Answered())

    def _lose(self, report: Report, reason: str) -> None:
        if self._answering is not False:
            self._answering = False
            _log.warning("link_lost", link=self._name, reason=reason)
            report(Lost(reason=reason))

    def _mint(self) -> str:
        return self._random_bytes(12).hex()
