"""Drives every PSAP link at once, from the orders in the journal to the facts of what became of them."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeGuard, assert_never

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
    TelecommunicatorAcknowledged,
    UpdateKind,
    UpdateOrdered,
    UpdateReadBack,
)
from belltower.incident.verbs import PROOF
from belltower.journal import Draft, Durability, Entry, Journal
from belltower.store import Transaction
from belltower.tasks import Crew, unless_mistaken
from gateway.psap.answers import Answers
from gateway.psap.coalesce import OpenCall
from gateway.psap.lane import Lane
from gateway.psap.link import (
    Answered,
    Call,
    Ending,
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
from gateway.psap.ranges import Ranges
from gateway.psap.register import Register
from gateway.psap.routes import Routes
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
_PREPARED = 256


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
        centres: Mapping[LinkName, str] | None = None,
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
        self._updates = Updates(
            lanes=self._lanes, centres=centres or {}, spot=self._corrected_spot, mistaken=self._mistaken
        )
        self._proving = Proving(lanes=self._lanes, clock=clock, write=partial(self._write, PROOF))
        self._tested = tested
        self._routes = Routes(
            mistaken=self._mistaken, given=self._updates.bring, called_off=self._updates.cancelling
        )
        self.register = Register(forget=self._forget)
        """The calls there are."""
        self._answers = Answers(
            register=self.register,
            updates=self._updates,
            write=self._write,
            in_trouble=lambda: journal.trouble,
            answered=self._answered,
            read_back=self._read_back,
        )
        # Calls whose order is being written down, with their frames.
        self._prepared: OrderedDict[CallId, tuple[Call, dict[LinkName, Frame]]] = OrderedDict()
        # Which links an exercise was withheld from, so that it is written once.
        self._withheld: dict[IncidentId, set[tuple[CallId, LinkName]]] = {}
        self._timers: dict[CallId, asyncio.TimerHandle] = {}
        # When calls of closed incidents are given up.
        self._endings: dict[CallId, asyncio.TimerHandle] = {}

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
                    crew.mendable(
                        f"psap calls {lane.link.name}",
                        partial(lane.drive, self._note_sent),
                        on_failure=partial(self._broken, lane),
                    )
                crew.essential("psap follow", self._follow)
        finally:
            for timer in (*self._timers.values(), *self._endings.values()):
                timer.cancel()
            self._timers.clear()
            self._routes.close()
            self._updates.close()
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
                self._answers.acknowledge(call, by)
            case UpdateOrdered() as update:
                if (known := self.register.known(update.call)) is not None:
                    self._updates.order(update, known, entry.at)
            case UpdateReadBack(call=call, update=number, link=link):
                self._read_back(call, number, link)
            case LinkTestOrdered() as test:
                self._proving.order(test, entry.at)
            case _:
                pass

    def prepare(self, order: CallOrdered, at: Instant) -> None:
        """Make the frames of an order that is being written down: once it is, they only have to be sent."""
        if order.call in self.register:
            return
        call = self._admit(order, at)
        if isinstance(call, ExerciseCall | str):
            return
        frames: dict[LinkName, Frame] = {}
        for lane in self._lanes.values():
            if not lane.after:
                frame = unless_mistaken(lane.link.first, call)
                if frame is not None:
                    frames[lane.link.name] = frame
        self._prepared[order.call] = call, frames
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
        if order.call in self.register:
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
        self.register.add(opened)
        carrying = list(self._lanes.values())
        if isinstance(call, ExerciseCall):
            carrying = [lane for lane in carrying if lane.link.traits.exercise]
            unfit = [lane for lane in self._lanes.values() if not lane.link.traits.exercise]
            self._withhold(order, "this link has no agreed form for an exercise", unfit)
        self._routes.begin(opened, carrying, frames)
        if carrying or not isinstance(call, ExerciseCall):
            due = max(opened.ordered + self._unanswered_after, now)
            self._timers[order.call] = loop.call_at(due, self._unanswered, opened)

    def _admit(self, order: CallOrdered, at: Instant) -> Call | str:
        spot = self._spot(order.place, order.building)
        return admitted(order, place=spot.spoken, spot=spot, at=at)

    def _corrected_spot(self, order: UpdateOrdered) -> Spot | None:
        return self._spot(order.place, order.building) if order.kind is UpdateKind.PLACE else None

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
        call = self.register.join(joined.incident, joined.building, joined.number)
        if call is None:
            return
        for lane in self._lanes.values():
            lane.ledger.joined(call, now=self._now())
            lane.bell.set()

    def _close(self, incident: IncidentId, at: Instant) -> None:
        loop = asyncio.get_running_loop()
        elapsed = max((self._clock.now() - at) / SECOND, 0.0)
        left = max(self._kept_after_close - elapsed, 0.0)
        self._withheld.pop(incident, None)
        for call in self.register:
            if call.incident == incident and call.ends is None:
                call.ends = loop.time() + left
                self._endings[call.id] = loop.call_at(call.ends, self._finish, call)

    def _finish(self, call: OpenCall) -> None:
        self._endings.pop(call.id, None)
        self._routes.end(call.id)
        for lane in self._lanes.values():
            lane.ledger.drop(call.id)
            lane.bell.set()
            if isinstance(lane.link, Ending):
                lane.link.ended(call.call)
        self.register.finish(call)

    def _forget(self, call: OpenCall) -> None:
        self._answers.forget(call)
        self._updates.forget(call.id)
        for lane in self._lanes.values():
            lane.ledger.forget(call.id)

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
                self._updates.left(update.call, update.update, link)
                fact = CallSent(call=update.call, link=link, frame=frame.id, covers=(), update=update.update)
                self._write(update.incident, [fact])
            case int():
                self._proving.sent(lane, frame)
            case None:
                for incident, covers in self._by_incident(frame).items():
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
                return self._answers.person(link, heard)
            case ReadBack():
                return self._answers.read_back(link, heard)
            case ResponseSaid():
                self._answers.responders(link, heard)
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

    def _right(self, lane: Lane) -> None:
        """A link that made a mistake has carried something since."""
        if lane.mistaken:
            lane.mistaken = False
            if lane.answering is False:
                self._report(lane, Answered())

    def _confirmed(self, lane: Lane, frame_id: str, level: ReceiptLevel) -> None:
        link = lane.link.name
        self._right(lane)
        lane.answered(frame_id, self._note_sent)
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
        self._right(lane)
        lane.answered(frame_id, self._note_sent)
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
                    if (call := self.register.open(call_id)) is not None:
                        self._routes.refused(call, lane)

    def _answered(self, call: CallId) -> None:
        """A person has it: its own frame is owed no more."""
        for lane in self._lanes.values():
            lane.ledger.acknowledged(call)
            lane.bell.set()

    def _read_back(self, call_id: CallId, update: int, link: LinkName) -> None:
        """A centre has read an update back; one that called the responders off wants no more of the call."""
        heard = self._updates.read_back(call_id, update, link)
        if not self._updates.cancelling(call_id):
            return
        self._routes.end(call_id)
        if heard and (timer := self._timers.pop(call_id, None)) is not None:
            timer.cancel()
        call = self.register.known(call_id)
        for lane in heard:
            lane.ledger.drop(call_id)
            lane.bell.set()
            if call is not None and isinstance(lane.link, Ending):
                lane.link.ended(call.call)

    def _mistaken(self, lane: Lane) -> None:
        lane.mistaken = True
        self._report(lane, Lost(reason="the link could not make the frame of a call; the log says why"))

    def _broken(self, lane: Lane, error: Exception) -> None:
        lane.mistaken = True
        self._report(lane, Lost(reason=f"the link failed: {type(error).__name__}"))

    # ---- facts

    def _by_incident(self, frame: Frame | None) -> dict[IncidentId, list[tuple[CallId, Ranges]]]:
        found: dict[IncidentId, list[tuple[CallId, Ranges]]] = {}
        for call_id, ranges in frame.covers if frame is not None else ():
            call = self.register.known(call_id)
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
        self._routes.recall(
            settled=[entry.fact.call for entry in owed if self._settles(entry.fact)],
            told=[
                (fact.call, fact.link)
                for fact in (entry.fact for entry in owed)
                if isinstance(fact, CallSent) and not fact.update
            ],
        )
        frames: dict[tuple[LinkName, str], list[tuple[CallId, Ranges]]] = {}
        for entry in owed:
            match entry.fact:
                case CallWithheld(call=call, link=link):
                    self._withheld.setdefault(IncidentId(entry.subject), set()).add((call, link))
                case CallSent(call=call, link=link, frame=frame, covers=covers, update=0):
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
                case CallSent(call=call, link=link, frame=frame, update=update) if link in self._lanes:
                    self._lanes[link].ledger.recall_note(frame, None)
                    self._updates.left(call, update, link)
                case CallReceipt(link=link, frame=frame, level=level, update=update) if update:
                    if link in self._lanes:
                        self._lanes[link].ledger.recall_note(frame, level)
                case ResponseSeen(call=call, status=status):
                    self._answers.progressed(call, status)
                case CallReceipt(call=call, link=link, frame=frame, covers=covers, level=level):
                    if link in self._lanes:
                        self._lanes[link].ledger.recall_receipt(frame, call, covers, level, now=now)
                case CallRejected(link=link, frame=frame) if link in self._lanes:
                    self._lanes[link].ledger.recall_rejected(frame)
                case CallUnanswered(call=call):
                    if (known := self.register.open(call)) is not None:
                        known.unanswered = True
                case LinkLost(link=link) if link in self._lanes:
                    self._lanes[link].noted = False
                case LinkRestored(link=link) if link in self._lanes:
                    self._lanes[link].noted = True
                case _:
                    pass

    def _settles(self, fact: Fact) -> TypeGuard[CallReceipt | TelecommunicatorAcknowledged]:
        """Whether a PSAP had the call by this."""
        if isinstance(fact, CallReceipt):
            lane = self._lanes.get(fact.link)
            first = any(low <= 1 <= high for low, high in fact.covers)
            return first and lane is not None and fact.level in lane.link.traits.settling
        return isinstance(fact, TelecommunicatorAcknowledged)
