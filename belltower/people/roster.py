"""What a roster says: schools, classes, humans, who may be called for whom, and who sits where.

A `Roster` is one load as its reader understood it, before anything of it is in force. It is the whole truth of its
source (`delta` false: who is not in it is no longer there) or a delta (`delta` true: records to add or replace, and
`removed`). Every cell is kept as the source writes it; what a reader had to make of it stands in a field beside it.

A human is known by a `HumanKey`, the source's own kind of record and its id (`user/114001`, `student/13001`), because
ids are unique only within their kind. A link says whom to call for a student. It never lets anybody collect a child by
itself: `may_collect` stays `None`, "nobody has said", until a district's mapping rule or a person says otherwise.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import NewType

from msgspec import Struct

from belltower.clock import Instant

HumanKey = NewType("HumanKey", str)
"""`kind of record/id`, as the source counts: `user/114001`, `student/13001`, `contact/9`."""

SchoolKey = NewType("SchoolKey", str)
"""The source's own id of a school or another organisation."""

ClassKey = NewType("ClassKey", str)
"""The source's own id of a class."""


class HumanKind(StrEnum):
    """What a human is to the school first of all; whoever teaches and has a child here is staff."""

    STUDENT = "student"
    STAFF = "staff"
    GUARDIAN = "guardian"
    # Somebody to call who is no parent, guardian or relative.
    CONTACT = "contact"


class Relation(StrEnum):
    """What an adult is to a student."""

    PARENT = "parent"
    GUARDIAN = "guardian"
    RELATIVE = "relative"
    # Named by the source beside the student as somebody to call, and no more.
    CONTACT = "contact"


class MayCollect(StrEnum):
    """Whether an adult may take a student along."""

    YES = "yes"
    NO = "no"
    # A person reads the order first.
    CONDITIONAL = "conditional"


class LinkSource(StrEnum):
    """On whose word a link stands, weakest first."""

    SIS = "sis"
    GUARDIAN_FORM = "guardian-form"
    COURT_ORDER = "court-order"
    STATE_CUSTODY = "state-custody"
    RESTRAINING_ORDER = "restraining-order"


class Side(StrEnum):
    """Whose record states a link; files state it on either side or on both."""

    STUDENT = "student"
    ADULT = "adult"


class Phone(Struct, frozen=True, kw_only=True, gc=False):
    """One telephone number as written, and in E.164 where it is a possible one."""

    written: str
    # Empty: impossible, nobody can be reached at it.
    e164: str = ""
    # Known to take text messages.
    sms: bool = False


class School(Struct, frozen=True, kw_only=True):
    """A school, or a district or department above it."""

    key: SchoolKey
    name: str
    # The source's word in lower case: "school", "district", "department" ..
    kind: str = "school"
    # The number the district or the state knows it by.
    number: str = ""
    parent: SchoolKey | None = None
    phone: Phone | None = None
    file: str = ""


class SchoolClass(Struct, frozen=True, kw_only=True):
    """A class in a school: where the roll call begins."""

    key: ClassKey
    school: SchoolKey
    title: str
    course: str = ""
    periods: tuple[str, ...] = ()
    # The room's label as the source writes it; it names a Place only where a plan bears the same label.
    location: str = ""
    grades: tuple[str, ...] = ()
    begins: date | None = None
    ends: date | None = None
    file: str = ""


class Room(Struct, frozen=True, kw_only=True):
    """A room's label, as the classes of a school write it."""

    school: SchoolKey
    label: str


class Human(Struct, frozen=True, kw_only=True, gc=False):
    """One student, one of the staff, one guardian or one contact. Two rows that may be one human stay two."""

    key: HumanKey
    kind: HumanKind
    given: str = ""
    family: str = ""
    middle: str = ""
    # The name to use, where it is another one.
    preferred_given: str = ""
    preferred_family: str = ""
    birth_date: date | None = None
    # A CEDS code, "KG", "06", "PS1", where it is known; else as written.
    grade: str = ""
    # The language to write to them in, as the source writes it.
    language: str = ""
    # The first is the main one.
    schools: tuple[SchoolKey, ...] = ()
    phones: tuple[Phone, ...] = ()
    emails: tuple[str, ...] = ()
    # The source's words in lower case: "teacher", "counselor" ..
    roles: frozenset[str] = frozenset()
    # The student's or staff member's number, which is not the id.
    number: str = ""
    # False: the source knows them and says they are not there at present.
    active: bool = True
    # The source gives no id of their own: the key is made from name and address and changes with them.
    derived: bool = False
    file: str = ""


