"""Microsoft School Data Sync in its three dialects: 1 (spaced headers), 2 (OneRoster's file names), 2.1."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from belltower.people.reading.cells import read_list
from belltower.people.reading.columns import Layout
from belltower.people.reading.gathering import Gathering
from belltower.people.reading.kinds import GUARDIAN, kind_of, kind_of_all
from belltower.people.reading.linking import RELATIONS, Statement
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

_ID = frozenset({"sourcedId"})
LAYOUTS = {
    "orgs": Layout(wanted=("sourcedId", "name", "type", "parentSourcedId"), required=_ID | {"name"}),
    "academicsessions": Layout(
        wanted=("sourcedId", "startDate", "endDate"),
        required=_ID,
        known=frozenset({"title", "type", "schoolYear"}),
    ),
    "courses": Layout(
        wanted=("sourcedId", "title", "code"),
        required=_ID,
        known=frozenset({"orgSourcedId", "schoolYearSourcedId", "subject", "grade"}),
    ),
    "classes": Layout(
        wanted=("sourcedId", "orgSourcedId", "title", "sessionSourcedIds", "courseSourcedId"),
        required=_ID | {"orgSourcedId"},
        known=frozenset({"code"}),
        aliases={"sessionSourcedId": "sessionSourcedIds"},
    ),
    "users": Layout(
        wanted=(
            "sourcedId",
            "givenName",
            "familyName",
            "orgSourcedIds",
            "role",
            "grade",
            "email",
            "phone",
            "sms",
        ),
        required=_ID | {"givenName", "familyName"},
        known=frozenset({"username", "activeDirectoryMatchId"}),
        aliases={"orgSourcedId": "orgSourcedIds"},
    ),
    "roles": Layout(
        wanted=("userSourcedId", "orgSourcedId", "role", "grade", "isPrimary"),
        required=frozenset({"userSourcedId", "role"}),
        known=frozenset({"sessionSourcedId", "roleStartDate", "roleEndDate"}),
    ),
    "relationships": Layout(
        wanted=("userSourcedId", "relationshipUserSourcedId", "relationshipRole"),
        required=frozenset({"userSourcedId", "relationshipUserSourcedId", "relationshipRole"}),
    ),
    "demographics": Layout(
        wanted=("userSourcedId", "birthDate"), required=frozenset({"userSourcedId"}), known=frozenset({"sex"})
    ),
    "enrollments": Layout(
        wanted=("classSourcedId", "userSourcedId", "role"),
        required=frozenset({"classSourcedId", "userSourcedId"}),
    ),
}
"""The files of 2 and 2.1 that are read, by name in lower case."""

_Row = tuple[str, int, list[str]]


class SDSReader:
    """Reads one load of SDS 2 or 2.1 into a gathering."""

    def __init__(self, *, sheets: dict[str, Sheet], gathering: Gathering, progress: Progress | None) -> None:
        """Read `sheets`, by name in lower case."""
        self._sheets = sheets
        self._into = gathering
        self._findings = gathering.findings
        self._progress = progress
        self._terms: dict[str, tuple[date | None, date | None]] = {}
        self._courses: dict[str, str] = {}
        self._births: dict[str, date | None] = {}
        self._roles: dict[str, list[tuple[str, str, str, bool]]] = {}
        self._adults: set[str] = set()

    def read(self) -> list[Statement]:
        """Read every file; returns what is stated about who belongs together."""
        into = self._into
        for file, row, (key, name, kind, parent) in self._rows("orgs"):
            school = School(
                key=SchoolKey(key),
                name=name,
                kind=kind.casefold() or "school",
                parent=SchoolKey(parent) if parent else None,
                file=file,
            )
            into.add_school(school, row, "sourcedId")
        for file, row, (key, begin, end) in self._rows("academicsessions"):
            self._terms[key] = into.date(begin, file, row, "startDate"), into.date(end, file, row, "endDate")
        for _, _, (key, title, code) in self._rows("courses"):
            self._courses[key] = title or code
        self._read_classes()
        for file, row, (key, birth) in self._rows("demographics"):
            self._births[key] = into.date(birth, file, row, "birthDate")
        self._read_roles()
        statements = list(self._relationships())
        self._read_users()
        self._read_enrollments()
        return statements

    def _rows(self, name: str) -> Iterator[_Row]:
        sheet = self._sheets.get(name)
        if sheet is None:
            return
        for row, cells in read_rows(sheet, LAYOUTS[name], self._findings, self._progress):
            if not cells[0]:
                column = LAYOUTS[name].wanted[0]
                self._findings.fault(sheet.file, row, column, "the id is empty", "give the record its id")
                continue
            yield sheet.file, row, cells

    def _school(self, key: str, file: str, row: int, column: str) -> bool:
        if key in self._into.schools:
            return True
        self._into.unknown_reference(file, row, column, target="orgs.csv", present="orgs" in self._sheets)
        return False

    def _read_classes(self) -> None:
        for file, row, (key, school, title, sessions, course) in self._rows("classes"):
            if not self._school(school, file, row, "orgSourcedId"):
                continue
            spans = [self._terms[one] for one in read_list(sessions) if one in self._terms]
            begins = [begin for begin, _ in spans if begin is not None]
            ends = [end for _, end in spans if end is not None]
            one = SchoolClass(
                key=ClassKey(key),
                school=SchoolKey(school),
                title=title,
                course=self._courses.get(course, ""),
                begins=min(begins, default=None),
                ends=max(ends, default=None),
                file=file,
            )
            self._into.add_class(one, row, "sourcedId")

    def _read_roles(self) -> None:
        for file, row, (user, school, role, grade, primary) in self._rows("roles"):
            word = role.casefold()
            if kind_of(word) is None:
                self._unknown_role(file, row)
                continue
            at = school if school and self._school(school, file, row, "orgSourcedId") else ""
            first = self._into.yes(primary, file, row, "isPrimary")
            self._roles.setdefault(user, []).append((word, at, grade, first))

    def _relationships(self) -> Iterator[Statement]:
        for file, row, (one, other, written) in self._rows("relationships"):
            relation = RELATIONS.get(written.casefold())
            if relation is None:
                self._findings.review(
                    "link",
                    file,
                    row,
                    "relationshipRole",
                    "the relation is none of parent, guardian and relative; the link is left out",
                    "write parent, guardian or relative, if it is one",
                )
                continue
            self._adults.update((one, other))
            yield Statement(
                one=HumanKey(f"user/{one}"),
                other=HumanKey(f"user/{other}"),
                file=file,
                row=row,
                column="relationshipUserSourcedId",
                relation=relation,
                written=written,
            )

    def _read_users(self) -> None:
        into = self._into
        sheet = self._sheets.get("users")
        if (
            sheet is not None
            and "roles" not in self._sheets
            and "role" not in map(str.casefold, sheet.header)
        ):
            into.unknown_reference(sheet.file, 2, sheet.header[0], target="roles.csv", present=False)
            return
        for file, row, (key, given, family, schools, role, grade, email, phone, sms) in self._rows("users"):
            rows = sorted(self._roles.get(key, ()), key=lambda one: not one[3])
            roles = {one for one, *_ in rows} | ({role.casefold()} if role else set())
            kind = kind_of_all(roles, rows[0][0] if rows else role.casefold())
            if kind is None and role:
                self._unknown_role(file, row)
                continue
            if kind is None:
                # In 2.1 guardians have no role of their own; a relationship names them.
                kind = HumanKind.GUARDIAN if key in self._adults else HumanKind.CONTACT
            if kind is HumanKind.CONTACT:
                into.findings.review(
                    "role",
                    file,
                    row,
                    "sourcedId",
                    "the user has neither role nor relationship; it is kept as a contact",
                    "give it a row in roles.csv",
                )
            named = dict.fromkeys((*(school for _, school, *_ in rows if school), *read_list(schools)))
            grades = [one for _, _, one, _ in rows if one] or [grade]
            human = Human(
                key=HumanKey(f"user/{key}"),
                kind=kind,
                given=given,
                family=family,
                birth_date=self._births.get(key),
                grade=into.grade(grades[0]) if kind is HumanKind.STUDENT else "",
                schools=tuple(
                    SchoolKey(one) for one in named if self._school(one, file, row, "orgSourcedIds")
                ),
                phones=into.phones((("sms", sms, True), ("phone", phone, False)), file, row),
                emails=into.emails(email, file, row, "email"),
                roles=frozenset(roles),
                file=file,
            )
            into.add_human(human, row, "sourcedId")

    def _read_enrollments(self) -> None:
        into = self._into
        for file, row, (class_id, user, role) in self._rows("enrollments"):
            human = into.humans.get(HumanKey(f"user/{user}"))
            if human is None:
                present = "users" in self._sheets
                into.unknown_reference(file, row, "userSourcedId", target="users.csv", present=present)
                continue
            if class_id not in into.classes:
                present = "classes" in self._sheets
                into.unknown_reference(file, row, "classSourcedId", target="classes.csv", present=present)
                continue
            word = role.casefold() or str(human.kind)
            if kind_of(word) is None or word in GUARDIAN:
                self._unknown_role(file, row)
                continue
            if kind_of(word) is not human.kind:
                self._findings.review(
                    "role",
                    file,
                    row,
                    "role",
                    f"a {human.kind} is enrolled as {word}; it is kept as it stands",
                    "correct the role here or there",
                )
            into.add_enrolment(
                Enrolment(
                    school_class=ClassKey(class_id),
                    human=human.key,
                    role=word,
                    key=f"{class_id}/{human.key}",
                    file=file,
                )
            )

    def _unknown_role(self, file: str, row: int) -> None:
        self._findings.fault(
            file,
            row,
            "role",
            "is no role of School Data Sync",
            "write student, teacher, staff, faculty, aide, professor or another of its roles",
        )
