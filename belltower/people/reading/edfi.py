"""Ed-Fi JSON (ODS/API resources): one file for each resource, or one object that holds them all.

A file is named after its resource, `students.json`, and holds a list of items, a page with them, or one item a line.
`students.deletes.json` holds what the API's `deletes` says. Fields that `edfi_items` does not name are never kept.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from belltower.people.reading import edfi_items as items
from belltower.people.reading.archive import Package
from belltower.people.reading.cells import read_grade
from belltower.people.reading.edfi_files import UNREADABLE, Raw, Resources, decoder_says
from belltower.people.reading.faults import Findings
from belltower.people.reading.gathering import Gathering
from belltower.people.reading.linking import relation_of
from belltower.people.reading.rows import Progress
from belltower.people.roster import (
    ClassKey,
    Enrolment,
    Human,
    HumanKey,
    HumanKind,
    Link,
    MayCollect,
    Phone,
    Relation,
    Removed,
    Roster,
    School,
    SchoolClass,
    SchoolKey,
    Side,
    Table,
)

_DELETED = {
    "students": ("student", ("studentUniqueId",)),
    "staff": ("staff", ("staffUniqueId",)),
    "contacts": ("contact", ("contactUniqueId", "parentUniqueId")),
}
_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"
_GRADES = {word: f"{number:02}" for number, word in enumerate(_ORDINALS.split(), 1)}


class EdFiReader:
    """Reads one Ed-Fi load into a gathering."""

    def __init__(
        self,
        *,
        package: Package,
        gathering: Gathering,
        in_force: Roster | None,
        progress: Progress | None,
    ) -> None:
        """Read `package`; with deletes in it, as a delta to `in_force`."""
        self._into = gathering
        self._findings: Findings = gathering.findings
        self._files = Resources(package=package, findings=gathering.findings, progress=progress)
        self._known = {human.key: human for human in in_force.humans} if in_force else {}
        self._known_classes = {one.key for one in in_force.classes} if in_force else set()
        self._schools: dict[str, dict[SchoolKey, None]] = {}
        self._grades: dict[str, str] = {}
        self._roles: dict[str, set[str]] = {}
        self._adults: dict[str, Relation] = {}
        self._more: dict[str, items.StudentOrganisation] = {}

    def read(self, files: Iterable[str]) -> bool:
        """Read every file; returns whether the load is a delta."""
        for file in files:
            self._files.load(file)
        delta = bool(self._files.deletes)
        for name, raws in self._files.deletes.items():
            self._read_deletes(name, raws)
        for file, row, school in self._files.all("schools", items.School):
            one = School(key=SchoolKey(str(school.school_id)), name=school.name_of_institution, file=file)
            self._into.add_school(one, row, "schoolId")
        self._read_places()
        for _, _, more in self._files.all(
            "studenteducationorganizationassociations", items.StudentOrganisation
        ):
            self._more.setdefault(more.student_reference.student_unique_id, more)
        for _, _, said in self._files.all("studentcontactassociations", items.StudentContact):
            reference = said.contact_reference or said.parent_reference
            if reference is not None:
                relation = _relation(said)
                if relation is not Relation.CONTACT or reference.unique_id not in self._adults:
                    self._adults[reference.unique_id] = relation
        self._read_people()
        self._read_links(delta=delta)
        self._read_sections()
        self._read_attendance()
        return delta

    def _read_deletes(self, name: str, raws: list[Raw]) -> None:
        if name not in _DELETED:
            self._findings.review_once(
                "delete",
                raws[0][0],
                raws[0][1],
                "",
                "deletes of this resource are not read",
                "send a full load",
            )
            return
        kind, columns = _DELETED[name]
        for file, row, raw in raws:
            try:
                deleted = msgspec.json.decode(raw, type=items.Deleted)
            except UNREADABLE as error:
                self._findings.fault(
                    file, row, "keyValues", f"is no delete ({decoder_says(error)})", "export it again"
                )
                continue
            key = next((str(deleted.key_values[one]) for one in columns if one in deleted.key_values), "")
            if not key:
                self._findings.fault(
                    file, row, f"keyValues.{columns[0]}", "the delete names no id", "export it with keyValues"
                )
                continue
            self._into.removed.append(Removed(table=Table.HUMAN, key=f"{kind}/{key}"))

    def _read_places(self) -> None:
        for _, _, at in self._files.all("studentschoolassociations", items.StudentSchool):
            if at.exit_withdraw_date:
                continue
            key = at.student_reference.student_unique_id
            self._schools.setdefault(f"student/{key}", {})[SchoolKey(str(at.school_reference.school_id))] = (
                None
            )
            self._grades.setdefault(key, _grade(at.entry_grade_level_descriptor))
        for _, _, place in self._files.all("staffschoolassociations", items.StaffPlace):
            key = place.staff_reference.staff_unique_id
            if place.school_reference is not None:
                school = place.school_reference.school_id
            elif place.education_organization_reference is not None:
                school = place.education_organization_reference.education_organization_id
            else:
                continue
            self._schools.setdefault(f"staff/{key}", {})[SchoolKey(str(school))] = None
            if place.staff_classification_descriptor:
                self._roles.setdefault(key, set()).add(
                    _word(place.staff_classification_descriptor).casefold()
                )

    def _read_people(self) -> None:
        for name, kind in (
            ("students", HumanKind.STUDENT),
            ("staff", HumanKind.STAFF),
            ("contacts", HumanKind.CONTACT),
        ):
            for file, row, human in self._files.all(name, items.Human):
                self._read_human(human, kind, file, row)

    def _read_human(self, human: items.Human, kind: HumanKind, file: str, row: int) -> None:
        into = self._into
        key = {
            HumanKind.STUDENT: human.student_unique_id,
            HumanKind.STAFF: human.staff_unique_id,
        }.get(kind, human.contact_unique_id or human.parent_unique_id)
        if not key:
            into.findings.fault(file, row, f"{kind}UniqueId", "the id is empty", "give the record its id")
            return
        more = self._more.get(key) if kind is HumanKind.STUDENT else None
        telephones = (*human.telephones, *(more.telephones if more else ()))
        mails = (*human.electronic_mails, *(more.electronic_mails if more else ()))
        languages = (*human.languages, *(more.languages if more else ()))
        prefix = "contact" if kind is HumanKind.CONTACT else str(kind)
        if kind is HumanKind.CONTACT and self._adults.get(key, Relation.CONTACT) is not Relation.CONTACT:
            kind = HumanKind.GUARDIAN
        into.add_human(
            Human(
                key=HumanKey(f"{prefix}/{key}"),
                kind=kind,
                given=human.first_name,
                family=human.last_surname,
                middle=human.middle_name or "",
                preferred_given=human.preferred_first_name or "",
                preferred_family=human.preferred_last_surname or "",
                birth_date=into.date(human.birth_date or "", file, row, "birthDate")
                if prefix == "student"
                else None,
                grade=self._grades.get(key, "") if prefix == "student" else "",
                language=_word(languages[0].language_descriptor) if languages else "",
                schools=tuple(
                    school
                    for school in self._schools.get(f"{prefix}/{key}", ())
                    if school in into.schools or self._known
                ),
                phones=self._phones(telephones, file, row),
                emails=tuple(
                    dict.fromkeys(
                        mail
                        for one in mails
                        for mail in into.emails(
                            one.electronic_mail_address.strip(), file, row, "electronicMails"
                        )
                    )
                ),
                roles=frozenset(self._roles.get(key, ())) if prefix == "staff" else frozenset({prefix}),
                file=file,
            ),
            row,
            f"{prefix}UniqueId",
        )

    def _phones(self, telephones: tuple[items.Telephone, ...], file: str, row: int) -> tuple[Phone, ...]:
        cells = (
            (
                "telephones",
                one.telephone_number.strip(),
                bool(one.text_message_capability_indicator)
                or _word(one.telephone_number_type_descriptor) == "Mobile",
            )
            for one in telephones
        )
        return self._into.phones(cells, file, row)

    def _human(self, key: str) -> Human | None:
        return self._into.humans.get(HumanKey(key)) or self._known.get(HumanKey(key))

    def _read_links(self, *, delta: bool) -> None:
        into = self._into
        for file, row, said in self._files.all("studentcontactassociations", items.StudentContact):
            reference = said.contact_reference or said.parent_reference
            student = self._human(f"student/{said.student_reference.student_unique_id}")
            adult = self._human(f"contact/{reference.unique_id}") if reference else None
            if student is None or adult is None:
                column = "studentReference" if student is None else "contactReference"
                target = "students.json" if student is None else "contacts.json"
                present = delta or target.removesuffix(".json") in self._files
                into.unknown_reference(file, row, column, target=target, present=present)
                continue
            relation = _relation(said)
            limits = (said.contact_restrictions or "").strip()
            if limits:
                into.findings.review(
                    "order",
                    file,
                    row,
                    "contactRestrictions",
                    "a person has to read the order",
                    "read it and record it",
                )
            known = into.links.get((student.key, adult.key))
            if known is not None and limits != known.restrictions:
                limits = "\n".join(
                    filter(None, (known.restrictions, limits))
                )  # no row takes another's limits away
            into.links[student.key, adult.key] = Link(
                student=student.key,
                adult=adult.key,
                relation=relation,
                written=_word(said.relation_descriptor),
                # Free text never decides.
                may_collect=MayCollect.CONDITIONAL if limits else into.mapping.may_collect.get(relation),
                restrictions=limits,
                priority=1 if said.primary_contact_status else said.contact_priority or 0,
                lives_with=said.lives_with,
                stated_by=frozenset({Side.STUDENT}),
                file=file,
            )

    def _read_sections(self) -> None:
        into = self._into
        for file, row, section in self._files.all("sections", items.Section):
            offer = section.course_offering_reference
            key = items.SectionReference(
                school_id=offer.school_id,
                section_identifier=section.section_identifier,
                local_course_code=offer.local_course_code,
                school_year=offer.school_year,
                session_name=offer.session_name,
            ).key
            if str(offer.school_id) not in into.schools and not self._known_classes:
                into.unknown_reference(
                    file,
                    row,
                    "courseOfferingReference.schoolId",
                    target="schools.json",
                    present="schools" in self._files,
                )
                continue
            room = section.location_reference
            one = SchoolClass(
                key=key,
                school=SchoolKey(str(offer.school_id)),
                title=section.section_name or section.section_identifier,
                course=offer.local_course_code,
                periods=tuple(one.class_period_reference.class_period_name for one in section.class_periods),
                location=room.classroom_identification_code if room else "",
                file=file,
            )
            into.add_class(one, row, "sectionIdentifier")

    def _read_attendance(self) -> None:
        for file, row, seat in self._files.all("studentsectionassociations", items.StudentSection):
            human = f"student/{seat.student_reference.student_unique_id}"
            self._enrol(
                human, seat.section_reference.key, "student", seat.begin_date, seat.end_date, file, row
            )
        for file, row, post in self._files.all("staffsectionassociations", items.StaffSection):
            role = _word(post.classroom_position_descriptor).casefold()
            role = "teacher" if not role or "teacher" in role else role
            human = f"staff/{post.staff_reference.staff_unique_id}"
            self._enrol(human, post.section_reference.key, role, post.begin_date, post.end_date, file, row)

    def _enrol(
        self, key: str, section: ClassKey, role: str, begin: str | None, end: str | None, file: str, row: int
    ) -> None:
        into = self._into
        human = self._human(key)
        if human is None:
            name = "students" if key.startswith("student/") else "staff"
            into.unknown_reference(
                file,
                row,
                f"{name.removesuffix('s')}Reference",
                target=f"{name}.json",
                present=name in self._files,
            )
            return
        if section not in into.classes and section not in self._known_classes:
            into.unknown_reference(
                file, row, "sectionReference", target="sections.json", present="sections" in self._files
            )
            return
        one = Enrolment(
            school_class=section,
            human=human.key,
            role=role,
            key=f"{section}/{human.key}",
            begins=into.date(begin or "", file, row, "beginDate"),
            ends=into.date(end or "", file, row, "endDate"),
            file=file,
        )
        into.add_enrolment(one)


def _relation(said: items.StudentContact) -> Relation:
    if said.legal_guardian:
        return relation_of(_word(said.relation_descriptor)) or Relation.GUARDIAN
    return relation_of(_word(said.relation_descriptor)) or Relation.CONTACT


def _word(descriptor: str) -> str:
    """The word of a descriptor, `uri://ed-fi.org/RelationDescriptor#Mother`."""
    return descriptor.rpartition("#")[2].strip()


def _grade(descriptor: str) -> str:
    word = _word(descriptor)
    return _GRADES.get(word.casefold().removesuffix(" grade"), read_grade(word))
