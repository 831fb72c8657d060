"""For whom a notice is: a rule, and the frozen snapshot of people and addresses it comes to. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from belltower.ids import PersonId, PlaceId
from belltower.people.person import Contact, ContactKind, Person
from floorplans.place import Place


class Within(StrEnum):
    """How near to the incident's place a person must usually be."""

    PLACE = "place"
    BUILDING = "building"
    CAMPUS = "campus"


FROM_ROSTER = frozenset({"student", "guardian", "contact"})
"""The roles of people whom only a roster knows. A rule that names none of them means nobody of the roster."""


class AudienceRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is meant: whoever fits every key that is given.

    In TOML: `all-staff = { roles = ["staff"] }`, `here = { roles = ["staff"], within = "building" }`,
    `families-7b = { roles = ["guardian"], classes = ["7b"] }`. A guardian has the places, classes and schools of the
    children. Who works here and has no school in any list belongs to all. Staff, where no school is named, are those of
    the schools of this campus.
    """

    # Any one of these; empty: any role of the school's own people.
    roles: frozenset[str] = frozenset()
    within: Within = Within.CAMPUS
    # All of the school's own people, whatever their roles and places.
    everyone: bool = False
    # Only these; empty: it does not matter.
    people: frozenset[PersonId] = frozenset()
    # Any one of these; empty: it does not matter. Who has no place belongs to all.
    places: frozenset[PlaceId] = frozenset()
    classes: frozenset[str] = frozenset()
    schools: frozenset[str] = frozenset()
    languages: frozenset[str] = frozenset()
    # True leaves out who is known to be elsewhere; who is not known to be anywhere is told rather than not.
    on_site: bool = False
    # Only these ways; empty: every address there is.
    channels: frozenset[ContactKind] = frozenset()

    @property
    def asks_roster(self) -> bool:
        """Whether people of the roster can be meant."""
        return bool(self.roles & FROM_ROSTER)

    @property
    def asks_staff(self) -> bool:
        """Whether people who work at the school can be meant."""
        return self.everyone or not self.roles or bool(self.roles - FROM_ROSTER)


def concerned(rule: AudienceRule, own: frozenset[str] = frozenset()) -> frozenset[str] | None:
    """Whose right to tell these people is asked for: that of these schools, of all where it is empty; None: of any.

    A grant for one school lets tell its families, where the rule names it, and its staff: where the rule names no
    school, that is the staff of `own`, the schools of this campus. Without either it is whoever works here.
    """
    if not rule.asks_roster:
        return (own if rule.everyone else rule.schools or own) or None
    return frozenset() if rule.everyone else rule.schools


def idle_keys(rule: AudienceRule) -> tuple[str, ...]:
    """The keys that look as if they narrowed the rule and do not, because it says `everyone`."""
    if not rule.everyone:
        return ()
    given = {
        "roles": rule.roles - FROM_ROSTER,
        "within": rule.within is not Within.CAMPUS,
        "people": rule.people,
        "places": rule.places,
        "classes": rule.classes,
        "schools": rule.schools,
        "languages": rule.languages,
        "on_site": rule.on_site,
    }
    return tuple(key for key, narrows in given.items() if narrows)


def narrowed(rule: AudienceRule, by: AudienceRule) -> AudienceRule | None:
    """Those of `rule` whom `by` means too; None: nobody can be both, or nothing narrows `rule`."""
    roles = by.roles if rule.roles else by.roles - FROM_ROSTER
    keys: dict[str, frozenset[str]] = {}
    for key in ("roles", "people", "places", "classes", "schools", "languages", "channels"):
        ours, theirs = getattr(rule, key), getattr(by, key)
        keys[key] = ours & theirs if ours and theirs else ours or (roles if key == "roles" else theirs)
        if theirs and not keys[key]:
            return None
    found = replace(rule, on_site=rule.on_site or by.on_site, **keys)
    return None if set(idle_keys(found)) - set(idle_keys(rule)) else found


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
    if person.roles & FROM_ROSTER and not rule.roles & person.roles:
        return False
    if rule.everyone:
        return True
    if not _fits(rule, person):
        return False
    if rule.within is Within.CAMPUS or at is None or not person.places:
        return True
    if rule.within is Within.PLACE:
        return at.id in person.places
    known = [places[place] for place in person.places if place in places]
    return not known or any(place.building == at.building for place in known)


def _fits(rule: AudienceRule, person: Person) -> bool:
    """Whether the person fits every key that asks nothing of the incident's place."""
    return (
        (not rule.people or person.id in rule.people)
        and (not rule.roles or bool(rule.roles & person.roles))
        and (not rule.places or not person.places or bool(rule.places & person.places))
        and (not rule.classes or bool(rule.classes & person.classes))
        and (not rule.schools or bool(rule.schools & person.schools) or _of_no_school(person))
        and (not rule.languages or person.language in rule.languages)
        and not (rule.on_site and person.on_site is False)
    )


def _of_no_school(person: Person) -> bool:
    return not person.schools and not person.roles & FROM_ROSTER


def addresses(rule: AudienceRule, person: Person) -> tuple[Contact, ...]:
    """The addresses of `person` that the rule lets be used."""
    if not rule.channels:
        return person.contacts
    return tuple(contact for contact in person.contacts if contact.kind in rule.channels)


def resolve(
    rule: AudienceRule, people: Iterable[Person], *, at: Place | None, places: Mapping[PlaceId, Place]
) -> Snapshot:
    """The frozen snapshot: every address of every person whom the rule means."""
    meant = [person for person in people if matches(rule, person, at=at, places=places)]
    return Snapshot(
        people=len(meant),
        recipients=tuple(
            Recipient(person=person.id, contact=contact)
            for person in meant
            for contact in addresses(rule, person)
        ),
        unreachable=tuple(person.id for person in meant if not addresses(rule, person)),
    )
