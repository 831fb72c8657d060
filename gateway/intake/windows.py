"""What was heard of each unit: in memory to judge by, in the database so that a restart forgets nothing.

A window holds the counters heard of late. A press from outside of it that its unit stood by when challenged is kept
by name, so that its repetition is known for one after a restart too.
"""

from __future__ import annotations

from belltower.clock import Instant
from belltower.store import Database, Step, Transaction
from hardware.codecs.window import ReplayWindow

STEPS = [
    Step(
        room="intake",
        number=1,
        sql="""
        CREATE TABLE intake_window (
            unit BIGINT PRIMARY KEY, epoch BIGINT NOT NULL, highest BIGINT NOT NULL, bitmap BIGINT NOT NULL
        );
        """,
    ),
    Step(
        room="intake",
        number=2,
        sql="""
        CREATE TABLE intake_stood_by (
            unit BIGINT NOT NULL, epoch BIGINT NOT NULL, counter BIGINT NOT NULL, nth BIGINT NOT NULL,
            PRIMARY KEY (unit, epoch, counter)
        );
        """,
    ),
    Step(
        room="intake",
        number=3,
        sql="CREATE TABLE intake_down (name TEXT PRIMARY KEY, number BIGINT NOT NULL);",
    ),
]

STOOD_BY = 8
"""Presses outside of the window that are remembered for each unit."""

_KEEP = (
    "INSERT INTO intake_window (unit, epoch, highest, bitmap) VALUES (:unit, :epoch, :highest, :bitmap)"
    " ON CONFLICT (unit) DO UPDATE SET epoch = excluded.epoch, highest = excluded.highest,"
    " bitmap = excluded.bitmap"
)

_STAND_BY = (
    "INSERT INTO intake_stood_by (unit, epoch, counter, nth) VALUES (:unit, :epoch, :counter, :nth)"
    " ON CONFLICT (unit, epoch, counter) DO NOTHING"
)
_FORGET = "DELETE FROM intake_stood_by WHERE unit = :unit AND nth <= :nth"


_COUNT = (
    "INSERT INTO intake_down (name, number) VALUES ('told', :number)"
    " ON CONFLICT (name) DO UPDATE SET number = excluded.number WHERE intake_down.number < excluded.number"
)


class Windows:
    """The replay windows of all units, the older presses they stood by, and the numbers of what goes down to them."""

    def __init__(self, *, database: Database) -> None:
        self._database = database
        self._windows: dict[int, ReplayWindow] = {}
        self._stood_by: dict[int, dict[tuple[int, int], int]] = {}
        self._told = 0

    async def open(self) -> None:
        """Load every window."""
        await self._database.migrate(STEPS)
        rows = await self._database.read("SELECT unit, epoch, highest, bitmap FROM intake_window")
        self._windows = {row[0]: ReplayWindow.restored(row[1], row[2], row[3]) for row in rows}
        rows = await self._database.read("SELECT unit, epoch, counter, nth FROM intake_stood_by ORDER BY nth")
        for unit, epoch, counter, nth in rows:
            self._stood_by.setdefault(unit, {})[epoch, counter] = nth
        rows = await self._database.read("SELECT number FROM intake_down WHERE name = 'told'")
        self._told = int(rows[0][0]) if rows else 0

    def next_told(self, now: Instant) -> tuple[int, int]:
        """The epoch and counter of the next order or text: microseconds of the clock, but always higher than before.

        What the disk does not take costs nothing: after a restart the clock is ahead of it.
        """
        self._told = max(self._told + 1, now)
        tx = Transaction()
        tx.add(_COUNT, number=self._told)
        self._database.submit(tx).add_done_callback(lambda done: done.cancelled() or done.exception())
        return self._told >> 32, self._told & 0xFFFF_FFFF

    def heard(self, unit: int, epoch: int, counter: int) -> None:
        """Count a frame as heard that a fact tells of; what is on disk may not know of it yet."""
        self._windows[unit] = self.of(unit).after(epoch, counter)

    def of(self, unit: int) -> ReplayWindow:
        """The unit's window; a unit never heard has an empty one."""
        return self._windows.get(unit) or ReplayWindow()

    def advance(self, tx: Transaction, unit: int, epoch: int, counter: int) -> None:
        """Count this frame as heard, now in memory and in `tx` on disk."""
        window = self._windows[unit] = self.of(unit).after(epoch, counter)
        kept_epoch, highest, bitmap = window.stored()
        tx.add(_KEEP, unit=unit, epoch=kept_epoch, highest=highest, bitmap=bitmap)

    def stood_by(self, unit: int, epoch: int, counter: int) -> bool:
        """Whether the unit stood by this press before: it is then a repetition, not a suspect."""
        return (epoch, counter) in self._stood_by.get(unit, ())

    def stand_by(self, tx: Transaction, unit: int, epoch: int, counter: int) -> None:
        """Count this press as stood by, now in memory and in `tx` on disk; older ones are forgotten in time."""
        names = self._stood_by.setdefault(unit, {})
        nth = max(names.values(), default=0) + 1
        names[epoch, counter] = nth
        tx.add(_STAND_BY, unit=unit, epoch=epoch, counter=counter, nth=nth)
        if len(names) > STOOD_BY:
            self._stood_by[unit] = {name: n for name, n in names.items() if n > nth - STOOD_BY}
            tx.add(_FORGET, unit=unit, nth=nth - STOOD_BY)
