"""Drives every PSAP link at once, from the orders in the journal to the facts of what became of them."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

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
    TelecommunicatorAcknowledged,
    UpdateOrdered,
    UpdateReadBack,
)
from belltower.incident.verbs import PROOF
from belltower.journal import Draft, Durability, Entry, Journal
from belltower.store import Transaction
from belltower.tasks import Crew
from gateway.psap.answers import Answers
from gateway.psap.case import CallCase, Road, Told, UpdateCase
from gateway.psap.foretold import Foretold
from gateway.psap.hearing import Hearing
from gateway.psap.lane import Lane
from gateway.psap.link import Call, LiveCall, PSAPLink, Spot, Update, admitted, remarks_on, update_of
from gateway.psap.proof import Proving
from gateway.psap.recalling import OfFrame, recall
from gateway.psap.register import Register

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

_MATTERS_ELSEWHERE = (CallRejected, TelecommunicatorAcknowledged, UpdateReadBack)
"""What becomes of a call on one link or by one person, and changes what is to be done on others."""


class CallWorker:
    """Carries out `CallOrdered` on every link at once. `run` it in the alarm lane's crew.

    What is to be done about a call is its `CallCase`'s to say; here it is done. It has no tables: after a restart
    `owed`, the facts of the incidents that are to be attended to, is all its memory. Whether a link answers is not
    remembered: its first word after the start is written down as news, unless `owed` holds the link's last `LinkLost`
    or `LinkRestored`. `after` is the journal's position up to which `owed` was read.
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
    ) -> None:
        self._journal = journal
        self._ids = ids
        self._clock = clock
        self._spot = spot
        self._owed = owed
        self._tested = tested
        self._after = after
        called_after, centres = called_after or {}, centres or {}
        self._roads = {
            link.name: Road(
                link=link.name,
                centre=centres.get(link.name, ""),
                after=called_after.get(link.name, 0.0),
                settling=link.traits.settling,
                exercise=link.traits.exercise,
            )
            for link in links
        }
        self.register = Register(forget=self._forget)
        """The calls there are."""
        self._lanes = {link.name: Lane(link=link, cases=self.register.cases) for link in links}
        self._proving = Proving(lanes=self._lanes, clock=clock, write=partial(self._write, PROOF))
        self._hearing = Hearing(
            lanes=self._lanes.values(),
            answers=Answers(register=self.register, say=self._say, in_trouble=lambda: journal.trouble),
            proving=self._proving,
            say=self._say,
            write=partial(self._write, ""),
        )
        self._foretold = Foretold(links=[link for link in links if not self._roads[link.name].after])
        # Which links an exercise was withheld from, so that it is written once.
        self._withheld: defaultdict[IncidentId, set[tuple[CallId, LinkName]]] = defaultdict(set)
        self._timers: dict[CallId, asyncio.TimerHandle] = {}

    async def run(self) -> None:
        """Recall what is owed, then serve every link and follow the journal, for ever."""
        try:
            async with Crew(backoff=(0.1, 1.0)) as crew:
                self._proving.recall(self._tested)
                self._recall(self._owed)
                for lane in self._lanes.values():
                    crew.mendable(
                        f"psap link {lane.link.name}",
                        partial(lane.link.run, partial(self._hearing.report, lane)),
                        on_failure=partial(self._hearing.broken, lane),
                    )
                    crew.mendable(
                        f"psap calls {lane.link.name}",
                        partial(lane.drive, self._hearing.sent),
                        on_failure=partial(self._hearing.broken, lane),
                    )
                crew.essential("psap follow", self._follow)
        finally:
            for timer in self._timers.values():
                timer.cancel()
            self._timers.clear()
            self._proving.close()

    def take(self, entry: Entry[Fact]) -> None:
        """Act on one entry at once. `run` does it for all that follow; doing it twice does it once."""
        match entry.fact:
            case AlarmJoined() as joined:
                self._join(joined)
            case LinkTestOrdered() as test:
                self._proving.order(test, entry.at)
            case _:
                for call in self._fold(entry):
                    self._pursue(call, self._now())

    def prepare(self, order: CallOrdered, at: Instant) -> None:
        """Make the frames of an order that is being written down: once it is, they only have to be sent."""
        if order.call in self.register.cases:
            return
        call = self._admit(order, at)
        if isinstance(call, LiveCall):
            self._foretold.add(call)

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

    # ---- what the journal tells

    def _fold(self, entry: Entry[Fact]) -> list[CallId]:
        """Fold an entry into the calls that it tells of. Those that it moves."""
        cases = self.register.cases
        moved: list[CallCase] = []
        match entry.fact:
            case CallOrdered() as order if order.call not in cases:
                return self._order(order, entry.at)
            case AlarmJoined() as joined:
                self.register.join(joined)
            case IncidentClosed(incident=incident):
                self._withheld.pop(incident, None)
                at = self._moment(entry.at)
                moved = [case.closing(at) for case in self.register if case.incident == incident]
            case UpdateOrdered(call=call) as update if call in cases:
                moved = [cases[call].ordered_update(update, at=entry.at, since=self._now())]
            case fact if isinstance(fact, Told) and fact.call in cases:
                moved = [cases[fact.call].apply(fact)]
            case _:
                pass
        for case in moved:
            self.register.put(case)
        return [case.id for case in moved]

    def _order(self, order: CallOrdered, at: Instant) -> list[CallId]:
        call = self._foretold.call(order.call) or self._admit(order, at)
        if isinstance(call, str):
            self._withhold(order, call, self._roads)
            return []
        case = CallCase(call=call, roads=self._roads, ordered=self._moment(at))
        self.register.add(case)
        self._withhold(order, "this link has no agreed form for an exercise", case.unfit)
        return [case.id]

    def _join(self, joined: AlarmJoined) -> None:
        call = self.register.join(joined)
        if call is None:
            return
        for lane in self._lanes.values():
            lane.ledger.joined(call, now=self._now())
            lane.bell.set()

    def _admit(self, order: CallOrdered, at: Instant) -> Call | str:
        spot = self._spot(order.place, order.building)
        return admitted(order, place=spot.spoken, spot=spot, at=at)

    def _withhold(self, order: CallOrdered, reason: str, links: Iterable[LinkName]) -> None:
        withheld = self._withheld[order.incident]
        new = [link for link in links if (order.call, link) not in withheld]
        withheld.update((order.call, link) for link in new)
        self._write(order.incident, [CallWithheld(call=order.call, link=link, reason=reason) for link in new])

    def _recall(self, owed: Sequence[Entry[Fact]]) -> None:
        """Go on where the facts end: fold them all, then do what is to be done."""
        frames: defaultdict[LinkName, list[OfFrame]] = defaultdict(list)
        for entry in owed:
            match entry.fact:
                case CallWithheld(call=call, link=link):
                    self._withheld[IncidentId(entry.subject)].add((call, link))
                case CallSent() | CallReceipt() | CallRejected() as fact:
                    frames[fact.link].append(fact)
                case LinkLost(link=link) | LinkRestored(link=link) if link in self._lanes:
                    self._lanes[link].noted = isinstance(entry.fact, LinkRestored)
                case _:
                    pass
        for entry in owed:
            self._fold(entry)
        now = self._now()
        for call in list(self.register.cases):
            self._pursue(call, now)
        for name, lane in self._lanes.items():
            recall(lane.ledger, frames[name], now=now)

    # ---- what is to be done

    def _pursue(self, call: CallId, now: float) -> None:
        """Do what is to be done about a call at this moment, and look again when its case says."""
        before = self.register.cases.get(call)
        if before is None:
            return
        links = before.carrying(now)
        case = before.calling(links)
        self.register.put(case)
        frames = self._foretold.frames(call)
        for name, lane in self._lanes.items():
            if name not in links:
                lane.drop(call)
            elif not lane.ledger.carries(call):
                if self._roads[name].after and name not in before.called:
                    _log.warning("next_centre_called", call=call, link=name)
                self._made(lane, lane.give(case, frames.get(name), now=now))
            if case.acknowledged:
                lane.ledger.acknowledged(call)
                lane.bell.set()
            if name in case.called:
                for update in case.updates:
                    self._made(
                        lane,
                        lane.tell(self._update(case, update), owed=case.owes(update, name, now), now=now),
                    )
        if case.over(now):
            self.register.finish(case)
        if case.loud(now):
            _log.error("call_unanswered", call=call)
            self._say(CallUnanswered(call=call, after=round(now - case.ordered, 3)))
        self._look_again(call, case.wake_at(now))

    def _look_again(self, call: CallId, due: float | None) -> None:
        if (timer := self._timers.pop(call, None)) is not None:
            timer.cancel()
        if due is not None:
            self._timers[call] = asyncio.get_running_loop().call_at(due, self._wake, call, due)

    def _wake(self, call: CallId, due: float) -> None:
        self._pursue(call, max(self._now(), due))

    def _update(self, case: CallCase, update: UpdateCase) -> Update:
        said = case.place_said(update)
        spot = self._spot(said.place, said.building) if said is not None else None
        return update_of(case.call, update.order, spot=spot, at=update.at)

    def _made(self, lane: Lane, frame_made: bool) -> None:
        if not frame_made:
            self._hearing.noted(lane.mistook("the link could not make the frame of a call; the log says why"))

    def _forget(self, call: CallId) -> None:
        self._look_again(call, None)
        for lane in self._lanes.values():
            lane.forget(call)

    # ---- facts

    def _say(self, *told: Told) -> asyncio.Future[Durability]:
        """Fold in what has become of a call, or of all calls of one frame, act on it and write it down."""
        cases = self.register.cases
        known = [fact for fact in told if fact.call in cases]
        for fact in known:
            self.register.put(cases[fact.call].apply(fact))
        written = self._write(cases[known[0].call].incident if known else "", known)
        for fact in known:
            if isinstance(fact, _MATTERS_ELSEWHERE):
                self._pursue(fact.call, self._now())
        return written

    def _write(self, subject: str, facts: Sequence[Fact]) -> asyncio.Future[Durability]:
        if not facts:
            nothing: asyncio.Future[Durability] = asyncio.get_running_loop().create_future()
            nothing.set_result(Durability.JOURNALED)
            return nothing
        at = self._clock.now()
        drafts = [Draft(id=self._ids.fact(), at=at, subject=subject, fact=fact) for fact in facts]
        return self._journal.commit(Transaction(), drafts)

    # ---- time

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    def _moment(self, at: Instant) -> float:
        """When that was on the loop's clock, which nobody steps."""
        return self._now() - max((self._clock.now() - at) / SECOND, 0.0)
