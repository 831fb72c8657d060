"""OneRoster CSV 1.1 and 1.2, bulk and delta, clean and as it comes (1EdTech OneRoster CSV Binding)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import cast

from msgspec.structs import replace

from belltower.people.reading.cells import read_list
from belltower.people.reading.gathering import Gathering
from belltower.people.reading.kinds import kind_of, kind_of_all
from belltower.people.reading.linking import Statement
from belltower.people.reading.oneroster_columns import LAYOUTS
from belltower.people.reading.rows import Progress, Sheet, read_rows
from belltower.people.roster import (
    ClassKey,
    Enrolment,
    Human,
    HumanKey,
    HumanKind,
    Removed,
    Roster,
    School,
    SchoolClass,
    SchoolKey,
    Table,
)

_MOST_ALIKE = 65_536
_user = cast("Callable[[str], HumanKey]", "user/".__add__)
_Role = tuple[str, bool, str]
"""A role, whether it is the primary one, and at which school."""


class OneRosterReader:
    """Reads one OneRoster load into a gathering."""

    def __init__(
        self,
        *,
        sheets: dict[str, Sheet],
        deltas: frozenset[str],
        gathering: Gathering,
        in_force: Roster | None,
        progress: Progress | None,
    ) -> None:
        """Read `sheets`, by name in lower case; those named in `deltas` are deltas to `in_force`."""
        self._sheets = sheets
        self._deltas = deltas
        self._delta = bool(deltas)
        self._into = gathering
        self._findings = gathering.findings
        self._progress = progress
        self._known = {human.key: human for human in in_force.humans} if in_force and deltas else {}
        self._known_classes = {one.key for one in in_force.classes} if in_force and deltas else set()
        # Plain tuples throughout: the collector lets go of them, and so does not halt the loop for hundreds of thousands.
        self._roles: dict[str, tuple[_Role, ...]] = {}
        self._kinds: dict[tuple[tuple[_Role, ...], str], tuple[frozenset[str], HumanKind | None]] = {}
        self._named: dict[tuple[str, ...], tuple[SchoolKey, ...]] = {}
        self._role_sets: dict[frozenset[str], frozenset[str]] = {}
        self._births: dict[str, date | None] = {}
        self._terms: dict[str, tuple[date | None, date | None]] = {}
        self._courses: dict[str, str] = {}

    def read(self) -> list[Statement]:
        """Read every file; returns what is stated about who belongs together."""
        self._read_orgs()
        self._read_sessions()
        self._read_courses()
        self._read_classes()
        self._read_roles()
        self._read_demographics()
        statements = list(self._read_users())
        if self._delta:
            self._amend_known()
        self._read_enrollments()
        return statements

    def known(self) -> dict[HumanKey, Human]:
        """Everybody a link may name: those of the load before those in force."""
        return {**self._known, **self._into.humans}

    def _rows(self, name: str, table: Table | None = None) -> Iterator[tuple[str, int, bool, list[str]]]:
        """File, row, whether it is active, and the cells after the three common ones but with the id in front."""
        sheet = self._sheets.get(name)
        if sheet is None:
            return
        file = sheet.file
        delta = name in self._deltas
        for row, cells in read_rows(sheet, LAYOUTS[name], self._findings, self._progress):
            key, status, modified = cells[0], cells[1], cells[2]
            if not key and name != "roles":
                self._findings.fault(file, row, "sourcedId", "the id is empty", "give the record its id")
                continue
            active = True
            if status or delta:
                state = self._state(status, file, row, delta=delta)
                if delta and not modified:
                    self._findings.review_once(
                        "delta",
                        file,
                        row,
                        "dateLastModified",
                        "is empty in a delta",
                        "export it with its time",
                    )
                if state == "tobedeleted" and delta and table is not None:
                    self._into.removed.append(Removed(table=table, key=_removed(table, key)))
                if state in {"tobedeleted", ""}:
                    continue
                active = state == "active"
            del cells[1:3]
            yield file, row, active, cells

    def _state(self, status: str, file: str, row: int, *, delta: bool) -> str:
        """`active`, `inactive` or `tobedeleted`; empty, and a fault, for anything else."""
        state = status.casefold()
        if not delta:
            self._findings.review_once(
                "status",
                file,
                row,
                "status",
                "is filled although the file is a full one",
                "leave it empty in bulk files",
            )
        if state in {"active", "inactive", "tobedeleted"}:
            return state
        if not delta and not state:
            return "active"
        self._findings.fault(
            file, row, "status", "is neither active nor tobedeleted", "write active or tobedeleted in a delta"
        )
        return ""

    def _read_orgs(self) -> None:
        for file, row, _, (key, name, kind, identifier, parent) in self._rows("orgs", Table.SCHOOL):
            school = School(
                key=SchoolKey(key),
                name=name,
                kind=kind.casefold() or "school",
                number=identifier,
                parent=SchoolKey(parent) if parent else None,
                file=file,
            )
            self._into.add_school(school, row, "sourcedId")

    def _read_sessions(self) -> None:
        for file, row, _, (key, begin, end) in self._rows("academicsessions"):
            self._terms[key] = (
                self._into.date(begin, file, row, "startDate"),
                self._into.date(end, file, row, "endDate"),
            )

    def _read_courses(self) -> None:
        for _, _, _, (key, title, code) in self._rows("courses"):
            self._courses[key] = title or code

    def _read_classes(self) -> None:
        into = self._into
        for file, row, _, cells in self._rows("classes", Table.CLASS):
            key, title, grades, course, location, school, terms, periods = cells
            if not self._delta and school not in into.schools:
                into.unknown_reference(
                    file, row, "schoolSourcedId", target="orgs.csv", present="orgs" in self._sheets
                )
                continue
            begins, ends = self._span(read_list(terms))
            one = SchoolClass(
                key=ClassKey(key),
                school=SchoolKey(school),
                title=title,
                course=self._courses.get(course, ""),
                periods=read_list(periods),
                location=location,
                grades=tuple(into.grade(grade) for grade in read_list(grades)),
                begins=begins,
                ends=ends,
                file=file,
            )
            into.add_class(one, row, "sourcedId")

    def _span(self, terms: tuple[str, ...]) -> tuple[date | None, date | None]:
        spans = [self._terms[term] for term in terms if term in self._terms]
        begins = [begin for begin, _ in spans if begin is not None]
        ends = [end for _, end in spans if end is not None]
        return (min(begins) if begins else None), (max(ends) if ends else None)

    def _read_roles(self) -> None:
        # One tuple for all whose only role it is.
        alone: dict[tuple[str, str, str], tuple[_Role, ...]] = {}
        for file, row, _, (_, user, kind, role, school) in self._rows("roles"):
            found = alone.get((role, kind, school))
            if found is None:
                word = role.casefold()
                if kind_of(word) is None and not word.startswith("ext:"):
                    self._unknown_role(file, row)
                    continue
                found = alone[role, kind, school] = ((word, kind.casefold() == "primary", school),)
            before = self._roles.get(user)
            self._roles[user] = found if before is None else before + found

    def _read_demographics(self) -> None:
        for file, row, _, (key, birth) in self._rows("demographics"):
            self._births[key] = self._into.date(birth, file, row, "birthDate")

    def _read_users(self) -> Iterator[Statement]:
        into = self._into
        for file, row, active, cells in self._rows("users", Table.HUMAN):
            (
                key,
                role,
                given,
                family,
                middle,
                preferred_given,
                preferred_family,
                number,
                email,
                sms,
                phone,
            ) = cells[:11]
            agents, grades, orgs, main_school, language = cells[11:]
            human_key = _user(key)
            known = self._known.get(human_key)
            rows = self._roles.get(key, ())
            roles, kind = self._understood(rows, role)
            if not roles and known is not None:
                roles = known.roles
                kind = kind_of_all(roles, role.casefold())
            if kind is None:
                if role:
                    self._unknown_role(file, row)
                    continue
                into.findings.review(
                    "role",
                    file,
                    row,
                    "role",
                    "the user has no role; it is kept as a contact",
                    "give it its role",
                )
                kind = HumanKind.CONTACT
            named = (main_school, *read_list(orgs), *[school for _, _, school in rows])
            if known is not None and not any(named):
                named = known.schools
            human = Human(
                key=human_key,
                kind=kind,
                given=given,
                family=family,
                middle=middle,
                preferred_given=preferred_given,
                preferred_family=preferred_family,
                birth_date=self._births.get(key, known.birth_date if known else None),
                grade=into.grade(grades) if kind is HumanKind.STUDENT else "",
                language=language or (known.language if known is not None else ""),
                schools=self._schools(named, file, row),
                phones=into.phones((("sms", sms, True), ("phone", phone, False)), file, row)
                if sms or phone
                else (),
                emails=into.emails(email, file, row, "email"),
                roles=roles,
                number=number,
                active=active,
                file=file,
            )
            if not given and not family:
                into.findings.fault(file, row, "familyName", "the user has no name", "give the user a name")
                continue
            if not into.add_human(human, row, "sourcedId"):
                continue
            if self._delta:
                into.restated.add(human_key)
            for agent in read_list(agents):
                yield Statement(
                    one=human_key,
                    other=_user(agent),
                    file=file,
                    row=row,
                    column="agentSourcedIds",
                )

    def _understood(self, rows: tuple[_Role, ...], role: str) -> tuple[frozenset[str], HumanKind | None]:
        """What a user's roles are, and what they make of them; remembered, since thousands have the same."""
        found = self._kinds.get((rows, role))
        if found is None:
            roles = frozenset(word for word, _, _ in rows) | {word.casefold() for word in read_list(role)}
            roles = self._role_sets.setdefault(roles, roles)
            primary = next((word for word, primary, _ in rows if primary), role.casefold())
            found = roles, kind_of_all(roles, primary)
            if len(self._kinds) < _MOST_ALIKE:
                self._kinds[rows, role] = found
        return found

    def _schools(self, named: tuple[str, ...], file: str, row: int) -> tuple[SchoolKey, ...]:
        known = self._named.get(named)
        if known is not None:
            return known
        schools = self._into.schools
        found = []
        for one in dict.fromkeys(named):
            if not one:
                continue
            if one in schools or self._delta:
                found.append(SchoolKey(one))
            else:
                self._into.unknown_reference(
                    file, row, "orgSourcedIds", target="orgs.csv", present="orgs" in self._sheets
                )
        keys = tuple(found)
        # Where a school is unknown each row is told of it.
        if len(self._named) < _MOST_ALIKE and set(keys) >= {one for one in named if one}:
            self._named[named] = keys
        return keys

    def _unknown_role(self, file: str, row: int) -> None:
        self._findings.fault(
            file,
            row,
            "role",
            "is no role of OneRoster",
            "write student, teacher, aide, administrator, guardian, parent, relative or another of its roles",
        )

    def _amend_known(self) -> None:
        """Roles and birth dates of people in force whose own row is not in the delta."""
        for user in {**self._roles, **self._births}:
            key = _user(user)
            known = self._known.get(key)
            if key in self._into.humans or known is None:
                continue
            rows = self._roles.get(user, ())
            roles = known.roles | {word for word, _, _ in rows}
            schools = dict.fromkeys((*known.schools, *(SchoolKey(school) for _, _, school in rows if school)))
            self._into.humans[key] = replace(
                known,
                kind=kind_of_all(roles) or known.kind,
                roles=roles,
                schools=tuple(schools),
                birth_date=self._births.get(user, known.birth_date),
            )

    def _read_enrollments(self) -> None:
        into = self._into
        classes, humans = into.classes, into.humans
        for file, row, active, cells in self._rows("enrollments", Table.ENROLMENT):
            key, class_id, user, role, primary, begin, end = cells
            if not active:
                continue
            human_key = _user(user)
            human = humans.get(human_key) or self._known.get(human_key)
            one = classes.get(ClassKey(class_id))
            if human is None:
                into.unknown_reference(
                    file,
                    row,
                    "userSourcedId",
                    target="users.csv",
                    present="users" in self._sheets or self._delta,
                )
                continue
            if one is None and class_id not in self._known_classes:
                into.unknown_reference(
                    file,
                    row,
                    "classSourcedId",
                    target="classes.csv",
                    present="classes" in self._sheets or self._delta,
                )
                continue
            word = role.casefold()
            said = kind_of(word)
            if said is None:
                self._unknown_role(file, row)
                continue
            if said is not human.kind:
                into.findings.review(
                    "role",
                    file,
                    row,
                    "role",
                    f"a {human.kind} is enrolled as {word}; it is kept as it stands",
                    "correct the role here or in users.csv",
                )
            into.add_enrolment(
                Enrolment(
                    school_class=one.key if one is not None else ClassKey(class_id),
                    human=human.key,
                    role=_WORDS.get(word, word),
                    key=key,
                    primary=into.yes(primary, file, row, "primary") if primary else False,
                    begins=into.date(begin, file, row, "beginDate") if begin else None,
                    ends=into.date(end, file, row, "endDate") if end else None,
                    file=file,
                )
            )


# One string for each role instead of one for each row.
_WORDS: dict[str, str] = {word: word for word in ("student", "teacher", "aide", "administrator", "proctor")}


def _removed(table: Table, key: str) -> str:
    return f"user/{key}" if table is Table.HUMAN else key
