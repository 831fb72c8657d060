"""What can be done to incidents.

Each verb decides in one step, writes everything down in one commit, and never waits for anything else.

The standing state (open incidents, counters, the running drill) is held in memory and moves at the moment of the
decision, before the commit: two presses in one millisecond must not both open an incident. Should the commit fail,
the journal spools or relays the very same facts (law 2), so the decision stands either way.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Struct

from belltower.clock import SECOND, Clock, Instant
from belltower.errors import NotFound, StoreError, WrongState
from belltower.ids import AlarmId, CallId, Ids, IncidentId, LinkName, PersonId, PlaceId, UnitId, VerbId
from belltower.incident import facts, plan, store
from belltower.incident.drilling import ABORTED_REAL, ENDED, OVER, Drilling, RunningDrill
from belltower.incident.entry import Draft, Entry
from belltower.incident.facts import Action, AlarmKind, Fact, Mode, UpdateKind
from belltower.incident.fold import Incident, fold
from belltower.incident.plan import ResponsePlan
from belltower.journal import Durability, Journal
from belltower.store import Database, Transaction

JOIN_WITHIN = 3600 * SECOND
"""A new alarm joins an open incident of its mode and kind whose last alarm is at most this old."""

EXERCISE_OVER = "exercise-over"
"""The reason for closing that only an exercise has."""

PROOF = "proof"
"""The subject of all facts about tests of links."""

RECENT = 600 * SECOND
"""An incident closed this long ago may still have calls or units to attend to after a restart."""

_CLOSED_KEPT = 64
_TEXTS_AT_HAND = 1_000
_VERBS_KEPT = 7 * 24 * 3600 * SECOND


class Raised(Struct, frozen=True):
    """What became of an alarm. `durability` resolves once it is known how safely it was written down."""

    alarm: AlarmId
    incident: IncidentId
    mode: Mode
    durability: asyncio.Future[Durability]


class Verbs:
    """The one writer of incidents on this campus.

    `open()` must have returned before any other call. Verbs asked by people carry a `VerbId`: asking twice does once
    and answers the same.
    """

    def __init__(
        self,
        *,
        journal: Journal[Fact],
        database: Database,
        clock: Clock,
        ids: Ids,
        response: ResponsePlan,
        campus: str,
        drill_keys: Mapping[str, Ed25519PublicKey],
        foretell: Callable[[facts.CallOrdered, Instant], None] | None = None,
    ) -> None:
        self._journal = journal
        self._database = database
        self._clock = clock
        self._ids = ids
        self.response = response
        self._drilling = Drilling(keys=drill_keys, campus=campus, clock=clock)
        self._foretell = foretell
        self._incidents: dict[IncidentId, Incident] = {}
        # Closed lately: what was said of their calls may still be read back.
        self._closed: OrderedDict[IncidentId, Incident] = OrderedDict()
        self._counters: dict[str, int] = {}
        self._results: dict[VerbId, str] = {}
        self._underway: dict[VerbId, asyncio.Future[Durability]] = {}
        self._attended = 0
        # Those of late, for when the disk cannot be read.
        self._texts: OrderedDict[str, store.KeptText] = OrderedDict()

    async def open(self) -> list[Entry]:
        """Load what stood when the last process ended.

        Returns the facts of all incidents that are open or were closed within `RECENT`, in order.
        """
        await self._database.migrate(store.STEPS)
        self._counters = await store.counters(self._database)
        self._attended = self._journal.head
        owed: list[Entry] = []
        since = Instant(self._clock.now() - RECENT)
        for incident in await store.current_incidents(self._database, since):
            entries = await self._journal.of(incident)
            folded = fold(incident, entries)
            self._hold(folded)
            owed += entries
        await self._drilling.open(self._database)
        for entry in self._journal.waiting:
            self._recall(entry)
        owed = sorted(owed, key=lambda entry: entry.position) + self._journal.waiting
        texts = await store.texts(self._database, Instant(self._clock.now() - store.TEXTS_KEPT))
        self._texts.update((text.text, text) for text in texts[-_TEXTS_AT_HAND:])
        return owed

    @property
    def incidents(self) -> Mapping[IncidentId, Incident]:
        """Every open incident, as decided so far."""
        return self._incidents

    @property
    def drill(self) -> RunningDrill | None:
        """The drill whose window is open now, if any."""
        return self._drilling.running

    def drill_at(self, place: PlaceId | None, building: str) -> RunningDrill | None:
        """The drill in which a press here may be an exercise, if any."""
        return self._drilling.running_at(place, building)

    def observe(self, entry: Entry) -> None:
        """Take in a fact, our own or another room's; facts already taken in change nothing."""
        if not entry.subject:
            return
        incident = IncidentId(entry.subject)
        known = self._incidents.get(incident) or self._closed.get(incident)
        if known is None:
            if not isinstance(entry.fact, facts.AlarmRaised):
                return
            known = Incident(id=incident)
        self._hold(known.apply(entry))

    def _hold(self, incident: Incident) -> None:
        if incident.open:
            self._incidents[incident.id] = incident
            return
        self._incidents.pop(incident.id, None)
        self._closed[incident.id] = incident
        if len(self._closed) > _CLOSED_KEPT:
            self._closed.popitem(last=False)

    async def attend(self) -> None:
        """Follow the journal for ever: take facts in, and order what follows from other rooms' facts."""
        for incident in list(self._incidents.values()):
            self._follow_up(incident)  # a process may have died between the answer and the orders
        async for entry in self._journal.follow(after=self._attended):
            self.observe(entry)
            if isinstance(entry.fact, facts.TelecommunicatorAcknowledged):
                standing = self._incidents.get(entry.fact.incident)
                if standing is not None:
                    self._follow_up(standing)

    def _follow_up(self, incident: Incident) -> None:
        """Order what an acknowledged incident is still owed."""
        if incident.acknowledged:
            orders = plan.on_acknowledged(incident, plan=self.response, ids=self._ids)
            if orders:
                self._commit(Transaction(), incident.id, orders)

    def _recall(self, entry: Entry) -> None:
        """Take in a fact that only the spool holds, and the numbers it used up."""
        match entry.fact:
            case facts.IncidentOpened(number=number):
                self._counters["incident"] = max(number, self._counters.get("incident", 0))
            case facts.CallOrdered(number=number):
                self._counters["call"] = max(number, self._counters.get("call", 0))
            case _:
                pass
        self._drilling.recall(entry.fact)
        self.observe(entry)

    def raise_alarm(
        self,
        *,
        kind: AlarmKind,
        place: PlaceId | None,
        building: str,
        path: str,
        exercise: bool = False,
        unit: UnitId | None = None,
        epoch: int = 0,
        counter: int = 0,
        person: PersonId | None = None,
        verb: VerbId | None = None,
        tx: Transaction | None = None,
        device: str = "",
        profile: str = "",
        unproven: str = "",
        also: Callable[[IncidentId], Fact] | None = None,
    ) -> Raised:
        """Somebody calls for help: open an incident or join one, and order what the plan says, all in one commit.

        Rows gathered in `tx` and the fact that `also` makes land with it. `exercise` is a wish: without the open window
        of a drill that covers the place the alarm is ACTUAL, and a live alarm ends a running drill. `unproven` says why
        the alarm places no call by itself.
        """
        tx = tx or Transaction()
        now = self._clock.now()
        running = self._drilling.running_at(place, building) if exercise else None
        mode = Mode.ACTUAL if running is None else Mode.EXERCISE
        drafts: list[Fact] = []
        aborted = running is None and self.drill is not None
        if aborted:
            drafts.append(self._drilling.end(tx, ABORTED_REAL))
        alarm = self._ids.alarm()
        drilled = running.authorisation if running is not None else ""
        incident = self._joinable(mode, kind, drilled)
        first = incident is None
        if incident is None:
            incident = Incident(id=self._ids.incident(), mode=mode, kind=kind, drill=drilled)
        known = incident.buildings.get(building)
        raised = facts.AlarmRaised(
            alarm=alarm,
            incident=incident.id,
            kind=kind,
            mode=mode,
            place=place,
            building=building,
            number=known.alarms + 1 if known else 1,
            unit=unit,
            epoch=epoch,
            counter=counter,
            person=person,
            path=path,
            device=device,
            profile=profile,
            unproven=unproven,
        )
        drafts.append(raised)
        if first:
            number = self._next(tx, "incident")
            incident = Incident(id=incident.id, number=number, mode=mode, kind=kind, drill=drilled)
            drafts.append(
                facts.IncidentOpened(
                    incident=incident.id, alarm=alarm, mode=mode, number=number, drill=drilled
                )
            )
            store.opened(tx, incident.id, number, now)
        else:
            drafts.append(
                facts.AlarmJoined(incident=incident.id, alarm=alarm, building=building, number=raised.number)
            )
        orders = plan.on_alarm(
            raised,
            incident,
            first_of_incident=first,
            plan=self.response if running is None else self.response.rehearsing(running.action),
            ids=self._ids,
            call_number=self._counters.get("call", 0) + 1,
            exercise_accepted=running is not None and running.psap_accepted,
        )
        for order in orders:
            if isinstance(order, facts.CallOrdered):
                self._next(tx, "call")
                if self._foretell is not None:
                    self._foretell(order, now)
        if verb is not None:
            store.done(tx, verb, now, incident.id)
        if also is not None:
            drafts.append(also(incident.id))
        durability = self._commit(tx, incident.id, [*drafts, *orders], at=now)
        if aborted:
            self._silence_exercises()
        return Raised(alarm, incident.id, mode, durability)

    async def order_action(
        self, *, verb: VerbId, incident: IncidentId, action: Action, places: frozenset[PlaceId], by: PersonId
    ) -> str:
        """Order an action; returns "ordered".

        Raises NotFound when the incident is not open, WrongState when it is an exercise whose drill is over or is about
        another action.
        """
        if (before := await self._before(verb)) is not None:
            return before
        standing = self._standing(incident)
        if standing.mode is Mode.EXERCISE:
            self._drilling.permit(standing, action)
        orders = plan.on_action(standing, action, places, plan=self.response, ids=self._ids)
        ordered = facts.ActionOrdered(action=action, places=places, by=by)
        return await self._do(verb, incident, [ordered, *orders], "ordered")

    async def order_output(self, *, verb: VerbId, incident: IncidentId, output: str) -> str:
        """Let an output say what stands: the ordered action, or what the alarm asks for; returns "ordered".

        Raises NotFound when the incident is not open, WrongState when it is an exercise whose drill is over.
        """
        if (before := await self._before(verb)) is not None:
            return before
        standing = self._standing(incident)
        if standing.mode is Mode.EXERCISE and (
            self.drill is None or self.drill.authorisation != standing.drill
        ):
            raise WrongState("the drill of this exercise is over")
        return await self._do(verb, incident, plan.on_told(standing, output), "ordered")

    async def close_incident(
        self, *, verb: VerbId, incident: IncidentId, by: PersonId, reason: str = ""
    ) -> str:
        """Close the incident; returns "closed".

        Raises NotFound when it is not open, WrongState when `reason` says that a real one was an exercise.
        """
        if (before := await self._before(verb)) is not None:
            return before
        standing = self._standing(incident)
        if reason == EXERCISE_OVER and standing.mode is not Mode.EXERCISE:
            raise WrongState("this incident is not an exercise; choose another reason to close it")
        orders = plan.on_closed(standing, by, reason, plan=self.response, ids=self._ids)
        tx = Transaction()
        store.closed(tx, incident, self._clock.now())
        closed = facts.IncidentClosed(incident=incident, by=by, reason=reason)
        return await self._do(verb, incident, [closed, *orders], "closed", tx)

    async def cancel_calls(self, *, verb: VerbId, incident: IncidentId, by: PersonId) -> str:
        """Tell every PSAP that was given a call of this incident that help is not needed; returns "ordered".

        It counts only once a telecommunicator has read it back. A press after it is a new incident. Raises NotFound
        when the incident is not open, WrongState when there is no call that is not being cancelled already.
        """
        if (before := await self._before(verb)) is not None:
            return before
        updates = plan.cancellations(self._standing(incident), by=by)
        if not updates:
            raise WrongState("there is no call to cancel, or it is being cancelled already")
        return await self._do(verb, incident, updates, "ordered")

    async def correct_call(
        self, *, verb: VerbId, call: CallId, place: PlaceId, building: str, by: PersonId
    ) -> str:
        """Tell every PSAP that was given the call that help is needed at another place; returns "ordered".

        Raises NotFound when no open incident has this call, WrongState when it is being cancelled.
        """
        if (before := await self._before(verb)) is not None:
            return before
        incident = next((each for each in self._incidents.values() if call in each.calls), None)
        if incident is None or not incident.calls[call].number:
            raise NotFound("no open incident has such a call")
        if incident.calls[call].cancelling:
            raise WrongState("this call is being cancelled")
        update = facts.UpdateOrdered(
            call=call,
            incident=incident.id,
            update=max(incident.calls[call].updates, default=0) + 1,
            kind=UpdateKind.PLACE,
            place=place,
            building=building,
            by=by,
        )
        return await self._do(verb, incident.id, [update], "ordered")

    async def note_read_back(
        self, *, verb: VerbId, incident: IncidentId, by: PersonId, operator: str = ""
    ) -> str:
        """A telecommunicator has read what was last said of the calls back to us on the telephone; returns "noted".

        Raises NotFound when the incident is not open and was not closed lately, WrongState when nothing is left to
        be read back.
        """
        if (before := await self._before(verb)) is not None:
            return before
        known = self._incidents.get(incident) or self._closed.get(incident)
        if known is None:
            raise NotFound("there is no such open incident")
        noted = [
            facts.UpdateReadBack(
                call=call.id,
                incident=incident,
                update=call.unread,
                link=LinkName("telephone"),
                by=operator,
                noted_by=by,
            )
            for call in known.calls.values()
            if call.unread
        ]
        if not noted:
            raise WrongState("there is no cancellation or correction that was not read back")
        return await self._do(verb, incident, noted, "noted")

    async def test_links(self, *, verb: VerbId, by: PersonId | None) -> str:
        """Order a marked test down every link; returns its number."""
        if (before := await self._before(verb)) is not None:
            return before
        tx = Transaction()
        number = self._next(tx, "test")
        key = self._ids.fact()[-8:]
        order = facts.LinkTestOrdered(test=number, key=key, by=by)
        return await self._do(verb, None, [order], str(number), tx, subject=PROOF)

    async def raise_by_person(
        self,
        *,
        verb: VerbId,
        kind: AlarmKind,
        place: PlaceId | None,
        building: str,
        by: PersonId,
        path: str,
        exercise: bool = False,
    ) -> str:
        """A person's own alarm, from a screen or the command line; returns the incident's id."""
        if (before := await self._before(verb)) is not None:
            return before
        raised = self.raise_alarm(
            kind=kind, place=place, building=building, path=path, exercise=exercise, person=by, verb=verb
        )
        self._remember(verb, raised.incident)
        self._underway[verb] = raised.durability
        try:
            await raised.durability
        finally:
            del self._underway[verb]
        return raised.incident

    async def begin_drill(self, *, verb: VerbId, token: str) -> str:
        """Open a drill window; returns the authorisation's id. Raises NotVerified, or WrongState if one is open."""
        if (before := await self._before(verb)) is not None:
            return before
        tx = Transaction()
        authorisation, written = self._drilling.begin(tx, token)
        return await self._do(verb, None, written, authorisation, tx)

    async def end_drill(self, *, verb: VerbId) -> str:
        """End the running drill; returns "ended". Raises WrongState when none is running."""
        if (before := await self._before(verb)) is not None:
            return before
        tx = Transaction()
        reason = ENDED if self.drill is not None else OVER
        ended = self._drilling.end(tx, reason)
        self._silence_exercises()
        return await self._do(verb, None, [ended], "ended", tx)

    async def watch_drill(self) -> None:
        """Write down, for ever, that the window of a drill has closed."""
        if self.drill is None:
            self._silence_exercises()  # a process may have died between the end and its orders
        while True:
            await self._drilling.closed()
            tx = Transaction()
            self._commit(tx, None, [self._drilling.end(tx, OVER)])
            self._silence_exercises()

    async def drills(self) -> list[store.KeptDrill]:
        """Every drill there was, the oldest first. Raises StoreError."""
        return await store.drills(self._database)

    def _silence_exercises(self) -> None:
        """No exercise is heard longer than its drill."""
        for incident in list(self._incidents.values()):
            if incident.mode is Mode.EXERCISE and (orders := plan.silenced(incident)):
                self._commit(Transaction(), incident.id, orders)

    def record(
        self, *written: Fact, incident: IncidentId | None = None, tx: Transaction | None = None
    ) -> asyncio.Future[Durability]:
        """Write down facts of the lane itself; rows gathered in `tx` land with them."""
        return self._commit(tx or Transaction(), incident, written)

    def hear_text(
        self, unit: UnitId, words: str, *, incident: IncidentId | None, tx: Transaction
    ) -> asyncio.Future[Durability]:
        """Keep what a room says in its own words, and write down that it did."""
        text = self._kept_text(unit, words, incident, upward=True)
        store.keep_text(tx, text)
        heard = facts.TextHeard(unit=unit, text=text.text, incident=incident)
        return self._commit(tx, incident, [heard])

    async def send_text(
        self,
        *,
        verb: VerbId,
        units: Sequence[UnitId],
        words: str,
        incident: IncidentId | None,
        by: PersonId | None,
    ) -> str:
        """Show a short text on these units; returns "ordered"."""
        if (before := await self._before(verb)) is not None:
            return before
        tx = Transaction()
        ordered: list[Fact] = []
        for unit in units:
            text = self._kept_text(unit, words, incident, upward=False)
            store.keep_text(tx, text)
            ordered.append(facts.TextOrdered(unit=unit, text=text.text, incident=incident, by=by))
        return await self._do(verb, incident, ordered, "ordered", tx)

    def _kept_text(
        self, unit: UnitId, words: str, incident: IncidentId | None, *, upward: bool
    ) -> store.KeptText:
        text = store.KeptText(
            text=f"txt_{self._ids.fact()[4:]}",
            said_at=self._clock.now(),
            incident=incident,
            unit=unit,
            upward=upward,
            words=words,
        )
        self._texts[text.text] = text
        while len(self._texts) > _TEXTS_AT_HAND:
            self._texts.popitem(last=False)
        return text

    async def texts(self) -> list[store.KeptText]:
        """Every text that still lives, oldest first."""
        since = Instant(self._clock.now() - store.TEXTS_KEPT)
        try:
            kept = {text.text: text for text in await store.texts(self._database, since)}
        except StoreError:
            kept = {}  # what is at hand is better than nothing
        kept |= {name: text for name, text in self._texts.items() if text.said_at >= since}
        return sorted(kept.values(), key=lambda text: (text.said_at, text.text))

    def text_at_hand(self, text: str) -> store.KeptText | None:
        """One of the texts of late."""
        return self._texts.get(text)

    async def forget_old_texts(self) -> None:
        """Drop texts whose day is over."""
        tx = Transaction()
        before = Instant(self._clock.now() - store.TEXTS_KEPT)
        store.forget_texts(tx, before)
        for name in [name for name, text in self._texts.items() if text.said_at < before]:
            del self._texts[name]
        await self._database.submit(tx)

    def page_room(self, incident: Incident, output: str, place: PlaceId) -> None:
        """Let a paging zone say the ordered action, unless it does so already or belongs to a drill that is over."""
        if incident.mode is Mode.EXERCISE and (
            self.drill is None or self.drill.authorisation != incident.drill
        ):
            return
        orders = plan.on_not_reached(incident, output, place)
        if orders:
            self._commit(Transaction(), incident.id, orders)

    async def forget_old_verbs(self) -> None:
        """Drop remembered verbs that nobody will repeat any more."""
        tx = Transaction()
        store.forget_verbs(tx, Instant(self._clock.now() - _VERBS_KEPT))
        await self._database.submit(tx)

    def _joinable(self, mode: Mode, kind: AlarmKind, drilled: str) -> Incident | None:
        now = self._clock.now()
        for incident in reversed(self._incidents.values()):
            # Whoever presses after a cancellation is not part of what was cancelled.
            same = (incident.mode, incident.kind, incident.drill) == (mode, kind, drilled)
            if same and not incident.withdrawn:
                # A clock that stepped back makes the age negative: that joins too.
                return incident if now - incident.last_alarm_at <= JOIN_WITHIN else None
        return None

    def _standing(self, incident: IncidentId) -> Incident:
        standing = self._incidents.get(incident)
        if standing is None:
            raise NotFound("there is no such open incident")
        return standing

    def _next(self, tx: Transaction, name: str) -> int:
        value = self._counters.get(name, 0) + 1
        self._counters[name] = value
        store.count(tx, name, value)
        return value

    def _commit(
        self,
        tx: Transaction,
        incident: IncidentId | None,
        written: Sequence[Fact],
        *,
        at: Instant | None = None,
        subject: str = "",
    ) -> asyncio.Future[Durability]:
        now = self._clock.now() if at is None else at
        subject = incident or subject
        drafts = [Draft(id=self._ids.fact(), at=now, subject=subject, fact=fact) for fact in written]
        durability = self._journal.commit(tx, drafts)
        for draft in drafts:
            self.observe(
                Entry(
                    stream=self._journal.stream,
                    position=0,
                    id=draft.id,
                    at=draft.at,
                    subject=draft.subject,
                    fact=draft.fact,
                )
            )
        return durability

    async def _before(self, verb: VerbId) -> str | None:
        """What the verb answered when it was asked before; None if it never was, as far as can be read."""
        if verb not in self._results:
            try:
                before = await store.result_of(self._database, verb)
            except StoreError:
                before = None  # an alarm is not held up by a disk
            # Asked twice at the same time, the other asking may have been done while we read.
            if verb not in self._results:
                return before
        if (underway := self._underway.get(verb)) is not None:
            await underway
        return self._results[verb]

    def _remember(self, verb: VerbId, result: str) -> None:
        self._results[verb] = result
        while len(self._results) > 10_000:
            del self._results[next(iter(self._results))]

    async def _do(
        self,
        verb: VerbId,
        incident: IncidentId | None,
        written: Sequence[Fact],
        result: str,
        tx: Transaction | None = None,
        *,
        subject: str = "",
    ) -> str:
        tx = tx or Transaction()
        store.done(tx, verb, self._clock.now(), result)
        self._remember(verb, result)
        durability = self._commit(tx, incident, written, subject=subject)
        self._underway[verb] = durability
        try:
            durable = await durability
        finally:
            del self._underway[verb]
        return f"{result}; it could not be written down" if durable is Durability.UNRECORDED else result
