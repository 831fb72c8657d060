"""The people of the roster in force, as notices address them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from belltower.clock import Clock
from belltower.ids import PersonId
from belltower.people.by_hand import HandField, is_away
from belltower.people.languages import tag_of
from belltower.people.person import Contact, ContactKind, Person
from belltower.people.records import Address, addressed
from belltower.people.roster import HumanKind, SchoolClass
from belltower.people.store import RosterStore

# Seconds until somebody looks whether the staff are others.
_KEPT_FOR = 20.0


SCHOOL = "school"
"""The kind of what is a school and not above one."""


class BeyondReach(Struct, frozen=True, kw_only=True):
    """An adult whom no notice can reach."""

    person: Person
    # Numbers that are written down and can be none.
    impossible: int


class RosterPeople:
    """Everybody of the roster in force who is active, in the order of their ids."""

    def __init__(self, *, store: RosterStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        # The staff, and the version of the roster they were read of: a lockdown does not wait for the families' rows.
        self._staff: tuple[int, dict[PersonId, Person]] | None = None
        self._beyond: tuple[int, list[BeyondReach]] | None = None

    async def version(self) -> int:
        """Another number whenever somebody is another, by a load or by hand."""
        return await self._store.version()

    async def names(self, people: Collection[PersonId]) -> Mapping[PersonId, str]:
        """What these are called, as far as the roster in force says. Raises `StoreError`."""
        return await self._store.names_of(list(people)) if people else {}

    async def schools_and_classes(
        self, within: Collection[str] | None = None
    ) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """The names of schools and of classes, by the keys that audiences use; what is above schools is none.

        `within` are the schools that are wanted, and whose classes are; None: all.
        """
        schools = await self.schools()
        if within is not None:
            schools = {key: name for key, name in schools.items() if key in within}
        classes = [one for one in await self._store.classes() if within is None or one.school in within]
        return schools, _titles(classes, schools)

    async def called_of(
        self, schools: Collection[str], classes: Collection[str]
    ) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """The names of those of these schools and classes that there are; no other class is read. Raises `StoreError`."""
        named = await self.schools()
        found = await self._store.classes(classes) if classes else []
        return {key: name for key, name in named.items() if key in schools}, _titles(found, named)

    async def schools(self) -> dict[str, str]:
        """The names of all schools that there are. Raises `StoreError`."""
        return {str(one.key): one.name for one in await self._store.schools() if one.kind == SCHOOL}

    async def people(self) -> AsyncIterator[Sequence[Person]]:
        """All of them, some hundreds at a time, all of one revision. Raises `StoreError`."""
        away = await self._away()
        async for page in self._people(tuple(HumanKind)):
            yield _marked(page, away)

    async def staff(self, schools: Collection[str]) -> Sequence[Person]:
        """Those who work at these schools; where none is named, at the one school whose staff the roster has.

        Who is at no school in any list belongs to each that is named. Of several schools, and none named, it is nobody:
        an alarm is no other school's. Raises `StoreError`.
        """
        everybody = _marked((await self._everybody()).values(), await self._away())
        if schools:
            return [one for one in everybody if not one.schools or one.schools & set(schools)]
        several = len(await self.schools_of_staff()) > 1
        return [] if several else everybody

    async def beyond_reach(self) -> Sequence[BeyondReach]:
        """The adults whom no notice can reach, by name: to be mended before there is anything to tell (P20, W25).

        They have no number and no mailbox, or numbers only that can be none. Raises `StoreError`.
        """
        version = await self.version()
        if self._beyond is None or self._beyond[0] != version:
            revision, layer = await self._store.in_force(), await self._store.hands.layer()
            found: list[BeyondReach] = []
            async for page in self._people((HumanKind.STAFF, HumanKind.GUARDIAN, HumanKind.CONTACT)):
                without = [one for one in page if not one.contacts]
                written = await self._store.addresses_of([one.id for one in without], revision, layer)
                found += [
                    BeyondReach(
                        person=one, impossible=sum(to.kind == "phone" for to in written.get(one.id, ()))
                    )
                    for one in without
                ]
                await asyncio.sleep(0)
            self._beyond = version, sorted(found, key=lambda one: one.person.name.casefold())
        return self._beyond[1]

    async def _away(self) -> frozenset[PersonId]:
        """Who is known to be elsewhere now; asked anew each time, for it ends by itself."""
        layer, now = await self._store.hands.layer(), self._clock.now()
        return frozenset(
            PersonId(person)
            for person, fields in layer.fields.items()
            if HandField.AWAY in fields and is_away(fields, now)
        )

    async def schools_of_staff(self) -> frozenset[str]:
        """The keys of all schools at which somebody works. Raises `StoreError`."""
        return frozenset().union(*(one.schools for one in (await self._everybody()).values()))

    def called(self, person: PersonId) -> str:
        """The name of somebody who works here, as far as it was read lately; "" for anybody else."""
        known = self._staff[1].get(person) if self._staff is not None else None
        return known.name if known is not None else ""

    async def keep(self) -> None:
        """Have the staff at hand, for ever: neither an alarm nor a screen waits until they are read."""
        while True:
            await self._everybody()
            await asyncio.sleep(_KEPT_FOR)

    async def _everybody(self) -> dict[PersonId, Person]:
        version = await self.version()
        if self._staff is None or self._staff[0] != version:
            found = {one.id: one async for page in self._people((HumanKind.STAFF,)) for one in page}
            self._staff = version, found
        return self._staff[1]

    async def _people(self, kinds: tuple[HumanKind, ...]) -> AsyncIterator[Sequence[Person]]:
        store = self._store
        revision, layer = await store.in_force(), await store.hands.layer()
        async for page in store.rows(revision):
            rows = {PersonId(row[1]): row for row in page if row[4] and row[3] in kinds}
            if not rows:
                continue
            children = await store.children_of(list(rows), revision)
            whose = rows.keys() | {child for own in children.values() for child in own}
            classes = await store.classes_of(sorted(whose), revision)
            schools = await store.schools_of(sorted(whose), revision)
            reached = await store.addresses_of(list(rows), revision, layer)
            yield [
                _person(
                    row,
                    addressed(store.vault, row, layer.of(person)),
                    reached.get(person, []),
                    children.get(person, frozenset()),
                    classes,
                    schools,
                )
                for person, row in rows.items()
            ]


def _marked(people: Iterable[Person], away: Collection[PersonId]) -> list[Person]:
    return [replace(one, on_site=False) if one.id in away else one for one in people]


def _titles(classes: Iterable[SchoolClass], schools: Mapping[str, str]) -> dict[str, str]:
    return {
        str(one.key): f"{one.title} ({schools[one.school]})" if one.school in schools else one.title
        for one in classes
    }


def _person(
    row: tuple[Any, ...],
    told: tuple[str, str, Sequence[str], frozenset[str]],
    reached: Sequence[Address],
    children: frozenset[PersonId],
    classes: Mapping[PersonId, frozenset[str]],
    schools: Mapping[PersonId, Sequence[str]],
) -> Person:
    person = PersonId(row[1])
    name, language, _, roles = told
    if children and row[3] == HumanKind.STAFF:
        roles |= {"guardian"}
    return Person(
        id=person,
        name=name,
        roles=roles | {row[3]},
        contacts=tuple(_contacts(reached)),
        language=tag_of(language),
        classes=frozenset().union(*(classes.get(one, frozenset()) for one in (person, *children))),
        schools=frozenset().union(*(schools.get(one, ()) for one in (person, *children))),
        children=children,
    )


def _contacts(reached: Sequence[Address]) -> list[Contact]:
    """Texts go to the numbers known to take them or, where none is, to all; calls and mail to all."""
    phones = [one for one in reached if one.kind == "phone" and one.normalised]
    texted = [phone for phone in phones if phone.sms] or phones
    return [
        *(Contact(kind=ContactKind.SMS, address=phone.normalised) for phone in texted),
        *(Contact(kind=ContactKind.VOICE, address=phone.normalised) for phone in phones),
        *(Contact(kind=ContactKind.EMAIL, address=one.written) for one in reached if one.kind == "email"),
    ]
