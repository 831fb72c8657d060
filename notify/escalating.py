"""Follows ordered notices, and looks again at the times at which people should have been reached or have answered.

What is to be looked at when is a row, so that a kill loses no step. A step writes its deliveries, its facts and the next
time in one transaction.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence

import msgspec
from msgspec import Struct

from belltower import log
from belltower.clock import SECOND, Clock, Instant
from belltower.errors import StoreError
from belltower.ids import Ids, IncidentId, NoticeId, PersonId, StreamName
from belltower.incident.entry import Draft, Entry
from belltower.incident.facts import (
    DeliveryEscalated,
    DeliverySettled,
    Fact,
    Mode,
    NoticeOrdered,
    Outcome,
)
from belltower.incident.fold import Incident, fold
from belltower.journal import UNPLACED, Deadline, Deadlines, Durability, Journal
from belltower.people.person import Contact, Person
from belltower.store import Database, Transaction
from notify.audience import AudienceRule, matches
from notify.escalation import (
    ELSEWHERE,
    MOST_APART,
    NEXT_PERSON,
    RUNNER,
    UNREACHED,
    Rung,
    Step,
    ladder,
    next_people,
    unused,
)
from notify.escalation_store import EscalationTables, Standing, Told
from notify.order_store import KeptOrder, order_of
from notify.planner import slots_of, words_of
from notify.site import NoticeSite
from notify.snapshot import Batch, Snapshot
from notify.stops import Stops
from notify.store import DeliveryTables, Ordered
from notify.tally import Tally

_log = log.get("notify")

FIRST_LOOK = 15.0
"""Seconds after the order at which it is first looked at whether anything failed."""

LOOK_EVERY = 10.0
"""Seconds between two such looks, while anything may still fail: what became uncertain is helped within 30 s."""

LOOK_FOR = 900.0
"""Seconds after the order from which on nobody looks any more."""

_NOT_YET = 2.0
_OLD = 3600.0
_REMEMBERED = 256
_FACTS_AT_ONCE = 500


class _Look(Struct, frozen=True, kw_only=True):
    """What lies in a deadline."""

    notice: NoticeId
    revision: int
    ordered_at: Instant
    # The rung of the ladder, from 1; 0: whether anything failed.
    rung: int


_looks = msgspec.json.Decoder(_Look)


class Escalation:
    """Tells in another way, or others, where nothing is known to have arrived or nobody answers."""

    def __init__(
        self,
        *,
        database: Database,
        journal: Journal[Fact],
        alarm_stream: StreamName,
        tables: DeliveryTables,
        site: Callable[[], NoticeSite],
        served: Callable[[], frozenset[str]],
        paused: Callable[[], frozenset[str]],
        stops: Callable[[], Awaitable[Stops]],
        tally: Tally,
        clock: Clock,
        ids: Ids,
        bell: Callable[[], None],
    ) -> None:
        """`paused` are the channels none of whose providers takes anything now."""
        self._database = database
        self._journal = journal
        self._alarm_stream = alarm_stream
        self._deliveries = tables
        self._tables = EscalationTables(database=database)
        self._site = site
        self._served = served
        self._paused = paused
        self._stops = stops
        self._tally = tally
        self._clock = clock
        self._ids = ids
        self._bell = bell
        self._deadlines = Deadlines(database=database, clock=clock, owner="notify.escalation")
        # People of late for whom there is no other way, by notice.
        self._hopeless: OrderedDict[NoticeId, set[PersonId]] = OrderedDict()

    async def open(self) -> None:
        """Bring the tables up to date and arm what was promised before."""
        await self._tables.migrate()
        await self._deadlines.open()

    def close(self) -> None:
        """Look no more in this process."""
        self._deadlines.close()

    async def follow(self, stream: StreamName) -> None:
        """Note when to look after each notice that is ordered in `stream`, for ever."""
        name = f"notify.escalation:{stream}"
        after = await self._journal.bookmark(name)
        async for entry in self._journal.follow(after=after, kinds=(NoticeOrdered,), stream=stream):
            tx = Transaction()
            self._promise(tx, entry)
            if entry.position != UNPLACED:
                self._journal.keep_bookmark(tx, name, entry.position)
            try:
                await self._database.submit(tx)
            except StoreError:
                _log.error("escalation_unrecorded")  # armed in this process all the same

    def _promise(self, tx: Transaction, entry: Entry) -> None:
        order = entry.fact
        assert isinstance(order, NoticeOrdered)  # noqa: S101 - asked for by kind
        if self._clock.now() - entry.at > _OLD * SECOND:
            return  # read again from the first entry on, as by a newer version
        plan = self._site().escalation
        if order.template in plan.templates:
            self._set(tx, order.notice, order.revision, entry.at, 1, ladder(plan)[0].after)
        if not order.routine and order.mode is Mode.ACTUAL:
            self._set(tx, order.notice, order.revision, entry.at, 0, FIRST_LOOK)

    def _set(
        self, tx: Transaction, notice: NoticeId, revision: int, at: Instant, rung: int, after: float
    ) -> None:
        look = _Look(notice=notice, revision=revision, ordered_at=at, rung=rung)
        due = Instant(at + round(after * SECOND))
        self._deadlines.set(tx, key=_key(look), due=due, body=msgspec.json.encode(look))

    async def run(self) -> None:
        """Look when it is time, for ever."""
        async for deadline in self._deadlines.follow():
            try:
                await self._look(deadline)
            except StoreError:
                _log.error("escalation_put_off", key=deadline.key)
                due = Instant(self._clock.now() + round(_NOT_YET * SECOND))
                # Armed, whether or not it can be written down: the row stands as it was.
                self._deadlines.set(Transaction(), key=deadline.key, due=due, body=deadline.body)

    async def _look(self, deadline: Deadline) -> None:
        look = _looks.decode(deadline.body)
        standing = await self._tables.standing(look.notice, look.revision)
        kept = await order_of(self._database, look.notice)
        age = (self._clock.now() - look.ordered_at) / SECOND
        tx = Transaction()
        if standing is None or kept is None:
            if age < LOOK_FOR:
                self._again(tx, look, age + _NOT_YET)
            else:
                self._deadlines.clear(tx, key=deadline.key)
            await self._commit(tx, [])
            return
        incident = await self._incident(standing.ordered.incident)
        if standing.superseded_by or (incident is not None and not incident.open):
            self._deadlines.clear(tx, key=deadline.key)
            await self._commit(tx, [])
        elif look.rung:
            await self._climb(tx, look, standing, kept, incident)
        else:
            await self._elsewhere(tx, look, standing, kept, age)

    def _again(self, tx: Transaction, look: _Look, after: float) -> None:
        self._set(tx, look.notice, look.revision, look.ordered_at, look.rung, after)

    async def _incident(self, incident: IncidentId) -> Incident | None:
        """The incident as the alarm lane says; its stream is short, the deliveries lie in our own."""
        if not incident:
            return None
        return fold(incident, await self._journal.of(incident, stream=self._alarm_stream))

    # -- nothing arrived, and may never

    async def _elsewhere(
        self, tx: Transaction, look: _Look, standing: Standing, kept: KeptOrder, age: float
    ) -> None:
        """Tell by an address of another kind whoever may not be reached by those that the notice went to."""
        ordered, site = standing.ordered, self._site()
        drafts: list[Draft] = []
        batch = Batch()
        # Who is not kept to some ways was told by all of them at once.
        narrow = ordered.urgency == 0 and bool((await self._rule(kept.order, site)).channels)
        if narrow:
            hopeless = self._hopeless_of(ordered.notice)
            doubtful = await self._tables.doubtful(ordered, paused=self._paused())
            given: list[tuple[Person, Contact]] = []
            for person in await self._known((one for one in doubtful if one not in hopeless), site):
                contact = await self._other_way(ordered, person)
                if contact is None:
                    hopeless.add(person.id)
                else:
                    given.append((person, contact))
            batch = await self._add(tx, given, ordered, kept, site)
            drafts = [self._escalated(ordered, person.id, 1, contact.kind.value) for person, contact in given]
        if narrow and age < LOOK_FOR and (batch.rows or await self._tables.under_way(ordered)):
            self._again(tx, look, age + LOOK_EVERY)
        else:
            self._deadlines.clear(tx, key=_key(look))
        await self._done(tx, ordered, batch, drafts)

    async def _other_way(self, ordered: Ordered, person: Person) -> Contact | None:
        """An unused address of a person to whom no other delivery of the notice is known to have gone."""
        taken: set[tuple[str, str]] = set()
        for contact in person.contacts:
            where = (contact.kind.value, self._deliveries.addresses.mark(contact.kind.value, contact.address))
            state = await self._tables.state_at(ordered, *where)
            if state in {"accepted", "delivered", "read"}:
                return None
            if state:
                taken.add(where)
        return unused(
            person, ELSEWHERE, taken=taken, served=self._served(), mark=self._deliveries.addresses.mark
        )

    def _hopeless_of(self, notice: NoticeId) -> set[PersonId]:
        hopeless = self._hopeless.setdefault(notice, set())
        while len(self._hopeless) > _REMEMBERED:
            self._hopeless.popitem(last=False)
        return hopeless

    # -- nobody answers

    async def _climb(
        self, tx: Transaction, look: _Look, standing: Standing, kept: KeptOrder, incident: Incident | None
    ) -> None:
        """Take one rung with whoever has not answered, and promise the next."""
        ordered, site = standing.ordered, self._site()
        rungs = ladder(site.escalation)
        silent: list[PersonId] = []
        drafts: list[Draft] = []
        batch = Batch()
        if look.rung <= len(rungs):
            rung = rungs[look.rung - 1]
            told = await self._tables.told(ordered)
            silent = [one for one in told.people if not self._answered(one, told, ordered, incident, site)]
            match rung.step:
                case Step.CHANNEL:
                    batch, drafts = await self._by_channel(tx, rung, silent, told, ordered, kept, site)
                case Step.PERSON:
                    drafts = self._by_person(tx, rung, silent, ordered, kept, site)
                case Step.RUNNER:
                    drafts = [self._escalated(ordered, person, rung.number, RUNNER) for person in silent]
        if silent and look.rung < len(rungs):
            self._set(tx, look.notice, look.revision, look.ordered_at, look.rung + 1, rungs[look.rung].after)
        if not silent or look.rung >= len(rungs):
            self._deadlines.clear(tx, key=_key(look))
        await self._done(tx, ordered, batch, drafts)

    def _answered(
        self, person: PersonId, told: Told, ordered: Ordered, incident: Incident | None, site: NoticeSite
    ) -> bool:
        """Whether the person answered, or their room did since the notice was ordered."""
        if person in told.acknowledged:
            return True
        known = site.people.get(person)
        if known is None or incident is None:
            return False
        rooms = (incident.rooms.get(place) for place in known.places)
        return any(
            room is not None
            and room.statuses
            and room.said_at is not None
            and room.said_at >= ordered.ordered_at
            for room in rooms
        )

    async def _by_channel(
        self,
        tx: Transaction,
        rung: Rung,
        silent: Sequence[PersonId],
        told: Told,
        ordered: Ordered,
        kept: KeptOrder,
        site: NoticeSite,
    ) -> tuple[Batch, list[Draft]]:
        assert rung.channel is not None  # noqa: S101 - a rung of this step has one
        given = []
        for id_ in silent:
            person = site.people.get(id_)
            contact = (
                unused(
                    person,
                    (rung.channel,),
                    taken=told.taken,
                    served=self._served(),
                    mark=self._deliveries.addresses.mark,
                )
                if person
                else None
            )
            if person is not None and contact is not None:
                given.append((person, contact))
        batch = await self._add(tx, given, ordered, kept, site)
        return batch, [
            self._escalated(ordered, person.id, rung.number, contact.kind.value) for person, contact in given
        ]

    def _by_person(
        self,
        tx: Transaction,
        rung: Rung,
        silent: Sequence[PersonId],
        ordered: Ordered,
        kept: KeptOrder,
        site: NoticeSite,
    ) -> list[Draft]:
        rule = site.audiences.get(site.escalation.audience)
        if rule is None:
            return []
        quiet = set(silent)
        able = [
            person
            for person in site.people.values()
            if person.id not in quiet
            and person.contacts
            and matches(rule, person, at=None, places=site.places)
        ]
        turns = next_people([site.people[one] for one in silent if one in site.people], able, site.places)
        escalated = [
            self._escalated(ordered, person, rung.number, NEXT_PERSON, turn.deputy)
            for turn in turns
            for person in turn.people
        ]
        if len(turns) > MOST_APART:
            return [self._unreached(ordered, kept, "", site.escalation.audience), *escalated]
        orders = []
        for turn in turns:
            order = self._unreached(ordered, kept, turn.place, "")
            assert isinstance(order.fact, NoticeOrdered)  # noqa: S101 - just made
            self._deliveries.add_rule(tx, order.fact.notice, AudienceRule(people=frozenset({turn.deputy})))
            orders.append(order)
        return [*orders, *escalated]

    def _unreached(self, ordered: Ordered, kept: KeptOrder, place: str, audience: str) -> Draft:
        """The order that tells somebody else where nobody answers."""
        return self._draft(
            ordered,
            NoticeOrdered(
                notice=self._ids.notice(),
                revision=1,
                incident=ordered.incident,
                mode=ordered.mode,
                template=UNREACHED,
                audience=audience,
                # A place that no plan knows: not where the incident is.
                slots={"place": place or "?", "incident": kept.order.slots.get("incident", "")},
            ),
        )

    # -- writing down

    async def _add(
        self,
        tx: Transaction,
        given: Sequence[tuple[Person, Contact]],
        ordered: Ordered,
        kept: KeptOrder,
        site: NoticeSite,
    ) -> Batch:
        """Rows for these addresses, in the words of the notice."""
        if not given:
            return Batch()
        slots = slots_of(kept.order, ordered, site)
        snapshot = Snapshot(
            ordered=ordered,
            rule=AudienceRule(),
            at=None,
            places=site.places,
            served=self._served(),
            language=site.language,
            render=lambda kind, language: words_of(kept.order, site, slots, kind, language),
            new_id=lambda _channel, _mark: self._ids.delivery(),
            stops=await self._stops(),
            mark=self._deliveries.addresses.mark,
        )
        batch = snapshot.add_contacts(given)
        self._deliveries.add_words(tx, ordered.notice, ordered.revision, batch.words)
        self._deliveries.add_rows(tx, batch.rows, batch.others)
        return batch

    async def _done(self, tx: Transaction, ordered: Ordered, batch: Batch, drafts: list[Draft]) -> None:
        refused = [
            self._draft(
                ordered,
                DeliverySettled(
                    delivery=one.delivery,
                    notice=ordered.notice,
                    revision=ordered.revision,
                    person=one.person,
                    channel=one.channel,
                    outcome=Outcome.REFUSED,
                    reason=one.reason,
                ),
            )
            for one in batch.unsendable
        ]
        await self._commit(tx, [*drafts, *refused])
        for (channel, state), load in batch.loads().items():
            self._tally.add(ordered.notice, ordered.revision, channel, state, load)
        if batch.rows:
            self._bell()
        if drafts:
            _log.warning("escalated", notice=ordered.notice, count=len(drafts))

    async def _commit(self, tx: Transaction, drafts: Sequence[Draft]) -> None:
        # The rows go with the first facts: a deadline that comes again finds the addresses taken.
        durable = await self._journal.commit(tx, drafts[:_FACTS_AT_ONCE])
        for start in range(_FACTS_AT_ONCE, len(drafts), _FACTS_AT_ONCE):
            await self._journal.commit(Transaction(), drafts[start : start + _FACTS_AT_ONCE])
        if durable is Durability.UNRECORDED:
            _log.error("escalation_unrecorded")

    def _escalated(
        self, ordered: Ordered, person: PersonId, step: int, to: str, next_person: PersonId | None = None
    ) -> Draft:
        known = self._site().people.get(person)
        return self._draft(
            ordered,
            DeliveryEscalated(
                notice=ordered.notice,
                incident=ordered.incident,
                person=person,
                step=step,
                to=to,
                next_person=next_person,
                place=min(known.places, default=None) if known is not None else None,
            ),
        )

    def _draft(self, ordered: Ordered, fact: Fact) -> Draft:
        return Draft(
            id=self._ids.fact(), at=self._clock.now(), subject=ordered.incident or ordered.notice, fact=fact
        )

    # -- people

    async def _rule(self, order: NoticeOrdered, site: NoticeSite) -> AudienceRule:
        if not order.audience:
            return await self._deliveries.rule_of(order.notice) or AudienceRule()
        return site.audiences.get(order.audience) or AudienceRule()

    async def _known(self, wanted: Iterable[PersonId], site: NoticeSite) -> Sequence[Person]:
        """Those of the wanted whom the site or its roster knows."""
        left = set(wanted)
        found = [site.people[one] for one in left if one in site.people]
        left -= {person.id for person in found}
        if left and site.roster is not None:
            async for people in site.roster.people():
                found += [person for person in people if person.id in left]
                left -= {person.id for person in people}
                if not left:
                    break
        return found


def _key(look: _Look) -> str:
    return f"{look.notice}:{look.revision}:{'ladder' if look.rung else 'elsewhere'}"
