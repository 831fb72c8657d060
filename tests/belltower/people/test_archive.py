"""P9: loads that are not opened, each with its reason."""

import stat
import zipfile

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
