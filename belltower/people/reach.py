"""The people of the roster in force, as notices address them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from belltower.ids import PersonId
from belltower.people.person import Contact, ContactKind, Person
from belltower.people.records import KnownHuman
from belltower.people.roster import Human, HumanKind
from belltower.people.store import RosterStore


class RosterPeople:
    """Everybody of the roster in force who is active, in the order of their ids."""

    def __init__(self, *, store: RosterStore) -> None:
        self._store = store

    async def people(self) -> AsyncIterator[Sequence[Person]]:
        """All of them, some hundreds at a time, all of one revision. Raises `StoreError`."""
        revision = await self._store.in_force()
        async for page in self._store.humans(revision=revision):
            persons = [known.id for known in page if known.human.active]
            children = await self._store.children_of(persons, revision)
            whose = {*persons, *(child for own in children.values() for child in own)}
            classes = await self._store.classes_of(sorted(whose), revision)
            yield [
                _person(known, children.get(known.id, frozenset()), classes)
                for known in page
                if known.human.active
            ]


def _person(
    known: KnownHuman, children: frozenset[PersonId], classes: dict[PersonId, frozenset[str]]
) -> Person:
    human = known.human
    roles = {human.kind.value, *human.roles}
    if children and human.kind is HumanKind.STAFF:
        roles.add("guardian")
    return Person(
        id=known.id,
        name=called(human),
        roles=frozenset(roles),
        contacts=tuple(_contacts(human)),
        language=human.language,
        classes=frozenset().union(*(classes.get(one, frozenset()) for one in (known.id, *children))),
        schools=frozenset(human.schools),
        children=children,
    )


def called(human: Human) -> str:
    """The name a person goes by, as the source spells it."""
    given, family = human.preferred_given or human.given, human.preferred_family or human.family
    return f"{given} {family}".strip()


def _contacts(human: Human) -> list[Contact]:
    """Texts go to the numbers known to take them or, where none is, to all; calls and mail to all."""
    possible = [phone for phone in human.phones if phone.e164]
    texted = [phone for phone in possible if phone.sms] or possible
    return [
        *(Contact(kind=ContactKind.SMS, address=phone.e164) for phone in texted),
        *(Contact(kind=ContactKind.VOICE, address=phone.e164) for phone in possible),
        *(Contact(kind=ContactKind.EMAIL, address=email) for email in human.emails),
    ]
