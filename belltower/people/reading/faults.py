"""What is wrong with a load, and what only wants a look: each with file, row, column and the mend.

Nothing here repeats what a cell holds, because it may be somebody's name. Words of a fixed list, the shape of a date
and the names of columns may stand in a message.
"""

from __future__ import annotations

from collections import Counter

from msgspec import Struct

from belltower.people.roster import Review

MOST_FAULTS = 500
"""Faults kept; the rest are counted."""

MOST_REVIEWS = 200
"""Things to look at that are kept, of each kind; the rest are counted."""


class Fault(Struct, frozen=True, kw_only=True):
    """One reason why a load cannot be taken.

    `row` counts as a spreadsheet does: the header is row 1. In JSON it is the item, the first is 1. `column` is its
    name, or its number where it has none.
    """

    file: str
    row: int
    column: str
    what: str
    mend: str


class Dropped(Struct, frozen=True, kw_only=True):
    """A column that the reader threw away, because it must not be kept."""

    file: str
    column: str


class Findings:
    """Gathers faults and reviews while a load is read; bounded."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._faulty = 0
        self._reviews: list[Review] = []
        self._kinds: Counter[str] = Counter()
        self._once: set[tuple[str, str, str, str]] = set()
        self.dropped: list[Dropped] = []
        # How many rows each file has.
        self.rows: dict[str, int] = {}
        # The names, without ending, of files that are there and cannot be read.
        self._unread: set[str] = set()

    @property
    def faulty(self) -> bool:
        """Whether the load cannot be taken."""
        return self._faulty > 0

    def fault(self, file: str, row: int, column: str, what: str, mend: str) -> None:
        """Note a fault."""
        self._faulty += 1
        if len(self._faults) < MOST_FAULTS:
            self._faults.append(Fault(file=file, row=row, column=column, what=what, mend=mend))

    def unread(self, file: str) -> None:
        """Note that nothing of a file can be read, for which there is a fault."""
        self._unread.add(_stem(file))

    def is_unread(self, file: str) -> bool:
        """Whether the load has a file of this name, of which nothing can be read."""
        return _stem(file) in self._unread

    def review(self, kind: str, file: str, row: int, column: str, what: str, mend: str) -> None:
        """Note something to look at."""
        self._kinds[kind] += 1
        if self._kinds[kind] <= MOST_REVIEWS:
            self._reviews.append(Review(kind=kind, file=file, row=row, column=column, what=what, mend=mend))

    def review_once(self, kind: str, file: str, row: int, column: str, what: str, mend: str) -> None:
        """Note something that recurs in a column, at its first row only."""
        at = (kind, file, column, what)
        if at not in self._once:
            self._once.add(at)
            self.review(kind, file, row, column, what, mend)

    def faults(self) -> tuple[Fault, ...]:
        """The faults, and a last one that counts those not kept."""
        more = self._faulty - len(self._faults)
        if not more:
            return tuple(self._faults)
        last = self._faults[-1]
        return (
            *self._faults,
            Fault(
                file=last.file,
                row=last.row,
                column=last.column,
                what=f"and {more} more faults from here on",
                mend="mend those above first and try again",
            ),
        )

    def reviews(self) -> tuple[Review, ...]:
        """What wants a look, and of each kind a last one that counts those not kept."""
        more = [
            Review(
                kind=kind,
                file="",
                row=0,
                column="",
                what=f'and {count - MOST_REVIEWS} more of the kind "{kind}"',
                mend="settle those above first and try again",
            )
            for kind, count in self._kinds.items()
            if count > MOST_REVIEWS
        ]
        return (*self._reviews, *more)


def _stem(file: str) -> str:
    return file.rpartition("/")[2].rpartition(".")[0].casefold()
