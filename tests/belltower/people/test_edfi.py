"""Ed-Fi JSON: one file for each resource, one for all, or an item a line."""

import json

import pytest

from belltower.people.roster import HumanKind, MayCollect, Relation, Removed, Table
from tests.belltower.people.exports import folder, mapped, reading

_SECTION = {
    "schoolId": 1,
    "localCourseCode": "M1",
    "schoolYear": 2027,
    "sessionName": "Fall",
    "sectionIdentifier": "9",
}
_ITEMS = {
    "schools": [{"schoolId": 1, "nameOfInstitution": "Linden", "charterStatusDescriptor": "x"}],
    "students": [
        {
            "studentUniqueId": "s1",
            "firstName": "Ana",
            "lastSurname": "Lee",
            "birthDate": "2014-02-01",
            "birthCity": "SECRET",
            "birthCountryDescriptor": "SECRET",
        }
    ],
    "studentSchoolAssociations": [
        {
            "studentReference": {"studentUniqueId": "s1"},
            "schoolReference": {"schoolId": 1},
            "entryGradeLevelDescriptor": "uri://ed-fi.org/GradeLevelDescriptor#Sixth grade",
        }
    ],
    "studentEducationOrganizationAssociations": [
        {
            "studentReference": {"studentUniqueId": "s1"},
            "languages": [{"languageDescriptor": "uri://ed-fi.org/LanguageDescriptor#spa"}],
            "races": [{"raceDescriptor": "SECRET"}],
        }
    ],
    "contacts": [
        {
            "contactUniqueId": "c1",
            "firstName": "Rosa",
            "lastSurname": "Lee",
            "telephones": [
                {"telephoneNumber": "202-456-1414", "telephoneNumberTypeDescriptor": "uri://x#Mobile"}
            ],
        },
        {"contactUniqueId": "c2", "firstName": "Pat", "lastSurname": "Poe"},
    ],
    "studentContactAssociations": [
        {
            "studentReference": {"studentUniqueId": "s1"},
            "contactReference": {"contactUniqueId": "c1"},
            "relationDescriptor": "uri://ed-fi.org/RelationDescriptor#Mother",
            "contactRestrictions": "see the order of May",
            "livesWith": True,
            "contactPriority": 2,
        },
        {
            "studentReference": {"studentUniqueId": "s1"},
            "contactReference": {"contactUniqueId": "c2"},
            "relationDescriptor": "uri://ed-fi.org/RelationDescriptor#Neighbor",
        },
    ],
    "staffs": [{"staffUniqueId": "t1", "firstName": "Tim", "lastSurname": "Teller"}],
    "sections": [
        {
            "sectionIdentifier": "9",
            "courseOfferingReference": {key: _SECTION[key] for key in list(_SECTION)[:4]},
            "locationReference": {"classroomIdentificationCode": "B204"},
            "classPeriods": [{"classPeriodReference": {"classPeriodName": "2"}}],
        }
    ],
    "studentSectionAssociations": [
        {
            "studentReference": {"studentUniqueId": "s1"},
            "sectionReference": _SECTION,
            "beginDate": "2026-08-20",
        }
    ],
    "staffSectionAssociations": [
        {
            "staffReference": {"staffUniqueId": "t1"},
            "sectionReference": _SECTION,
            "classroomPositionDescriptor": "uri://x#Teacher of Record",
        }
    ],
}
_FILES = {f"{name}.json": json.dumps(items) for name, items in _ITEMS.items()}


def test_resources_become_a_roster(tmp_path):
    """Grade and language by their descriptors, room and period of the section, roles."""
    found = reading(folder(tmp_path, _FILES))
    roster = found.roster
    student = roster.of_kind(HumanKind.STUDENT)[0]

    assert ("edfi", ()) == (found.format, found.faults)
    assert ("06", "spa", ("1",)) == (student.grade, student.language, student.schools)
    assert [("B204", ("2",))] == [(one.location, one.periods) for one in roster.classes]
    assert ["student", "teacher"] == [one.role for one in roster.enrolments]
    assert "SECRET" not in repr(found)


def test_restrictions_make_a_person_read_the_order(tmp_path):
    """Free text never decides; a neighbour is somebody to call, no more."""
    found = reading(folder(tmp_path, _FILES))
    mother, neighbour = found.roster.links

    assert (Relation.PARENT, MayCollect.CONDITIONAL, 2, True) == (
        mother.relation,
        mother.may_collect,
        mother.priority,
        mother.lives_with,
    )
    assert (Relation.CONTACT, None) == (neighbour.relation, neighbour.may_collect)
    assert ["order"] == [one.kind for one in found.review]


