"""A roster as Clever's files, and as the one table that a school's office keeps."""

from __future__ import annotations

from collections.abc import Mapping

from belltower.people.generator.sheets import (
    Sheet,
    Sheets,
    american,
    day,
    enrolments,
    id_of,
    mailbox,
    term,
)
from belltower.people.roster import Human, HumanKey, HumanKind, Link, Relation, Roster


def clever(roster: Roster) -> Sheets:
    """The files. A student's row repeats for each contact, so rows are not students."""
    people = {human.key: human for human in roster.humans}
    contacts: dict[HumanKey, list[Link]] = {}
    for link in roster.links:
        contacts.setdefault(link.student, []).append(link)
    teaches = {one.school_class: one.human for one in roster.enrolments if one.role == "teacher"}
    teachers = set(teaches.values())
    students = [
        [*_clever_student(human), *_clever_contact(people, link)]
        for human in roster.of_kind(HumanKind.STUDENT)
        for link in contacts.get(human.key, [None])
    ]
    staff = roster.of_kind(HumanKind.STAFF)
    return {
        "schools.csv": Sheet(
            ["School_id", "School_name", "School_number"],
            [[one.key, one.name, one.number] for one in roster.schools if one.kind == "school"],
        ),
        "students.csv": Sheet(
            [
                *(
                    "School_id",
                    "Student_id",
                    "Student_number",
                    "Last_name",
                    "Middle_name",
                    "First_name",
                    "Grade",
                ),
                *(
                    "DOB",
                    "Race",
                    "Hispanic_Latino",
                    "Home_language",
                    "Ell_status",
                    "Frl_status",
                    "IEP_status",
                ),
                *("Student_email", "Contact_relationship", "Contact_type", "Contact_name", "Contact_phone"),
                *("Contact_phone_type", "Contact_email", "Contact_sis_id", "Password", "Unweighted_gpa"),
            ],
            students,
        ),
        "teachers.csv": Sheet(
            [
                "School_id",
                "Teacher_id",
                "Teacher_number",
                "Teacher_email",
                "First_name",
                "Last_name",
                "Title",
                "Password",
            ],
            [
                [
                    one.schools[0],
                    id_of(one.key),
                    one.number,
                    mailbox(one),
                    one.given,
                    one.family,
                    "Teacher",
                    "",
                ]
                for one in staff
                if one.key in teachers
            ],
        ),
        "staff.csv": Sheet(
            ["School_id", "Staff_id", "Staff_email", "First_name", "Last_name", "Department", "Title"],
            [
                [
                    one.schools[0],
                    id_of(one.key),
                    mailbox(one),
                    one.given,
                    one.family,
                    "",
                    min(one.roles).title(),
                ]
                for one in staff
                if one.key not in teachers
            ],
        ),
        "sections.csv": Sheet(
            [
                *(
                    "School_id",
                    "Section_id",
                    "Teacher_id",
                    "Name",
                    "Grade",
                    "Course_name",
                    "Period",
                    "Term_name",
                ),
                *("Term_start", "Term_end"),
            ],
            [
                [
                    *(
                        one.school,
                        one.key,
                        id_of(teaches.get(one.key)),
                        one.title,
                        *one.grades[:1],
                        one.course,
                    ),
                    *(*one.periods[:1], term(one.begins, one.ends), day(one.begins), day(one.ends)),
                ]
                for one in roster.classes
            ],
        ),
        "enrollments.csv": Sheet(
            ["School_id", "Section_id", "Student_id"],
            [[row[4], row[3], row[5]] for row in enrolments(roster) if row[6] == "student"],
        ),
    }


def _clever_student(human: Human) -> list[str]:
    return [
        *(human.schools[0], id_of(human.key), human.number, human.family, human.middle, human.given),
        *("Kindergarten" if human.grade == "KG" else human.grade.lstrip("0"), american(human.birth_date)),
        *("", "", human.language, "", "", "", mailbox(human)),
    ]


def _clever_contact(people: Mapping[HumanKey, Human], link: Link | None) -> list[str]:
    if link is None:
        return [""] * 9
    adult = people[link.adult]
    phone = adult.phones[0].written if adult.phones else ""
    return [
        *(link.written, "Family" if link.relation is Relation.RELATIVE else "Parent/Guardian"),
        *(
            f"{adult.given} {adult.family}",
            phone,
            "Cell" if phone else "",
            mailbox(adult),
            id_of(adult.key),
            "",
            "",
        ),
    ]


def plain(roster: Roster) -> Sheets:
    """One row for each student and adult to call, as a school's office keeps it."""
    people = {human.key: human for human in roster.humans}
    names = {one.key: one.name for one in roster.schools}
    adults: dict[HumanKey, list[Link]] = {}
    for link in roster.links:
        adults.setdefault(link.student, []).append(link)
    rows = []
    for human in roster.of_kind(HumanKind.STUDENT):
        own = [
            *(human.number, human.given, human.family, names[human.schools[0]], human.grade),
            *(american(human.birth_date), human.language),
        ]
        for link in adults.get(human.key, []):
            adult = people[link.adult]
            phone = adult.phones[0].written if adult.phones else ""
            rows.append([*own, adult.given, adult.family, link.written, phone, mailbox(adult)])
    header = [
        *("Student number", "First name", "Last name", "School", "Grade", "Birth date", "Home language"),
        *("Contact first name", "Contact last name", "Relationship", "Contact phone", "Contact e-mail"),
    ]
    return {"students.csv": Sheet(header, rows)}
