"""The spool's file: whole records, whatever tears its end off."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belltower.journal import SpoolFile
from belltower.journal.spool import (
    SpooledFact,
    SpooledStatement,
    SpoolRecord,
    frame,
    survey,
    unframe,
    unframe_piece,
)
from belltower.store import DiskFailed, DiskFull

values = st.none() | st.integers(-(2**63), 2**63 - 1) | st.text() | st.binary()
records = st.builds(
    SpoolRecord,
    st.lists(
        st.builds(SpooledFact, st.text(), st.integers(0, 2**62), st.text(), st.text(), st.binary()),
        max_size=3,
    ),
    st.lists(
        st.builds(
            SpooledStatement,
            st.text(),
            st.dictionaries(st.text(), values, max_size=3),
            st.none() | st.just(1),
        ),
        max_size=2,
    ),
)


def record(number: int) -> SpoolRecord:
    """A record of one fact."""
    return SpoolRecord([SpooledFact(f"fct_{number}", number, "said", "", b"{}")], [])


@given(st.lists(records, max_size=5))
def test_what_was_framed_comes_back(some) -> None:
    """Every value a statement or fact may hold survives."""
    assert some == unframe(b"".join(frame(r) for r in some))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_without_harm(data) -> None:
    """Noise holds no record and raises nothing."""
    assert [] == unframe(data)


def test_a_spool_is_read_a_piece_at_a_time(tmp_path) -> None:
    """Pieces end between records, grow for one that is larger, and end before a torn tail."""
    spool = SpoolFile(path=tmp_path / "spool")
    large = SpoolRecord([SpooledFact("fct_large", 1, "said", "", b"x" * 10_000)], [])
    some = [record(0), record(1), large, *(record(n) for n in range(2, 9))]
    whole = b"".join(frame(one) for one in some)
    (tmp_path / "spool").write_bytes(whole + frame(record(9))[:-1])
    found, end = [], 0
    while True:
        piece, end = unframe_piece(spool, end, 100)
        if not piece:
            break
        assert len(piece) <= 3 or large in piece
        found += piece

    assert some == found
    assert (len(some), len(whole)) == survey(spool, 100)


def test_a_tail_torn_at_any_byte_loses_only_itself(tmp_path) -> None:
    """The records before it are read, and new ones follow them."""
    whole = [frame(record(n)) for n in range(3)]
    for cut in range(1, len(whole[2])):
        path = tmp_path / f"spool{cut}"
        path.write_bytes(b"".join(whole)[: -len(whole[2]) + cut])
        spool = SpoolFile(path=path)
        assert [record(0), record(1)] == unframe(spool.read())
        spool.append(frame(record(9)))
        assert [record(0), record(1), record(9)] == unframe(spool.read())
        spool.close()


def test_a_flipped_byte_ends_the_spool_where_it_lies() -> None:
    """A damaged record is not believed."""
    data = bytearray(b"".join(frame(record(n)) for n in range(3)))
    data[len(frame(record(0))) + 10] ^= 1
    assert [record(0)] == unframe(bytes(data))


def test_clearing_forgets_all(tmp_path) -> None:
    """The next record is the first."""
    spool = SpoolFile(path=tmp_path / "spool")
    spool.append(frame(record(0)))
    spool.clear()
    spool.append(frame(record(1)))
    assert [record(1)] == unframe(spool.read())
    spool.close()


def test_the_spool_is_bounded(tmp_path) -> None:
    """It refuses what it cannot hold and keeps what it has."""
    spool = SpoolFile(path=tmp_path / "spool", limit=200)
    with pytest.raises(DiskFull):
        for n in range(100):
            spool.append(frame(record(n)))
    assert unframe(spool.read())[0] == record(0)
    spool.close()


def test_a_folder_that_is_gone_is_said(tmp_path) -> None:
    """The disk's error is translated."""
    with pytest.raises(DiskFailed):
        SpoolFile(path=tmp_path / "nowhere" / "spool").append(b"x")


def test_the_spool_is_private(tmp_path) -> None:
    """Nobody else reads it."""
    spool = SpoolFile(path=tmp_path / "spool")
    spool.append(frame(record(0)))
    spool.close()
    assert 0o600 == (tmp_path / "spool").stat().st_mode & 0o777
