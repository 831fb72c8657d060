"""What this room needs of the site package."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from belltower.ids import PersonId, PlaceId
from belltower.incident.plan import EscalationPlan, FamiliesPlan
from belltower.people.person import Person
from floorplans.place import Place
from notify.audience import AudienceRule
from notify.quiet import Quiet
from notify.wording import WordingSet


class Roster(Protocol):
    """The people whom a roster knows: students, guardians, contacts."""

    def people(self) -> AsyncIterator[Sequence[Person]]:
        """All of them, some hundreds at a time, always in the same order. Raises `StoreError`."""
        ...

    async def version(self) -> int:
        """Another number whenever anybody in it is another. Raises `StoreError`."""
        ...

    async def schools(self) -> Mapping[str, str]:
        """The names of all schools that there are. Raises `StoreError`."""
        ...

    async def called_of(
        self, schools: Collection[str], classes: Collection[str]
    ) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """The names of those of these schools and classes that there are. Raises `StoreError`."""
        ...

    async def names(self, people: Collection[PersonId]) -> Mapping[PersonId, str]:
        """The names of those of these people who are known. Raises `StoreError`."""
        ...


class RosterStaff(Protocol):
    """Those of a roster who work at schools."""

    async def staff(self, schools: Collection[str]) -> Sequence[Person]:
        """Those of these schools; where none is named, of the only one there is. Raises `StoreError`."""
        ...


class NoticeSite(Struct, frozen=True, kw_only=True):
    """One revision of the site package, as notices see it."""

    # The school's name as people know it: every text begins with it.
    school: str
    people: Mapping[PersonId, Person]
    places: Mapping[PlaceId, Place]
    audiences: Mapping[str, AudienceRule]
    wording: WordingSet
    roster: Roster | None = None
    # Who works here by the roster; None: only those of the site package do.
    roster_staff: RosterStaff | None = None
    # The schools of this campus, by the roster's keys: whose staff is meant where a rule names no school.
    schools: frozenset[str] = frozenset()
    # What people read whose own language is not known.
    language: str = "en"
    # IANA name of the zone in which people read times.
    timezone: str = "UTC"
    # When what may wait reaches no phone; None: it always does.
    quiet: Quiet | None = None
    # Where a phone can read what is known, `{incident}` standing for the incident's id; empty: nowhere.
    incident_url: str = ""
    # What follows where nobody acknowledges.
    escalation: EscalationPlan = EscalationPlan()
    # What is made ready for families, and who sees to it.
    families: FamiliesPlan = FamiliesPlan()
    # The number that people call, and that those call for an interpreter whose language has no text; "": none.
    phone: str = ""
