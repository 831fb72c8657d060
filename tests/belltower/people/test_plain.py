"""Plain CSV: our own columns, and a district's through its mapping."""

import pytest

from belltower.errors import SettingsError
from belltower.people.reading import load_mapping
from belltower.people.roster import HumanKind, LinkSource, MayCollect, Relation
from tests.belltower.people.exports import folder, reading

_OWN = {
    "schools.csv": "id,name\nS1,Linden\n",
    "people.csv": "id,kind,given,family,birth_date,grade,schools,phones,emails\n"
    '1,student,Ana,Lee,2014-02-01,6,S1,,\n1,guardian,Rosa,Lee,,,,"202-456-1414,202-456-1415",r@x.org\n',
    "classes.csv": "id,school,title,room\nC1,S1,Biology,B204\n",
    "enrolments.csv": "class,person,role\nC1,1,student\n",
    "links.csv": "student,adult,relation,may_collect,source,order_reference,ends,weekdays,sealed\n"
    '1,1,mother,conditional,court-order,A-17,2027-06-30,"mon,Wednesday",yes\n',
}
_MAPPING = """
dates = "day-first"
[may_collect]
parent = "yes"
[[people]]
file = "pupils.csv"
kind = "student"
columns = { id = "Pupil No", given = "First", family = "Last", birth_date = "Born", schools = "School" }
[[people.contacts]]
columns = { name = "Contact", relation = "Relation", phones = "Tel" }
"""
_PUPILS = (
    "Pupil No;First;Last;Born;School;Contact;Relation;Tel;Lunch\n"
    "7;Ana;Lee;31/5/2014;Linden;Rosa Lee;Mother;202-456-1414;free\n"
    "7;Ana;Lee;31/5/2014;Linden;Pat Poe;Neighbour;202-456-1416;free\n"
)


def test_our_own_files_are_read_without_a_mapping(tmp_path):
    """Ids are unique within a kind only; what the district says about collecting is its word."""
    found = reading(folder(tmp_path, _OWN))
    (link,) = found.roster.links

    assert ("plain", ()) == (found.format, found.faults)
    assert ("student/1", "guardian/1", Relation.PARENT) == (link.student, link.adult, link.relation)
    assert (MayCollect.CONDITIONAL, LinkSource.COURT_ORDER, "A-17", {0, 2}, True) == (
        link.may_collect,
        link.source,
        link.order_reference,
        link.weekdays,
        link.sealed,
    )
    assert 2 == len(found.roster.of_kind(HumanKind.GUARDIAN)[0].phones)


@pytest.mark.parametrize(
    ("source", "may", "expected"),
    [
        ("", "", MayCollect.YES),
        ("sis", "", MayCollect.YES),
        ("court-order", "", MayCollect.CONDITIONAL),
        ("guardian-form", "", MayCollect.CONDITIONAL),
        ("court-order", "no", MayCollect.NO),
    ],
)
def test_a_districts_rule_for_its_links_decides_no_paper(tmp_path, source, may, expected):
    """P4: what an order says stands in it; where nobody wrote it down somebody reads it."""
    (tmp_path / "mapping.toml").write_text('[may_collect]\nparent = "yes"\n', encoding="utf-8")
    links = f"student,adult,relation,may_collect,source,order_reference\n1,1,mother,{may},{source},A-17\n"
    load = folder(tmp_path / "load", _OWN | {"links.csv": links})
    found = reading(load, mapping=load_mapping(tmp_path / "mapping.toml"))

    assert expected is found.roster.links[0].may_collect
    assert (["order"] if expected is MayCollect.CONDITIONAL else []) == [one.kind for one in found.review]


def test_a_district_says_which_column_is_which(tmp_path):
    """Day first, semicolons, adults in the student's row, a rule for collecting, lunch dropped."""
    (tmp_path / "mapping.toml").write_text(_MAPPING, encoding="utf-8")
    load = folder(tmp_path / "load", {"pupils.csv": _PUPILS})
    found = reading(load, mapping=load_mapping(tmp_path / "mapping.toml"))
    student = found.roster.of_kind(HumanKind.STUDENT)[0]

    assert () == found.faults
    assert ("2014-05-31", ("Linden",)) == (str(student.birth_date), student.schools)
    assert [(Relation.PARENT, MayCollect.YES), (Relation.CONTACT, None)] == [
        (link.relation, link.may_collect) for link in found.roster.links
    ]
    assert ["Lunch"] == [one.column for one in found.dropped]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('regoin = "US"', "regoin"),
        ('[may_collect]\nguardian = "perhaps"', "perhaps"),
        ('[[people]]\nfile = "a.csv"\ncolumns = { number = "Password" }', "must not be kept"),
        ("[[people]", "no mapping"),
    ],
)
def test_a_wrong_mapping_is_refused_by_name(tmp_path, text, named):
    """Before anything is read with it."""
    (tmp_path / "mapping.toml").write_text(text, encoding="utf-8")

    with pytest.raises(SettingsError, match=named):
        load_mapping(tmp_path / "mapping.toml")


def test_a_mapped_column_that_is_not_there_is_a_fault(tmp_path):
    """With the name the mapping gives it."""
    (tmp_path / "mapping.toml").write_text(_MAPPING, encoding="utf-8")
    load = folder(tmp_path / "load", {"pupils.csv": _PUPILS.replace("Born", "Birthday")})
    found = reading(load, mapping=load_mapping(tmp_path / "mapping.toml"))

    assert [("pupils.csv", 1, "Born")] == [(one.file, one.row, one.column) for one in found.faults]
