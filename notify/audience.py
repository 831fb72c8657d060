"""For whom a notice is: a rule, and the frozen snapshot of people and addresses it comes to. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from msgspec import Struct

from belltower.ids import PersonId, PlaceId
from belltower.people.person import Contact, Person
from floorplans.place import Place


class Within(StrEnum):
    """How near to the incident's place a person must usually be."""

    PLACE = "place"
    BUILDING = "building"
    CAMPUS = "campus"


class AudienceRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is meant. In TOML: `all-staff = { roles = ["staff"] }`, `here = { roles = ["staff"], within = "building" }`."""

    # Any one of these; empty: any role.
    roles: frozenset[str] = frozenset()
    within: Within = Within.CAMPUS
    # Everyone there is, whatever their roles and places.
    everyone: bool = False


class Recipient(Struct, frozen=True, kw_only=True):
    """One person at one address."""

    person: PersonId
    contact: Contact


class Snapshot(Struct, frozen=True, kw_only=True):
    """The people a rule came to when it was asked, and whom no address reaches."""

    people: int
    recipients: tuple[Recipient, ...]
    unreachable: tuple[PersonId, ...]


def matches(rule: AudienceRule, person: Person, *, at: Place | None, places: Mapping[PlaceId, Place]) -> bool:
    """Whether `person` is meant.

    An incident without a known place concerns the whole campus, and so does a person without places; a person's
    place that no plan knows does not leave that person out.
    """
    if rule.everyone:
        return True
    if rule.roles and not rule.roles & person.roles:
        return False
    if rule.within is Within.CAMPUS or at is None or not person.places:
        return True
    if rule.within is Within.PLACE:
        return at.id in person.places
    known = [places[place] for place in person.places if place in places]
    return not known or any(place.building == at.building for place in known)


def resolve(
    rule: AudienceRule, people: Iterable[Person], *, at: Place | None, places: Mapping[PlaceId, Place]
) -> Snapshot:
    """The frozen snapshot: every address of every person whom the rule means."""
    meant = [person for person in people if matches(rule, person, at=at, places=places)]
    return Snapshot(
        people=len(meant),
        recipients=tuple(
            Recipient(person=person.id, contact=contact) for person in meant for contact in person.contacts
        ),
        unreachable=tuple(person.id for person in meant if not person.contacts),
    )
