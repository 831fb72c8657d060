"""The file of unit keys."""

from pathlib import Path

import pytest

from belltower.errors import SettingsError
from hardware.unit_keys import read_keys, write_keys


def test_what_is_written_is_read_and_private(tmp_path: Path) -> None:
    """The file is whole, and nobody else's."""
    path = tmp_path / "units.keys"
    keys = {17: bytes(range(32)), 4_294_967_295: bytes(32)}

    write_keys(path, {3: bytes(32)})
    write_keys(path, keys)

    assert keys == read_keys(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [path] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("u17", "expected a unit and its key"),
        ("u17 " + "00" * 32 + " more", "expected a unit and its key"),
        ("17 " + "00" * 32, "'17' is no unit"),
        ("u017 " + "00" * 32, "'u017' is no unit"),
        ("u4294967296 " + "00" * 32, "'u4294967296' is no unit"),
        ("u17 xyz", "the key of u17 is not hexadecimal"),
        ("u17 00ff", "the key of u17 has 2 octets, expected 32"),
        ("u1 " + "11" * 32, "u1 is named twice"),
    ],
)
def test_a_fault_is_named_by_file_and_line(tmp_path: Path, line: str, fault: str) -> None:
    """And no key is ever part of the message."""
    path = tmp_path / "units.keys"
    path.write_text("# keys\n\nu1 " + "ab" * 32 + "\n" + line + "\n")
    path.chmod(0o600)

    with pytest.raises(SettingsError) as refusal:
        read_keys(path)

    assert f"{path}: line 4: {fault}" in str(refusal.value)
    assert "11" * 32 not in str(refusal.value)


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    """The message says how to mend it."""
    path = tmp_path / "units.keys"
    write_keys(path, {})
    path.chmod(0o640)

    with pytest.raises(SettingsError, match="chmod 600"):
        read_keys(path)


def test_a_missing_or_binary_file_is_refused(tmp_path: Path) -> None:
    """Each with its reason."""
    path = tmp_path / "units.keys"
    with pytest.raises(SettingsError, match="No such file"):
        read_keys(path)
    path.write_bytes(b"u1 \xff")
    with pytest.raises(SettingsError, match="octet 3 is not ASCII"):
        read_keys(path)
