"""The EIDO link: dispatch systems subscribe to our calls, and we to what becomes of them.

Towards the PSAP we are the notifier: a system that is subscribed gets every call as an event, and its eventResponse
2xx is the receipt. Where the county has a notifier of its own we subscribe to it as well: that is how responders and
the person who has the call come back. Both over WebSockets, NENA-STA-024.1; what is said is NENA-STA-021.1.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Iterable, Iterator
from functools import partial
from typing import TypeVar

import msgspec
from msgspec import Raw, Struct, field

from belltower import log
from belltower.clock import SECOND, Clock
from belltower.errors import Malformed, Unreachable
from belltower.ids import LinkName, RandomBytes
from belltower.incident.facts import ReceiptLevel, ResponseStatus, UpdateKind
from belltower.tasks import together
from gateway.psap import radio_text
from gateway.psap.eido import document, reading, writing
from gateway.psap.eido.notifier import Answered as EventAnswered
from gateway.psap.eido.notifier import Lapsed, Notifier, Subscribed, Told
from gateway.psap.eido.subscriber import Notified, Subscriber
from gateway.psap.eido.writing import CallName, Issuer
from gateway.psap.eido_sockets import Dial, Door, Wire
from gateway.psap.link import (
    FIRST_PRESS,
    Answered,
    Call,
    Frame,
    LinkTest,
    LinkTraits,
    LiveCall,
    Lost,
    More,
    Opened,
    PersonAnswered,
    ReadBack,
    Receipt,
    Refusal,
    Report,
    ResponseSaid,
    Update,
)
from gateway.psap.ranges import NONE, Ranges, spelt, union

_log = log.get("psap")

KEPT = 12 * 3600 * SECOND
"""How long a call is among the active incidents that a new subscriber is told of."""
SYSTEMS_MOST = 8
"""Dispatch systems at once."""
_REMEMBERED = 1_024
_TAKEN_WITHIN = 5.0
_SENT_WITHIN = 3.0
_REOPEN = (0.2, 2.0)
_REDIAL = (0.5, 30.0)
_RATE, _BURST, _AT_ONCE = 200.0, 400.0, 20
_MORE_AT_ONCE = 16

K = TypeVar("K")
V = TypeVar("V")


class _State(Struct, frozen=True, kw_only=True):
    """One call as it stands, and the document that says so."""

    call: Call
    # The latest frame that tells of it.
    frame: str
    document: bytes
    further: Ranges = NONE
    update: Update | None = None
    closed_at: float | None = None


class _System:
    """One dispatch system that is connected."""

    def __init__(self, *, notifier: Notifier, wire: Wire) -> None:
        self.notifier = notifier
        self.wire = wire
        self.bell = asyncio.Event()
        self.sent: list[asyncio.Future[bool]] = []
        self.was_subscribed = False


class _County:
    """The county's notifier, while we are connected to it."""

    def __init__(self, *, subscriber: Subscriber, wire: Wire) -> None:
        self.subscriber = subscriber
        self.wire = wire
        self.bell = asyncio.Event()


class _Bucket:
    """How many messages a peer may send: `_RATE` a second, `_BURST` at once."""

    def __init__(self, now: float) -> None:
        self._left = _BURST
        self._at = now
        self._taken = 0

    async def take(self, wire: Wire) -> None:
        """One message more: let others run now and then, and cut off whoever floods us."""
        now = asyncio.get_running_loop().time()
        self._left = min(_BURST, self._left + (now - self._at) * _RATE) - 1
        self._at = now
        if self._left < 0:
            wire.abort()
            raise Unreachable("it floods us")
        self._taken += 1
        if self._taken % _AT_ONCE == 0:
            await asyncio.sleep(0)


