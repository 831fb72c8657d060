"""OneRoster 1.1 and 1.2, full and delta, clean and as districts write it."""

from datetime import date

import pytest

from belltower.people.roster import HumanKey, HumanKind, MayCollect, Relation, Removed, Side, Table
from tests.belltower.people.exports import (
    ONEROSTER_12,
    USERS_11,
    folder,
    manifest,
    mapped,
    reading,
)

_ORGS = ONEROSTER_12["orgs.csv"]


def _kinds(found):
    return [one.kind for one in found.review]


def test_a_clean_load_is_read_whole(tmp_path):
    """P1: no fault, nothing to look at, the joins in place."""
    found = reading(folder(tmp_path, ONEROSTER_12))
    student, parent, teacher = found.roster.humans
    (one,) = found.roster.classes
    (link,) = found.roster.links

    assert ("oneroster", "1.2", (), ()) == (found.format, found.version, found.faults, found.review)
    assert [HumanKind.STUDENT, HumanKind.GUARDIAN, HumanKind.STAFF] == [
        human.kind for human in (student, parent, teacher)
    ]
    assert ("Ana", "Anita", "Núñez", "06") == (
        student.given,
        student.preferred_given,
        student.family,
        student.grade,
    )
    assert ("B204", ("2", "3")) == (one.location, one.periods)
    assert (student.key, parent.key, Relation.PARENT) == (link.student, link.adult, link.relation)
    assert ["+12024561414"] == [phone.e164 for phone in parent.phones]
    assert date(2026, 8, 20) == found.roster.enrolments[1].begins


def test_columns_that_must_not_be_kept_are_named_and_gone(tmp_path):
    """P8: also under a near miss of their name; nothing of their cells is anywhere in what was read."""
    demographics = (
        "sourcedId,status,dateLastModified,birthDate,sex,naitiveHawaiianOrPacificIslander,white,countryOfBirthCode\n"
        "u1,,,2014-02-01,female,SECRET-4,SECRET-5,SECRET-6\n"
    )
    load = folder(
        tmp_path,
        ONEROSTER_12,
        demographics__csv=demographics,
        manifest__csv=manifest(file_demographics="bulk"),
    )
    found = reading(load)

    assert {"password", "naitiveHawaiianOrPacificIslander", "white", "countryOfBirthCode"} == {
        one.column for one in found.dropped
    }
    assert date(2014, 2, 1) == found.roster.humans[0].birth_date
    assert "SECRET" not in repr(found)


def test_old_spellings_of_1_1_are_read_and_reported(tmp_path):
    """P2: BOM, CRLF, capital booleans, near misses, wrong-case names, a header-only file."""
    users = (
        "\ufeffsourcedId,Status,dataLastModified,enabledUser,orgSourcedIds,role,givenName,familyName,agents,grade\r\n"
        'a,,,TRUE,"S1, S1",Student,Ana,Lee,"b",6\r\nb,,,False,S1,parent,Bo,Lee,,\r\n'
    )
    files = {
        "orgs.csv": _ORGS,
        "Users.csv": users,
        "enrollments.csv": "sourcedId,classSourcedId,userSourcedId,role\n",
    }
    found = reading(folder(tmp_path, files))

    assert ("oneroster", "1.1", ()) == (found.format, found.version, found.faults)
    assert ["06", ""] == [human.grade for human in found.roster.humans]
    assert 1 == len(found.roster.links)
    assert {"Status", "dataLastModified", "agents", "grade"} == {
        one.column for one in found.review if one.kind == "header"
    }
    assert "Users.csv" in {one.file for one in found.review if one.kind == "file"}


def test_profiles_that_hold_roles_are_read_as_roles(tmp_path):
    """P2: a wrong-case userprofiles.csv in one product's exports."""
    files = dict(ONEROSTER_12)
    files["userprofiles.csv"] = files.pop("roles.csv")
    files["manifest.csv"] = manifest(file_roles="absent")
    found = reading(folder(tmp_path, files))

    assert (3, 1, ()) == (len(found.roster.humans), found.counts["students"], found.faults)


