"""Whose records a disclosure is about, and what of them a recipient reads, by the roster in force."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence

from msgspec import Struct

from belltower.errors import NotFound, Refused
from belltower.ids import PersonId
from belltower.people.disclosure import MOST, Field, Selection
from belltower.people.disclosure_rows import Around, Row, called, columns, row
from belltower.people.reading.namesakes import Near, folded
from belltower.people.records import KnownHuman, schools_of
from belltower.people.roster import ClassKey, HumanKind, SchoolKey
from belltower.people.store import RosterStore

_PAGE = 100
_KIND = 3


class Meant(Struct, frozen=True, kw_only=True):
    """Whom a selection means."""

    students: tuple[PersonId, ...]
    # Where they are first of all.
    schools: frozenset[str]
    # Those found by a name that is one letter apart from that of another student of their school.
    alike: frozenset[PersonId]


class Students:
    """Finds them, and reads only what is wanted of them."""

    def __init__(self, *, roster: RosterStore) -> None:
        self._roster = roster

    async def meant(self, selection: Selection) -> Meant:
        """The students of a selection, each once.

        Raises:
            Refused: nobody is meant, or too many, or a school, a class or a line fits none or several.
        """
        found: dict[PersonId, None] = {}
        titles = (
            {str(one.key): one.title for one in await self._roster.classes()} if selection.classes else {}
        )
        names = {str(one.key): one.name for one in await self._roster.schools()} if selection.schools else {}
        chosen = _keys(selection.schools, names, "school")
        for key in _keys(selection.classes, titles, "class"):
            for person, enrolled in await self._roster.class_list(ClassKey(key)):
                if enrolled.role == "student":
                    found[person] = None
        lines = [line.strip() for line in selection.students if line.strip()]
        ids = [PersonId(line) for line in lines if _is_id(line)]
        found |= dict.fromkeys(await self._of_ids(ids))
        named, alike = await self._named([line for line in lines if not _is_id(line)])
        found |= dict.fromkeys(named)
        schools: set[str] = set()
        async for page in self._roster.rows(await self._roster.in_force()):
            for one in page:
                if one[_KIND] != HumanKind.STUDENT.value:
                    continue
                at, person = schools_of(one), PersonId(one[1])
                if chosen.intersection(at):
                    found[person] = None
                if person in found:
                    schools.update(at[:1])
        if not found:
            raise NotFound("Nobody is meant: no student of the roster in force is in what was chosen.")
        if len(found) > MOST:
            raise Refused(f"{len(found)} students are meant; one disclosure is for {MOST} at most.")
        return Meant(students=tuple(found), schools=frozenset(schools), alike=alike)

    async def rows(self, students: Sequence[PersonId], fields: Sequence[Field]) -> AsyncIterator[list[Row]]:
        """What is read of each, some at a time; whoever is in the roster no more stands there without anything."""
        roster = self._roster
        schools = {one.key: one.name for one in await roster.schools()}
        classes = {one.key: one for one in await roster.classes()}
        for start in range(0, len(students), _PAGE):
            page = students[start : start + _PAGE]
            humans = {one.id: one for one in await roster.known(page)}
            links = await roster.links_to(page) if Field.CONTACT in fields else {}
            adults = sorted({one.adult for each in links.values() for one in each})
            known = {one.id: one for one in await roster.known(adults)}
            words = await roster.words.on(page) if Field.CONTACT in fields else {}
            sits = await roster.enrolments_among(page) if Field.LOCATION in fields else {}
            yield [
                row(
                    humans[student],
                    Around(
                        links=links.get(student, ()),
                        words=words.get(student, ()),
                        adults=known,
                        schools=schools,
                        classes=[
                            classes[one.school_class]
                            for one in sits.get(student, ())
                            if one.school_class in classes
                        ],
                    ),
                    fields,
                )
                if student in humans
                else Row(student=student, cells=("",) * len(columns(fields)), fields=())
                for student in page
            ]

    async def _of_ids(self, ids: Sequence[PersonId]) -> Sequence[PersonId]:
        known = {one.id for one in await self._roster.known(ids) if one.human.kind is HumanKind.STUDENT}
        for person in ids:
            if person not in known:
                raise NotFound(f"{person}: the roster in force knows no student of this id.")
        return ids

    async def _named(self, lines: Sequence[str]) -> tuple[list[PersonId], frozenset[PersonId]]:
        """Those whom a number or a whole name means, and which of them have a name much like another's at their school."""
        if not lines:
            return [], frozenset()
        wanted: dict[str, list[KnownHuman]] = {folded(line): [] for line in lines}
        close: dict[str, set[SchoolKey]] = {line: set() for line in wanted}
        near = Near(wanted)
        async for page in self._roster.humans(HumanKind.STUDENT):
            await asyncio.sleep(0)
            for known in page:
                names = _names(known)
                for name in (names | {folded(known.human.number)}) & wanted.keys():
                    wanted[name].append(known)
                for other in {other for name in names for other in near.to(name)} - names:
                    close[other].update(known.human.schools)
        for count, line in enumerate(lines, 1):
            fitting = wanted[folded(line)]
            if not fitting:
                raise NotFound(f"Name or number {count} of those written down is no student's here.")
            if len(fitting) > 1:
                raise Refused(
                    f"Name or number {count} of those written down is that of {len(fitting)} students."
                    f" Write the number, or one of these ids: {', '.join(one.id for one in fitting[:5])}"
                )
        alike = (
            known.id for name, (known,) in wanted.items() if close[name].intersection(known.human.schools)
        )
        return [wanted[folded(line)][0].id for line in lines], frozenset(alike)


def _keys(named: Collection[str], known: Mapping[str, str], what: str) -> set[str]:
    """The keys of those meant by a key, or by the whole name. Raises `NotFound`, or `Refused` where it is of several."""
    found = set()
    for one in named:
        fitting = (
            [one] if one in known else [key for key, name in known.items() if folded(name) == folded(one)]
        )
        if not fitting:
            raise NotFound(f"The roster in force has no {what} of the key or the name {one}.")
        if len(fitting) > 1:
            raise Refused(
                f"{one} is the name of several; write one of these keys: {', '.join(sorted(fitting)[:5])}"
            )
        found.add(fitting[0])
    return found


def _is_id(line: str) -> bool:
    return line.startswith("per_")


def _names(known: KnownHuman) -> set[str]:
    """The whole name, either way round, and the one they go by."""
    human = known.human
    names = (f"{human.given} {human.family}", f"{human.family}, {human.given}", called(human))
    return {folded(one) for one in names}
