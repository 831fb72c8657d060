"""Clever's SFTP files: full, active rows only, and a student's row once for each of the student's contacts."""

from __future__ import annotations

import re
from hashlib import sha256

from msgspec.structs import replace

from belltower.people.reading.columns import Layout, plain
from belltower.people.reading.gathering import Gathering
from belltower.people.reading.linking import relation_of
from belltower.people.reading.phones import read_phone
from belltower.people.reading.rows import Progress, Sheet, read_rows
from belltower.people.roster import (
    ClassKey,
    Enrolment,
    Human,
    HumanKey,
    HumanKind,
    Link,
    Relation,
    School,
    SchoolClass,
    SchoolKey,
    Side,
)

_CONTACT = (
    "Contact_relationship",
    "Contact_type",
    "Contact_name",
    "Contact_phone",
    "Contact_phone_type",
    "Contact_email",
    "Contact_sis_id",
)
LAYOUTS = {
    "schools": Layout(
        wanted=("School_id", "School_name", "School_number", "School_phone"),
        required=frozenset({"School_id", "School_name"}),
    ),
    "students": Layout(
        wanted=(
            "Student_id",
            "School_id",
            "First_name",
            "Middle_name",
            "Last_name",
            "Student_number",
            "Grade",
            "DOB",
            "Home_language",
            "Student_email",
            *_CONTACT,
        ),
        required=frozenset({"Student_id", "First_name", "Last_name"}),
        known=frozenset({"State_id", "Gender", "Graduation_year", "Username"}),
    ),
    "teachers": Layout(
        wanted=(
            "Teacher_id",
            "School_id",
            "First_name",
            "Middle_name",
            "Last_name",
            "Teacher_number",
            "Teacher_email",
            "Title",
        ),
        required=frozenset({"Teacher_id", "First_name", "Last_name"}),
        known=frozenset({"State_teacher_id", "Username"}),
    ),
    "staff": Layout(
        wanted=(
            "Staff_id",
            "School_id",
            "First_name",
            "Middle_name",
            "Last_name",
            "Department",
            "Staff_email",
            "Title",
        ),
        required=frozenset({"Staff_id", "First_name", "Last_name"}),
    ),
    "sections": Layout(
        wanted=(
            "Section_id",
            "School_id",
            "Name",
            "Section_number",
            "Grade",
            "Course_name",
            "Period",
            "Term_start",
            "Term_end",
            "Room",
        ),
        required=frozenset({"Section_id", "School_id"}),
        known=frozenset({"Course_number", "Course_description", "Subject", "Term_name", "Teacher_id"}),
    ),
    "enrollments": Layout(
        wanted=("Section_id", "Student_id"), required=frozenset({"Section_id", "Student_id"})
    ),
}
"""The files, by name in lower case."""

_TEACHER = re.compile(r"teacher(\d*)id")


