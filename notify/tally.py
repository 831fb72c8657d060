"""How many deliveries of each notice stand where, kept up as the ledger writes: no page has to count rows."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping

from belltower.ids import NoticeId
from notify.delivery import State
from notify.forecast import Load

Key = tuple[NoticeId, int]
"""A notice and its revision."""

Counts = Mapping[str, Mapping[State, Load]]
"""By kind of address and state. `sending` counts as `pending`: neither has an answer."""

_KEPT = 1_000
_WAITS = frozenset({State.PENDING, State.SENDING})


class Tally:
    """The counts of the notices that somebody asked for or that are on their way; the oldest are forgotten first.

    A notice that is being planned is counted from nothing, unless an earlier life has begun it: then, and for all that
    are not known, the rows are counted once (`DeliveryTables.counted`) while the ledger stands still.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[Key, dict[str, Counter[tuple[State, bool]]]] = OrderedDict()

    def of(self, notice: NoticeId, revision: int) -> Counts | None:
        """The counts, or None where they are not known."""
        found = self._known.get((notice, revision))
        if found is None:
            return None
        self._known.move_to_end((notice, revision))
        return {
            channel: {
                state: Load(max(0, counts[state, False]), max(0, counts[state, True]))
                for state in State
                if counts[state, False] > 0
            }
            for channel, counts in found.items()
        }

    def begin(self, notice: NoticeId, revision: int) -> None:
        """Nothing of this notice is written yet."""
        self.set(notice, revision, ())

    def forget(self, notice: NoticeId, revision: int) -> None:
        """Whatever is known of it is not to be relied on."""
        self._known.pop((notice, revision), None)

    def set(self, notice: NoticeId, revision: int, rows: Iterable[tuple[str, State, Load]]) -> None:
        """So it stands by the rows."""
        self._known[notice, revision] = {}
        self._known.move_to_end((notice, revision))
        for channel, state, load in rows:
            self.add(notice, revision, channel, state, load)
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)

    def add(self, notice: NoticeId, revision: int, channel: str, state: State, load: Load) -> None:
        """Rows were written."""
        found = self._known.get((notice, revision))
        if found is None:
            return
        counts = found.setdefault(channel, Counter())
        state = State.PENDING if state in _WAITS else state
        counts[state, False] += load.deliveries
        counts[state, True] += load.parts

    def moved(
        self, notice: NoticeId, revision: int, channel: str, before: State, after: State, load: Load
    ) -> None:
        """Rows went from one state to another."""
        if before in _WAITS and after in _WAITS:
            return
        self.add(notice, revision, channel, before, Load(-load.deliveries, -load.parts))
        self.add(notice, revision, channel, after, load)
