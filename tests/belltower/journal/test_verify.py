"""Tampering is found, at the first place."""

from __future__ import annotations

import re
from base64 import b64decode
from pathlib import Path
from random import Random

import apsw
import pytest

from belltower.clock import SystemClock
from belltower.errors import SettingsError
from belltower.journal import Signer, checkpoint_key, checkpoint_public_key, streams, verify
from belltower.store import open_database

KEYS = ("stream", "position")
COLUMNS = ("stream", "position", "id", "at", "tag", "subject", "body", "hash")


@pytest.fixture
def key(tmp_path):
    """The lane's key."""
    return checkpoint_key(tmp_path / "checkpoint.key")


@pytest.fixture
async def signed_desk(desk, key, tmp_path):
    """A journal of 40 entries, signed at 20 and 40, closed."""
    for _ in range(2):
        journal = await desk.open(
            signer=Signer(key=key, clock=SystemClock(), notes=tmp_path / "checkpoints.txt")
        )
        for n in range(20):
            await desk.say(journal, f"{n}", subject="inc_1")
        await desk.shut(journal)
    return desk


@pytest.fixture
def sqlite_file(desk):
    """The file itself; these tests reach past the store."""
    if not desk.url.startswith("sqlite"):
        pytest.skip("reaches into SQLite's file")
    return desk.url.removeprefix("sqlite://")


async def verdict(desk, key, **options):
    """What a reader beside the lane finds."""
    database = await open_database(desk.url, read_only=True)
    try:
        return await verify(database, "alarm", key.public_key(), **options)
    finally:
        await database.close()


def flip(path: Path, found: bytes, offset: int) -> None:
    """Flip one bit of the file, `offset` behind the first place where `found` lies."""
    data = bytearray(path.read_bytes())
    data[data.index(found) + offset] ^= 1
    path.write_bytes(data)


async def test_an_untouched_journal_is_sound(signed_desk, key) -> None:
    """Every entry and both checkpoints agree, and progress is told."""
    told = []
    found = await verdict(signed_desk, key, progress=lambda *at: told.append(at))

    assert found.sound
    assert (40, 2) == (found.entries, found.checkpoints)
    assert [(40, 40)] == told


async def test_one_flipped_byte_is_found_where_it_lies(signed_desk, key, sqlite_file) -> None:
    """In any column of any row."""
    random = Random(1)
    connection = apsw.Connection(sqlite_file)
    for position in range(1, 41):
        for column in COLUMNS:
            where = "stream = 'alarm' AND position = :position"
            ((value,),) = connection.execute(
                f"SELECT {column} FROM journal_entry WHERE {where}", {"position": position}
            ).fetchall()
            if isinstance(value, int):
                altered = value ^ (1 << random.randrange(8, 60))
            else:
                octets = bytearray(value if isinstance(value, bytes) else value.encode())
                octets[random.randrange(len(octets) - 3)] ^= 1 << random.randrange(5)
                altered = bytes(octets) if isinstance(value, bytes) else octets.decode()
            connection.execute(
                f"UPDATE journal_entry SET {column} = :altered WHERE {where}",
                {"altered": altered, "position": position},
            )
            found = await verdict(signed_desk, key)
            assert position == found.first_bad, (column, found)
            key_now = {"stream": "alarm", "position": position} | (
                {column: altered} if column in KEYS else {}
            )
            connection.execute(
                f"UPDATE journal_entry SET {column} = :value WHERE stream = :stream AND position = :position",
                key_now | {"value": value},
            )
    connection.close()
    assert (await verdict(signed_desk, key)).sound


async def test_a_missing_row_is_found(signed_desk, key, sqlite_file) -> None:
    """Wherever it was."""
    connection = apsw.Connection(sqlite_file)
    connection.execute("DELETE FROM journal_entry WHERE position = 17")
    connection.close()

    assert 17 == (await verdict(signed_desk, key)).first_bad


