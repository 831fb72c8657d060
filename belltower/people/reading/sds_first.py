"""School Data Sync 1: six files with spaced headers, in which `SIS ID` is the student here and the teacher there."""

from __future__ import annotations

from belltower.people.reading.cells import read_list
from belltower.people.reading.columns import Layout
from belltower.people.reading.gathering import Gathering
from belltower.people.reading.phones import read_phone
from belltower.people.reading.rows import Progress, Sheet, read_rows
from belltower.people.roster import (
    ClassKey,
    Enrolment,
    Human,
    HumanKey,
    HumanKind,
    School,
    SchoolClass,
    SchoolKey,
)

_ID = frozenset({"SIS ID"})
_NAME = frozenset({"SIS ID", "First Name", "Last Name"})
LAYOUTS = {
    "school": Layout(
        wanted=("SIS ID", "Name", "School Number", "Phone"),
        required=_ID | {"Name"},
        known=frozenset(
            {"School NCES_ID", "State ID", "Grade Low", "Grade High", "Principal SIS ID", "Principal Name"}
        ),
    ),
    "section": Layout(
        wanted=(
            "SIS ID",
            "School SIS ID",
            "Section Name",
            "Term StartDate",
            "Term EndDate",
            "Course Name",
            "Periods",
            "Status",
        ),
        required=_ID | {"School SIS ID"},
        known=frozenset(
            {
                "Section Number",
                "Term SIS ID",
                "Term Name",
                "Course SIS ID",
                "Course Number",
                "Course Description",
            }
        ),
    ),
    "student": Layout(
        wanted=(
            "SIS ID",
            "School SIS ID",
            "First Name",
            "Last Name",
            "Middle Name",
            "Grade",
            "Status",
            "Birthdate",
            "Student Number",
            "Secondary Email",
        ),
        required=_NAME,
        known=frozenset({"Username", "State ID", "Graduation Year"}),
    ),
    "teacher": Layout(
        wanted=(
            "SIS ID",
            "School SIS ID",
            "First Name",
            "Last Name",
            "Middle Name",
            "Status",
            "Teacher Number",
            "Title",
            "Secondary Email",
        ),
        required=_NAME,
        known=frozenset({"Username", "State ID", "Qualification"}),
    ),
    "studentenrollment": Layout(
        wanted=("Section SIS ID", "SIS ID"), required=frozenset({"Section SIS ID", "SIS ID"})
    ),
    "teacherroster": Layout(
        wanted=("Section SIS ID", "SIS ID"), required=frozenset({"Section SIS ID", "SIS ID"})
    ),
}
"""The files, by name in lower case."""


class FirstSDSReader:
    """Reads one load of SDS 1 into a gathering."""

    def __init__(self, *, sheets: dict[str, Sheet], gathering: Gathering, progress: Progress | None) -> None:
        """Read `sheets`, by name in lower case."""
        self._sheets = sheets
        self._into = gathering
        self._progress = progress

    def read(self) -> None:
        """Read every file; there are no links in this dialect."""
        self._read_schools()
        self._read_sections()
        self._read_people("student", HumanKind.STUDENT)
        self._read_people("teacher", HumanKind.STAFF)
        self._read_enrolments("studentenrollment", "student")
        self._read_enrolments("teacherroster", "teacher")

    def _read_schools(self) -> None:
        sheet = self._sheets.get("school")
        if sheet is None:
            return
        for row, (key, name, number, phone) in self._rows(sheet, "school"):
            school = School(
                key=SchoolKey(key),
                name=name,
                number=number,
                phone=read_phone(phone, region=self._into.mapping.region) if phone else None,
                file=sheet.file,
            )
            self._into.add_school(school, row, "SIS ID")

    def _rows(self, sheet: Sheet, name: str) -> list[tuple[int, list[str]]]:
        kept = []
        for row, cells in read_rows(sheet, LAYOUTS[name], self._into.findings, self._progress):
            if cells[0]:
                kept.append((row, cells))
            else:
                column = LAYOUTS[name].wanted[0]
                self._into.findings.fault(
                    sheet.file, row, column, "the id is empty", "give the record its id"
                )
        return kept

    def _school(self, key: str, file: str, row: int) -> bool:
        if key in self._into.schools:
            return True
        self._into.unknown_reference(
            file, row, "School SIS ID", target="School.csv", present="school" in self._sheets
        )
        return False

    def _read_sections(self) -> None:
        sheet = self._sheets.get("section")
        if sheet is None:
            return
        into, file = self._into, sheet.file
        for row, (key, school, title, begin, end, course, periods, status) in self._rows(sheet, "section"):
            if status.casefold() == "inactive" or not self._school(school, file, row):
                continue
            one = SchoolClass(
                key=ClassKey(key),
                school=SchoolKey(school),
                title=title,
                course=course,
                periods=read_list(periods),
                begins=into.date(begin, file, row, "Term StartDate"),
                ends=into.date(end, file, row, "Term EndDate"),
                file=file,
            )
            into.add_class(one, row, "SIS ID")

    def _read_people(self, name: str, kind: HumanKind) -> None:
        sheet = self._sheets.get(name)
        if sheet is None:
            return
        into, file = self._into, sheet.file
        student = kind is HumanKind.STUDENT
        for row, cells in self._rows(sheet, name):
            if student:
                key, school, given, family, middle, grade, status, birth, number, email = cells
                title = ""
            else:
                key, school, given, family, middle, status, number, title, email = cells
                grade = birth = ""
            here = bool(school) and self._school(school, file, row)
            human = Human(
                key=HumanKey(f"{name}/{key}"),
                kind=kind,
                given=given,
                family=family,
                middle=middle,
                birth_date=into.date(birth, file, row, "Birthdate"),
                grade=into.grade(grade),
                schools=(SchoolKey(school),) if here else (),
                emails=into.emails(email, file, row, "Secondary Email"),
                roles=frozenset({"student" if student else (title.casefold() or "teacher")}),
                number=number,
                active=status.casefold() != "inactive",
                file=file,
            )
            into.add_human(human, row, "SIS ID")

    def _read_enrolments(self, name: str, role: str) -> None:
        sheet = self._sheets.get(name)
        if sheet is None:
            return
        into, file = self._into, sheet.file
        for row, (section, person) in self._rows(sheet, name):
            human = HumanKey(f"{role}/{person}")
            if section not in into.classes:
                present = "section" in self._sheets
                into.unknown_reference(file, row, "Section SIS ID", target="Section.csv", present=present)
            elif human not in into.humans:
                target = "Student.csv" if role == "student" else "Teacher.csv"
                into.unknown_reference(file, row, "SIS ID", target=target, present=role in self._sheets)
            else:
                one = Enrolment(
                    school_class=ClassKey(section),
                    human=human,
                    role=role,
                    key=f"{section}/{human}",
                    file=file,
                )
                into.add_enrolment(one)
