"""P9: loads that are not opened, each with its reason."""

import stat
import zipfile
from random import Random

import pytest

from belltower.errors import Malformed
from belltower.people.reading import archive
from belltower.people.reading.archive import BadArchive, open_package
from tests.belltower.people.exports import ONEROSTER_12, folder, packed, reading


def _link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["../users.csv"], "leads out"),
        (["a/../../users.csv"], "leads out"),
        (["/etc/users.csv"], "leads out"),
        (["..\\users.csv"], "leads out"),
        (["C:/users.csv"], "leads out"),
        (["inner.zip"], "archive within"),
        (["users.csv", "USERS.csv"], "twice"),
        ([_link("users.csv")], "symbolic link"),
        ([f"{number}.csv" for number in range(501)], "more than 500"),
        ([], "empty"),
    ],
)
def test_an_unsafe_archive_is_refused_with_its_reason(tmp_path, names, reason):
    """Before anything in it is parsed."""
    packed(tmp_path / "load.zip", {})
    with zipfile.ZipFile(tmp_path / "load.zip", "w") as load:
        for name in names:
            load.writestr(name, "x")

    with pytest.raises(Malformed, match=reason):
        open_package(tmp_path / "load.zip")


def test_an_archive_hidden_under_another_name_is_refused(tmp_path):
    """It is known by its first octets."""
    inner = packed(tmp_path / "inner.zip", {"users.csv": "x"}).read_bytes()

    with pytest.raises(BadArchive, match="archive within"):
        open_package(packed(tmp_path / "load.zip", {"users.csv": inner}))


def test_a_bomb_is_refused_by_what_it_expands_to(tmp_path, monkeypatch):
    """Octets are counted while they are read, whatever the directory of the archive claims."""
    monkeypatch.setattr(archive, "MOST_OCTETS", 10_000)
    path = packed(tmp_path / "load.zip", {f"{number}.csv": "0" * 4000 for number in range(3)})

    with pytest.raises(BadArchive, match="expands to more"):
        open_package(path)


def test_a_damaged_archive_is_named(tmp_path):
    """A changed octet is found by the archive's own sum."""
    path = packed(tmp_path / "load.zip", {"users.csv": "a,b\n" * 1000})
    octets = bytearray(path.read_bytes())
    octets[60] ^= 0xFF
    path.write_bytes(octets)

    with pytest.raises(BadArchive):
        open_package(path)


def _damage_archives(folder_, turns, seed):
    """Archives cut short and with changed octets: each is read, or refused by name."""
    random = Random(seed)
    whole = packed(folder_ / "load.zip", ONEROSTER_12).read_bytes()
    for turn in range(turns):
        octets = bytearray(whole)
        for _ in range(random.randrange(4)):
            octets[random.randrange(len(octets))] = random.randrange(256)
        (folder_ / "load.zip").write_bytes(octets[: random.choice((None, random.randrange(len(octets))))])
        found = reading(folder_ / "load.zip")

        assert found.roster is not None or found.faults[0].mend, turn


def test_any_archive_cut_short_or_changed_is_read_or_refused(tmp_path):
    """P9: nothing that the ZIP format can be broken in is raised."""
    _damage_archives(tmp_path, 300, seed=8)


@pytest.mark.soak
def test_many_archives_cut_short_or_changed_are_read_or_refused(tmp_path):
    """The same for long."""
    _damage_archives(tmp_path, 20_000, seed=9)


def test_an_archive_of_nothing_but_a_directory_is_refused_before_it_is_read(tmp_path):
    """P9: a thousand octets of entry for every one of the load would fill the memory."""
    (tmp_path / "load.zip").write_bytes(b"PK\x03\x04" + b"PK\x01\x02" * 30_000)

    with pytest.raises(BadArchive, match="directory without end"):
        open_package(tmp_path / "load.zip")


def test_a_name_that_would_write_to_a_terminal_is_refused_and_shown_without_its_signs(tmp_path):
    """A fault is printed."""
    with pytest.raises(BadArchive, match="cannot be printed") as refused:
        open_package(packed(tmp_path / "load.zip", {"users\x1b[2J.csv": "x"}))

    assert "users?[2J.csv" == refused.value.file


def test_a_link_in_a_folder_is_refused(tmp_path):
    """It could lead anywhere."""
    (tmp_path / "load").mkdir()
    (tmp_path / "load" / "users.csv").symlink_to("/etc/hostname")

    with pytest.raises(BadArchive, match="symbolic link"):
        open_package(tmp_path / "load")


def test_a_refusal_is_a_fault_of_the_load(tmp_path):
    """The reader never raises for what a load holds."""
    (fault,) = reading(packed(tmp_path / "load.zip", {"../users.csv": "x"})).faults

    assert ("../users.csv", 1) == (fault.file, fault.row)


def test_what_packing_programs_leave_behind_is_no_matter(tmp_path):
    """A resource fork and a folder around the files."""
    files = {f"export/{name}": text for name, text in ONEROSTER_12.items()}
    load = packed(
        tmp_path / "load.zip", {**files, "__MACOSX/export/._users.csv": "x", "export/.DS_Store": "x"}
    )

    assert reading(folder(tmp_path / "plain", ONEROSTER_12)) == reading(load)


def test_a_zip_that_does_not_begin_as_one_is_said_to_be_none(tmp_path):
    """It is not an archive within anything."""
    path = tmp_path / "load.zip"
    path.write_bytes(b"<html>please sign in</html>")

    with pytest.raises(BadArchive, match="no sound ZIP"):
        open_package(path)