class Link(Struct, frozen=True, kw_only=True, gc=False):
    """One student and one adult: whom to call, and what is known about who may collect."""

    student: HumanKey
    adult: HumanKey
    relation: Relation
    # The relation in the source's own word: "Mother", "grandparent".
    written: str = ""
    # None: nobody has said. It counts as no.
    may_collect: MayCollect | None = None
    source: LinkSource = LinkSource.SIS
    # Where the scanned order lies; never its text.
    order_reference: str = ""
    # What the source writes about limits, for a person to read. It decides nothing.
    restrictions: str = ""
    begins: date | None = None
    ends: date | None = None
    # Monday is 0; empty: every day.
    weekdays: frozenset[int] = frozenset()
    # That an order exists is shown to the director and the law-enforcement liaison only.
    sealed: bool = False
    restraining: bool = False
    # Whom to call first: 1 before 2; 0: not said.
    priority: int = 0
    lives_with: bool | None = None
    verified_by: str = ""
    verified_at: Instant | None = None
    # Whose records state it; a delta that restates all of them without it removes it.
    stated_by: frozenset[Side] = frozenset()
    file: str = ""


class Enrolment(Struct, frozen=True, kw_only=True, gc=False):
    """A human in a class: who is expected where."""

    school_class: ClassKey
    human: HumanKey
    # "student", "teacher", "aide", "proctor", "administrator" or the source's word in lower case.
    role: str
    # The source's own id of it, by which a delta removes it; "class/human" where it has none.
    key: str = ""
    primary: bool = False
    begins: date | None = None
    ends: date | None = None
    file: str = ""


class Review(Struct, frozen=True, kw_only=True):
    """Something a person has to look at. It names rows, never what a personal cell holds."""

    # One word for the sort of thing: "link", "name", "phone", "header", "identity", "term", "manifest" ..
    kind: str
    file: str
    row: int
    column: str
    what: str
    mend: str


class Table(StrEnum):
    """What a removed record was."""

    SCHOOL = "school"
    CLASS = "class"
    HUMAN = "human"
    ENROLMENT = "enrolment"


class Removed(Struct, frozen=True, kw_only=True):
    """A record that a delta takes away."""

    table: Table
    # The record's `key`.
    key: str


class Roster(Struct, frozen=True, kw_only=True):
    """One load, as read."""

    # "oneroster", "clever", "sds", "edfi", "plain".
    format: str
    version: str = ""
    # The system it comes from, as the load names it.
    source: str = ""
    delta: bool = False
    schools: tuple[School, ...] = ()
    classes: tuple[SchoolClass, ...] = ()
    humans: tuple[Human, ...] = ()
    links: tuple[Link, ...] = ()
    enrolments: tuple[Enrolment, ...] = ()
    # Delta only.
    removed: tuple[Removed, ...] = ()
    # Delta only: humans whose own list of links is stated anew, whole.
    restated: frozenset[HumanKey] = frozenset()
    review: tuple[Review, ...] = ()

    def rooms(self) -> tuple[Room, ...]:
        """Every room a class names, each once, in the order of first mention."""
        found = {(one.school, one.location): None for one in self.classes if one.location}
        return tuple(Room(school=school, label=label) for school, label in found)

    def of_kind(self, kind: HumanKind) -> tuple[Human, ...]:
        """The humans of one kind."""
        return tuple(one for one in self.humans if one.kind is kind)

    def nothing_current(self, today: date) -> bool:
        """Whether it has classes and none of them runs on `today`: such a load is most likely last year's."""
        return bool(self.classes) and not any(
            (one.begins is None or one.begins <= today) and (one.ends is None or today <= one.ends)
            for one in self.classes
        )

    def counts(self) -> dict[str, int]:
        """How many there are of each, by the words screens and facts use."""
        kinds = dict.fromkeys(HumanKind, 0)
        for human in self.humans:
            kinds[human.kind] += 1
        return {
            "schools": len(self.schools),
            "classes": len(self.classes),
            "rooms": len(self.rooms()),
            "students": kinds[HumanKind.STUDENT],
            "staff": kinds[HumanKind.STAFF],
            "guardians": kinds[HumanKind.GUARDIAN],
            "contacts": kinds[HumanKind.CONTACT],
            "links": len(self.links),
            "enrolments": len(self.enrolments),
            "removed": len(self.removed),
        }
