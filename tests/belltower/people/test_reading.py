"""Rows, cells and numbers; and whatever bytes arrive, an answer and no crash."""

from random import Random

import pytest

from belltower.people.reading.archive import MOST_OCTETS
from belltower.people.reading.cells import read_date, read_grade
from belltower.people.reading.columns import is_forbidden
from belltower.people.reading.namesakes import close_names, folded
from belltower.people.reading.phones import read_phone
from tests.belltower.people.exports import CLEVER, ONEROSTER_12, USERS_11, folder, reading

_ORGS = ONEROSTER_12["orgs.csv"]


def _users(octets: bytes):
    return USERS_11.encode() + octets


@pytest.mark.parametrize(
    ("octets", "row", "word"),
    [
        (b"u1,,,true,S1,student,,,A\x00na,Lee,,,,,,,06,\n", 2, "NUL"),
        (b"u1,,,true,S1,student,,,A\x81na,Lee,,,,,,,06,\n", 2, "0x81"),
        (b'u1,,,true,S1,student,,,"Ana,Lee,,,,,,,06,\n' * 3, 2, "CSV"),
        (b'u1,,,true,S1,student,,,Ana,"Lee,,,,,,,06,\n', 2, "quoted"),
        (b"u1,,,true,S1,student,,,Ana," + b"x" * (1 << 21), 2, "longer"),
        (b'u1,,,true,S1,student,,,Ana,"' + b"x\n" * 5_000_000 + b'",,,,,,,06,\n', 2, "128 KiB"),
    ],
)
def test_bytes_that_are_no_csv_are_named_by_row(tmp_path, octets, row, word):
    """And by what is wrong with them."""
    found = reading(folder(tmp_path, {"orgs.csv": _ORGS, "users.csv": _users(octets)}))

    assert [("users.csv", row)] == [(one.file, one.row) for one in found.faults][:1]
    assert word in found.faults[0].what


@pytest.mark.parametrize(
    ("octets", "row", "word"),
    [
        (USERS_11.encode("utf-32"), 1, "UTF-32"),
        (USERS_11.encode("utf-16") + b"\x0a", 2, "UTF-16"),
        (USERS_11.encode("utf-16") + b"\x00\xd8\x00\xd8", 2, "UTF-16"),
        (USERS_11.encode("utf-16") + ("x" * (1 << 21)).encode("utf-16-le"), 2, "longer"),
        (USERS_11.encode("utf-16-le"), 1, "NUL"),
    ],
)
def test_wide_letters_that_are_no_text_are_named_by_row(tmp_path, octets, row, word):
    """Only UTF-16 with its mark is read."""
    found = reading(folder(tmp_path, {"orgs.csv": _ORGS, "users.csv": octets}))

    assert [("users.csv", row)] == [(one.file, one.row) for one in found.faults][:1]
    assert word in found.faults[0].what


def test_columns_in_any_order_say_the_same(tmp_path):
    """Names count, not places."""
    row = "u1,,,true,S1,student,,,Ana,Lee,,,,,,,06,"
    pairs = list(zip(USERS_11.strip().split(","), row.split(","), strict=True))
    turned = "".join(",".join(one) + "\n" for one in zip(*reversed(pairs), strict=True))
    as_it_should = reading(folder(tmp_path / "a", {"orgs.csv": _ORGS, "users.csv": f"{USERS_11}{row}\n"}))
    found = reading(folder(tmp_path / "b", {"orgs.csv": _ORGS, "users.csv": turned}))

    assert as_it_should.roster.humans == found.roster.humans
    assert 1 == len(found.roster.humans)