@pytest.mark.parametrize(
    ("rows", "links", "doubts"),
    [
        ("s,student,p\np,parent,\n", [("s", "p", {Side.STUDENT})], 0),
        ("s,student,\np,parent,s\n", [("s", "p", {Side.ADULT})], 0),
        ("s,student,p\np,guardian,s\n", [("s", "p", {Side.STUDENT, Side.ADULT})], 0),
        ("s,student,t\nt,teacher,\n", [], 1),
        ("s,student,t\nt,student,\n", [], 1),
        ("p,parent,q\nq,relative,\n", [], 1),
        ("s,student,nobody\n", [], 1),
        ("s,student,s\n", [], 1),
    ],
)
def test_links_are_taken_either_way_and_only_between_student_and_guardian(tmp_path, rows, links, doubts):
    """P3: everything else goes to review."""
    users = "sourcedId,status,dateLastModified,orgSourcedIds,role,givenName,familyName,agentSourcedIds\n"
    for row in rows.splitlines():
        key, role, agent = row.split(",")
        users += f"{key},,,S1,{role},{key},{key},{agent}\n"
    found = reading(folder(tmp_path, {"orgs.csv": _ORGS, "users.csv": users}))

    assert [(f"user/{s}", f"user/{a}", sides) for s, a, sides in links] == [
        (link.student, link.adult, link.stated_by) for link in found.roster.links
    ]
    assert doubts == _kinds(found).count("link")


def test_a_link_says_nothing_about_collecting_without_the_districts_rule(tmp_path):
    """P4: the rule stands in the mapping and names the relation."""
    load = folder(tmp_path, ONEROSTER_12)

    assert [None] == [link.may_collect for link in reading(load).roster.links]
    assert [MayCollect.CONDITIONAL] == [
        link.may_collect
        for link in mapped(load, may_collect={Relation.PARENT: MayCollect.CONDITIONAL}).roster.links
    ]


@pytest.mark.parametrize(
    ("column", "own", "read"),
    [("metadata.homeLanguage", "", "Spanish"), ("metadata.language", "so", "so")],
)
def test_adults_read_the_language_that_is_spoken_at_home(tmp_path, column, own, read):
    """Their own where it is said, else their student's; OneRoster itself has no field for either."""
    header, student, parent, teacher = ONEROSTER_12["users.csv"].splitlines()
    rows = (f"{header},{column}", f"{student},Spanish", f"{parent},{own}", f"{teacher},")
    found = reading(folder(tmp_path, ONEROSTER_12, users__csv="\n".join(rows) + "\n"))

    assert ["Spanish", read, ""] == [human.language for human in found.roster.humans]


def test_a_teacher_enrolled_as_student_stays_a_teacher_and_is_reported(tmp_path):
    """P2: nothing is guessed about who somebody is."""
    text = ONEROSTER_12["enrollments.csv"].replace("u3,teacher", "u3,student")
    found = reading(folder(tmp_path, ONEROSTER_12, enrollments__csv=text))

    assert ["role"] == _kinds(found)
    assert HumanKind.STAFF == found.roster.humans[2].kind


def test_faults_name_file_row_column_and_mend_and_no_cell(tmp_path):
    """P1: and nothing personal."""
    users = USERS_11 + (
        "u1,,,true,S1,pupilx,,,Zanzibar,Zebra,,,,,,,06,\n"
        ",,,true,S1,student,,,Zanzibar,Zebra,,,,,,,06,\n"
        "u3,,,true,S1,student,,,Zanzibar,Zebra,,,,,,,06\n"
        "u4,,,true,S1,student,,,Zanzibar,Zebra,,,,,,,06,,zulu\n"
        "u5,,,true,S1,student,,,Zanzibar,Zebra,,,,,,,06,\n"
        "u5,,,true,S1,student,,,Zanzibar,Zulu,,,,,,,06,\n"
        'u6,,,true,S1,student,,,"Zan"zibar,Zebra,,,,,,,06,\n'
    )
    demographics = "sourcedId,status,dateLastModified,birthDate\nu5,,,31/05/2014\n"
    files = {"orgs.csv": _ORGS, "users.csv": users, "demographics.csv": demographics}
    found = reading(folder(tmp_path, files))

    assert [
        ("demographics.csv", 2, "birthDate"),
        ("users.csv", 2, "role"),
        ("users.csv", 3, "sourcedId"),
        ("users.csv", 5, "19"),
        ("users.csv", 7, "sourcedId"),
        ("users.csv", 8, "1"),
    ] == [(one.file, one.row, one.column) for one in found.faults]
    assert all(one.mend for one in found.faults)
    assert found.roster is None
    assert not any(word in repr(found) for word in ("Zan", "Zebra", "Zulu", "31/05"))


