"""Drives every PSAP link at once, from the orders in the journal to the facts of what became of them."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from typing import assert_never

from belltower import log
from belltower.clock import SECOND, Clock, Instant
from belltower.ids import CallId, Ids, IncidentId, LinkName, PlaceId
from belltower.incident.facts import (
    AlarmJoined,
    CallOrdered,
    CallReceipt,
    CallRejected,
    CallSent,
    CallUnanswered,
    CallWithheld,
    Fact,
    IncidentClosed,
    LinkLost,
    LinkRestored,
    TelecommunicatorAcknowledged,
)
from belltower.journal import Draft, Durability, Entry, Journal
from belltower.store import Transaction
from belltower.tasks import Crew
from gateway.psap.coalesce import Ledger, OpenCall
from gateway.psap.link import (
    FIRST_PRESS,
    Answered,
    Call,
    ExerciseCall,
    Frame,
    Heard,
    Lost,
    Opened,
    PersonAnswered,
    PSAPLink,
    ReadBack,
    Receipt,
    Refusal,
    ResponseSaid,
    admitted,
)
from gateway.psap.radio_text import key_of
from gateway.psap.ranges import NONE, Ranges, union

_log = log.get("psap")

FOLLOWED = (CallOrdered, AlarmJoined, IncidentClosed, TelecommunicatorAcknowledged)
"""The facts that move the worker; the rest of an incident's facts matter at a restart only."""

UNANSWERED_AFTER = 10.0
"""Seconds without a system's receipt until NOT ACKNOWLEDGED, CALL 911."""
KEPT_AFTER_CLOSE = 90.0
"""Seconds for which an unreceipted call goes on after its incident was closed."""
_FINISHED = 1_024
_EARLY = 1_024
_PREPARED = 256
_PEOPLE = 100


class _Lane:
    """One link with what it owes; nothing in it is shared with another link."""

    def __init__(self, *, link: PSAPLink) -> None:
        self.link = link
        self.ledger = Ledger(link=link)
        self.bell = asyncio.Event()
        # Whether the PSAP's system answers, None: not known since the start; and what was last written of it.
        self.answering: bool | None = None
        self.noted: bool | None = None


