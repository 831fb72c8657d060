"""Every sample that is published freely loads, or fails with file, row, column and mend (P1, P16, P19, P20)."""

import zipfile

import pytest

from belltower.people.reading.pfif import SeenStatus
from belltower.people.roster import HumanKey, HumanKind, Relation
from tests.belltower.people.exports import SAMPLES, reading

pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples are not on this machine")

_COUNTS = {
    "sds_v1_100users": ("sds", "1", {"schools": 2, "students": 86, "staff": 12, "classes": 28}),
    "sds_v2": ("sds", "2", {"schools": 5, "students": 22, "staff": 7, "classes": 4, "enrolments": 29}),
    "sds_v2_1": ("sds", "2.1", {"schools": 4, "students": 4, "staff": 2, "guardians": 2, "links": 3}),
}


@pytest.mark.parametrize("name", sorted(_COUNTS))
def test_the_samples_of_school_data_sync_load_whole(name):
    """P19: each dialect under its own name, never as OneRoster."""
    form, version, counts = _COUNTS[name]
    found = reading(SAMPLES / name)

    assert ((), form, version) == (found.faults, found.format, found.version)
    assert counts == {key: found.counts[key] for key in counts}


def test_a_sample_in_a_zip_says_the_same(tmp_path):
    """A folder, its ZIP, and a ZIP of the folder instead of its files."""
    for head in ("", "sds_v2_1/"):
        with zipfile.ZipFile(tmp_path / "load.zip", "w") as archive:
            for file in (SAMPLES / "sds_v2_1").iterdir():
                archive.write(file, f"{head}{file.name}")

        assert reading(SAMPLES / "sds_v2_1") == reading(tmp_path / "load.zip")


def test_every_sample_file_alone_loads_or_says_what_to_mend():
    """P1: with file, row, column and mend in every fault."""
    for path in sorted(SAMPLES.glob("*/*.*")):
        found = reading(path)

        assert found.format or found.faults, path
        for fault in found.faults:
            assert path.name == fault.file
            assert fault.row > 0
            assert all((fault.column, fault.what, fault.mend))


def test_an_id_is_unique_within_its_kind_only():
    """P16: section 11001 and course 11001, student and teacher."""
    roster = reading(SAMPLES / "sds_v1_100users").roster

    assert "11001" in {one.key for one in roster.classes}
    assert {"student", "teacher"} == {human.key.partition("/")[0] for human in roster.humans}


def test_impossible_numbers_are_listed_before_any_incident():
    """P20: both guardians of SDS 2.1; kept as written, never brought to E.164."""
    found = reading(SAMPLES / "sds_v2_1")
    guardians = found.roster.of_kind(HumanKind.GUARDIAN)

    assert [3, 6] == [one.row for one in found.review if one.kind == "phone"]
    assert {("+11234567890", ""), ("+10273841983", "")} == {
        (phone.written, phone.e164) for human in guardians for phone in human.phones
    }


def test_a_load_of_past_terms_says_so_loudly():
    """P6: nothing in the current term counts as removing all."""
    found = reading(SAMPLES / "sds_v1_100users")

    assert ["term"] == [one.kind for one in found.review]
    assert "2018-06-30" in found.review[0].what


def test_relations_of_sds_join_student_and_adult():
    """P3, P4: guardian or relative, and nothing said about collecting."""
    links = reading(SAMPLES / "sds_v2_1").roster.links

    assert [Relation.GUARDIAN, Relation.RELATIVE, Relation.GUARDIAN] == [link.relation for link in links]
    assert {None} == {link.may_collect for link in links}
    assert HumanKey("user/114001") == links[0].student


def test_the_pfif_sample_is_read_whole():
    """P11: two names in one element, blanks gone, a backdated note in its place, notes without person or status."""
    found = reading(SAMPLES / "pfif" / "test.pfif-1.4.xml")
    (person,) = found.reports.persons

    assert () == found.faults
    assert ("_test_full_name1", "_test_full_name2") == person.names[:2]
    assert "_test_home_city" == person.city
    assert [SeenStatus.MISSING, None, SeenStatus.MISSING, SeenStatus.AUTHOR] == [
        note.status for note in found.reports.notes
    ]
    assert {person.id} == {note.person for note in found.reports.notes}


def test_seeds_for_names_are_no_roster():
    """Each of the six files is named; the one in Windows-1252 with its octet and line."""
    found = reading(SAMPLES / "name_seeds_planets")

    assert 6 == len(found.faults)
    assert [("firstnames.csv", 249)] == [(one.file, one.row) for one in found.review]
