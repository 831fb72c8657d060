"""Which counters were heard of each unit: in memory to judge by, in the database so that a restart forgets nothing."""

from __future__ import annotations

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
    )
]

_KEEP = (
    "INSERT INTO intake_window (unit, epoch, highest, bitmap) VALUES (:unit, :epoch, :highest, :bitmap)"
    " ON CONFLICT (unit) DO UPDATE SET epoch = excluded.epoch, highest = excluded.highest,"
    " bitmap = excluded.bitmap"
)


class Windows:
    """The replay windows of all units."""

    def __init__(self, *, database: Database) -> None:
        self._database = database
        self._windows: dict[int, ReplayWindow] = {}

    async def open(self) -> None:
        """Load every window."""
        await self._database.migrate(STEPS)
        rows = await self._database.read("SELECT unit, epoch, highest, bitmap FROM intake_window")
        self._windows = {row[0]: ReplayWindow.restored(row[1], row[2], row[3]) for row in rows}

    def of(self, unit: int) -> ReplayWindow:
        """The unit's window; a unit never heard has an empty one."""
        return self._windows.get(unit) or ReplayWindow()

    def advance(self, tx: Transaction, unit: int, epoch: int, counter: int) -> None:
        """Count this frame as heard, now in memory and in `tx` on disk."""
        window = self._windows[unit] = self.of(unit).after(epoch, counter)
        kept_epoch, highest, bitmap = window.stored()
        tx.add(_KEEP, unit=unit, epoch=kept_epoch, highest=highest, bitmap=bitmap)
