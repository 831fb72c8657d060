"""Records given to somebody outside of the school in an emergency: what may be asked for, and what is said of it. Pure.

It is opened for one incident, one recipient, some groups of fields and some students, and ends by itself. The law it
stands on wants a threat that can be put in words, nothing beyond the need and the time of the emergency, and both
written down for each student: 34 CFR 99.31(a)(10), 99.36 and 99.32(a)(5).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from enum import StrEnum
from typing import NewType

from msgspec import Struct

from belltower.clock import SECOND, Instant
from belltower.ids import IncidentId, PersonId, VerbId

DisclosureId = NewType("DisclosureId", str)
"""`dsc_` and 26 characters."""

LONGEST = 24 * 60
"""Minutes for which one may be opened. Whoever needs more opens another, and says again why."""

MOST = 20_000
"""Students of one disclosure."""

_THREAT = (20, 2_000)
_WORDS = (2, 120)


class Basis(StrEnum):
    """On which ground records may leave without consent."""

    SAFETY = "safety"
    HEALTH = "health"


BASES = {
    Basis.SAFETY: "safety emergency, 34 CFR 99.31(a)(10) and 99.36",
    Basis.HEALTH: "health emergency, 34 CFR 99.31(a)(10) and 99.36",
}
"""Each ground as the record says it."""


class Field(StrEnum):
    """A group of fields that is given or not. Photographs and medical records are not kept here: none can be given."""

    # What a student is called, and the grade.
    NAMES = "names"
    BIRTH = "birth"
    # Whom to call, and how.
    CONTACT = "contact"
    # Which school, and which room in which period, by the timetable.
    LOCATION = "location"


class Way(StrEnum):
    """How records left the register."""

    SHOWN = "shown"
    EXPORTED = "exported"


class Why(StrEnum):
    """Why it ended."""

    DEADLINE = "deadline"
    BY_HAND = "by-hand"
    INCIDENT_CLOSED = "incident-closed"


class Selection(Struct, frozen=True, kw_only=True):
    """For which students: those of these schools and classes, and these. Never simply all there are."""

    # By the keys of the source, or by a name that only one has.
    schools: frozenset[str] = frozenset()
    classes: frozenset[str] = frozenset()
    # Each an id, a student's number, or a name that only one student has.
    students: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether it names anybody."""
        return bool(self.schools or self.classes or self.students)


class Recipient(Struct, frozen=True, kw_only=True):
    """Who gets it: an agency, and what the person is there. Their name is not needed."""

    agency: str
    function: str


class Asked(Struct, frozen=True, kw_only=True):
    """What somebody wants opened."""

    incident: IncidentId
    recipient: Recipient
    basis: Basis
    # The articulable and significant threat, in words.
    threat: str
    fields: frozenset[Field]
    selection: Selection
    minutes: int


class Disclosure(Struct, frozen=True, kw_only=True):
    """One that was opened."""

    id: DisclosureId
    asked: Asked
    # Of an exercise: nothing of anybody leaves by it.
    exercise: bool
    # As the selection was when it was opened. Empty where the register was not asked for the whole of it.
    students: tuple[PersonId, ...]
    # Where they were then, first of all: who may do anything with it has the right in all of these.
    schools: tuple[str, ...]
    # Chosen by a name much like another student's of their school: to be looked at twice.
    alike: frozenset[PersonId]
    opened_at: Instant
    opened_by: PersonId
    until: Instant
    # 0: it was not closed.
    closed_at: Instant = Instant(0)
    # "": nobody; the time or the incident's end closed it.
    closed_by: PersonId = PersonId("")
    closed_why: str = ""
    # How many students are meant.
    count: int = 0

    def is_open(self, now: Instant) -> bool:
        """Whether anything may leave by it. Its time ends it even where nobody could write that down."""
        return not self.closed_at and self.opened_at <= now < self.until


class Given(Struct, frozen=True, kw_only=True):
    """What left of one student's records: written down before it left."""

    disclosure: DisclosureId
    student: PersonId
    # Others whose records were part of it: whom to call.
    others: tuple[PersonId, ...]
    fields: tuple[Field, ...]
    way: Way
    at: Instant
    by: PersonId
    # What they went by then, and their birth date: the roster forgets who has left. "" and None: it stands nowhere.
    name: str = ""
    born: date | None = None


def disclosure_of(verb: VerbId) -> DisclosureId:
    """The id of what a verb opens: asking twice opens one."""
    return DisclosureId("dsc_" + verb.partition("_")[2])


def faults(asked: Asked) -> list[str]:
    """What is missing or too much, each fit to be shown to whoever asks; empty: it may be opened."""
    found = []
    if not asked.incident:
        found.append("Choose the incident: records leave only for one that is open.")
    if not _within(asked.recipient.agency, _WORDS):
        found.append("Say which agency receives it, in 2 to 120 letters.")
    if not _within(asked.recipient.function, _WORDS):
        found.append("Say what the person who receives it is there, in 2 to 120 letters.")
    if not _within(asked.threat, _THREAT):
        found.append("Say what the threat is and to whom, in 20 to 2,000 letters: the law wants it in words.")
    if not asked.fields:
        found.append("Choose what is given.")
    if not asked.selection:
        found.append("Choose whose records are given: schools, classes or students.")
    if not 1 <= asked.minutes <= LONGEST:
        found.append(f"It is open for 1 to {LONGEST} minutes.")
    return found


def until(opened_at: Instant, minutes: int) -> Instant:
    """When it ends by itself."""
    return Instant(opened_at + minutes * 60 * SECOND)


def in_order(fields: Collection[Field]) -> tuple[Field, ...]:
    """The groups in the order in which they are always said."""
    return tuple(field for field in Field if field in fields)


def _within(text: str, size: tuple[int, int]) -> bool:
    return size[0] <= len(text.strip()) <= size[1] and not any(
        ord(letter) < 0x20 and letter not in "\r\n\t" for letter in text
    )
