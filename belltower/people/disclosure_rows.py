"""What a recipient outside reads of one student: only the groups of fields that were opened. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from msgspec import Struct

from belltower.ids import PersonId
from belltower.people.disclosure import Field, in_order
from belltower.people.reading.namesakes import folded, is_close
from belltower.people.records import KnownHuman, KnownLink
from belltower.people.roster import Human, Link, LinkSource, MayCollect, SchoolClass, SchoolKey
from belltower.people.word_store import KnownWord

COLUMNS: dict[Field, tuple[str, ...]] = {
    Field.NAMES: ("family name", "given name", "middle name", "goes by", "grade"),
    Field.BIRTH: ("birth date",),
    Field.CONTACT: ("student's own", "whom to call"),
    Field.LOCATION: ("school", "by the timetable"),
}
"""Of each group, in the order in which they stand."""

ASK = "ask the school before calling"
"""Said in the place of everybody who must not simply be called; never why."""


class Row(Struct, frozen=True, kw_only=True):
    """One student as the recipient reads it."""

    student: PersonId
    # As `columns` of the same groups says.
    cells: tuple[str, ...]
    # The groups of which there is anything.
    fields: tuple[Field, ...]
    # Whose addresses stand in it.
    others: tuple[PersonId, ...] = ()
    # For the register, whatever the recipient reads.
    name: str = ""
    born: date | None = None


class Around(Struct, frozen=True, kw_only=True):
    """What stands around one student."""

    links: Sequence[KnownLink] = ()
    # What people wrote of who may collect.
    words: Sequence[KnownWord] = ()
    adults: Mapping[PersonId, KnownHuman] = {}
    schools: Mapping[SchoolKey, str] = {}
    # The student's own.
    classes: Sequence[SchoolClass] = ()


def columns(fields: Iterable[Field]) -> tuple[str, ...]:
    """The names of a row's cells."""
    return tuple(name for field in in_order(frozenset(fields)) for name in COLUMNS[field])


def row(known: KnownHuman, around: Around, fields: Iterable[Field]) -> Row:
    """The student's row: these groups and nothing else."""
    wanted = in_order(frozenset(fields))
    cells: list[str] = []
    others: tuple[PersonId, ...] = ()
    holding = []
    for field in wanted:
        match field:
            case Field.NAMES:
                part = _names(known.human)
            case Field.BIRTH:
                part = (known.human.birth_date.isoformat() if known.human.birth_date else "",)
            case Field.CONTACT:
                part, others = _contact(known.human, around)
            case Field.LOCATION:
                part = _location(known.human, around)
        if any(part):
            holding.append(field)
        cells += part
    return Row(
        student=known.id,
        cells=tuple(cells),
        fields=tuple(holding),
        others=others,
        name=called(known.human),
        born=known.human.birth_date,
    )


def blank(student: PersonId, fields: Iterable[Field]) -> Row:
    """The row of an exercise: nothing of anybody."""
    wanted = in_order(frozenset(fields))
    return Row(student=student, cells=("exercise",) * len(columns(wanted)), fields=wanted)


def called(human: Human) -> str:
    """What somebody goes by."""
    given = human.preferred_given or human.given
    return f"{given} {human.preferred_family or human.family}".strip()


def _names(human: Human) -> tuple[str, ...]:
    other = called(human) if human.preferred_given or human.preferred_family else ""
    return (human.family, human.given, human.middle, other, human.grade)


def _reached(human: Human) -> list[str]:
    """Only what reaches somebody: an impossible number is none."""
    return [phone.e164 for phone in human.phones if phone.e164] + list(human.emails)


def _contact(human: Human, around: Around) -> tuple[tuple[str, ...], tuple[PersonId, ...]]:
    by_adult: dict[PersonId, list[KnownLink]] = {}
    for known in sorted(around.links, key=lambda one: one.link.priority or 99):
        by_adult.setdefault(known.adult, []).append(known)
    careful = {one.adult for one in around.words if _careful(one.link)}
    careful |= {known.adult for known in around.links if _careful(known.link)}
    against = [_folded(adult, around) for adult in careful]
    said, others = [], []
    for adult, links in by_adult.items():
        who = around.adults.get(adult)
        ways = _reached(who.human) if who is not None else []
        if adult in careful or who is None or not ways:
            continue
        if any(name and is_close(_folded(adult, around), name) for name in against):
            continue  # two records of one human, perhaps: the order may be against this one too
        relation = links[0].link.written or links[0].link.relation.value
        said.append(f"{called(who.human)} ({relation}): {', '.join(ways)}")
        others.append(adult)
    if careful:
        said.append(ASK)
    return (", ".join(_reached(human)), "; ".join(said)), tuple(others)


def _folded(adult: PersonId, around: Around) -> str:
    """What the adult is called, to be compared; of one whom no roster knows, what somebody wrote."""
    if adult in around.adults:
        return folded(called(around.adults[adult].human))
    return folded(next((one.adult_name for one in around.words if one.adult == adult), ""))


def _careful(link: Link) -> bool:
    """An order stands against it, a limit is written there, or only few may know of it: a call could do harm."""
    ordered = link.source not in (LinkSource.SIS, LinkSource.GUARDIAN_FORM)
    forbidden = link.may_collect is MayCollect.NO and ordered
    return (
        link.restraining
        or link.source is LinkSource.RESTRAINING_ORDER
        or link.sealed
        or forbidden
        or bool(link.restrictions.strip())
    )


def _location(human: Human, around: Around) -> tuple[str, ...]:
    schools = ", ".join(around.schools.get(key, key) for key in human.schools)
    classes = []
    for one in around.classes:
        where = f"room {one.location}" if one.location else ""
        when = f"period {'/'.join(one.periods)}" if one.periods else ""
        told = ", ".join(word for word in (when, where) if word)
        classes.append(f"{one.title}: {told}" if told else one.title)
    return (schools, "; ".join(sorted(classes)))