class _Id(Struct, frozen=True):
    id: str = field(name="$id")


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
        heartbeat: float = 30.0,
        exercise: bool = False,
    ) -> None:
        self._name = name
        self._issuer = issuer
        self._door = door
        self._clock = clock
        self._random_bytes = random_bytes
        self._dial = dial
        self._heartbeat = heartbeat
        self._traits = LinkTraits(
            retries=(5.0, 10.0, 20.0),
            again=30.0,
            exercise=exercise,
            person=dial is not None,
            supervision=2.5 * heartbeat,
        )
        self._systems: list[_System] = []
        self._states: OrderedDict[str, _State] = OrderedDict()
        self._accepted: OrderedDict[str, None] = OrderedDict()
        self._said: OrderedDict[tuple[int, str], ResponseStatus] = OrderedDict()
        self._answering: bool | None = None
        self.counts: Counter[str] = Counter()
        """What came: malformed, refused, busy, events, foreign, people."""
        self.samples: deque[bytes] = deque(maxlen=8)
        """The last documents that were not understood, cut short."""

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

    # ---- what is sent

    def first(self, call: Call) -> Frame:
        """The call as one document."""
        frame_id = radio_text.call_frame_id(call.order.number)
        octets = document.encode(writing.write(self._issuer, call))
        id_ = self._id(call)
        if id_ not in self._states:
            _remember(self._states, id_, _State(call=call, frame=frame_id, document=octets))
        return Frame(
            id=frame_id,
            octets=b"[" + octets + b"]",
            text=_text(call, "call"),
            covers=((call.order.call, FIRST_PRESS),),
        )

    def more(self, more: More) -> Frame:
        """The calls again, each with the further alarms of its building."""
        items = more.items[:_MORE_AT_ONCE]
        told = ";".join(f"{self._id(call)} {spelt(ranges)}" for call, ranges in items)
        frame_id = radio_text.text_frame_id("S", told)
        octets = [
            document.encode(writing.write(self._issuer, call, further=ranges)) for call, ranges in items
        ]
        for call, ranges in items:
            known = self._states.get(self._id(call))
            further = union(known.further, ranges) if known is not None else ranges
            self._restate(call, frame_id, further, known.update if known is not None else None)
        return Frame(
            id=frame_id,
            octets=b"[" + b",".join(octets) + b"]",
            text=_text(items[0][0], f"further alarms of {len(items)} calls, the first"),
            covers=tuple((call.order.call, ranges) for call, ranges in items),
        )

    def update(self, update: Update) -> Frame:
        """The call again, cancelled or corrected."""
        call, number = update.call, update.order.update
        octets = document.encode(writing.write(self._issuer, call, update=update))
        frame_id = radio_text.text_frame_id("U", f"{self._id(call)} {number}")
        known = self._states.get(self._id(call))
        if known is None or known.update is None or known.update.order.update < number:
            self._restate(call, frame_id, known.further if known is not None else NONE, update)
        return Frame(
            id=frame_id, octets=b"[" + octets + b"]", text=_text(call, f"{update.order.kind} {number} of")
        )

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
        told = self._told(frame)
        now = asyncio.get_running_loop().time()
        waiting: set[asyncio.Future[bool]] = set()
        for system in self._systems:
            if system.notifier.tell(frame.id, told, now):
                sent: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
                system.sent.append(sent)
                system.bell.set()
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
        self._states.pop(self._id(call), None)

    # ---- running

    async def run(self, report: Report) -> None:
        """Keep the door open and the county's notifier dialled, for ever."""
        wait = _REOPEN[0]
        while True:
            try:
                await self._door.open(partial(self._meet, report), self._fetch)
                wait = _REOPEN[0]
                work = {"psap_watch": self._watch(report)}
                if self._dial is not None:
                    work["psap_follow"] = self._follow(report, self._dial)
                await together(**work)
            except Unreachable as error:
                self._lose(report, str(error))
            finally:
                await self._door.close()
            await asyncio.sleep(wait)
            wait = min(2 * wait, _REOPEN[1])

    async def _watch(self, report: Report) -> None:
        await asyncio.sleep(self._heartbeat)
        if not any(system.notifier.subscribed for system in self._systems):
            self._lose(report, "no dispatch system is subscribed")
        await asyncio.Event().wait()

    def _fetch(self, id_: str) -> bytes | None:
        """The document of one incident, for whoever asks for it by its id."""
        state = self._states.get(id_)
        return state.document if state is not None and self._is_told(state) else None

    # ---- systems that subscribe to us

    async def _meet(self, report: Report, wire: Wire) -> None:
        if len(self._systems) >= SYSTEMS_MOST:
            self.counts["refused"] += 1
            await wire.close()
            return
        notifier = Notifier(
            element=self._issuer.element, mint=self._mint, active=self._active, heartbeat=self._heartbeat
        )
        system = _System(notifier=notifier, wire=wire)
        self._systems.append(system)
        reason = "the dispatch system is gone"
        try:
            await together(
                psap_system_hear=self._hear(system, report), psap_system_speak=self._speak(system, report)
            )
        except Unreachable as error:
            reason = str(error)
        finally:
            self._systems.remove(system)
            for sent in system.sent:
                if not sent.done():
                    sent.set_result(False)
            if system.was_subscribed and not any(other.was_subscribed for other in self._systems):
                self._lose(report, reason)
            await wire.close()

    async def _hear(self, system: _System, report: Report) -> None:
        loop = asyncio.get_running_loop()
        bucket = _Bucket(loop.time())
        while True:
            octets = await system.wire.receive()
            await bucket.take(system.wire)
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
                    await _send(system.wire, octets)
            except BaseException:
                system.sent += taken
                raise
            for sent in taken:
                if not sent.done():
                    sent.set_result(True)
            if system.notifier.closing:
                raise Unreachable(f"the dispatch system: {system.notifier.closing}")
            await _bell_or(system.bell, system.notifier.next_at())

    def _note(self, system: _System, report: Report) -> None:
        for noticed in system.notifier.noticed():
            match noticed:
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
                _remember(self._accepted, frame, None)
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

    # ---- the county's notifier, to which we subscribe

    async def _follow(self, report: Report, dial: Dial) -> None:
        wait = _REDIAL[0]
        known: bool | None = None
        while True:
            county: _County | None = None
            try:
                county = _County(subscriber=Subscriber(mint=self._mint), wire=await dial())
                await together(
                    psap_county_hear=self._listen(county, report), psap_county_speak=self._ask(county)
                )
            except Unreachable as error:
                if county is not None and county.subscriber.subscription:
                    wait, known = _REDIAL[0], True
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
                await _send(county.wire, octets)
            if county.subscriber.closing:
                raise Unreachable(f"the county's notifier: {county.subscriber.closing}")
            await _bell_or(county.bell, county.subscriber.next_at())

    async def _listen(self, county: _County, report: Report) -> None:
        loop = asyncio.get_running_loop()
        bucket = _Bucket(loop.time())
        while True:
            octets = await county.wire.receive()
            await bucket.take(county.wire)
            notified = county.subscriber.receive(octets, loop.time())
            if notified is not None:
                await self._read(notified, county, report)
            county.bell.set()

    async def _read(self, notified: Notified, county: _County, report: Report) -> None:
        noted: list[asyncio.Future[bool]] = []
        fault = ""
        for octets in notified.documents:
            self.counts["events"] += 1
            try:
                said = reading.read(octets, element=self._issuer.element, agency=self._issuer.agency)
            except Malformed as error:
                self.counts["malformed"] += 1
                self.samples.append(octets[:256])
                fault = str(error)
                continue
            if said is None:
                self.counts["foreign"] += 1
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
        for call in said.calls:
            known = call.number, call.key
            if said.person:
                self.counts["people"] += 1
                noted.append(report(PersonAnswered(number=call.number, key=call.key, by=said.person)))
            if said.read_back is not None and said.read_back is self._asked(call):
                noted.append(report(ReadBack(number=call.number, key=call.key, by=said.read_by)))
            if said.status is not None and self._said.get(known) is not said.status:
                _remember(self._said, known, said.status)
                report(ResponseSaid(number=call.number, key=call.key, status=said.status))
            if said.status is ResponseStatus.CLOSED:
                self._close(call)
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

    def _asked(self, call: CallName) -> UpdateKind | None:
        """What the school's latest update of that call asks to be read back."""
        for id_ in self._ids(call):
            if (state := self._states.get(id_)) is not None and state.update is not None:
                return state.update.order.kind
        return None

    def _close(self, call: CallName) -> None:
        now = asyncio.get_running_loop().time()
        for id_ in self._ids(call):
            if (state := self._states.get(id_)) is not None and state.closed_at is None:
                self._states[id_] = msgspec.structs.replace(state, closed_at=now)

    def _ids(self, call: CallName) -> Iterator[str]:
        # A note does not say whether the call it names is an exercise.
        for exercise in (False, True):
            name = msgspec.structs.replace(call, exercise=exercise)
            yield writing.incident_id(name, self._issuer.element)

    # ---- documents

    def _told(self, frame: Frame) -> list[Told]:
        """The incidents that a frame tells of, as they stand now: nothing said before is taken back by it."""
        told = []
        for raw in msgspec.json.decode(frame.octets, type=list[Raw]):
            id_ = msgspec.json.decode(raw, type=_Id).id
            state = self._states.get(id_)
            if state is not None:
                told.append(_tell(id_, state))
            else:
                octets = bytes(raw).replace(writing.UNSTAMPED.encode(), self._now().encode())
                told.append(Told(id=id_, frame=frame.id, document=octets))
        return told

    def _active(self) -> list[Told]:
        return [_tell(id_, state) for id_, state in self._states.items() if self._is_told(state)]

    def _is_told(self, state: _State) -> bool:
        recent = state.call.at >= self._clock.now() - KEPT
        return recent and (self._traits.exercise or isinstance(state.call, LiveCall))

    def _restate(self, call: Call, frame: str, further: Ranges, update: Update | None) -> None:
        written = writing.write(self._issuer, call, further=further, update=update, stamp=self._now())
        id_ = self._id(call)
        known = self._states.get(id_)
        state = _State(
            call=call,
            frame=frame,
            document=document.encode(written),
            further=further,
            update=update,
            closed_at=known.closed_at if known is not None else None,
        )
        _remember(self._states, id_, state)

    def _id(self, call: Call) -> str:
        return writing.incident_id(writing.name_of(call), self._issuer.element)

    def _now(self) -> str:
        return writing.timestamp(self._clock.now())

    def _mint(self) -> str:
        return self._random_bytes(12).hex()


def _tell(id_: str, state: _State) -> Told:
    return Told(id=id_, frame=state.frame, document=state.document, closed_at=state.closed_at)


def _text(call: Call, what: str) -> str:
    name = writing.name_of(call)
    return f"{'EXERCISE ' if name.exercise else ''}{what} {name.spoken}"


def _remember(kept: OrderedDict[K, V], key: K, value: V) -> None:
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > _REMEMBERED:
        kept.popitem(last=False)


async def _send(wire: Wire, octets: bytes) -> None:
    try:
        async with asyncio.timeout(_TAKEN_WITHIN):
            await wire.send(octets)
    except TimeoutError:
        raise Unreachable(f"nothing was taken for {_TAKEN_WITHIN:g} s") from None


async def _bell_or(bell: asyncio.Event, until: float | None) -> None:
    try:
        async with asyncio.timeout_at(until):
            await bell.wait()
    except TimeoutError:
        pass
