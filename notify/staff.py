"""The people of a roster whom a notice can mean, each human once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence

from msgspec.structs import replace

from belltower.ids import PersonId
from belltower.people.person import Person
from notify.addresses import same
from notify.audience import FROM_ROSTER, AudienceRule
from notify.site import NoticeSite

_AT_ONCE = 500


def asks_roster(site: NoticeSite, rule: AudienceRule) -> bool:
    """Whether anybody of a roster can be meant."""
    if rule.asks_roster:
        return site.roster is not None
    return rule.asks_staff and site.roster_staff is not None


async def of_roster(site: NoticeSite, rule: AudienceRule) -> AsyncIterator[Sequence[Person]]:
    """Some hundreds at a time. Raises `StoreError`.

    Whoever works here by the roster is one with the person of the site package who has an address in common: that
    person's places, language and addresses count. As somebody's guardian each is still meant for themselves.
    Where the rule names no school, staff are those of the schools of this campus.
    """
    schools = rule.schools or site.schools
    if site.roster is not None and rule.asks_roster:
        own = _addresses(site.people, rule.schools) if rule.asks_staff else frozenset()
        async for page in site.roster.people():
            yield [
                one
                for one in page
                if rule.roles & FROM_ROSTER & one.roles or not (_known(one, own) or _elsewhere(one, schools))
            ]
    elif site.roster_staff is not None and rule.asks_staff:
        own = _addresses(site.people, rule.schools)
        staff = await site.roster_staff.staff(schools)
        for start in range(0, len(staff), _AT_ONCE):
            yield [
                replace(one, roles=one.roles - FROM_ROSTER)
                for one in staff[start : start + _AT_ONCE]
                if not _known(one, own)
            ]


def _addresses(people: Mapping[PersonId, Person], schools: frozenset[str]) -> frozenset[str]:
    """Of those whom a rule for these schools can mean, all where it names none: others are told as the roster has them."""
    return frozenset(
        same(contact.kind.value, contact.address)
        for person in people.values()
        if not _elsewhere(person, schools)
        for contact in person.contacts
    )


def _elsewhere(person: Person, schools: frozenset[str]) -> bool:
    """Whether the person is known to be of other schools only."""
    return bool(schools and person.schools) and schools.isdisjoint(person.schools)


def _known(person: Person, own: frozenset[str]) -> bool:
    return any(same(contact.kind.value, contact.address) in own for contact in person.contacts)
