"""Where a format's reader puts what it reads: one record per id, contradictions named, nothing guessed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date

from msgspec.structs import replace

from belltower.people.reading.cells import read_date, read_grade, read_list, read_yes
from belltower.people.reading.faults import Findings
from belltower.people.reading.mapping import DateOrder, Mapping
from belltower.people.reading.phones import read_phone
from belltower.people.roster import (
    ClassKey,
    Enrolment,
    Human,
    HumanKey,
    Link,
    Phone,
    Removed,
    Roster,
    School,
    SchoolClass,
    SchoolKey,
)

_MOST_DATES = 65_536
_MANY_FAIL = 3
_MAILBOX = re.compile(r"[^@\s,;<>\"]+@[^@\s,;<>\"]+")


class Gathering:
    """The records of one load while it is read."""

    def __init__(self, *, findings: Findings, mapping: Mapping) -> None:
        self.findings = findings
        self.mapping = mapping
        self.schools: dict[SchoolKey, School] = {}
        self.classes: dict[ClassKey, SchoolClass] = {}
        self.humans: dict[HumanKey, Human] = {}
        self.links: dict[tuple[HumanKey, HumanKey], Link] = {}
        self.enrolments: dict[tuple[ClassKey, HumanKey, str], Enrolment] = {}
        self.removed: list[Removed] = []
        self.restated: set[HumanKey] = set()
        # In which row each human was met first.
        self.rows: dict[HumanKey, tuple[str, int]] = {}
        self._day_first = mapping.dates is DateOrder.DAY_FIRST
        self._dates: dict[str, date] = {}
        # By file, column and the file that it names: in how many rows that failed, and in which one last.
        self._failed: dict[tuple[str, str, str], tuple[int, int]] = {}

    def add_school(self, school: School, row: int, column: str) -> None:
        """Keep a school; a second one of its id that says otherwise is a fault."""
        if self.schools.setdefault(school.key, school) != school:
            self._contradiction(school.file, row, column)

    def add_class(self, one: SchoolClass, row: int, column: str) -> None:
        """Keep a class; as `add_school`."""
        if self.classes.setdefault(one.key, one) != one:
            self._contradiction(one.file, row, column)

    def add_human(self, human: Human, row: int, column: str) -> bool:
        """Keep a human; a second row of the same id adds its schools and must not say anything else otherwise."""
        known = self.humans.get(human.key)
        if known is None:
            self.humans[human.key] = human
            self.rows[human.key] = (human.file, row)
            return True
        if known == human:
            return True
        if replace(known, schools=()) != replace(human, schools=()):
            file, first = self.rows[human.key]
            self.findings.fault(
                human.file,
                row,
                column,
                f"the id stands in row {first} of {file} with other details",
                "correct one of the two rows, or give one of the two people another id",
            )
            return False
        schools = tuple(dict.fromkeys((*known.schools, *human.schools)))
        self.humans[human.key] = replace(known, schools=schools)
        return True

    def add_enrolment(self, one: Enrolment) -> None:
        """Keep an enrolment, once."""
        self.enrolments.setdefault((one.school_class, one.human, one.role), one)

    def date(self, text: str, file: str, row: int, column: str) -> date | None:
        """The date in a cell; None, and a fault, where it is none."""
        if not text:
            return None
        known = self._dates.get(text)
        if known is not None:
            return known
        try:
            found = read_date(text, day_first=self._day_first)
        except ValueError:
            shape = "".join("9" if one.isdecimal() else "A" if one.isalpha() else one for one in text[:20])
            self.findings.fault(
                file,
                row,
                column,
                f'"{shape}" is no date as it is expected here',
                'write 2012-05-31 or 5/31/2012; for 31/5/2012 set dates = "day-first" in a mapping',
            )
            return None
        if len(self._dates) < _MOST_DATES:
            self._dates[text] = found
        return found

    def yes(self, text: str, file: str, row: int, column: str) -> bool:
        """Whether a cell says yes; a fault where it says neither."""
        try:
            return read_yes(text)
        except ValueError:
            self.findings.fault(file, row, column, "is neither true nor false", "write true or false")
            return False

    def phones(self, cells: Iterable[tuple[str, str, bool]], file: str, row: int) -> tuple[Phone, ...]:
        """The numbers in cells given as column, text and whether it takes texts; impossible ones go to review."""
        found: dict[str, Phone] = {}
        for column, text, sms in cells:
            if not text:
                continue
            phone = read_phone(text, region=self.mapping.region, sms=sms)
            before = found.get(phone.e164 or phone.written)
            if before is None:
                found[phone.e164 or phone.written] = phone
                if not phone.e164:
                    self.findings.review(
                        "phone",
                        file,
                        row,
                        column,
                        "the number is impossible: nobody can be reached at it",
                        "ask for the right number, with its area code",
                    )
            elif sms and not before.sms:
                found[phone.e164 or phone.written] = replace(before, sms=True)
        return tuple(found.values())

    def emails(self, text: str, file: str, row: int, column: str) -> tuple[str, ...]:
        """The mailboxes of a cell, as written; what is none goes to review and is left out."""
        if not text:
            return ()
        if _MAILBOX.fullmatch(text):
            return (text,)
        parts = (one.strip() for one in text.replace(";", ",").split(","))
        found = [one for one in parts if _MAILBOX.fullmatch(one)]
        if not found:
            self.findings.review(
                "email", file, row, column, "is no mailbox and is left out", "ask for the right address"
            )
        return tuple(found)

    def grade(self, text: str) -> str:
        """The first grade of a cell; people have one."""
        return read_grade(read_list(text)[0]) if text else ""

    def unknown_reference(
        self, file: str, row: int, column: str, *, target: str, present: bool, fault: bool = False
    ) -> None:
        """A row names a record that is not there; where its whole file is missing the load cannot be taken.

        Where that file is there and cannot be read, its own fault says so.
        """
        if self.findings.is_unread(target):
            return
        if not present:
            self.findings.fault(
                file,
                row,
                column,
                f"the row needs {target}, which is not in the load",
                f"put {target} into the folder or ZIP and give that",
            )
        elif fault:
            self.findings.fault(
                file, row, column, f"the id is not in {target}", f"add it to {target} or correct it here"
            )
        else:
            count, last = self._failed.get((file, column, target), (0, 0))
            self._failed[file, column, target] = count + (row != last), row
            self.findings.review(
                "reference",
                file,
                row,
                column,
                f"the id is not in {target}; the row is left out",
                f"add it to {target} or correct it here",
            )

    def roster(self, *, form: str, version: str, source: str = "", delta: bool = False) -> Roster:
        """All of it as one record."""
        if not delta:
            self._look_at_references()
        return Roster(
            format=form,
            version=version,
            source=source,
            delta=delta,
            schools=tuple(self.schools.values()),
            classes=tuple(self.classes.values()),
            humans=tuple(self.humans.values()),
            links=tuple(self.links.values()),
            enrolments=tuple(self.enrolments.values()),
            removed=tuple(self.removed),
            restated=frozenset(self.restated),
            review=self.findings.reviews(),
        )

    def _look_at_references(self) -> None:
        """Where most rows of a file name what is not there, the columns are at fault and not the rows."""
        for (file, column, target), (failed, _) in self._failed.items():
            rows = self.findings.rows.get(file, 0)
            if failed >= _MANY_FAIL and failed * 2 > rows > 0:
                self.findings.fault(
                    file,
                    1,
                    column,
                    f"{failed} of {rows} rows name an id that is not in {target}",
                    f"look whether columns of {target} are swapped, such as the id and the name to sign in with",
                )

    def _contradiction(self, file: str, row: int, column: str) -> None:
        self.findings.fault(
            file, row, column, "the id stands in an earlier row with other details", "correct one of the rows"
        )