def test_a_manifest_that_contradicts_its_files_is_reported(tmp_path):
    """P19: a version that is not the headers', a file it denies, one it does not name; one it promises is a fault."""
    said = manifest(oneroster_version="1.1", file_users="absent", file_roles="")
    said = said.replace("file.orgs,bulk\n", "")
    found = reading(folder(tmp_path / "a", ONEROSTER_12, manifest__csv=said))
    missing = reading(folder(tmp_path / "b", ONEROSTER_12, manifest__csv=manifest(file_demographics="bulk")))

    assert "1.2" == found.version
    assert 4 == _kinds(found).count("manifest")
    assert [("manifest.csv", 9, "value")] == [(one.file, one.row, one.column) for one in missing.faults]


def test_a_delta_is_read_against_the_roster_in_force(tmp_path):
    """P5: changes and removals, links to people who are not in it, and enrolments of people who are not in it."""
    in_force = reading(folder(tmp_path / "full", ONEROSTER_12)).roster
    at = "2026-11-20T10:00:00.000Z"
    head = ONEROSTER_12["users.csv"].splitlines()[0]
    files = {
        "manifest.csv": manifest(
            **{f"file_{name}": "delta" for name in ("orgs", "classes", "users", "roles", "enrollments")}
        ),
        "orgs.csv": _ORGS.splitlines()[0] + "\n",
        "classes.csv": ONEROSTER_12["classes.csv"].splitlines()[0] + "\n",
        "roles.csv": ONEROSTER_12["roles.csv"].splitlines()[0]
        + f"\nr4,active,{at},u4,primary,student,,,S1,\n",
        "users.csv": f"{head}\nu4,active,{at},true,,,Luz,Núñez,,,,,,u2,05,,,,,,S1,\n"
        f"u3,tobedeleted,{at},true,,,Tim,Teller,,,,,,,,,,,,,S1,\n",
        "enrollments.csv": ONEROSTER_12["enrollments.csv"].splitlines()[0]
        + f"\ne3,active,{at},C1,S1,u4,student,,,\ne4,active,{at},C1,S1,u2,aide,,,\ne2,tobedeleted,{at},C1,S1,u3,teacher,,,\n",
    }
    found = reading(folder(tmp_path / "delta", files), in_force=in_force)

    assert () == found.faults
    assert found.roster.delta
    assert [("user/u4", "user/u2")] == [(link.student, link.adult) for link in found.roster.links]
    assert {HumanKey("user/u4")} == found.roster.restated
    assert [Removed(table=Table.HUMAN, key="user/u3"), Removed(table=Table.ENROLMENT, key="e2")] == list(
        found.roster.removed
    )
    assert ["e3", "e4"] == [one.key for one in found.roster.enrolments]


def test_a_delta_without_status_is_a_fault(tmp_path):
    """Nobody can say whether the row is to stay."""
    said = manifest(
        **{f"file_{name}": "delta" for name in ("orgs", "classes", "users", "roles", "enrollments")}
    )
    found = reading(folder(tmp_path, ONEROSTER_12, manifest__csv=said))

    assert {"status"} == {one.column for one in found.faults}


def test_reading_twice_says_the_same(tmp_path):
    """P5: down to the order of records."""
    load = folder(tmp_path, ONEROSTER_12)

    assert reading(load) == reading(load)


def test_similar_names_in_one_school_are_flagged_by_their_rows(tmp_path):
    """P22: the same name and one letter's difference, marks apart; not in another school."""
    orgs = _ORGS + "S2,,,Elm,school,78,\n"
    rows = ["S1,Colt,Gray", "S1,Cólt,Grey", "S2,Colt,Gray", "S1,COLT,GRAY", "S1,Nadia,Quispe"]
    users = USERS_11
    for number, row in enumerate(rows):
        school, given, family = row.split(",")
        users += f"u{number},,,true,{school},student,,,{given},{family},,,,,,,06,\n"
    found = reading(folder(tmp_path, {"orgs.csv": orgs, "users.csv": users}))

    assert [3, 5] == [one.row for one in found.review if one.kind == "name"]
    assert "Cólt" == found.roster.humans[1].given
