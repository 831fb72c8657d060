"""Nobody answers: the next channel, the next person, at last the list of whom somebody goes to."""

from __future__ import annotations

from collections.abc import Sequence

from belltower.ids import Ids, PersonId
from belltower.incident.entry import Draft
from belltower.incident.facts import NoticeOrdered
from belltower.incident.fold import Incident
from belltower.store import Transaction
from notify.audience import AudienceRule, matches
from notify.escalation import (
    MOST_APART,
    NEXT_PERSON,
    RUNNER,
    UNREACHED,
    Rung,
    Step,
    next_people,
    unused,
)
from notify.escalation_pen import EscalationPen, Help
from notify.escalation_store import EscalationTables, Standing, Told
from notify.order_store import KeptOrder
from notify.site import NoticeSite
from notify.snapshot import Batch
from notify.store import Ordered


class Climbing:
    """Takes the rungs of the ladder, each with whoever has not answered by its time."""

    def __init__(self, *, tables: EscalationTables, pen: EscalationPen, ids: Ids) -> None:
        self._tables = tables
        self._pen = pen
        self._ids = ids

    async def climb(
        self, tx: Transaction, rung: Rung, standing: Standing, kept: KeptOrder, incident: Incident | None
    ) -> Help:
        """Take one rung; more where anybody is silent."""
        ordered, site = standing.ordered, self._pen.site()
        told = await self._tables.told(ordered)
        silent = [one for one in told.people if not self._answered(one, told, ordered, incident, site)]
        batch, drafts = Batch(), list[Draft]()
        match rung.step:
            case Step.CHANNEL:
                batch, drafts = await self._by_channel(tx, rung, silent, told, ordered, kept, site)
            case Step.PERSON:
                drafts = self._by_person(tx, rung, silent, ordered, kept, site)
            case Step.RUNNER:
                drafts = [self._pen.escalated(ordered, person, rung.number, RUNNER) for person in silent]
        return Help(batch=batch, drafts=drafts, more=bool(silent))

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
                    served=self._pen.served(),
                    marks=self._pen.tables.addresses.marks,
                )
                if person
                else None
            )
            if person is not None and contact is not None:
                given.append((person, contact))
        batch = await self._pen.add(tx, given, ordered, kept)
        return batch, [
            self._pen.escalated(ordered, person.id, rung.number, contact.kind.value)
            for person, contact in given
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
            self._pen.escalated(ordered, person, rung.number, NEXT_PERSON, turn.deputy)
            for turn in turns
            for person in turn.people
        ]
        if len(turns) > MOST_APART:
            return [self._unreached(ordered, kept, "", site.escalation.audience), *escalated]
        orders = []
        for turn in turns:
            order = self._unreached(ordered, kept, turn.place, "")
            assert isinstance(order.fact, NoticeOrdered)  # noqa: S101 - just made
            self._pen.tables.add_rule(tx, order.fact.notice, AudienceRule(people=frozenset({turn.deputy})))
            orders.append(order)
        return [*orders, *escalated]

    def _unreached(self, ordered: Ordered, kept: KeptOrder, place: str, audience: str) -> Draft:
        """The order that tells somebody else where nobody answers."""
        return self._pen.draft(
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
