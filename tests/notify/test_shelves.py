"""Shelves lose no row, double none, and let nothing stand that names a row which is not written yet."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from belltower.ids import DeliveryId, PersonId
from notify.shelves import Shelves
from notify.snapshot import Batch, Unsendable


@given(
    marks=st.lists(st.tuples(st.sampled_from(("sms", "email")), st.integers(0, 1 << 16)), max_size=300),
    at_once=st.integers(1, 40),
    early=st.integers(0, 60),
    chunk=st.integers(1, 20),
)
def test_what_is_put_comes_out_once_and_in_an_order_that_may_be_written(
    marks: list[tuple[str, int]], at_once: int, early: int, chunk: int
) -> None:
    """Every row, every fact of what cannot be sent behind its row, every sharer behind the delivery they share."""
    minted: list[DeliveryId] = []

    def mint(count: int) -> list[DeliveryId]:
        more = [DeliveryId(f"dlv_{len(minted) + n:05}") for n in range(count)]
        minted.extend(more)
        return more

    shelves = Shelves(mint=mint, early=early, chunk=chunk)
    batches: list[Batch] = []
    for start in range(0, len(marks), at_once):
        batch = Batch()
        for channel, number in marks[start : start + at_once]:
            mark = f"{number:04x}"
            id_ = shelves.new_id(channel, mark)
            batch.rows.append((id_, "ntc", 1, "inc", "p", channel, "to", "pending", "", 0, "en", 1, mark))
            batch.others.append(("ntc", 1, "other", id_, "shared"))
            if number % 3 == 0:
                batch.unsendable.append(
                    Unsendable(delivery=id_, person=PersonId("p"), channel=channel, reason="stopped")
                )
        batches.append(batch)
    written: list[object] = []
    given_out = [one for batch in batches for one in shelves.put([batch])] + list(shelves.clear())
    for batch in given_out:
        written += [row[0] for row in batch.rows]
        assert {one.delivery for one in batch.unsendable} <= {row[0] for row in batch.rows}
        assert {row[3] for row in batch.others} <= set(written)

    assert len(marks) == len(written) == len(set(written))
    assert sum(len(one.unsendable) for one in given_out) == sum(number % 3 == 0 for _, number in marks)
    assert sum(len(one.others) for one in given_out) == len(marks)


def test_a_shelf_gives_out_neighbours_in_the_index_and_among_the_ids() -> None:
    """A chunk has one beginning of its marks, and ids that were minted together; the first rows go as they came."""
    numbers = iter(range(100_000))
    shelves = Shelves(mint=lambda count: [DeliveryId(f"{next(numbers):05}") for _ in range(count)], early=10)
    rows = []
    for n in range(20_010):
        mark = f"{n * 2_654_435_761 % (1 << 32):08x}"
        rows.append((shelves.new_id("sms", mark), *range(4), "sms", *range(6), mark))
    first, *others = shelves.put([Batch(rows=rows[:10]), Batch(rows=rows[10:])])

    assert rows[:10] == first.rows
    assert 16 <= len(others)
    for batch in others:
        marks = [str(row[12]) for row in batch.rows]
        ids = sorted(int(str(row[0])) for row in batch.rows)
        assert 1_000 == len(marks)
        assert 1 == len({mark[0] for mark in marks})
        assert sorted(marks) == marks
        assert 999 == ids[-1] - ids[0]
