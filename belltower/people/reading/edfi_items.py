"""The parts of Ed-Fi's resources that are kept; a field that is not named here is let go while it is read."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

from belltower.people.roster import ClassKey


class Item(Struct, frozen=True, kw_only=True, rename="camel"):
    """What an Ed-Fi item may be; every resource uses a part."""


class Telephone(Item, frozen=True, kw_only=True):
    """A number."""

    telephone_number: str = ""
    telephone_number_type_descriptor: str = ""
    text_message_capability_indicator: bool | None = None


class Mail(Item, frozen=True, kw_only=True):
    """A mailbox."""

    electronic_mail_address: str = ""


class Language(Item, frozen=True, kw_only=True):
    """A language."""

    language_descriptor: str = ""


class SchoolReference(Item, frozen=True, kw_only=True):
    """Which school."""

    school_id: int


class OrganisationReference(Item, frozen=True, kw_only=True):
    """Which organisation."""

    education_organization_id: int


class StudentReference(Item, frozen=True, kw_only=True):
    """Which student."""

    student_unique_id: str


class StaffReference(Item, frozen=True, kw_only=True):
    """Which member of the staff."""

    staff_unique_id: str


class ContactReference(Item, frozen=True, kw_only=True):
    """Which contact."""

    contact_unique_id: str = ""
    parent_unique_id: str = ""

    @property
    def unique_id(self) -> str:
        """The id before and after version 5."""
        return self.contact_unique_id or self.parent_unique_id


class SectionReference(Item, frozen=True, kw_only=True):
    """Which class."""

    school_id: int
    section_identifier: str
    local_course_code: str = ""
    school_year: int = 0
    session_name: str = ""

    @property
    def key(self) -> ClassKey:
        """A section's identity is all of it."""
        parts = (
            self.school_id,
            self.school_year,
            self.session_name,
            self.local_course_code,
            self.section_identifier,
        )
        return ClassKey("/".join(str(part) for part in parts if part))


class School(Item, frozen=True, kw_only=True):
    """A school."""

    school_id: int
    name_of_institution: str


class Human(Item, frozen=True, kw_only=True):
    """A student, a member of the staff or a contact."""

    student_unique_id: str = ""
    staff_unique_id: str = ""
    contact_unique_id: str = ""
    parent_unique_id: str = ""
    first_name: str = ""
    middle_name: str = ""
    last_surname: str = ""
    preferred_first_name: str | None = None
    preferred_last_surname: str | None = None
    birth_date: str | None = None
    telephones: tuple[Telephone, ...] = ()
    electronic_mails: tuple[Mail, ...] = ()
    languages: tuple[Language, ...] = ()


class StudentSchool(Item, frozen=True, kw_only=True):
    """A student at a school."""

    student_reference: StudentReference
    school_reference: SchoolReference
    entry_grade_level_descriptor: str = ""
    exit_withdraw_date: str | None = None


class StudentOrganisation(Item, frozen=True, kw_only=True):
    """What an organisation knows of a student."""

    student_reference: StudentReference
    telephones: tuple[Telephone, ...] = ()
    electronic_mails: tuple[Mail, ...] = ()
    languages: tuple[Language, ...] = ()


class StaffPlace(Item, frozen=True, kw_only=True):
    """A member of the staff at a school."""

    staff_reference: StaffReference
    school_reference: SchoolReference | None = None
    education_organization_reference: OrganisationReference | None = None
    staff_classification_descriptor: str = ""


class StudentContact(Item, frozen=True, kw_only=True):
    """A student and an adult."""

    student_reference: StudentReference
    contact_reference: ContactReference | None = None
    parent_reference: ContactReference | None = None
    relation_descriptor: str = ""
    contact_restrictions: str | None = None
    emergency_contact_status: bool | None = None
    legal_guardian: bool | None = None
    lives_with: bool | None = None
    contact_priority: Annotated[int, Meta(ge=-(1 << 31), lt=1 << 31)] | None = None
    primary_contact_status: bool | None = None


class CourseOfferingReference(Item, frozen=True, kw_only=True):
    """Which course in which session."""

    school_id: int
    local_course_code: str = ""
    school_year: int = 0
    session_name: str = ""


class PeriodReference(Item, frozen=True, kw_only=True):
    """Which period."""

    class_period_name: str


class Period(Item, frozen=True, kw_only=True):
    """A period."""

    class_period_reference: PeriodReference


class LocationReference(Item, frozen=True, kw_only=True):
    """Which room."""

    classroom_identification_code: str = ""


class Section(Item, frozen=True, kw_only=True):
    """A class."""

    section_identifier: str
    section_name: str = ""
    course_offering_reference: CourseOfferingReference
    location_reference: LocationReference | None = None
    class_periods: tuple[Period, ...] = ()


class StudentSection(Item, frozen=True, kw_only=True):
    """A student in a class."""

    student_reference: StudentReference
    section_reference: SectionReference
    begin_date: str | None = None
    end_date: str | None = None


class StaffSection(Item, frozen=True, kw_only=True):
    """A member of the staff in a class."""

    staff_reference: StaffReference
    section_reference: SectionReference
    classroom_position_descriptor: str = ""
    begin_date: str | None = None
    end_date: str | None = None


class Deleted(Item, frozen=True, kw_only=True):
    """A record that is gone."""

    key_values: dict[str, Any] = {}
