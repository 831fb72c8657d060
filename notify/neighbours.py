"""A room that no unit reaches: whoever is nearest of those who may be asked is told to call it, in the same minute.

The alarm lane has tried its units on every way and its loudspeakers by then; it says so once for each order and room.
"""

from __future__ import annotations

from collections.abc import Callable

from belltower import log
from belltower.clock import SECOND, Clock, Instant
from belltower.errors import StoreError
from belltower.ids import Ids, IncidentId, PersonId, PlaceId, StreamName
from belltower.incident.entry import Draft, Entry
from belltower.incident.facts import Fact, NoticeOrdered, RoomNotReached
from belltower.incident.fold import Incident, fold
from belltower.journal import UNPLACED, Durability, Journal
from belltower.people.person import Person
from belltower.store import Transaction
from notify.audience import AudienceRule, matches
from notify.escalation import MOST_APART, UNREACHED, next_people
from notify.site import NoticeSite
from notify.store import DeliveryTables

_log = log.get("notify")

_OLD = 600 * SECOND
_TOGETHER = 60 * SECOND


class Neighbours:
    """Tells them, where `[escalation] audience` in the response plan says who may be asked.

    `stream` is the alarm lane's.
    """

    def __init__(
        self,
        *,
        journal: Journal[Fact],
        stream: StreamName,
        tables: DeliveryTables,
        site: Callable[[], NoticeSite],
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._journal = journal
        self._stream = stream
        self._tables = tables
        self._site = site
        self._clock = clock
        self._ids = ids
        # When rooms were last told of, by incident; what many rooms have in common is told once.
        self._told: dict[IncidentId, list[Instant]] = {}

    async def follow(self) -> None:
        """For ever, from the bookmark on; each room once, whatever kills us."""
        name = f"notify.neighbours:{self._stream}"
        after = await self._journal.bookmark(name)
        async for entry in self._journal.follow(after=after, kinds=(RoomNotReached,), stream=self._stream):
            tx, drafts = Transaction(), await self._drafts(entry)
            for draft, rule in drafts:
                assert isinstance(draft.fact, NoticeOrdered)  # noqa: S101 - just made
                if rule is not None:
                    self._tables.add_rule(tx, draft.fact.notice, rule)
            if entry.position != UNPLACED:
                self._journal.keep_bookmark(tx, name, entry.position)
            try:
                durable = await self._journal.commit(tx, [draft for draft, _ in drafts])
            except StoreError:
                _log.error("neighbour_unrecorded")
                continue
            if durable is Durability.UNRECORDED:
                _log.error("neighbour_unrecorded")

    async def _drafts(self, entry: Entry) -> list[tuple[Draft, AudienceRule | None]]:
        fact = entry.fact
        assert isinstance(fact, RoomNotReached)  # noqa: S101 - asked for by kind
        site = self._site()
        rule = site.audiences.get(site.escalation.audience)
        if rule is None or self._clock.now() - entry.at > _OLD:
            return []
        now = self._clock.now()
        told = [at for at in self._told.get(fact.incident, []) if now - at < _TOGETHER]
        if len(told) > MOST_APART:
            return []
        incident = fold(fact.incident, await self._journal.of(fact.incident, stream=self._stream))
        room = incident.rooms.get(fact.place)
        if not incident.open or room is None or room.not_reached is None:
            return []  # it is over, or somebody there has answered meanwhile
        fresh = {of: times for of, times in self._told.items() if now - times[-1] < _TOGETHER}
        self._told = {**fresh, fact.incident: [*told, now]}
        if len(told) == MOST_APART:
            return [(self._order(incident, "", site.escalation.audience), None)]
        silent = Person(id=PersonId(""), name="", places=frozenset({fact.place}))
        able = [
            person
            for person in site.people.values()
            if person.contacts and matches(rule, person, at=None, places=site.places)
        ]
        return [
            (self._order(incident, turn.place, ""), AudienceRule(people=frozenset({turn.deputy})))
            for turn in next_people([silent], able, site.places)
        ]

    def _order(self, incident: Incident, place: str, audience: str) -> Draft:
        order = NoticeOrdered(
            notice=self._ids.notice(),
            revision=1,
            incident=incident.id,
            mode=incident.mode,
            template=UNREACHED,
            audience=audience,
            # A place that no plan knows: not where the incident is.
            slots={"place": PlaceId(place) or "?", "incident": str(incident.number)},
        )
        _log.warning("neighbour_asked", notice=order.notice, place=place or "many")
        return Draft(id=self._ids.fact(), at=self._clock.now(), subject=incident.id, fact=order)