def test_a_column_that_is_there_twice_is_a_fault_and_one_nearly_there_twice_is_named(tmp_path):
    """Nobody guesses which one counts."""
    twice = USERS_11.replace("givenName", "givenName,givenName")
    nearly = USERS_11.replace("familyName", "familyNmae,fammilyName")
    faults = reading(folder(tmp_path / "a", {"orgs.csv": _ORGS, "users.csv": twice})).faults
    looks = reading(folder(tmp_path / "b", {"orgs.csv": _ORGS, "users.csv": nearly})).review

    assert [("users.csv", 1, "givenName")] == [(one.file, one.row, one.column) for one in faults]
    assert ["familyNmae", "fammilyName"] == [one.column for one in looks if one.kind == "header"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_other_encodings_are_read_and_named(tmp_path, encoding):
    """A name keeps its spelling (P12)."""
    text = USERS_11 + "u1,,,true,S1,student,,,Ana,Núñez’,,,,,,,06,\n"
    found = reading(folder(tmp_path, {"orgs.csv": _ORGS, "users.csv": text.encode(encoding)}))

    assert "Núñez’" == found.roster.humans[0].family
    assert ("utf-8-sig" == encoding) == ("encoding" not in {one.kind for one in found.review})


def test_a_file_that_ends_within_a_letter_is_named(tmp_path):
    """Its last octets are those of half a letter."""
    users = (USERS_11 + "u1,,,true,S1,student,,,Ana,Lee,,,,,,,06,Ñ").encode()[:-1]
    found = reading(folder(tmp_path, {"orgs.csv": _ORGS, "users.csv": users}))

    assert [("users.csv", 2)] == [(one.file, one.row) for one in found.review if one.kind == "encoding"]


def _damage(folder_, turns, seed):
    """Random damage to one file of a load at a time."""
    random = Random(seed)
    for turn in range(turns):
        files = random.choice((ONEROSTER_12, CLEVER))
        name = random.choice(sorted(files))
        octets = bytearray(files[name].encode())
        for _ in range(random.randint(1, 6)):
            at = random.randrange(len(octets))
            octets[at : at + random.randint(0, 2)] = random.randbytes(random.randint(0, 2))
        found = reading(
            folder(folder_ / ("clever" if files is CLEVER else "oneroster"), {**files, name: bytes(octets)})
        )

        assert found.roster is not None or found.faults, turn
        assert "Núñez" not in repr(found.faults)


def test_any_change_of_octets_is_loaded_or_refused_but_never_raised(tmp_path):
    """And no fault repeats a name."""
    _damage(tmp_path, 120, seed=5)


@pytest.mark.soak
def test_many_changes_of_octets_are_loaded_or_refused(tmp_path):
    """The same for long."""
    _damage(tmp_path, 20_000, seed=6)


@pytest.mark.parametrize(
    ("written", "e164"),
    [
        ("(202) 456-1414", "+12024561414"),
        ("1-202-456-1414 x12", "+12024561414"),
        ("+1 202 456 1414", "+12024561414"),
        ("٢٠٢-٤٥٦-١٤١٤", "+12024561414"),
        ("+44 20 7946 0958", "+442079460958"),
        ("+11234567890", ""),
        ("+10273841983", ""),
        ("555-123-4567", ""),
        ("911-456-1414", ""),
        ("456-1414", ""),
        ("call the office", ""),
        ("", ""),
        ("2" * 5000, ""),
    ],
)
def test_a_number_is_kept_as_written_and_normalised_only_when_possible(written, e164):
    """P20: by the North American plan, and by each country's own for the others."""
    phone = read_phone(written)

    assert (written, e164) == (phone.written, phone.e164)


def test_grades_and_dates_come_in_many_spellings():
    """Kindergarten in three; month first unless somebody says otherwise; never a day 31 as a month."""
    assert ["KG", "KG", "KG", "06", "PS1", "undergraduate"] == [
        read_grade(one) for one in ("Kindergarten", "KG", "0", "6", "ps1", "undergraduate")
    ]
    assert read_date("1/05/2023") == read_date("2023-01-05") == read_date("5.1.2023", day_first=True)
    with pytest.raises(ValueError, match="month"):
        read_date("31/05/2023")


@pytest.mark.parametrize(
    ("name", "forbidden"),
    [
        ("Password", True),
        ("Pass word", True),
        ("pasword", False),
        ("Hispanic_Latino", True),
        ("IEP_status", True),
        ("is504", True),
        ("freeLunch", True),
        ("Unweighted_gpa", True),
        ("raceCodes", True),
        ("countryOfBirth", True),
        ("grade", False),
        ("birthDate", False),
        ("Email", False),
        ("Ellen", False),
        ("Home_language", False),
    ],
)
def test_columns_that_must_not_be_kept_are_known_by_name(name, forbidden):
    """P8; a column nobody asks for is dropped whatever its name."""
    assert forbidden == is_forbidden(name)


def test_close_names_are_the_same_or_one_letter_apart():
    """P22: put in, left out or changed anywhere; marks do not count."""
    names = ["colt gray", "colt grey", "colt gra", "xcolt gray", "colt gray", "dora lane", "colt gryy"]

    assert {(0, 1), (0, 2), (0, 3), (0, 4), (0, 6), (1, 6)} == close_names(names)
    assert "nunez" == folded("NÚÑEZ")


def test_two_hundred_megabytes_are_the_most():
    """P9."""
    assert 200_000_000 == MOST_OCTETS


_SDS = {
    "orgs.csv": "sourcedId,name,type\nS1,Linden,school\n",
    "users.csv": "sourcedId,username,givenName,familyName\n"
    + "".join(f"u{number},name{number},Ana,Lee{number}\n" for number in range(4)),
    "roles.csv": "userSourcedId,orgSourcedId,role\n"
    + "".join(f"u{number},S1,student\n" for number in range(4)),
    "classes.csv": "sourcedId,orgSourcedId,title\nC1,S1,Biology\n",
    "enrollments.csv": "classSourcedId,userSourcedId,role\n"
    + "".join(f"C1,u{number},student\n" for number in range(4)),
}


def test_of_a_file_that_cannot_be_read_its_own_fault_says_all(tmp_path):
    """Nothing is said of the rows that need it."""
    orgs = _SDS["orgs.csv"].encode("utf-32")
    users = b"\x00" + _SDS["users.csv"].encode()
    found = reading(folder(tmp_path, {**_SDS, "orgs.csv": orgs, "users.csv": users}))

    assert ["orgs.csv", "users.csv"] == [one.file for one in found.faults]


def test_swapped_columns_are_a_fault_that_asks_for_them(tmp_path):
    """Every row can be read, and nobody is whom the other files mean."""
    swapped = _SDS["users.csv"].replace("sourcedId,username", "username,sourcedId", 1)
    found = reading(folder(tmp_path / "swapped", {**_SDS, "users.csv": swapped}))
    whole = reading(folder(tmp_path / "whole", _SDS))

    assert ["enrollments.csv"] == [one.file for one in found.faults]
    assert "4 of 4 rows" in found.faults[0].what
    assert "users.csv are swapped" in found.faults[0].mend
    assert (4, ()) == (whole.counts["students"], whole.faults)


@pytest.mark.parametrize(
    ("rows", "faulty"),
    [
        ("S1,Linden,school\nS2,Elm,sch", False),
        ("S1,Linden,school\nS2,Elm", True),
        ("S1,Linden,school\nS2,Elm\n", False),
        ("S1,Linden\nS2,Elm", False),
    ],
)
def test_a_file_that_is_cut_off_in_its_last_row_is_a_fault(tmp_path, rows, faulty):
    """Where that can be told: the row is shorter than all others, and no line end follows it."""
    found = reading(folder(tmp_path, {**_SDS, "orgs.csv": "sourcedId,name,type\n" + rows}))

    assert faulty == any("cut off" in one.what and one.row == 3 for one in found.faults)