@pytest.mark.parametrize("last", [{}, {"contactRestrictions": "not on Fridays"}])
@pytest.mark.parametrize("swapped", [False, True])
def test_an_association_said_twice_keeps_its_restrictions(tmp_path, last, swapped):
    """P4: whichever row comes last, none takes the limits of another away."""
    first = _ITEMS["studentContactAssociations"][0]
    again = {key: value for key, value in first.items() if key != "contactRestrictions"} | last
    pair = [again, first] if swapped else [first, again]
    files = _FILES | {"studentContactAssociations.json": json.dumps(pair)}
    found = mapped(folder(tmp_path, files), may_collect={Relation.PARENT: MayCollect.YES})
    (link,) = found.roster.links

    assert MayCollect.CONDITIONAL is link.may_collect
    assert {"see the order of May", *last.values()} == set(link.restrictions.split("\n"))


def test_one_file_or_an_item_a_line_say_the_same(tmp_path):
    """Whatever the district's own export makes of it."""
    lines = {f"{name}.jsonl": "\n".join(map(json.dumps, items)) for name, items in _ITEMS.items()}
    one = reading(folder(tmp_path / "one", {"all.json": json.dumps(_ITEMS)}))
    many = reading(folder(tmp_path / "lines", lines))

    assert one.counts == many.counts == reading(folder(tmp_path / "files", _FILES)).counts


def test_before_version_5_contacts_were_parents(tmp_path):
    """Under other names, and the same otherwise."""
    text = json.dumps(_ITEMS)
    for new, old in (
        ('"contacts"', '"parents"'),
        ("studentContactAssociations", "studentParentAssociations"),
        ("contactReference", "parentReference"),
        ("contactUniqueId", "parentUniqueId"),
    ):
        text = text.replace(new, old)

    assert 2 == len(reading(folder(tmp_path, {"all.json": text})).roster.links)


def test_deletes_make_it_a_delta(tmp_path):
    """They obey the same stops as everything that removes."""
    deletes = json.dumps([{"id": "x", "changeVersion": 3, "keyValues": {"studentUniqueId": "s9"}}])
    roster = reading(folder(tmp_path, {**_FILES, "students.deletes.json": deletes})).roster

    assert roster.delta
    assert (Removed(table=Table.HUMAN, key="student/s9"),) == roster.removed


def test_a_bad_item_is_named_by_file_item_and_field(tmp_path):
    """The first item is 1."""
    bad = json.dumps([*_ITEMS["schools"], {"schoolId": "Zanzibar", "nameOfInstitution": "x"}])
    found = reading(
        folder(tmp_path, {**_FILES, "schools.json": bad, "contacts.json": '[{"contactUniqueId": '})
    )

    assert [("contacts.json", 1, "1"), ("schools.json", 2, "schoolId")] == [
        (one.file, one.row, one.column) for one in found.faults[:2]
    ]
    assert "Zanzibar" not in repr(found)


@pytest.mark.parametrize(
    ("name", "text", "row", "word"),
    [
        ("students", "[" * 100_000, 1, "nested too deeply"),
        ("students", '[{"studentUniqueId": "' + "x" * (1 << 21) + '"}]', 1, "longer than 1 MiB"),
        ("sections", '[{}, {"sectionIdentifier": "9\\u0000"}]', 2, "NUL"),
        ("students", b'[{"firstName": "\xff"}]', 1, "UTF-8"),
    ],
)
def test_json_that_no_table_could_hold_is_named_by_file_and_item(tmp_path, name, text, row, word):
    """What a database, or a screen, would stumble over stops here."""
    found = reading(folder(tmp_path, {**_FILES, f"{name}.json": text}))

    assert (f"{name}.json", row) in [(one.file, one.row) for one in found.faults]
    assert any(word in one.what for one in found.faults)


def test_a_number_without_end_is_a_fault_of_its_item(tmp_path):
    """JSON has numbers of any length; rows have not."""
    links = [{**_ITEMS["studentContactAssociations"][0], "contactPriority": 10**30}]
    found = reading(folder(tmp_path, {**_FILES, "studentContactAssociations.json": json.dumps(links)}))

    assert {("studentContactAssociations.json", 1, "contactPriority")} == {
        (one.file, one.row, one.column) for one in found.faults
    }
