"""Rows on their way into the table of deliveries, gathered with their neighbours in its index. Pure.

A mark says nothing of its neighbours: a thousand rows in the order of people would change nearly a thousand pages of
the index, and each commit would write them all. Of a large notice they wait on shelves, one for each beginning of a
mark, until a shelf has a whole chunk; its ids are minted a chunk at once, so that they are neighbours too. The first
rows wait for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from belltower.ids import DeliveryId
from belltower.store import CHUNK, SQLValue
from notify.snapshot import Batch, Unsendable

_Row = tuple[SQLValue, ...]

_EARLY = 4_000
"""Rows that wait for nothing: whoever is to be told first can be told now."""

_FEW = 50
"""Ids that are minted at once for these."""

_MOST_HELD = 10_000
"""Rows of those who share an address that are held back until all shelves are empty."""

_CHANNEL, _MARK = 5, 12


class Shelves:
    """What was resolved and is not yet written. Whatever it gives out may be written in that order."""

    def __init__(
        self, *, mint: Callable[[int], Sequence[DeliveryId]], early: int = _EARLY, chunk: int = CHUNK
    ) -> None:
        """`mint` makes so many ids, in order."""
        self._mint = mint
        self._early = early
        self._chunk = chunk
        self._named = 0
        self._passed = 0
        self._ids: dict[tuple[str, str], list[DeliveryId]] = {}
        self._shelves: dict[tuple[str, str], list[_Row]] = {}
        # They name a delivery that may stand on a shelf: behind it, or a kill would leave them to no delivery at all.
        self._others: list[_Row] = []
        self._unsendable: dict[SQLValue, Unsendable] = {}

    def new_id(self, channel: str, mark: str) -> DeliveryId:
        """The id of a delivery to the address of this mark."""
        self._named += 1
        early = self._named <= self._early
        ids = self._ids.setdefault(("", "") if early else (channel, mark[:1]), [])
        if not ids:
            ids += reversed(self._mint(_FEW if early else self._chunk))
        return ids.pop()

    def put(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """What of these and of those before can be written now."""
        for batch in batches:
            if self._passed < self._early:
                self._passed += len(batch.rows)
                yield batch
                continue
            self._unsendable |= {one.delivery: one for one in batch.unsendable}
            for row in batch.rows:
                key = (str(row[_CHANNEL]), str(row[_MARK])[:1])
                shelf = self._shelves.setdefault(key, [])
                shelf.append(row)
                if len(shelf) >= self._chunk:
                    yield self._batch(self._shelves.pop(key))
            self._others += batch.others
            if len(self._others) >= _MOST_HELD:
                yield from self.clear()

    def clear(self) -> Iterator[Batch]:
        """Everything that is left."""
        rows = [row for _, shelf in sorted(self._shelves.items()) for row in shelf]
        self._shelves.clear()
        for start in range(0, len(rows), self._chunk):
            yield self._batch(rows[start : start + self._chunk])
        others, self._others = self._others, []
        if others:
            yield Batch(others=others)

    def _batch(self, rows: list[_Row]) -> Batch:
        rows.sort(key=_place)
        unsendable = [self._unsendable.pop(row[0]) for row in rows if row[0] in self._unsendable]
        return Batch(rows=rows, unsendable=unsendable)


def _place(row: _Row) -> tuple[str, str]:
    return str(row[_CHANNEL]), str(row[_MARK])