class CallWorker:
    """Carries out `CallOrdered` on every link at once. `run` it in the alarm lane's crew.

    It has no tables: after a restart `owed`, the facts of the incidents that are to be attended to, is all its memory.
    Whether a link answers is not remembered: its first word after the start is written down as news, unless `owed`
    holds the link's last `LinkLost` or `LinkRestored`. `after` is the journal's position up to which `owed` was read.
    """

    def __init__(
        self,
        *,
        journal: Journal[Fact],
        links: Sequence[PSAPLink],
        ids: Ids,
        clock: Clock,
        spoken_place: Callable[[PlaceId | None], str],
        owed: Sequence[Entry[Fact]] = (),
        after: int = 0,
        unanswered_after: float = UNANSWERED_AFTER,
        kept_after_close: float = KEPT_AFTER_CLOSE,
    ) -> None:
        self._journal = journal
        self._ids = ids
        self._clock = clock
        self._spoken_place = spoken_place
        self._owed = owed
        self._after = after
        self._unanswered_after = unanswered_after
        self._kept_after_close = kept_after_close
        self._lanes = {link.name: _Lane(link=link) for link in links}
        self._calls: dict[CallId, OpenCall] = {}
        self._buildings: dict[tuple[IncidentId, str], OpenCall] = {}
        self._numbers: dict[tuple[int, str], OpenCall] = {}
        self._finished: OrderedDict[CallId, OpenCall] = OrderedDict()
        # Calls whose order is being written down, with their frames.
        self._prepared: OrderedDict[CallId, tuple[Call, dict[LinkName, Frame]]] = OrderedDict()
        # Presses that were read before their building's order.
        self._early: OrderedDict[tuple[IncidentId, str], Ranges] = OrderedDict()
        # Who has each call, and which links an exercise was withheld from: so that each is written once.
        self._people: dict[CallId, set[str]] = {}
        # Acknowledgements by people that are on their way into the journal.
        self._noting: dict[tuple[CallId, str], asyncio.Future[Durability]] = {}
        self._withheld: dict[IncidentId, set[tuple[CallId, LinkName]]] = {}
        self._timers: dict[CallId, asyncio.TimerHandle] = {}

    async def run(self) -> None:
        """Recall what is owed, then serve every link and follow the journal, for ever."""
        try:
            async with Crew(backoff=(0.1, 1.0)) as crew:
                self._recall(self._owed)
                for lane in self._lanes.values():
                    crew.mendable(
                        f"psap link {lane.link.name}",
                        partial(lane.link.run, partial(self._report, lane)),
                        on_failure=partial(self._broken, lane),
                    )
                    crew.mendable(f"psap calls {lane.link.name}", partial(self._drive, lane))
                crew.essential("psap follow", self._follow)
        finally:
            for timer in self._timers.values():
                timer.cancel()
            self._timers.clear()

    def take(self, entry: Entry[Fact]) -> None:
        """Act on one entry at once. `run` does it for all that follow; doing it twice does it once."""
        match entry.fact:
            case CallOrdered() as order:
                self._order(order, entry.at)
            case AlarmJoined() as joined:
                self._join(joined)
            case IncidentClosed(incident=incident):
                self._close(incident, entry.at)
            case TelecommunicatorAcknowledged(call=call, by=by):
                self._acknowledge(call, by)
            case _:
                pass

    def prepare(self, order: CallOrdered) -> None:
        """Make the frames of an order that is being written down: once it is, they only have to be sent."""
        if order.call in self._calls or order.call in self._finished:
            return
        call = admitted(order, place=self._spoken_place(order.place))
        if isinstance(call, ExerciseCall | str):
            return
        self._prepared[order.call] = (
            call,
            {name: lane.link.first(call) for name, lane in self._lanes.items()},
        )
        if len(self._prepared) > _PREPARED:
            self._prepared.popitem(last=False)

    def answering(self) -> dict[LinkName, bool | None]:
        """Whether each link's far end answers; None: it has not said since the start, and its time is not over."""
        return {name: lane.answering for name, lane in self._lanes.items()}

    async def _follow(self) -> None:
        async for entry in self._journal.follow(after=self._after, kinds=FOLLOWED):
            self.take(entry)
            self._after = max(self._after, entry.position)

    # ---- orders

    def _order(self, order: CallOrdered, at: Instant) -> None:
        if order.call in self._calls or order.call in self._finished:
            return
        prepared, frames = self._prepared.pop(order.call, (None, {}))
        call = prepared or admitted(order, place=self._spoken_place(order.place))
        if isinstance(call, str):
            self._withhold(order, call, list(self._lanes.values()))
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        elapsed = max((self._clock.now() - at) / SECOND, 0.0)
        opened = OpenCall(call=call, ordered=now - elapsed)
        early = self._early.pop((order.incident, order.building), NONE)
        opened.presses = union(opened.presses, early)
        self._calls[order.call] = opened
        self._buildings[order.incident, order.building] = opened
        self._numbers[order.number, key_of(order.call)] = opened
        carried = False
        for lane in self._lanes.values():
            if isinstance(call, ExerciseCall) and not lane.link.traits.exercise:
                self._withhold(order, "this link has no agreed form for an exercise", [lane])
                continue
            carried = True
            lane.ledger.order(opened, now=now, frame=frames.get(lane.link.name))
            lane.bell.set()
        if carried or not isinstance(call, ExerciseCall):
            due = max(opened.ordered + self._unanswered_after, now)
            self._timers[order.call] = loop.call_at(due, self._unanswered, opened)

    def _withhold(self, order: CallOrdered, reason: str, lanes: Sequence[_Lane]) -> None:
        withheld = self._withheld.setdefault(order.incident, set())
        links = [lane.link.name for lane in lanes if (order.call, lane.link.name) not in withheld]
        withheld.update((order.call, link) for link in links)
        self._write(
            order.incident, [CallWithheld(call=order.call, link=link, reason=reason) for link in links]
        )

    def _join(self, joined: AlarmJoined) -> None:
        number: Ranges = ((joined.number, joined.number),)
        call = self._buildings.get((joined.incident, joined.building))
        if call is None:
            key = (joined.incident, joined.building)
            self._early[key] = union(self._early.get(key, NONE), number)
            if len(self._early) > _EARLY:
                self._early.popitem(last=False)
            return
        presses = union(call.presses, number)
        if presses == call.presses:
            return
        call.presses = presses
        now = asyncio.get_running_loop().time()
        for lane in self._lanes.values():
            lane.ledger.joined(call, now=now)
            lane.bell.set()

    def _close(self, incident: IncidentId, at: Instant) -> None:
        loop = asyncio.get_running_loop()
        elapsed = max((self._clock.now() - at) / SECOND, 0.0)
        left = max(self._kept_after_close - elapsed, 0.0)
        self._withheld.pop(incident, None)
        for call in self._calls.values():
            if call.incident == incident and call.ends is None:
                call.ends = loop.time() + left
                loop.call_at(call.ends, self._finish, call)

    def _finish(self, call: OpenCall) -> None:
        self._calls.pop(call.id, None)
        self._buildings.pop((call.incident, call.call.order.building), None)
        for lane in self._lanes.values():
            lane.ledger.drop(call.id)
            lane.bell.set()
        self._finished[call.id] = call
        if len(self._finished) > _FINISHED:
            _, gone = self._finished.popitem(last=False)
            self._numbers.pop((gone.call.order.number, key_of(gone.id)), None)
            self._people.pop(gone.id, None)

    def _unanswered(self, call: OpenCall) -> None:
        self._timers.pop(call.id, None)
        if call.confirmed or call.acknowledged or call.unanswered:
            return
        call.unanswered = True
        _log.error("call_unanswered", call=call.id)
        after = asyncio.get_running_loop().time() - call.ordered
        self._write(call.incident, [CallUnanswered(call=call.id, after=round(after, 3))])

    # ---- what a link is to send

    async def _drive(self, lane: _Lane) -> None:
        loop = asyncio.get_running_loop()
        ledger, link = lane.ledger, lane.link
        while True:
            now = loop.time()
            frame = ledger.next(now)
            if frame is None:
                await self._pause(lane, ledger.wake_at(now))
            elif await link.send(frame):
                if ledger.sent(frame, now=loop.time()):
                    self._note_sent(link.name, frame)
            else:
                ledger.failed(frame, now=loop.time())

    async def _pause(self, lane: _Lane, until: float | None) -> None:
        lane.bell.clear()
        if until is None:
            await lane.bell.wait()
            return
        try:
            async with asyncio.timeout_at(until):
                await lane.bell.wait()
        except TimeoutError:
            pass

    def _note_sent(self, link: LinkName, frame: Frame) -> None:
        for incident, covers in self._by_incident(frame).items():
            self._write(
                incident,
                [CallSent(call=call, link=link, frame=frame.id, covers=ranges) for call, ranges in covers],
            )

    # ---- what a link heard

    def _report(self, lane: _Lane, heard: Heard) -> asyncio.Future[bool] | None:
        now = asyncio.get_running_loop().time()
        link = lane.link.name
        match heard:
            case Receipt(frame=frame_id, level=level):
                frame = lane.ledger.receipt(frame_id, level, now=now)
                for incident, covers in self._by_incident(frame).items():
                    receipts = [
                        CallReceipt(call=call, link=link, frame=frame_id, covers=ranges, level=level)
                        for call, ranges in covers
                    ]
                    self._write(incident, receipts)
            case Refusal(frame=frame_id, reason=reason):
                frame = lane.ledger.rejected(frame_id, now=now)
                for incident, covers in self._by_incident(frame).items():
                    self._write(
                        incident,
                        [
                            CallRejected(call=call, link=link, frame=frame_id, reason=reason)
                            for call, _ in covers
                        ],
                    )
            case PersonAnswered():
                return self._person(link, heard)
            case ReadBack() | ResponseSaid():
                return None
            case Opened():
                lane.ledger.reopened(now=now)
            case Lost(reason=reason):
                lane.answering = False
                if lane.noted is not False:
                    lane.noted = False
                    self._write("", [LinkLost(link=link, reason=reason)])
            case Answered():
                lane.answering = True
                if lane.noted is not True:
                    lane.noted = True
                    self._write("", [LinkRestored(link=link)])
            case other:
                assert_never(other)
        lane.bell.set()
        return None

    def _person(self, link: LinkName, heard: PersonAnswered) -> asyncio.Future[bool]:
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        call = self._numbers.get((heard.number, heard.key))
        if call is None:
            answer.set_result(False)
            return answer
        person = call.id, heard.by
        written: asyncio.Future[Durability] | None
        if self._acknowledge(*person):
            fact = TelecommunicatorAcknowledged(call=call.id, incident=call.incident, link=link, by=heard.by)
            written = self._noting[person] = self._write(call.incident, [fact])
        else:
            written = self._noting.get(person)
        # Whoever repeats it is answered no sooner than it is written down.
        if written is None:
            answer.set_result(True)
        elif written.done():
            self._noted(person, answer, written)
        else:
            written.add_done_callback(partial(self._noted, person, answer))
        return answer

    def _noted(
        self, person: tuple[CallId, str], answer: asyncio.Future[bool], written: asyncio.Future[Durability]
    ) -> None:
        """Confirm a person's answer; not while it is in memory alone, so that the centre says it again."""
        if written.cancelled() or (written.result() is Durability.UNRECORDED and self._journal.trouble):
            answer.cancel()
            return
        self._noting.pop(person, None)
        if not answer.done():
            answer.set_result(True)

    def _acknowledge(self, call_id: CallId, by: str) -> bool:
        """Note that this person has the call. Whether that is news."""
        call = self._calls.get(call_id) or self._finished.get(call_id)
        people = self._people.setdefault(call_id, set()) if call is not None else set()
        if call is None or by in people or len(people) >= _PEOPLE:
            return False
        people.add(by)
        call.acknowledged = True
        call.confirmed = union(call.confirmed, FIRST_PRESS)
        for lane in self._lanes.values():
            lane.ledger.acknowledged(call_id)
            lane.bell.set()
        return True

    def _broken(self, lane: _Lane, error: Exception) -> None:
        self._report(lane, Lost(reason=f"the link failed: {type(error).__name__}"))

    # ---- facts

    def _by_incident(self, frame: Frame | None) -> dict[IncidentId, list[tuple[CallId, Ranges]]]:
        found: dict[IncidentId, list[tuple[CallId, Ranges]]] = {}
        for call_id, ranges in frame.covers if frame is not None else ():
            call = self._calls.get(call_id) or self._finished.get(call_id)
            if call is not None:
                found.setdefault(call.incident, []).append((call_id, ranges))
        return found

    def _write(self, subject: str, facts: Sequence[Fact]) -> asyncio.Future[Durability]:
        if not facts:
            nothing: asyncio.Future[Durability] = asyncio.get_running_loop().create_future()
            nothing.set_result(Durability.JOURNALED)
            return nothing
        at = self._clock.now()
        drafts = [Draft(id=self._ids.fact(), at=at, subject=subject, fact=fact) for fact in facts]
        return self._journal.commit(Transaction(), drafts)

    # ---- after a restart

    def _recall(self, owed: Sequence[Entry[Fact]]) -> None:
        now = asyncio.get_running_loop().time()
        frames: dict[tuple[LinkName, str], list[tuple[CallId, Ranges]]] = {}
        for entry in owed:
            match entry.fact:
                case CallWithheld(call=call, link=link):
                    self._withheld.setdefault(IncidentId(entry.subject), set()).add((call, link))
                case CallSent(call=call, link=link, frame=frame, covers=covers):
                    frames.setdefault((link, frame), []).append((call, covers))
                case _:
                    pass
        for entry in owed:
            self.take(entry)
        for (link, frame), told in frames.items():
            if link in self._lanes:
                self._lanes[link].ledger.recall_sent(frame, told, now=now)
        for entry in owed:
            match entry.fact:
                case CallReceipt(call=call, link=link, frame=frame, covers=covers, level=level):
                    if link in self._lanes:
                        self._lanes[link].ledger.recall_receipt(frame, call, covers, level, now=now)
                case CallRejected(link=link, frame=frame) if link in self._lanes:
                    self._lanes[link].ledger.recall_rejected(frame)
                case CallUnanswered(call=call) if call in self._calls:
                    self._calls[call].unanswered = True
                case LinkLost(link=link) if link in self._lanes:
                    self._lanes[link].noted = False
                case LinkRestored(link=link) if link in self._lanes:
                    self._lanes[link].noted = True
                case _:
                    pass
