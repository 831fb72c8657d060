"""What a disclosure leaves on paper: the file for its recipient, and the record that the law wants of every student.

Both are marked in their first line and in every line after it, so that a part of them is marked too. The record is that
of 34 CFR 99.32: who received what of whose records, when, on what ground, and the threat as it was put then.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from datetime import date, tzinfo
from typing import TypeAlias

from belltower.clock import Instant, aware
from belltower.ids import PersonId
from belltower.people.disclosure import BASES, Disclosure, DisclosureId, Field, Given
from belltower.people.disclosure_register import Register, Sheet
from belltower.people.disclosure_rows import called
from belltower.people.records import KnownHuman
from belltower.people.store import RosterStore
from gateway.web.cells import MARK, Cells

MARKING = "exempt from public disclosure"
"""In the last cell of every line."""

HEADING = "EXEMPT FROM PUBLIC DISCLOSURE: student records (20 U.S.C. 1232g; 34 CFR part 99)"
"""The first line of each file."""

_NO_FURTHER = "Use it for this emergency only. It may be given to nobody else without consent: 34 CFR 99.33."
_EXERCISE = "EXERCISE: no record of anybody is in this file."
_AGE = 18
_LINES = 500

FIELDS = {
    Field.NAMES: "names and grade",
    Field.BIRTH: "birth date",
    Field.CONTACT: "whom to call",
    Field.LOCATION: "school, class and room by the timetable",
}
"""The groups as people say them."""

RECORD = (
    "at",
    "student",
    "name",
    "eligible student",
    "given to",
    "who is there",
    "ground",
    "threat",
    "what was given",
    "how",
    "given by",
    "others whose addresses were part of it",
    "incident",
    "disclosure",
    "exercise",
    "marking",
)
"""The columns of the record, in this order. An eligible student, of 18 or more, holds these rights alone."""

Line: TypeAlias = tuple[str, ...]
"""One line of the record."""


class Papers:
    """Writes both kinds. `name` says what whoever gave is called."""

    def __init__(
        self, *, register: Register, roster: RosterStore, name: Callable[[PersonId], str], zone: tzinfo
    ) -> None:
        self._register = register
        self._roster = roster
        self._name = name
        self._zone = zone

    def export(self, sheet: Sheet) -> Iterator[bytes]:
        """The file for the recipient, some lines at a time. What is in it stands in the register already."""
        asked, cells = sheet.disclosure.asked, Cells()
        cells.write((HEADING,))
        if sheet.disclosure.exercise:
            cells.write((_EXERCISE,))
        cells.write((_NO_FURTHER,))
        cells.write(("given to", asked.recipient.agency, asked.recipient.function))
        cells.write(("ground", BASES[asked.basis]))
        cells.write(("given at", self._time(sheet.batch.at), "by", self._name(sheet.batch.by)))
        cells.write(("disclosure", sheet.disclosure.id, "incident", asked.incident))
        cells.write(("student", *sheet.columns, "marking"))
        yield MARK + cells.taken()
        for count, row in enumerate(sheet.rows, 1):
            cells.write((row.student, *row.cells, MARKING))
            if not count % _LINES:
                yield cells.taken()
        yield cells.taken()

    async def record(self, lines: AsyncIterator[Sequence[Line]]) -> AsyncIterator[bytes]:
        """The record as a file."""
        cells = Cells()
        cells.write((HEADING,))
        cells.write(("Record of disclosures: 34 CFR 99.32",))
        cells.write(RECORD)
        yield MARK + cells.taken()
        async for some in lines:
            for line in some:
                cells.write(line)
            yield cells.taken()

    async def of_disclosures(self, disclosures: Iterable[Disclosure]) -> AsyncIterator[Sequence[Line]]:
        """The lines of the record of these, one after the other: those of an incident, for instance."""
        for known in disclosures:
            async for given in self._register.given_by(known.id):
                yield await self._lines(given, {known.id: known})

    async def of_student(self, student: PersonId) -> AsyncIterator[Sequence[Line]]:
        """The lines to be kept with one student's file, and shown to whoever holds the rights in it."""
        given = await self._register.given_of(student)
        disclosures = {one: await self._register.get(one) for one in {line.disclosure for line in given}}
        for start in range(0, len(given), _LINES):
            yield await self._lines(given[start : start + _LINES], disclosures)

    async def _lines(self, given: Sequence[Given], of: dict[DisclosureId, Disclosure]) -> list[Line]:
        students = list(dict.fromkeys(line.student for line in given))
        known = {one.id: one for one in await self._roster.known(students)}
        return [self._line(line, of[line.disclosure], known.get(line.student)) for line in given]

    def _line(self, line: Given, disclosure: Disclosure, human: KnownHuman | None) -> Line:
        asked = disclosure.asked
        return (
            self._time(line.at),
            line.student,
            line.name or (called(human.human) if human is not None else ""),
            self._eligible(line, human),
            asked.recipient.agency,
            asked.recipient.function,
            BASES[asked.basis],
            asked.threat,
            "; ".join(FIELDS[field] for field in line.fields) or "nothing was known",
            line.way.value,
            self._name(line.by),
            " ".join(line.others),
            asked.incident,
            disclosure.id,
            "EXERCISE: nothing left" if disclosure.exercise else "no",
            MARKING,
        )

    def _eligible(self, line: Given, known: KnownHuman | None) -> str:
        born = line.born or (known.human.birth_date if known is not None else None)
        if born is None:
            return "not known"
        return "yes" if _years(born, aware(line.at).astimezone(self._zone).date()) >= _AGE else "no"

    def _time(self, at: Instant) -> str:
        return aware(at).astimezone(self._zone).isoformat(timespec="seconds")


def _years(born: date, on: date) -> int:
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))
