"""Whom a notice would go to if it were ordered now: counted by the same code that plans notices, and written down nowhere."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

from msgspec import Struct
from msgspec.structs import replace

from belltower.clock import Clock
from belltower.ids import Ids, NoticeId, PersonId, PlaceId
from belltower.incident.facts import NoticeOrdered
from belltower.people.person import Person
from notify.addresses import same
from notify.audience import AudienceRule, matches
from notify.delivery import State
from notify.draft import Counted, Draft, Said
from notify.filling import everywhere, slots_of, words_of
from notify.site import NoticeSite
from notify.snapshot import Batch, Snapshot
from notify.staff import of_roster
from notify.standing import NO_CHANNEL
from notify.stops import Stops
from notify.store import DeliveryTables, Ordered

_PEOPLE_AT_ONCE = 500
_UNREACHABLE_NAMED = 50
_REMEMBERED = 100
_CHANNEL, _STATE, _REASON, _LANGUAGE, _PARTS = 5, 7, 8, 10, 11


class _People(Struct, frozen=True, kw_only=True):
    """Everybody there was at one moment."""

    roster: int
    own: tuple[Person, ...]


class Whom:
    """Counts, and knows of which people each draft was counted."""

    def __init__(
        self,
        *,
        tables: DeliveryTables,
        site: Callable[[], NoticeSite],
        served: frozenset[str],
        stops: Callable[[], Awaitable[Stops]],
        clock: Clock,
        ids: Ids,
    ) -> None:
        """`served` are the kinds of address that something is set up for."""
        self._tables = tables
        self._site = site
        self._served = served
        self._stops = stops
        self._clock = clock
        self._ids = ids
        # Of which people each draft was counted; what is not here is counted anew.
        self._counted_of: dict[NoticeId, _People] = {}

    async def count(self, order: NoticeOrdered, rule: AudienceRule) -> Counted:
        """Whom the notice would go to if it were ordered now, and in which words."""
        site = self._site()
        ordered = Ordered(
            notice=order.notice,
            revision=order.revision,
            incident=order.incident,
            template=order.template,
            place=order.slots.get("place", "") or await self._tables.place_of(order.incident),
            mode=order.mode,
            urgency=int(order.routine),
            ordered_at=self._clock.now(),
        )
        slots = slots_of(order, ordered, site)
        snapshot = Snapshot(
            ordered=ordered,
            rule=rule,
            at=None if everywhere(order) else site.places.get(PlaceId(ordered.place)),
            places=site.places,
            served=self._served,
            language=site.language,
            render=lambda kind, language: words_of(order, site, slots, kind, language),
            new_id=lambda _channel, _mark: self._ids.delivery(),
            stops=await self._stops(),
            mark=same,
        )
        counting = _Counting()
        staff = list(site.people.values())
        for start in range(0, len(staff), _PEOPLE_AT_ONCE):
            await counting.take(snapshot.add(staff[start : start + _PEOPLE_AT_ONCE]))
        async for some in of_roster(site, rule):
            await counting.take(snapshot.add(some))
        for notice in order.corrects:
            async for attempted in self._tables.attempted(notice):
                await counting.take(snapshot.add_attempted(attempted))
        return counting.counted(snapshot, every_school=await _names_every_school(rule, site))

    async def people(self, order: NoticeOrdered, rule: AudienceRule) -> int:
        """How many people the notice would mean under this rule."""
        site = self._site()
        at = None if everywhere(order) else site.places.get(PlaceId(order.slots.get("place", "")))
        found = list(site.people.values())
        async for some in of_roster(site, rule):
            found += some
        return sum(matches(rule, one, at=at, places=site.places) for one in found)

    async def look(self, order: NoticeOrdered, rule: AudienceRule) -> Counted:
        """Count, and remember of whom: a large roster takes long to open, and is mostly as it was a minute ago."""
        people = await self._people()
        counted = await self.count(order, rule)
        while len(self._counted_of) >= _REMEMBERED:
            del self._counted_of[next(iter(self._counted_of))]
        self._counted_of[order.notice] = people
        return counted

    async def same_people(self, draft: Draft) -> bool:
        """Whether the draft was counted of the very people there are now."""
        known = self._counted_of.get(draft.id)
        if known is None or draft.rule.on_site:
            return False
        now = await self._people()
        return now.roster == known.roster and now.own == known.own

    async def _people(self) -> _People:
        site = self._site()
        roster = await site.roster.version() if site.roster is not None else 0
        return _People(roster=roster, own=tuple(site.people.values()))


class _Counting:
    """What batches of a snapshot come to."""

    def __init__(self) -> None:
        self._loads: dict[str, list[int]] = {}
        self._refused: Counter[str] = Counter()
        self._messages: Counter[tuple[str, str]] = Counter()
        self._words: list[Said] = []
        self._unreachable: list[PersonId] = []

    async def take(self, batch: Batch) -> None:
        """Count these, and let others have the loop."""
        self._add(batch)
        await asyncio.sleep(0)

    def _add(self, batch: Batch) -> None:
        for row in batch.rows:
            channel = str(row[_CHANNEL])
            if row[_STATE] == State.REFUSED:
                reason = str(row[_REASON])
                self._refused[f"{reason}:{channel}" if reason == NO_CHANNEL else reason] += 1
                continue
            load = self._loads.setdefault(channel, [0, 0])
            load[0] += 1
            load[1] += int(row[_PARTS] or 0)
            self._messages[channel, str(row[_LANGUAGE])] += 1
        self._words += [
            Said(
                channel=words.channel,
                language=words.language,
                body=words.body,
                subject=words.subject,
                parts=words.parts,
            )
            for words in batch.words
        ]
        if len(self._unreachable) < _UNREACHABLE_NAMED:
            self._unreachable += [
                PersonId(str(other[2])) for other in batch.others if other[4] == "no_address"
            ]

    def counted(self, snapshot: Snapshot, *, every_school: bool) -> Counted:
        texts = {
            (said.channel, said.language): replace(said, messages=self._messages[said.channel, said.language])
            for said in self._words
        }
        return Counted(
            people=snapshot.people,
            messages=snapshot.deliveries,
            unreachable=snapshot.unreachable,
            unreachable_people=tuple(self._unreachable[:_UNREACHABLE_NAMED]),
            loads={channel: (load[0], load[1]) for channel, load in self._loads.items()},
            refused=dict(self._refused),
            texts=tuple(said for _, said in sorted(texts.items()) if said.messages),
            every_school=every_school,
        )


async def _names_every_school(rule: AudienceRule, site: NoticeSite) -> bool:
    if not rule.schools or site.roster is None:
        return False
    known = await site.roster.schools()
    return bool(known) and known.keys() <= rule.schools
