"""What of a load waits for a person to say who a contact is: taken out of what it changes."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from belltower.ids import PersonId
from belltower.people.diff import Difference, without
from belltower.people.doubt import Doubt, exchanged, mark_of, pairs
from belltower.people.roster import Human, HumanKey, Link, Roster
from belltower.people.rows import Item, Records
from belltower.people.store import RosterStore
from belltower.people.tables import Kept

T = TypeVar("T")

_AT_ONCE = 250


class Doubting:
    """Finds them in one full load, beside what is in force of the same source."""

    def __init__(
        self,
        *,
        store: RosterStore,
        source: str,
        roster: Roster,
        records: Records,
        differences: dict[Kept, Difference],
        changes: dict[Kept, list[Item]],
    ) -> None:
        self._store = store
        self._source = source
        self._roster = roster
        self._records = records
        self._differences = differences
        self._changes = changes
        self._coming: dict[PersonId, Human] = {}

    async def find(self) -> list[Doubt]:
        """All of them. What they concern is no longer among the differences and changes, but stays as it stands."""
        for piece in _slices(self._roster.humans):
            self._coming |= {self._records.person(one.key): one for one in piece if one.derived}
            await asyncio.sleep(0)
        if not self._coming:
            return []
        doubts = [*await self._same_name(), *await self._another_name()]
        if doubts:
            self._take_out(doubts)
        return doubts

    async def _same_name(self) -> list[Doubt]:
        addresses = self._differences[Kept.ADDRESS]
        touched: set[str] = set()
        for idents in _slices(addresses.added | addresses.changed | addresses.removed):
            touched.update(ident.partition("/")[0] for ident in idents)
            await asyncio.sleep(0)
        touched -= self._differences[Kept.PERSON].added
        persons = sorted(PersonId(one) for one in touched if one in self._coming)
        found = []
        for piece in _slices(persons):
            children = await self._store.children_of(piece, await self._store.in_force())
            for known in await self._store.known(piece, as_loaded=True):
                after = self._coming[known.id]
                if exchanged(known.human, after):
                    (student, *_) = (*sorted(children.get(known.id, ())), PersonId(""))
                    found.append(self._doubt(student, known.human.key, known.id, known.id, after, ()))
        return found

    async def _another_name(self) -> list[Doubt]:
        persons = self._differences[Kept.PERSON]
        come: dict[PersonId, list[Human]] = defaultdict(list)
        links: dict[HumanKey, list[Link]] = defaultdict(list)
        new = {one.key for ident, one in self._coming.items() if ident in persons.added}
        if not new or not persons.removed:
            return []
        for link in self._roster.links:
            if link.adult in new:
                links[link.adult].append(link)
        for key, own in links.items():
            come[self._records.person(own[0].student)].append(self._coming[self._records.person(key)])
        gone: dict[PersonId, list[Human]] = defaultdict(list)
        for piece in _slices(sorted(persons.removed)):
            removed = [PersonId(one) for one in piece]
            children = await self._store.children_of(removed, await self._store.in_force())
            for known in await self._store.known(removed, as_loaded=True):
                if known.human.derived:
                    for student in children.get(known.id, ()):
                        gone[student].append(known.human)
        found = []
        for student, before in gone.items():
            for one, after in pairs(before, come.get(student, ())):
                was, becomes = self._records.person(one.key), self._records.person(after.key)
                found.append(self._doubt(student, one.key, was, becomes, after, tuple(links[after.key])))
        return found

    def _doubt(
        self,
        student: PersonId,
        key: HumanKey,
        before: PersonId,
        after: PersonId,
        coming: Human,
        links: tuple[Link, ...],
    ) -> Doubt:
        vault = self._store.vault
        ident = vault.name("doubt", f"{self._source}\0{before}\0{after}").hex()
        return Doubt(
            id=f"dbt_{ident}",
            source=self._source,
            student=student,
            before=before,
            after=after,
            coming=coming,
            links=links,
            key=key,
            mark=mark_of(vault, coming, links),
        )

    def _take_out(self, doubts: Sequence[Doubt]) -> None:
        whole = {
            one for doubt in doubts if doubt.before != doubt.after for one in (doubt.before, doubt.after)
        }
        either = whole | {doubt.before for doubt in doubts}

        def of_them(kept: Kept, ident: str) -> bool:
            match kept:
                case Kept.PERSON:
                    return ident in whole
                case Kept.ADDRESS:
                    return ident.partition("/")[0] in either
                case Kept.LINK:
                    return ident.partition("/")[2] in whole
                case _:
                    return False

        for kept in (Kept.PERSON, Kept.ADDRESS, Kept.LINK):
            difference = self._differences[kept]
            every = difference.added | difference.changed | difference.removed
            away = {ident for ident in every if of_them(kept, ident)}
            contents = {item.ident: item.content for item in self._changes[kept] if item.ident in away}
            self._differences[kept] = without(difference, away, contents)
            self._changes[kept] = [item for item in self._changes[kept] if item.ident not in away]


def _slices(items: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(items)
    while piece := list(islice(iterator, _AT_ONCE)):
        yield piece
