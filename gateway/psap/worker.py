"""Drives every PSAP link at once, from the orders in the journal to the facts of what became of them."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
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
    LinkTestOrdered,
    ReceiptLevel,
    ResponseSeen,
    ResponseStatus,
    TelecommunicatorAcknowledged,
    UpdateKind,
    UpdateOrdered,
    UpdateReadBack,
)
from belltower.incident.verbs import PROOF
from belltower.journal import Draft, Durability, Entry, Journal
from belltower.store import Transaction
from belltower.tasks import Crew
from gateway.psap.coalesce import OpenCall
from gateway.psap.lane import Lane
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
    Spot,
    admitted,
    remarks_on,
)
from gateway.psap.proof import Proving
from gateway.psap.radio_text import key_of
from gateway.psap.ranges import NONE, Ranges, union, without
from gateway.psap.updates import Updates

_log = log.get("psap")

FOLLOWED = (
    CallOrdered,
    AlarmJoined,
    IncidentClosed,
    TelecommunicatorAcknowledged,
    UpdateOrdered,
    UpdateReadBack,
    LinkTestOrdered,
)
"""The facts that move the worker; the rest of an incident's facts matter at a restart only."""

UNANSWERED_AFTER = 10.0
"""Seconds without a system's receipt until NOT ACKNOWLEDGED, CALL 911."""
KEPT_AFTER_CLOSE = 90.0
"""Seconds for which an unreceipted call goes on after its incident was closed."""
_FINISHED = 1_024
_EARLY = 1_024
_PREPARED = 256
_PEOPLE = 100