async def test_a_tail_cut_off_is_found_by_the_checkpoint(signed_desk, key, sqlite_file) -> None:
    """The chain alone would not know."""
    connection = apsw.Connection(sqlite_file)
    connection.execute("DELETE FROM journal_entry WHERE position > 35")
    connection.close()

    found = await verdict(signed_desk, key)
    assert 36 == found.first_bad
    assert "checkpoint names position 40" in found.reason


async def test_two_rows_swapped_are_found(signed_desk, key, sqlite_file) -> None:
    """Reordering is alteration."""
    connection = apsw.Connection(sqlite_file)
    for old, new in ((9, -1), (30, 9), (-1, 30)):
        connection.execute("UPDATE journal_entry SET position = ? WHERE position = ?", (new, old))
    connection.close()

    assert 9 == (await verdict(signed_desk, key)).first_bad


async def test_a_forged_checkpoint_is_found(signed_desk, key, sqlite_file) -> None:
    """One that the key did not sign is named, the entries stay sound."""
    connection = apsw.Connection(sqlite_file)
    connection.execute("UPDATE journal_checkpoint SET at = at + 1 WHERE position = 20")
    connection.close()

    found = await verdict(signed_desk, key)
    assert (20, None, False) == (found.bad_checkpoint, found.first_bad, found.sound)


async def test_a_rewritten_chain_does_not_meet_its_checkpoint(desk, signed_desk, key, sqlite_file) -> None:
    """Recomputing every hash is not enough without the key."""
    connection = apsw.Connection(sqlite_file)
    connection.execute("DELETE FROM journal_entry WHERE position > 25")
    connection.close()
    journal = await desk.open()
    for n in range(20):
        await desk.say(journal, f"forged {n}")
    await desk.shut(journal)

    found = await verdict(signed_desk, key)
    assert 21 == found.first_bad
    assert "signed at 40" in found.reason


async def test_damage_to_the_file_is_an_altered_row(signed_desk, key, sqlite_file) -> None:
    """A byte flipped in the file itself, inside a body, is found in that row."""
    connection = apsw.Connection(sqlite_file)
    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    ((body,),) = connection.execute("SELECT body FROM journal_entry WHERE position = 23").fetchall()
    ((digest,),) = connection.execute("SELECT hash FROM journal_entry WHERE position = 23").fetchall()
    connection.close()
    flip(Path(sqlite_file), body + digest, 3)

    assert 23 == (await verdict(signed_desk, key)).first_bad


async def test_the_notes_hold_what_was_signed(signed_desk, key, tmp_path) -> None:
    """The file beside the table can be checked without it."""
    text = (tmp_path / "checkpoints.txt").read_text()
    notes = re.findall(r"(belltower/alarm\n\d+\n\S+\n\d+\n)\n— belltower/alarm (\S+)\n\n", text)

    assert ["20", "40"] == [note.split("\n")[1] for note, _ in notes]
    for note, signature in notes:
        key.public_key().verify(b64decode(signature), note.encode())


async def test_the_streams_are_listed(signed_desk) -> None:
    """Those that have entries."""
    database = await open_database(signed_desk.url, read_only=True)
    assert ["alarm"] == await streams(database)
    await database.close()


def test_the_key_is_made_once_and_private(tmp_path) -> None:
    """Mode 0600, the same at the next start, its public half beside it."""
    path = tmp_path / "k"
    first = checkpoint_key(path)

    assert 0o600 == path.stat().st_mode & 0o777
    assert first.private_bytes_raw() == checkpoint_key(path).private_bytes_raw()
    assert first.public_key() == checkpoint_public_key(tmp_path / "k.pub") == checkpoint_public_key(path)


def test_a_spoilt_key_is_a_settings_error(tmp_path) -> None:
    """It names the file."""
    (tmp_path / "k").write_text("nonsense")
    with pytest.raises(SettingsError, match="/k:"):
        checkpoint_key(tmp_path / "k")
