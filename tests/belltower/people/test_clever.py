"""Clever's files: a student's row once for each contact (P18, P16)."""

from belltower.people.roster import HumanKind, Relation
from tests.belltower.people.exports import CLEVER, folder, reading


def test_three_rows_with_three_contacts_are_one_student_and_three_links(tmp_path):
    """P18: mother, father, and somebody to call who is neither."""
    found = reading(folder(tmp_path, CLEVER))
    roster = found.roster

    assert ((), "clever") == (found.faults, found.format)
    assert [("student/1", "KG", "Korean")] == [
        (one.key, one.grade, one.language) for one in roster.of_kind(HumanKind.STUDENT)
    ]
    assert [Relation.PARENT, Relation.PARENT, Relation.CONTACT] == [link.relation for link in roster.links]
    assert [1, 0, 0] == [link.priority for link in roster.links]
    assert {None} == {link.may_collect for link in roster.links}
    assert [True, True, False] == [
        one.derived for one in roster.humans if one.kind in {HumanKind.GUARDIAN, HumanKind.CONTACT}
    ]


def test_a_contact_without_id_keeps_its_key_when_its_mailbox_changes(tmp_path):
    """P18: so that the change is a change, and not somebody gone and somebody new."""
    before = reading(folder(tmp_path / "a", CLEVER)).roster
    changed = CLEVER["students.csv"].replace("m@x.org", "min@x.org")
    after = reading(folder(tmp_path / "b", CLEVER, students__csv=changed)).roster

    assert [one.key for one in before.humans] == [one.key for one in after.humans]
    assert before != after


def test_contacts_of_two_students_that_may_be_one_person_stay_two(tmp_path):
    """Nobody guesses an identity; somebody looks."""
    sibling = (
        "S1,2,Lee,Jo,03,05/31/2016,Asian,Y,Korean,Mother,primary,Min Lee,202-456-1414,Cell,m@x.org,,pw\n"
    )
    found = reading(folder(tmp_path, CLEVER, students__csv=CLEVER["students.csv"] + sibling))

    assert 4 == len(found.roster.links)
    assert ["identity"] == [one.kind for one in found.review]


def test_a_student_and_a_teacher_may_share_an_id_and_a_section_may_lack_a_teacher(tmp_path):
    """P16: both are 1."""
    roster = reading(folder(tmp_path, CLEVER)).roster

    assert {("9", "teacher/1", "teacher"), ("9", "student/1", "student")} == {
        (one.school_class, one.human, one.role) for one in roster.enrolments
    }
    assert 2 == len(roster.classes)


def test_rows_of_one_student_that_contradict_each_other_are_a_fault(tmp_path):
    """Which of the two birth dates is right, nobody can say."""
    text = CLEVER["students.csv"].replace(
        "05/31/2020,Asian,Y,Korean,Father", "05/30/2020,Asian,Y,Korean,Father"
    )
    found = reading(folder(tmp_path, CLEVER, students__csv=text))

    assert [("students.csv", 3, "Student_id")] == [(one.file, one.row, one.column) for one in found.faults]
