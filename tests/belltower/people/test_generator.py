"""The generator draws the same district from the same seed, and sets the traps it tells of."""

from __future__ import annotations

import csv
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from belltower.people.generator import SENTINEL, Form, generate, write
from belltower.people.roster import HumanKind

SEED = 20_261_122
DISTRICT = generate(seed=SEED, students=400, schools=3)


def rows(path: Path) -> list[dict[str, str]]:
    """A file's rows by column."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_a_seed_makes_one_district() -> None:
    """The same seed gives the same humans, another seed others."""
    assert DISTRICT == generate(seed=SEED, students=400, schools=3)
    assert DISTRICT != generate(seed=SEED + 1, students=400, schools=3)


@pytest.mark.parametrize("students", [1, 2, 7, 60])
def test_a_district_has_the_students_asked_for(students: int) -> None:
    """Whatever the families' sizes are, exactly as many as asked for, each with a class and someone to call."""
    district = generate(seed=1, students=students)
    pupils = {one.key for one in district.of_kind(HumanKind.STUDENT)}

    assert students == len(pupils)
    assert pupils == {one.student for one in district.links}
    assert pupils == {one.human for one in district.enrolments if one.role == "student"}


def test_a_district_is_as_mixed_as_a_real_one() -> None:
    """Siblings, shared telephones, several languages and scripts, people nobody reaches, staff with children here."""
    people = {one.key: one for one in DISTRICT.humans}
    phones = Counter(one.phones[0].e164 for one in DISTRICT.of_kind(HumanKind.GUARDIAN) if one.phones)
    children = Counter(one.adult for one in DISTRICT.links)
    surnames = Counter(one.family for one in DISTRICT.humans)

    assert 3 <= max(children.values()) <= 4
    assert 2 == max(phones.values())
    assert {"en", "es", "vi", "ar"} <= {one.language for one in DISTRICT.humans}
    assert any(not name.isascii() for name in surnames)
    assert any(not one.phones and not one.emails for one in DISTRICT.of_kind(HumanKind.GUARDIAN))
    assert any(people[link.adult].kind is HumanKind.STAFF for link in DISTRICT.links)
    assert len(people) == len(DISTRICT.humans)


def test_every_telephone_number_belongs_to_nobody() -> None:
    """Only 555-0100 to 555-0199."""
    assert {"55501"} == {phone.e164[5:10] for one in DISTRICT.humans for phone in one.phones}


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("traps", [None, 5])
def test_the_same_seeds_write_the_same_octets(tmp_path: Path, form: Form, traps: int | None) -> None:
    """Twice the same ZIP; another seed of traps, another ZIP."""
    told = [write(DISTRICT, tmp_path / f"{n}.zip", form=form, traps=traps) for n in range(2)]
    write(DISTRICT, tmp_path / "other.zip", form=form, traps=6)

    assert told[0] == told[1]
    assert (tmp_path / "0.zip").read_bytes() == (tmp_path / "1.zip").read_bytes()
    assert (tmp_path / "0.zip").read_bytes() != (tmp_path / "other.zip").read_bytes()


def test_a_clean_oneroster_package_is_whole(tmp_path: Path) -> None:
    """Every reference leads somewhere, the manifest names every file, and forbidden columns are empty."""
    write(DISTRICT, tmp_path, form=Form.ONEROSTER)
    users = rows(tmp_path / "users.csv")
    ids = {row["sourcedId"] for row in users}
    orgs = {row["sourcedId"] for row in rows(tmp_path / "orgs.csv")}
    classes = rows(tmp_path / "classes.csv")
    enrolled = rows(tmp_path / "enrollments.csv")
    said = {row["propertyName"]: row["value"] for row in rows(tmp_path / "manifest.csv")}

    assert len(DISTRICT.humans) == len(ids) == len(users)
    assert {agent for row in users for agent in row["agentSourcedIds"].split(",") if agent} <= ids
    assert {row["schoolSourcedId"] for row in classes} <= orgs
    assert {row["userSourcedId"] for row in enrolled} <= ids
    assert {row["classSourcedId"] for row in enrolled} == {row["sourcedId"] for row in classes}
    assert ids == {row["userSourcedId"] for row in rows(tmp_path / "roles.csv")}
    bulk = {f"file.{path.stem}" for path in tmp_path.iterdir()} - {"file.manifest"}
    assert bulk == {name for name, value in said.items() if value == "bulk"}
    assert {""} == {row["password"] for row in users}
    assert {""} == {row["asian"] for row in rows(tmp_path / "demographics.csv")}


def test_a_clever_student_has_a_row_for_each_contact(tmp_path: Path) -> None:
    """Rows are not students."""
    write(DISTRICT, tmp_path, form=Form.CLEVER)
    students = rows(tmp_path / "students.csv")

    assert len(DISTRICT.links) == len(students)
    assert 400 == len({row["Student_id"] for row in students})


@pytest.mark.parametrize("form", [Form.ONEROSTER, Form.CLEVER])
def test_each_trap_lies_where_it_is_told(tmp_path: Path, form: Form) -> None:
    """Every trap names a file that is there and rows within it, and no two are told alike."""
    traps = write(DISTRICT, tmp_path, form=form, traps=SEED)
    names = [(trap.name, trap.file) for trap in traps]

    assert len(names) == len(set(names)) >= 8
    for trap in traps:
        count = len(rows(tmp_path / trap.file))
        assert all(2 <= row <= count + 1 for row in trap.rows), trap


def test_the_sentinel_stands_in_every_forbidden_cell(tmp_path: Path) -> None:
    """So that a scan of the disk finds any of them that was kept."""
    write(DISTRICT, tmp_path, form=Form.ONEROSTER, traps=1)

    assert all(SENTINEL in row["password"] for row in rows(tmp_path / "users.csv"))
    assert all(SENTINEL in row["cityOfBirth"] for row in rows(tmp_path / "demographics.csv"))


def test_a_zip_has_no_folders(tmp_path: Path) -> None:
    """OneRoster wants the files at the top."""
    write(DISTRICT, tmp_path / "d.zip", form=Form.ONEROSTER)

    with zipfile.ZipFile(tmp_path / "d.zip") as archive:
        assert all("/" not in name for name in archive.namelist())