class CleverReader:
    """Reads one Clever load into a gathering."""

    def __init__(self, *, sheets: dict[str, Sheet], gathering: Gathering, progress: Progress | None) -> None:
        """Read `sheets`, by name in lower case."""
        self._sheets = sheets
        self._into = gathering
        self._findings = gathering.findings
        self._progress = progress
        self._namesakes: dict[tuple[str, str], tuple[HumanKey, str, int]] = {}

    def read(self) -> None:
        """Read every file."""
        self._read_schools()
        self._read_staff("teachers", "teacher")
        self._read_staff("staff", "staff")
        self._read_students()
        self._read_sections()
        self._read_enrollments()

    def _rows(self, name: str, layout: Layout | None = None) -> list[tuple[str, int, list[str]]]:
        sheet = self._sheets.get(name)
        if sheet is None:
            return []
        layout = layout or LAYOUTS[name]
        kept = []
        for row, cells in read_rows(sheet, layout, self._findings, self._progress):
            if cells[0]:
                kept.append((sheet.file, row, cells))
            else:
                self._findings.fault(
                    sheet.file, row, layout.wanted[0], "the id is empty", "give the record its id"
                )
        return kept

    def _schools(self, key: str, file: str, row: int) -> tuple[SchoolKey, ...]:
        if not key:
            return ()
        if key in self._into.schools:
            return (SchoolKey(key),)
        self._into.unknown_reference(
            file, row, "School_id", target="schools.csv", present="schools" in self._sheets
        )
        return ()

    def _read_schools(self) -> None:
        for file, row, (key, name, number, phone) in self._rows("schools"):
            school = School(
                key=SchoolKey(key),
                name=name,
                number=number,
                phone=read_phone(phone, region=self._into.mapping.region) if phone else None,
                file=file,
            )
            self._into.add_school(school, row, "School_id")

    def _read_staff(self, name: str, role: str) -> None:
        into = self._into
        for file, row, (key, school, given, middle, family, number, email, title) in self._rows(name):
            roles = frozenset({role, title.casefold()} - {""})
            human = Human(
                key=HumanKey(f"{role}/{key}"),
                kind=HumanKind.STAFF,
                given=given,
                middle=middle,
                family=family,
                schools=self._schools(school, file, row),
                emails=into.emails(email, file, row, f"{role.capitalize()}_email"),
                roles=roles,
                number=number if role == "teacher" else "",
                file=file,
            )
            into.add_human(human, row, f"{role.capitalize()}_id")

    def _read_students(self) -> None:
        into = self._into
        for file, row, cells in self._rows("students"):
            key, school, given, middle, family, number, grade, birth, language, email = cells[:10]
            human = Human(
                key=HumanKey(f"student/{key}"),
                kind=HumanKind.STUDENT,
                given=given,
                middle=middle,
                family=family,
                birth_date=into.date(birth, file, row, "DOB"),
                grade=into.grade(grade),
                language=language,
                schools=self._schools(school, file, row),
                emails=into.emails(email, file, row, "Student_email"),
                roles=frozenset({"student"}),
                number=number,
                file=file,
            )
            if into.add_human(human, row, "Student_id"):
                self._contact(human, cells[10:], file, row)

    def _contact(self, student: Human, cells: list[str], file: str, row: int) -> None:
        relationship, kind, name, phone, phone_type, email, key = cells
        if not (name or phone or email or key):
            return
        into = self._into
        relation = relation_of(relationship) or Relation.CONTACT
        if relation is Relation.CONTACT and relation_of(kind) is not None:
            relation = relation_of(kind) or relation
        human = Human(
            key=HumanKey(f"contact/{key}") if key else _derived(student.key, name or email or phone),
            kind=HumanKind.CONTACT if relation is Relation.CONTACT else HumanKind.GUARDIAN,
            # The name comes as a whole, and nobody can say where it parts.
            family=name,
            phones=into.phones(
                (("Contact_phone", phone, phone_type.casefold() in {"cell", "mobile"}),), file, row
            ),
            emails=into.emails(email, file, row, "Contact_email"),
            derived=not key,
            file=file,
        )
        self._keep(human, file, row)
        at = (student.key, human.key)
        if at not in into.links:
            into.links[at] = Link(
                student=student.key,
                adult=human.key,
                relation=relation,
                written=relationship or kind,
                may_collect=into.mapping.may_collect.get(relation),
                priority=1 if kind.casefold() == "primary" else 0,
                stated_by=frozenset({Side.STUDENT}),
                file=file,
            )

    def _keep(self, human: Human, file: str, row: int) -> None:
        """Keep a contact; a second row of the same one, for a sibling or a second number, adds to it."""
        into = self._into
        known = into.humans.get(human.key)
        if known is None:
            into.add_human(human, row, "Contact_sis_id")
            if human.derived:
                self._look_for_twin(human, file, row)
            return
        if known.family.casefold() != human.family.casefold():
            into.findings.review(
                "identity",
                file,
                row,
                "Contact_sis_id",
                f"the contact stands in row {into.rows[human.key][1]} with another name; the first one is kept",
                "correct the name, or give the two people ids of their own",
            )
            return
        into.humans[human.key] = replace(
            known,
            kind=HumanKind.GUARDIAN if HumanKind.GUARDIAN in {known.kind, human.kind} else known.kind,
            phones=tuple({phone.written: phone for phone in (*known.phones, *human.phones)}.values()),
            emails=tuple(dict.fromkeys((*known.emails, *human.emails))),
        )

    def _look_for_twin(self, human: Human, file: str, row: int) -> None:
        """Two contacts of one name and address may be one person: they stay two, and somebody looks."""
        for address in (*(phone.e164 for phone in human.phones), *human.emails):
            at = (human.family.casefold(), address.casefold())
            if not address:
                continue
            twin = self._namesakes.setdefault(at, (human.key, file, row))
            if twin[0] != human.key:
                self._findings.review(
                    "identity",
                    file,
                    row,
                    "Contact_name",
                    f"may be the contact of row {twin[2]}: same name and address; they are kept as two",
                    "export Contact_sis_id",
                )
                return

    def _read_sections(self) -> None:
        into = self._into
        sheet = self._sheets.get("sections")
        if sheet is None:
            return
        layout = LAYOUTS["sections"]
        teachers = sorted((name for name in sheet.header if _TEACHER.fullmatch(plain(name))), key=plain)
        wide = Layout(wanted=(*layout.wanted, *teachers), required=layout.required, known=layout.known)
        for file, row, cells in self._rows("sections", wide):
            key, school, name, number, grade, course, period, begin, end, room = cells[: len(layout.wanted)]
            schools = self._schools(school, file, row)
            if not schools:
                continue
            one = SchoolClass(
                key=ClassKey(key),
                school=schools[0],
                title=name or number,
                course=course,
                periods=(period,) if period else (),
                location=room,
                grades=(into.grade(grade),) if grade else (),
                begins=into.date(begin, file, row, "Term_start"),
                ends=into.date(end, file, row, "Term_end"),
                file=file,
            )
            into.add_class(one, row, "Section_id")
            for number_of, (column, teacher) in enumerate(
                zip(teachers, cells[len(layout.wanted) :], strict=True)
            ):
                if teacher:
                    self._teaches(one.key, teacher, column, file, row, primary=number_of == 0)

    def _teaches(
        self, section: ClassKey, teacher: str, column: str, file: str, row: int, *, primary: bool
    ) -> None:
        human = HumanKey(f"teacher/{teacher}")
        if human not in self._into.humans:
            self._into.unknown_reference(
                file, row, column, target="teachers.csv", present="teachers" in self._sheets
            )
            return
        self._into.add_enrolment(
            Enrolment(
                school_class=section,
                human=human,
                role="teacher",
                key=f"{section}/{human}",
                primary=primary,
                file=file,
            )
        )

    def _read_enrollments(self) -> None:
        into = self._into
        for file, row, (section, student) in self._rows("enrollments"):
            human = HumanKey(f"student/{student}")
            if section not in into.classes:
                present = "sections" in self._sheets
                into.unknown_reference(file, row, "Section_id", target="sections.csv", present=present)
            elif human not in into.humans:
                present = "students" in self._sheets
                into.unknown_reference(file, row, "Student_id", target="students.csv", present=present)
            else:
                into.add_enrolment(
                    Enrolment(
                        school_class=ClassKey(section),
                        human=human,
                        role="student",
                        key=f"{section}/{human}",
                        file=file,
                    )
                )


def _derived(student: HumanKey, name: str) -> HumanKey:
    """A key for a contact without id: it stays while the student's contact keeps the name."""
    digest = sha256(f"{student}\x00{' '.join(name.casefold().split())}".encode()).hexdigest()
    return HumanKey(f"contact/{student.partition('/')[2]}-{digest[:12]}")