class _Route:
    """Which links were given a call, which refused it, and which wait for their turn."""

    def __init__(self) -> None:
        self.called: set[LinkName] = set()
        self.refused: set[LinkName] = set()
        self._waiting: dict[LinkName, tuple[Lane, asyncio.TimerHandle]] = {}

    def wait(self, lane: Lane, timer: asyncio.TimerHandle) -> None:
        """The link's turn comes when the timer says so."""
        self._waiting[lane.link.name] = (lane, timer)

    def waits_for(self, lane: Lane) -> bool:
        """Whether the link's turn is still to come; from now on it is not."""
        waiting = self._waiting.pop(lane.link.name, None)
        if waiting is None:
            return False
        waiting[1].cancel()
        return True

    def nearest(self) -> list[Lane]:
        """The links whose turn comes next."""
        soonest = min((lane.after for lane, _ in self._waiting.values()), default=0.0)
        return [lane for lane, _ in self._waiting.values() if lane.after == soonest]

    def close(self) -> None:
        """Nobody else's turn comes any more."""
        for _, timer in self._waiting.values():
            timer.cancel()
        self._waiting.clear()


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
        spot: Callable[[PlaceId | None, str], Spot],
        called_after: Mapping[LinkName, float] | None = None,
        owed: Sequence[Entry[Fact]] = (),
        tested: Sequence[Entry[Fact]] = (),
        after: int = 0,
        unanswered_after: float = UNANSWERED_AFTER,
        kept_after_close: float = KEPT_AFTER_CLOSE,
    ) -> None:
        self._journal = journal
        self._ids = ids
        self._clock = clock
        self._spot = spot
        self._owed = owed
        self._after = after
        self._unanswered_after = unanswered_after
        self._kept_after_close = kept_after_close
        called_after = called_after or {}
        self._lanes = {link.name: Lane(link=link, after=called_after.get(link.name, 0.0)) for link in links}
        self._updates = Updates(lanes=self._lanes, spot=self._corrected_spot)
        self._proving = Proving(lanes=self._lanes, clock=clock, write=partial(self._write, PROOF))
        self._tested = tested
        self._calls: dict[CallId, OpenCall] = {}
        self._buildings: dict[tuple[IncidentId, str], OpenCall] = {}
        self._numbers: dict[tuple[int, str], OpenCall] = {}
        self._latest: dict[int, OpenCall] = {}
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
        # Calls that later centres may have to be given, with the links that have refused them.
        self._routes: dict[CallId, _Route] = {}
        self._progress: dict[CallId, ResponseStatus] = {}
        # What the facts of an earlier run say of routes: calls that a centre has, and who was called.
        self._settled_before: set[CallId] = set()
        self._told_before: set[tuple[CallId, LinkName]] = set()

    async def run(self) -> None:
        """Recall what is owed, then serve every link and follow the journal, for ever."""
        try:
            async with Crew(backoff=(0.1, 1.0)) as crew:
                self._proving.recall(self._tested)
                self._recall(self._owed)
                for lane in self._lanes.values():
                    crew.mendable(
                        f"psap link {lane.link.name}",
                        partial(lane.link.run, partial(self._report, lane)),
                        on_failure=partial(self._broken, lane),
                    )
                    crew.mendable(f"psap calls {lane.link.name}", partial(lane.drive, self._note_sent))
                crew.essential("psap follow", self._follow)
        finally:
            for timer in self._timers.values():
                timer.cancel()
            self._timers.clear()
            for route in self._routes.values():
                route.close()
            self._proving.close()

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
            case UpdateOrdered() as update:
                call_known = self._calls.get(update.call) or self._finished.get(update.call)
                if call_known is not None:
                    self._updates.order(update, call_known)
            case UpdateReadBack(call=call, update=number):
                self._read_back(call, number)
            case LinkTestOrdered() as test:
                self._proving.order(test, entry.at)
            case _:
                pass

    def prepare(self, order: CallOrdered, at: Instant) -> None:
        """Make the frames of an order that is being written down: once it is, they only have to be sent."""
        if order.call in self._calls or order.call in self._finished:
            return
        call = self._admit(order, at)
        if isinstance(call, ExerciseCall | str):
            return
        self._prepared[order.call] = (
            call,
            {name: lane.link.first(call) for name, lane in self._lanes.items() if not lane.after},
        )
        if len(self._prepared) > _PREPARED:
            self._prepared.popitem(last=False)

    def answering(self) -> dict[LinkName, bool | None]:
        """Whether each link's far end answers; None: it has not said since the start, and its time is not over."""
        return {name: lane.answering for name, lane in self._lanes.items()}

    def remarks(self) -> dict[LinkName, str]:
        """What is to be shown of links besides whether they answer."""
        said = {name: remarks_on(lane.link) for name, lane in self._lanes.items()}
        return {name: remark for name, remark in said.items() if remark}

    def proven(self) -> dict[LinkName, Instant]:
        """When each link was last proven by a test."""
        return self._proving.proven

    def unproven(self) -> tuple[LinkName, ...]:
        """The links that were not proven for 31 days, or never."""
        return self._proving.unproven(self._clock.now())

    async def _follow(self) -> None:
        async for entry in self._journal.follow(after=self._after, kinds=FOLLOWED):
            self.take(entry)
            self._after = max(self._after, entry.position)

    # ---- orders

    def _order(self, order: CallOrdered, at: Instant) -> None:
        if order.call in self._calls or order.call in self._finished:
            return
        prepared, frames = self._prepared.pop(order.call, (None, {}))
        call = prepared or self._admit(order, at)
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
        self._latest[order.number] = opened
        route = self._routes[order.call] = _Route()
        carried = False
        for lane in self._lanes.values():
            if isinstance(call, ExerciseCall) and not lane.link.traits.exercise:
                self._withhold(order, "this link has no agreed form for an exercise", [lane])
                continue
            carried = True
            if not lane.after or (order.call, lane.link.name) in self._told_before:
                self._bring_in(opened, lane, frame=frames.get(lane.link.name))
            elif order.call not in self._settled_before:
                due = max(opened.ordered + lane.after, now)
                route.wait(lane, loop.call_at(due, self._bring_in_late, opened, lane))
        if carried or not isinstance(call, ExerciseCall):
            due = max(opened.ordered + self._unanswered_after, now)
            self._timers[order.call] = loop.call_at(due, self._unanswered, opened)

    def _admit(self, order: CallOrdered, at: Instant) -> Call | str:
        spot = self._spot(order.place, order.building)
        return admitted(order, place=spot.spoken, spot=spot, at=at)

    def _corrected_spot(self, order: UpdateOrdered) -> Spot | None:
        return self._spot(order.place, order.building) if order.kind is UpdateKind.PLACE else None

    # ---- which centres have a call

    def _bring_in(self, call: OpenCall, lane: Lane, *, frame: Frame | None = None) -> None:
        self._routes[call.id].called.add(lane.link.name)
        lane.ledger.order(call, now=asyncio.get_running_loop().time(), frame=frame)
        lane.bell.set()

    def _bring_in_late(self, call: OpenCall, lane: Lane) -> None:
        """A later centre's turn: unless a centre that was called before has the call."""
        route = self._routes.get(call.id)
        if route is None or not route.waits_for(lane):
            return
        if call.acknowledged or not without(FIRST_PRESS, call.confirmed) or not call.owed_at(self._now()):
            route.close()
            return
        _log.warning("next_centre_called", call=call.id, link=lane.link.name)
        self._bring_in(call, lane)

    def _refused_by(self, call: OpenCall, lane: Lane) -> None:
        """When every link that was called has refused, the next centre's turn is now."""
        route = self._routes.get(call.id)
        if route is None:
            return
        route.refused.add(lane.link.name)
        if route.called <= route.refused:
            for late in route.nearest():
                self._bring_in_late(call, late)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    def _withhold(self, order: CallOrdered, reason: str, lanes: Sequence[Lane]) -> None:
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
        if (route := self._routes.pop(call.id, None)) is not None:
            route.close()
        self._buildings.pop((call.incident, call.call.order.building), None)
        for lane in self._lanes.values():
            lane.ledger.drop(call.id)
            lane.bell.set()
        self._finished[call.id] = call
        if len(self._finished) > _FINISHED:
            _, gone = self._finished.popitem(last=False)
            self._numbers.pop((gone.call.order.number, key_of(gone.id)), None)
            if self._latest.get(gone.call.order.number) is gone:
                del self._latest[gone.call.order.number]
            self._people.pop(gone.id, None)
            self._progress.pop(gone.id, None)
            self._updates.forget(gone.id)
            for lane in self._lanes.values():
                lane.told.discard(gone.id)

    def _unanswered(self, call: OpenCall) -> None:
        self._timers.pop(call.id, None)
        if call.confirmed or call.acknowledged or call.unanswered:
            return
        call.unanswered = True
        _log.error("call_unanswered", call=call.id)
        after = asyncio.get_running_loop().time() - call.ordered
        self._write(call.incident, [CallUnanswered(call=call.id, after=round(after, 3))])

    # ---- what a link has sent

    def _note_sent(self, lane: Lane, frame: Frame) -> None:
        link = lane.link.name
        match lane.notes.get(frame.id):
            case UpdateOrdered() as update:
                fact = CallSent(call=update.call, link=link, frame=frame.id, covers=(), update=update.update)
                self._write(update.incident, [fact])
            case int():
                self._proving.sent(lane, frame)
            case None:
                for incident, covers in self._by_incident(frame).items():
                    lane.told.update(call for call, _ in covers)
                    self._write(
                        incident,
                        [
                            CallSent(call=call, link=link, frame=frame.id, covers=ranges)
                            for call, ranges in covers
                        ],
                    )

    # ---- what a link heard

    def _report(self, lane: Lane, heard: Heard) -> asyncio.Future[bool] | None:
        now = asyncio.get_running_loop().time()
        link = lane.link.name
        match heard:
            case Receipt(frame=frame_id, level=level):
                self._confirmed(lane, frame_id, level)
            case Refusal(frame=frame_id, reason=reason):
                self._refused(lane, frame_id, reason)
            case PersonAnswered():
                return self._person(link, heard)
            case ReadBack():
                return self._person_read_back(link, heard)
            case ResponseSaid():
                self._responders(link, heard)
            case Opened():
                lane.ledger.reopened(now=now)
                if not lane.link.traits.settling and lane.noted is False:  # on which nothing ever answers
                    lane.answering, lane.noted = None, True
                    self._write("", [LinkRestored(link=link)])
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

    def _confirmed(self, lane: Lane, frame_id: str, level: ReceiptLevel) -> None:
        link = lane.link.name
        note = lane.notes.get(frame_id)
        frame = lane.ledger.receipt(frame_id, level, now=self._now())
        if isinstance(note, int):
            self._proving.receipt(lane, frame_id, level)
        elif note is not None and frame is not None:
            receipt = CallReceipt(
                call=note.call, link=link, frame=frame_id, covers=(), level=level, update=note.update
            )
            self._write(note.incident, [receipt])
        else:
            for incident, covers in self._by_incident(frame).items():
                receipts = [
                    CallReceipt(call=call, link=link, frame=frame_id, covers=ranges, level=level)
                    for call, ranges in covers
                ]
                self._write(incident, receipts)

    def _refused(self, lane: Lane, frame_id: str, reason: str) -> None:
        link = lane.link.name
        note = lane.notes.get(frame_id)
        frame = lane.ledger.rejected(frame_id, now=self._now())
        if isinstance(note, int):
            self._proving.refused(lane, frame_id, reason)
        elif note is not None and frame is not None:
            rejected = CallRejected(
                call=note.call, link=link, frame=frame_id, reason=reason, update=note.update
            )
            self._write(note.incident, [rejected])
        else:
            for incident, covers in self._by_incident(frame).items():
                self._write(
                    incident,
                    [CallRejected(call=call, link=link, frame=frame_id, reason=reason) for call, _ in covers],
                )
                for call_id, _ in covers:
                    if (call := self._calls.get(call_id)) is not None:
                        self._refused_by(call, lane)

    def _meant(self, number: int, key: str) -> OpenCall | None:
        return self._numbers.get((number, key)) if key else self._latest.get(number)

    def _responders(self, link: LinkName, said: ResponseSaid) -> None:
        call = self._meant(said.number, said.key)
        if call is None or list(ResponseStatus).index(said.status) <= self._come(call.id):
            return
        self._progress[call.id] = said.status
        self._write(
            call.incident,
            [ResponseSeen(call=call.id, incident=call.incident, link=link, status=said.status)],
        )

    def _come(self, call: CallId) -> int:
        status = self._progress.get(call)
        return -1 if status is None else list(ResponseStatus).index(status)

    def _person_read_back(self, link: LinkName, heard: ReadBack) -> asyncio.Future[bool]:
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        call = self._meant(heard.number, heard.key)
        update = self._updates.latest(call.id) if call is not None else None
        if call is None or update is None or heard.update not in (0, update.update):
            answer.set_result(call is not None and self._updates.was_read_back(call.id, heard.update))
            return answer
        self._read_back(call.id, update.update)
        written = self._write(
            call.incident,
            [
                UpdateReadBack(
                    call=call.id, incident=call.incident, update=update.update, link=link, by=heard.by
                )
            ],
        )
        written.add_done_callback(partial(self._noted, (call.id, heard.by), answer))
        return answer

    def _read_back(self, call_id: CallId, update: int) -> None:
        order = self._updates.read_back(call_id, update)
        if order is None or order.kind is not UpdateKind.CANCEL:
            return
        for lane in self._lanes.values():
            lane.ledger.drop(call_id)
            lane.bell.set()
        if (timer := self._timers.pop(call_id, None)) is not None:
            timer.cancel()

    def _person(self, link: LinkName, heard: PersonAnswered) -> asyncio.Future[bool]:
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        call = self._meant(heard.number, heard.key)
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

    def _broken(self, lane: Lane, error: Exception) -> None:
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
        now = self._now()
        for entry in owed:
            match entry.fact:
                case CallSent(call=call, link=link, update=0):
                    self._told_before.add((call, link))
                case CallReceipt(call=call, link=link, level=level, update=0):
                    if link in self._lanes and level in self._lanes[link].link.traits.settling:
                        self._settled_before.add(call)
                case TelecommunicatorAcknowledged(call=call):
                    self._settled_before.add(call)
                case _:
                    pass
        frames: dict[tuple[LinkName, str], list[tuple[CallId, Ranges]]] = {}
        for entry in owed:
            match entry.fact:
                case CallWithheld(call=call, link=link):
                    self._withheld.setdefault(IncidentId(entry.subject), set()).add((call, link))
                case CallSent(call=call, link=link, frame=frame, covers=covers, update=0):
                    if link in self._lanes:
                        self._lanes[link].told.add(call)
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
                case CallSent(link=link, frame=frame) if link in self._lanes:
                    self._lanes[link].ledger.recall_note(frame, None)
                case CallReceipt(link=link, frame=frame, level=level, update=update) if update:
                    if link in self._lanes:
                        self._lanes[link].ledger.recall_note(frame, level)
                case ResponseSeen(call=call, status=status):
                    self._progress[call] = status
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
