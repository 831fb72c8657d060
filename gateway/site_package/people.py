"""`people.toml`: the staff, and how each is reached."""

from __future__ import annotations

import re
from collections.abc import Container

from msgspec import Struct

from belltower.ids import PersonId, PlaceId
from belltower.people import Contact, ContactKind, Person
from belltower.values import Reader
from gateway.site_package.checks import NUMBER, check_id, check_place, check_unique, numbered, take_file

_MAILBOX = re.compile(r"[^@\s<>\",;:]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")


class _Person(Struct, frozen=True, kw_only=True):
    id: PersonId
    name: str
    roles: frozenset[str] = frozenset({"staff"})
    places: frozenset[PlaceId] = frozenset()
    contact: tuple[Contact, ...] = ()


class _People(Struct, frozen=True, kw_only=True):
    person: tuple[_Person, ...] = ()


def take_people(reader: Reader, places: Container[PlaceId] | None) -> dict[PersonId, Person] | None:
    """The staff by id; `places` None: they are not known. None where the file is at fault."""
    people = take_file(reader, _People)
    if people is None:
        return None
    staff: dict[PersonId, Person] = {}
    for at, person in numbered("person", people.person):
        check_id(reader, f"{at}.id", person.id)
        for place in sorted(person.places):
            check_place(reader, f"{at}.places", place, places)
        for here, contact in numbered(f"{at}.contact", person.contact):
            # What stands there is personal, so it is not repeated.
            if contact.kind is ContactKind.SMS and not NUMBER.fullmatch(contact.address):
                reader.fault(f"{here}.address", 'no telephone number in E.164; write one such as "+15550100"')
            if contact.kind is ContactKind.EMAIL and not _MAILBOX.fullmatch(contact.address):
                reader.fault(f"{here}.address", 'no mailbox; write one such as "office@example.org"')
            if not contact.address:
                reader.fault(f"{here}.address", "empty; write the address")
        staff[person.id] = Person(
            id=person.id,
            name=person.name,
            roles=person.roles,
            places=person.places,
            contacts=person.contact,
        )
    check_unique(reader, "person", [person.id for person in people.person], "id")
    return staff
