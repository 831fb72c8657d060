"""The vault seals a field into its place, and finds what it cannot read."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belltower.errors import SettingsError
from belltower.people.vault import KeyRing, Unreadable, Vault, key_of, new_ring, read_ring, write_ring

RING = new_ring()
PLACE = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)


@given(PLACE, PLACE, PLACE, st.binary(max_size=200))
def test_what_is_sealed_opens_in_its_place(table: str, row: str, field: str, plain: bytes) -> None:
    """Opening undoes sealing, and the text does not show."""
    vault = Vault(ring=RING)

    sealed = vault.seal(table, row, field, plain)

    assert plain == vault.open(table, row, field, sealed)
    assert len(plain) < 4 or plain not in sealed


@pytest.mark.parametrize("place", [("b", "r", "f"), ("t", "s", "f"), ("t", "r", "g"), ("t\0r", "", "f")])
def test_a_field_moved_to_another_place_does_not_open(place: tuple[str, str, str]) -> None:
    """Whoever can write the database cannot give one person another's field."""
    vault = Vault(ring=RING)
    sealed = vault.seal("t", "r", "f", b"555")

    with pytest.raises(Unreadable):
        vault.open(*place, sealed)


@given(st.data())
def test_a_changed_field_does_not_open(data: st.DataObject) -> None:
    """One octet changed anywhere, or cut off, is noticed."""
    vault = Vault(ring=RING)
    sealed = bytearray(vault.seal("t", "r", "f", b"+12015550123"))
    at = data.draw(st.integers(0, len(sealed) - 1))
    if data.draw(st.booleans()):
        sealed[at] ^= data.draw(st.integers(1, 255))
    else:
        del sealed[at:]

    with pytest.raises(Unreadable):
        vault.open("t", "r", "f", bytes(sealed))


@given(st.binary(max_size=64))
def test_octets_that_were_never_sealed_do_not_open(octets: bytes) -> None:
    """Nothing but `Unreadable` is raised."""
    with pytest.raises(Unreadable):
        Vault(ring=RING).open("t", "r", "f", octets)


def test_a_turned_ring_opens_the_old_and_seals_with_the_new() -> None:
    """Keys turn while old fields still open; a reduced ring opens the new only."""
    old = Vault(ring=RING).seal("t", "r", "f", b"text")
    ring = RING.turned()
    turned = Vault(ring=ring)
    new = turned.seal("t", "r", "f", b"text")

    assert ("k1", "k2") == (key_of(old), key_of(new))
    assert b"text" == turned.open("t", "r", "f", old) == Vault(ring=ring.reduced()).open("t", "r", "f", new)
    with pytest.raises(Unreadable, match="key k1, which is not in the ring"):
        Vault(ring=ring.reduced()).open("t", "r", "f", old)
    assert "k3" == ring.reduced().turned().current


def test_a_mark_is_turned_a_name_is_not_and_both_tell_purposes_apart() -> None:
    """Equal numbers are found under both marks; a number's mark is none of a mailbox, nor of another house."""
    ring = RING.turned()
    vault, turned, reduced = Vault(ring=RING), Vault(ring=ring), Vault(ring=ring.reduced())

    assert vault.name("person", "1") == turned.name("person", "1") == reduced.name("person", "1")
    assert vault.name("phone", "+12015550123") != vault.mark("phone", "+12015550123")
    assert [turned.mark("phone", "+1"), vault.mark("phone", "+1")] == turned.marks("phone", "+1")
    assert [turned.marker("to.sms")(b"+1"), vault.marker("to.sms")(b"+1")] == [
        mark(b"+1") for mark in turned.markers("to.sms")
    ]
    assert (False, True, False) == (vault.turning, turned.turning, reduced.turning)
    assert [turned.mark("phone", "+1")] == reduced.marks("phone", "+1")
    assert vault.mark("phone", "+12015550123") != vault.mark("email", "+12015550123")
    assert vault.mark("phone", "+12015550123") != Vault(ring=new_ring()).mark("phone", "+12015550123")


def test_equal_texts_are_sealed_differently() -> None:
    """Two sealed fields do not say whether they are equal, not even beyond one draw of nonces."""
    vault = Vault(ring=RING)

    assert 3000 == len({vault.seal("t", "r", "f", b"same") for _ in range(3000)})


def test_a_ring_is_written_for_its_owner_only(tmp_path: Path) -> None:
    """It is read back as it was, and its file's mode is 600 even over an older file."""
    path = tmp_path / "people.keys"
    write_ring(path, RING)
    write_ring(path, RING.turned())

    assert 0o600 == path.stat().st_mode & 0o777
    assert "k2" == read_ring(path).current
    assert [path] == list(tmp_path.iterdir())


def test_the_ring_of_an_older_program_keeps_its_names_when_it_is_first_turned(tmp_path: Path) -> None:
    """There one key made both, and people's ids with it."""
    path = tmp_path / "people.keys"
    key = b64encode(bytes(32)).decode()
    path.write_text(json.dumps({"current": "k1", "keys": {"k1": key}, "marking": key}))
    path.chmod(0o600)
    ring = read_ring(path)
    write_ring(path, ring.turned())

    before, after = Vault(ring=ring), Vault(ring=read_ring(path))
    assert before.mark("person", "1") == before.name("person", "1") == after.name("person", "1")
    assert before.mark("phone", "+1") != after.mark("phone", "+1")


def test_a_ring_never_shows_a_key() -> None:
    """Neither in a log nor in a traceback."""
    ring = KeyRing(current="k1", keys={"k1": b"A" * 32}, marking=b"B" * 32)

    assert "KeyRing(current='k1', keys=['k1'])" == repr(ring) == str(ring)


@pytest.mark.parametrize(
    ("text", "mode", "says"),
    [
        (None, 0o600, "take it from the backup"),
        ('{"current":"k1","keys":{"k1":"%s"},"marking":"%s"}', 0o640, "chmod 600"),
        ("{", 0o600, "not a key ring"),
        ("\xff", 0o600, "not a key ring"),
        ('{"current":"k1","keys":{"k1":"?"},"marking":""}', 0o600, "not a key ring"),
        ('{"current":"k2","keys":{"k1":"%s"},"marking":"%s"}', 0o600, "current among them"),
        ('{"current":"x","keys":{"x":"%s"},"marking":"%s"}', 0o600, "want keys k1"),
        ('{"current":"k1","keys":{"k1":"AAAA"},"marking":"%s"}', 0o600, "of 32 octets"),
    ],
)
def test_a_bad_ring_file_is_refused_with_its_mend(
    tmp_path: Path, text: str | None, mode: int, says: str
) -> None:
    """The file is named; no key is."""
    path = tmp_path / "people.keys"
    key = "QUFB" * 10 + "QUE="
    if text is not None:
        path.write_bytes(text.replace("%s", key).encode("latin-1"))
        path.chmod(mode)

    with pytest.raises(SettingsError, match=says) as refused:
        read_ring(path)

    assert str(path) in str(refused.value)
    assert key not in str(refused.value)
