"""Notices as they stand: counted by state, and who was told."""

from __future__ import annotations

from collections import Counter

from belltower.ids import NoticeId, PersonId
from belltower.incident.facts import Mode
from notify.delivery import State
from notify.delivery_rows import Rows
from notify.forecast import Load

# A page of a notice's rows, counted; the last address of each channel says where the next page begins.
COUNTED = """
SELECT channel, state, COUNT(*), CAST(SUM(parts) AS BIGINT), MAX(address) FROM (
    SELECT channel, address, state, parts FROM notice_delivery
    WHERE notice = :notice AND revision = :revision AND (channel, address) > (:channel, :address)
    ORDER BY channel, address LIMIT :count
) AS page GROUP BY channel, state
"""

COUNTED_AT_ONCE = 1_000


class Counting(Rows):
    """What the rest of the room reads; screens and exports read in `reports.py`."""

    async def counted(self, notice: NoticeId, revision: int) -> list[tuple[str, State, Load]]:
        """Channel, state, and how many: some thousand rows at a time, so that nobody waits for all of them."""
        found: Counter[tuple[str, str, bool]] = Counter()
        channel = address = ""
        while True:
            rows = await self._database.read(
                COUNTED,
                notice=notice,
                revision=revision,
                channel=channel,
                address=address,
                count=COUNTED_AT_ONCE,
            )
            for row in rows:
                found[row[0], row[1], False] += row[2]
                found[row[0], row[1], True] += row[3]
            if sum(row[2] for row in rows) < COUNTED_AT_ONCE:
                break
            channel, address = max((row[0], row[4]) for row in rows)
        return [
            (channel, State(state), Load(count, found[channel, state, True]))
            for (channel, state, of_parts), count in found.items()
            if not of_parts
        ]

    async def recipients(self, notice: NoticeId) -> list[tuple[PersonId, str, State, str]]:
        """Person, channel, state and reason of every delivery of the notice's latest revision."""
        rows = await self._database.read(
            "SELECT person, channel, state, reason FROM notice_delivery WHERE notice = :notice AND revision ="
            " (SELECT max(revision) FROM notice_delivery WHERE notice = :notice) ORDER BY person, channel",
            notice=notice,
        )
        return [(PersonId(row[0]), str(row[1]), State(row[2]), str(row[3])) for row in rows]

    async def mode(self, notice: NoticeId) -> Mode:
        """Whether the notice is real; ACTUAL when it is not known."""
        rows = await self._database.read("SELECT mode FROM notice WHERE notice = :notice", notice=notice)
        return Mode(rows[0][0]) if rows else Mode.ACTUAL

    async def urgency(self, notice: NoticeId, revision: int) -> int:
        """Whether somebody may be in danger (0), or it may wait (1)."""
        rows = await self._database.read(
            "SELECT urgency FROM notice WHERE notice = :notice AND revision = :revision",
            notice=notice,
            revision=revision,
        )
        return int(rows[0][0]) if rows else 0
