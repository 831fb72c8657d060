"""What can be done to incidents.

Each verb decides in one step, writes everything down in one commit, and never waits for anything else.

The standing state (open incidents, counters, the running drill) is held in memory and moves at the moment of the
decision, before the commit: two presses in one millisecond must not both open an incident. Should the commit fail,
the journal spools or relays the very same facts (law 2), so the decision stands either way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Struct

from belltower.clock import SECOND, Clock, Instant
from belltower.errors import WrongState
from belltower.ids import AlarmId, CallId, Ids, IncidentId, PersonId, PlaceId, UnitId, VerbId
from belltower.incident import facts, plan, store, updates
from belltower.incident.drilling import ABORTED_REAL, ENDED, OVER, Drilling, RunningDrill
from belltower.incident.entry import Entry
from belltower.incident.facts import Action, AlarmKind, Fact, Mode
from belltower.incident.fold import Incident, fold
from belltower.incident.once import Once
from belltower.incident.pen import Pen
from belltower.incident.plan import ResponsePlan
from belltower.incident.standing import Standing
from belltower.incident.texts import Texts
from belltower.journal import Durability, Journal
from belltower.store import Database, Transaction

EXERCISE_OVER = "exercise-over"
"""The reason for closing that only an exercise has."""

PROOF = "proof"
"""The subject of all facts about tests of links."""

RECENT = 600 * SECOND
"""An incident closed this long ago may still have calls or units to attend to after a restart."""


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
        self._standing = Standing()
        self._pen = Pen(journal=journal, standing=self._standing, clock=clock, ids=ids)
        self._once = Once(database=database, clock=clock)
        self.texts = Texts(database=database, pen=self._pen, clock=clock, ids=ids)
        self._attended = 0

    async def open(self) -> list[Entry]:
        """Load what stood when the last process ended.

        Returns the facts of all incidents that are open or were closed within `RECENT`, in order.
        """
        await self._database.migrate(store.STEPS)
        await self._pen.open(self._database)
        self._attended = self._journal.head
        owed: list[Entry] = []
        since = Instant(self._clock.now() - RECENT)
        for incident in await store.current_incidents(self._database, since):
            entries = await self._journal.of(incident)
            self._standing.hold(fold(incident, entries))
            owed += entries
        await self._drilling.open(self._database)
        for entry in self._journal.waiting:
            self._recall(entry)
        await self.texts.open()
        return sorted(owed, key=lambda entry: entry.position) + self._journal.waiting

    @property
    def incidents(self) -> Mapping[IncidentId, Incident]:
        """Every open incident, as decided so far."""
        return self._standing.open

    @property
    def drill(self) -> RunningDrill | None:
        """The drill whose window is open now, if any."""
        return self._drilling.running

    def drill_at(self, place: PlaceId | None, building: str) -> RunningDrill | None:
        """The drill in which a press here may be an exercise, if any."""
        return self._drilling.running_at(place, building)

    def observe(self, entry: Entry) -> None:
        """Take in a fact, our own or another room's; facts already taken in change nothing."""
        self._standing.observe(entry)

    async def attend(self) -> None:
        """Follow the journal for ever: take facts in, and order what follows from other rooms' facts."""
        for incident in list(self.incidents.values()):
            self._follow_up(incident)  # a process may have died between the answer and the orders
        async for entry in self._journal.follow(after=self._attended):
            self.observe(entry)
            if isinstance(entry.fact, facts.TelecommunicatorAcknowledged):
                standing = self.incidents.get(entry.fact.incident)
                if standing is not None:
                    self._follow_up(standing)

    def _follow_up(self, incident: Incident) -> None:
        """Order what an acknowledged incident is still owed."""
        if incident.acknowledged:
            orders = plan.on_acknowledged(incident, plan=self.response, ids=self._ids)
            if orders:
                self._pen.write(Transaction(), incident.id, orders)

    def _recall(self, entry: Entry) -> None:
        """Take in a fact that only the spool holds, and the numbers it used up."""
        self._pen.recall(entry.fact)
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
        drilled = running.authorisation if running is not None else ""
        aborted = running is None and self.drill is not None
        drafts: list[Fact] = [self._drilling.end(tx, ABORTED_REAL)] if aborted else []
        alarm = self._ids.alarm()
        incident = self._standing.joinable(mode, kind, drilled, now)
        first = incident is None
        if incident is None:
            incident = Incident(
                id=self._ids.incident(),
                number=self._pen.number(tx, "incident"),
                mode=mode,
                kind=kind,
                drill=drilled,
            )
            store.opened(tx, incident.id, incident.number, now)
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
        drafts.append(
            facts.IncidentOpened(
                incident=incident.id, alarm=alarm, mode=mode, number=incident.number, drill=drilled
            )
            if first
            else facts.AlarmJoined(incident=incident.id, alarm=alarm, building=building, number=raised.number)
        )
        orders = plan.on_alarm(
            raised,
            incident,
            first_of_incident=first,
            plan=self.response if running is None else self.response.rehearsing(running.action),
            ids=self._ids,
            call_number=self._pen.next("call"),
            exercise_accepted=running is not None and running.psap_accepted,
        )
        for order in orders:
            if isinstance(order, facts.CallOrdered):
                self._pen.number(tx, "call")
                if self._foretell is not None:
                    self._foretell(order, now)
        if verb is not None:
            self._once.answer(tx, verb, incident.id)
        if also is not None:
            drafts.append(also(incident.id))
        durability = self._pen.write(tx, incident.id, [*drafts, *orders], at=now)
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
        if (before := await self._once.before(verb)) is not None:
            return before
        standing = self._standing.required(incident)
        self._drilling.permit(standing, action)
        orders = plan.on_action(standing, action, places, plan=self.response, ids=self._ids)
        ordered = facts.ActionOrdered(action=action, places=places, by=by)
        return await self._do(verb, incident, [ordered, *orders], "ordered")

    async def order_output(self, *, verb: VerbId, incident: IncidentId, output: str) -> str:
        """Let an output say what stands: the ordered action, or what the alarm asks for; returns "ordered".

        Raises NotFound when the incident is not open, WrongState when it is an exercise whose drill is over.
        """
        if (before := await self._once.before(verb)) is not None:
            return before
        standing = self._standing.required(incident)
        if self._drilling.over(standing):
            raise WrongState("the drill of this exercise is over")
        return await self._do(verb, incident, plan.on_told(standing, output), "ordered")

    async def close_incident(
        self, *, verb: VerbId, incident: IncidentId, by: PersonId, reason: str = ""
    ) -> str:
        """Close the incident; returns "closed".

        Raises NotFound when it is not open, WrongState when `reason` says that a real one was an exercise.
        """
        if (before := await self._once.before(verb)) is not None:
            return before
        standing = self._standing.required(incident)
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
        if (before := await self._once.before(verb)) is not None:
            return before
        cancelled = updates.cancellations(self._standing.required(incident), by=by)
        if not cancelled:
            raise WrongState("there is no call to cancel, or it is being cancelled already")
        return await self._do(verb, incident, cancelled, "ordered")

    async def correct_call(
        self, *, verb: VerbId, call: CallId, place: PlaceId, building: str, by: PersonId
    ) -> str:
        """Tell every PSAP that was given the call that help is needed at another place; returns "ordered".

        Raises NotFound when no open incident has this call, WrongState when it is being cancelled.
        """
        if (before := await self._once.before(verb)) is not None:
            return before
        incident = self._standing.of_call(call)
        update = updates.correction(incident, incident.calls[call], place=place, building=building, by=by)
        return await self._do(verb, incident.id, [update], "ordered")

    async def note_read_back(
        self, *, verb: VerbId, incident: IncidentId, by: PersonId, operator: str = ""
    ) -> str:
        """A telecommunicator has read what was last said of the calls back to us on the telephone; returns "noted".

        Raises NotFound when the incident is not open and was not closed lately, WrongState when nothing is left to
        be read back.
        """
        if (before := await self._once.before(verb)) is not None:
            return before
        noted = updates.read_back(self._standing.known(incident), noted_by=by, operator=operator)
        if not noted:
            raise WrongState("there is no cancellation or correction that was not read back")
        return await self._do(verb, incident, noted, "noted")

    async def test_links(self, *, verb: VerbId, by: PersonId | None) -> str:
        """Order a marked test down every link; returns its number."""
        if (before := await self._once.before(verb)) is not None:
            return before
        tx = Transaction()
        number = self._pen.number(tx, "test")
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
        if (before := await self._once.before(verb)) is not None:
            return before
        raised = self.raise_alarm(
            kind=kind, place=place, building=building, path=path, exercise=exercise, person=by, verb=verb
        )
        await self._once.written(verb, raised.durability)
        return raised.incident

    async def begin_drill(self, *, verb: VerbId, token: str) -> str:
        """Open a drill window; returns the authorisation's id. Raises NotVerified, or WrongState if one is open."""
        if (before := await self._once.before(verb)) is not None:
            return before
        tx = Transaction()
        authorisation, written = self._drilling.begin(tx, token)
        return await self._do(verb, None, written, authorisation, tx)

    async def end_drill(self, *, verb: VerbId) -> str:
        """End the running drill; returns "ended". Raises WrongState when none is running."""
        if (before := await self._once.before(verb)) is not None:
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
            self._pen.write(tx, None, [self._drilling.end(tx, OVER)])
            self._silence_exercises()

    async def drills(self) -> list[store.KeptDrill]:
        """Every drill there was, the oldest first. Raises StoreError."""
        return await store.drills(self._database)

    def _silence_exercises(self) -> None:
        """No exercise is heard longer than its drill."""
        for incident in list(self.incidents.values()):
            if incident.mode is Mode.EXERCISE and (orders := plan.silenced(incident)):
                self._pen.write(Transaction(), incident.id, orders)

    def record(
        self, *written: Fact, incident: IncidentId | None = None, tx: Transaction | None = None
    ) -> asyncio.Future[Durability]:
        """Write down facts of the lane itself; rows gathered in `tx` land with them."""
        return self._pen.write(tx or Transaction(), incident, written)

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
        if (before := await self._once.before(verb)) is not None:
            return before
        tx = Transaction()
        ordered = self.texts.ordered(tx, units, words, incident=incident, by=by)
        return await self._do(verb, incident, ordered, "ordered", tx)

    def page_room(self, incident: Incident, output: str, place: PlaceId) -> None:
        """Let a paging zone say the ordered action, unless it does so already or belongs to a drill that is over."""
        orders = plan.on_not_reached(incident, output, place)
        if orders and not self._drilling.over(incident):
            self._pen.write(Transaction(), incident.id, orders)

    async def forget_old(self) -> None:
        """Drop texts whose day is over, and answers that nobody will ask for any more."""
        await self.texts.forget_old()
        await self._once.forget_old()

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
        self._once.answer(tx, verb, result)
        durable = await self._once.written(verb, self._pen.write(tx, incident, written, subject=subject))
        return f"{result}; it could not be written down" if durable is Durability.UNRECORDED else result
