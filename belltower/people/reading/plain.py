"""Plain CSV: our own columns as they are, or a district's through its mapping.

Our own files are `schools.csv`, `people.csv`, `classes.csv`, `enrolments.csv` and `links.csv`; `people.csv` alone will
do. Lists (schools, phones, emails, roles, periods, grades) are commas within quotes, dates are 2012-05-31. What a
district says about collecting in `links.csv` is its own word and is taken as such.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

from belltower.people.reading.cells import read_list
from belltower.people.reading.columns import Layout
from belltower.people.reading.gathering import Gathering
from belltower.people.reading.linking import relation_of
from belltower.people.reading.mapping import AdultColumns, PeopleColumns, TableColumns
from belltower.people.reading.plain_columns import LAYOUTS
from belltower.people.reading.rows import Progress, Sheet, read_rows
from belltower.people.roster import (
    ClassKey,
    Enrolment,
    Human,
    HumanKey,
    HumanKind,
    Link,
    LinkSource,
    MayCollect,
    Relation,
    School,
    SchoolClass,
    SchoolKey,
    Side,
)

Table = PeopleColumns | TableColumns
_ADULT = ("id", "name", "given", "family", "phones", "emails", "language", "relation")
_WEEKDAYS = {day: number for number, day in enumerate(("mon", "tue", "wed", "thu", "fri", "sat", "sun"))}


class PlainReader:
    """Reads one plain load into a gathering."""

    def __init__(self, *, sheets: dict[str, Sheet], gathering: Gathering, progress: Progress | None) -> None:
        """Read `sheets`, by name in lower case, as the gathering's mapping says, or as our own."""
        self._sheets = sheets
        self._into = gathering
        self._findings = gathering.findings
        self._progress = progress
        self._keys: dict[str, HumanKey] = {}
        self._listed = False

    def read(self) -> None:
        """Read every file."""
        mapping = self._into.mapping
        own = not mapping.names_files
        for table in mapping.schools or _own("schools", own=own):
            self._schools(table)
        self._listed = bool(self._into.schools)
        for people in mapping.people or ((PeopleColumns(file="people.csv"),) if own else ()):
            self._people(people)
        for table in mapping.classes or _own("classes", own=own):
            self._classes(table)
        for table in mapping.enrolments or _own("enrolments", own=own):
            self._enrolments(table)
        for table in mapping.links or _own("links", own=own):
            self._links(table)

    def _rows(
        self, table: Table, name: str, extra: tuple[str, ...] = ()
    ) -> Iterator[tuple[str, int, list[str]]]:
        """File, row and cells in our order; `extra` are columns of the file's own, which come last."""
        sheet = self._sheets.get(table.file.rpartition(".")[0].casefold())
        if sheet is None:
            if self._into.mapping.names_files:
                self._findings.fault(
                    table.file, 1, "1", "the mapping names the file, and it is not in the load", "put it in"
                )
            return
        layout = LAYOUTS[name]
        unknown = [column for column in table.columns if column not in (*layout.wanted, *_ADULT)]
        for column in unknown:
            self._findings.fault(
                table.file, 1, column, "is no column of ours", f"map one of {', '.join(layout.wanted)}"
            )
        if unknown:
            return
        names = {column: table.columns.get(column, column) for column in layout.wanted}
        wide = Layout(
            wanted=(*names.values(), *extra),
            required=frozenset(
                name for column, name in names.items() if column in layout.required or column in table.columns
            ),
        )
        for row, cells in read_rows(sheet, wide, self._findings, self._progress):
            if cells[0]:
                yield sheet.file, row, cells
            else:
                self._findings.fault(
                    sheet.file, row, wide.wanted[0], "the id is empty", "give the record its id"
                )

    def _schools(self, table: TableColumns) -> None:
        for file, row, (key, name, kind, number, parent) in self._rows(table, "schools"):
            school = School(
                key=SchoolKey(key),
                name=name,
                kind=kind.casefold() or "school",
                number=number,
                parent=SchoolKey(parent) if parent else None,
                file=file,
            )
            self._into.add_school(school, row, "id")

    def _people(self, table: PeopleColumns) -> None:
        into = self._into
        extra = tuple(dict.fromkeys(name for adult in table.contacts for name in adult.columns.values()))
        width = len(LAYOUTS["people"].wanted)
        for file, row, cells in self._rows(table, "people", extra):
            kind = self._kind(cells[1], table.kind, file, row)
            if kind is None:
                continue
            key, _, given, family, middle, preferred_given, preferred_family, birth, grade = cells[:9]
            language, schools, phones, emails, roles, number = cells[9:width]
            human = Human(
                key=HumanKey(f"{kind}/{key}"),
                kind=kind,
                given=given,
                family=family,
                middle=middle,
                preferred_given=preferred_given,
                preferred_family=preferred_family,
                birth_date=into.date(birth, file, row, table.columns.get("birth_date", "birth_date")),
                grade=into.grade(grade),
                language=language,
                schools=self._known_schools(read_list(schools), file, row),
                phones=into.phones((("phones", one, False) for one in read_list(phones)), file, row),
                emails=into.emails(emails, file, row, "emails"),
                roles=frozenset(role.casefold() for role in read_list(roles)) or frozenset({str(kind)}),
                number=number,
                file=file,
            )
            if not into.add_human(human, row, table.columns.get("id", "id")):
                continue
            # An id without its kind may be told apart only where one person has it.
            self._keys[key] = (
                HumanKey("") if key in self._keys and self._keys[key] != human.key else human.key
            )
            values = dict(zip(extra, cells[width:], strict=True))
            for adult in table.contacts:
                self._adult(human, adult, values, file, row)

    def _kind(self, word: str, fixed: HumanKind | None, file: str, row: int) -> HumanKind | None:
        if fixed is not None:
            return fixed
        try:
            return HumanKind(word.casefold())
        except ValueError:
            self._findings.fault(
                file, row, "kind", "is no kind of person", "write student, staff, guardian or contact"
            )
            return None

    def _known_schools(self, named: tuple[str, ...], file: str, row: int) -> tuple[SchoolKey, ...]:
        """The schools of a cell; where the load has no file of schools, the cells themselves name them."""
        schools, found = self._into.schools, []
        for key in map(SchoolKey, named):
            if not self._listed:
                schools.setdefault(key, School(key=key, name=key, file=file))
            if key in schools:
                found.append(key)
            else:
                self._into.unknown_reference(file, row, "schools", target="the schools", present=True)
        return tuple(found)

    def _adult(
        self, student: Human, adult: AdultColumns, values: dict[str, str], file: str, row: int
    ) -> None:
        into = self._into
        got = {column: values.get(name, "") for column, name in adult.columns.items()}
        family = got.get("family", "") or got.get("name", "")
        if not family and not got.get("phones") and not got.get("emails"):
            return
        relation = relation_of(got.get("relation", "")) or adult.relation
        name = " ".join(f"{got.get('given', '')} {family}".casefold().split())
        digest = sha256(f"{student.key}\x00{name}".encode()).hexdigest()
        key = got.get("id") or f"{student.key.partition('/')[2]}-{digest[:12]}"
        human = Human(
            key=HumanKey(f"contact/{key}"),
            kind=HumanKind.CONTACT if relation is Relation.CONTACT else HumanKind.GUARDIAN,
            given=got.get("given", ""),
            family=family,
            language=got.get("language", ""),
            phones=into.phones(
                (
                    (adult.columns.get("phones", "phones"), one, False)
                    for one in read_list(got.get("phones", ""))
                ),
                file,
                row,
            ),
            emails=into.emails(got.get("emails", ""), file, row, adult.columns.get("emails", "emails")),
            derived=not got.get("id"),
            file=file,
        )
        if into.add_human(human, row, adult.columns.get("id", "id")):
            into.links[student.key, human.key] = Link(
                student=student.key,
                adult=human.key,
                relation=relation,
                written=got.get("relation", ""),
                may_collect=into.mapping.may_collect.get(relation),
                stated_by=frozenset({Side.STUDENT}),
                file=file,
            )

    def _classes(self, table: TableColumns) -> None:
        into = self._into
        for file, row, cells in self._rows(table, "classes"):
            key, school, title, course, periods, room, grades, begins, ends = cells
            if not self._known_schools((school,), file, row):
                continue
            one = SchoolClass(
                key=ClassKey(key),
                school=SchoolKey(school),
                title=title,
                course=course,
                periods=read_list(periods),
                location=room,
                grades=tuple(into.grade(grade) for grade in read_list(grades)),
                begins=into.date(begins, file, row, "begins"),
                ends=into.date(ends, file, row, "ends"),
                file=file,
            )
            into.add_class(one, row, "id")

    def _person(
        self, cell: str, kinds: tuple[HumanKind, ...], file: str, row: int, column: str
    ) -> Human | None:
        """The person of an id, with or without the kind in front."""
        humans = self._into.humans
        for key in (cell, *(f"{kind}/{cell}" for kind in kinds), f"contact/{cell}", self._keys.get(cell, "")):
            human = humans.get(HumanKey(key))
            if human is not None:
                return human
        self._into.unknown_reference(file, row, column, target="the people", present=True)
        return None

    def _enrolments(self, table: TableColumns) -> None:
        into = self._into
        for file, row, (class_id, person, role) in self._rows(table, "enrolments"):
            word = role.casefold() or "student"
            kinds = (HumanKind.STUDENT,) if word == "student" else (HumanKind.STAFF, HumanKind.CONTACT)
            human = self._person(person, kinds, file, row, "person")
            if human is None:
                continue
            if class_id not in into.classes:
                into.unknown_reference(file, row, "class", target="the classes", present=bool(into.classes))
                continue
            one = Enrolment(
                school_class=ClassKey(class_id),
                human=human.key,
                role=word,
                key=f"{class_id}/{human.key}",
                file=file,
            )
            into.add_enrolment(one)

    def _links(self, table: TableColumns) -> None:
        into = self._into
        for file, row, cells in self._rows(table, "links"):
            (
                student_id,
                adult_id,
                written,
                may,
                source,
                order,
                begins,
                ends,
                days,
                sealed,
                restraining,
                rank,
            ) = cells
            student = self._person(student_id, (HumanKind.STUDENT,), file, row, "student")
            adult = self._person(
                adult_id, (HumanKind.GUARDIAN, HumanKind.CONTACT, HumanKind.STAFF), file, row, "adult"
            )
            if student is None or adult is None:
                continue
            if student.kind is not HumanKind.STUDENT or adult.kind is HumanKind.STUDENT:
                self._findings.review(
                    "link",
                    file,
                    row,
                    "student",
                    "the link does not join one student and one adult; it is left out",
                    "write the student in the first column and the adult in the second",
                )
                continue
            relation = relation_of(written) or Relation.CONTACT
            stated = self._source(source, file, row)
            link = Link(
                student=student.key,
                adult=adult.key,
                relation=relation,
                written=written,
                may_collect=self._may_collect(may, relation, stated, file, row),
                source=stated,
                order_reference=order,
                begins=into.date(begins, file, row, "begins"),
                ends=into.date(ends, file, row, "ends"),
                weekdays=self._weekdays(days, file, row),
                sealed=into.yes(sealed, file, row, "sealed"),
                restraining=into.yes(restraining, file, row, "restraining"),
                priority=int(rank) if rank.isdecimal() and len(rank) < 4 else 0,
                stated_by=frozenset({Side.STUDENT}),
                file=file,
            )
            if into.links.setdefault((student.key, adult.key), link) != link:
                self._findings.fault(
                    file,
                    row,
                    "student",
                    "the link stands in an earlier row otherwise",
                    "keep the one that counts",
                )

    def _may_collect(
        self, word: str, relation: Relation, source: LinkSource, file: str, row: int
    ) -> MayCollect | None:
        if not word and source is LinkSource.SIS:
            return self._into.mapping.may_collect.get(relation)
        if not word:
            # What the district says of its own links is no word of a court's or a guardian's.
            self._findings.review(
                "order",
                file,
                row,
                "may_collect",
                f"a record of {source.value} does not say whether the adult may collect; it counts as conditional",
                "read it and write yes, no or conditional",
            )
            return MayCollect.CONDITIONAL
        try:
            return MayCollect(word.casefold())
        except ValueError:
            self._findings.fault(
                file, row, "may_collect", "is none of yes, no and conditional", "write one of them"
            )
            return None

    def _source(self, word: str, file: str, row: int) -> LinkSource:
        try:
            return LinkSource(word.casefold() or "sis")
        except ValueError:
            mend = f"write one of {', '.join(LinkSource)}"
            self._findings.fault(file, row, "source", "is no source of a link", mend)
            return LinkSource.SIS

    def _weekdays(self, text: str, file: str, row: int) -> frozenset[int]:
        days = [_WEEKDAYS.get(day.casefold()[:3]) for day in read_list(text)]
        if None in days:
            self._findings.fault(file, row, "weekdays", "holds what is no weekday", "write mon, tue, wed ..")
        return frozenset(day for day in days if day is not None)


def _own(name: str, *, own: bool) -> tuple[TableColumns, ...]:
    return (TableColumns(file=f"{name}.csv"),) if own else ()
