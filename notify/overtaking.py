"""A later word to families of an action takes the place of an earlier one, at every address that the later one has.

Addresses that only the earlier one has still get it, behind the later one: for them nothing newer was said.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from belltower.ids import NoticeId
from belltower.incident.facts import Action
from belltower.store import Database, SQLValue, Transaction
from notify.delivery import State
from notify.delivery_rows import Ordered
from notify.wording.matrix import Phase, families

OVERTAKEN = 2
"""The urgency of a delivery at whose address a later notice has one: nobody leases it, and it is dropped."""

OF_ACTIONS = frozenset(families(action, phase) for action in Action for phase in Phase)
"""The templates that overtake each other; where families go is no action."""

_ALIKE = f"""incident = :incident AND incident <> '' AND notice <> :notice AND mode = :mode
    AND template IN ({", ".join(f"'{template}'" for template in sorted(OF_ACTIONS))})"""

# What may wait takes no place of what may not.
_OVERTAKE = f"""
UPDATE notice SET overtaken_by = :notice
WHERE {_ALIKE} AND urgency >= :urgency AND ordered_at < :ordered_at AND overtaken_by < :notice
"""  # noqa: S608 - constants

_OTHERS = f"""
SELECT notice, revision, urgency, ordered_at FROM notice WHERE {_ALIKE} AND superseded_by = '' ORDER BY ordered_at, notice
"""  # noqa: S608 - constants

_IS_OVERTAKEN = "UPDATE notice SET overtaken_by = :by WHERE notice = :notice AND overtaken_by < :by"

# Whatever the state: what is being sent may return.
_EARLIER = f"""
UPDATE notice_delivery SET urgency = {OVERTAKEN}
WHERE notice = :notice AND revision = :revision AND channel = :channel AND address = :address
    AND state IN ('pending', 'sending', 'refused')
"""  # noqa: S608 - a constant

_LATER = f"""
UPDATE notice_delivery SET urgency = {OVERTAKEN} WHERE id = :id AND EXISTS (
    SELECT 1 FROM notice_delivery l
    WHERE l.notice = :notice AND l.revision = :revision AND l.channel = :channel AND l.address = :address
        AND (l.state <> 'refused' OR l.reason = 'too_late'))
"""  # noqa: S608 - a constant

_ID, _CHANNEL, _MARK, _STATE = 0, 5, 6, 7


class Overtaking(Struct, frozen=True):
    """The other notices of an incident, by their ids and revisions, as one that is planned meets them."""

    earlier: tuple[tuple[NoticeId, int], ...] = ()
    # Planned before it, though they were ordered after it: two streams are planned side by side.
    later: tuple[tuple[NoticeId, int], ...] = ()

    def add(self, tx: Transaction, rows: Sequence[tuple[SQLValue, ...]]) -> None:
        """With the rows of new deliveries, as they are kept: those that they overtake, or that overtake them."""
        # What can never leave takes nothing's place.
        leaving = [row for row in rows if row[_STATE] == State.PENDING]
        for notice, revision in self.earlier:
            tx.rows(_EARLIER, [(notice, revision, row[_CHANNEL], row[_MARK]) for row in leaving])
        for notice, revision in self.later:
            tx.rows(_LATER, [(row[_ID], notice, revision, row[_CHANNEL], row[_MARK]) for row in rows])


NOTHING = Overtaking()
"""No other notice is met."""


def overtake(tx: Transaction, ordered: Ordered) -> None:
    """From now on what was ordered before it waits behind it."""
    if ordered.template in OF_ACTIONS:
        tx.add(
            _OVERTAKE,
            notice=ordered.notice,
            incident=ordered.incident,
            mode=ordered.mode.value,
            urgency=ordered.urgency,
            ordered_at=ordered.ordered_at,
        )


async def met(database: Database, tx: Transaction, ordered: Ordered) -> Overtaking:
    """What the notice meets. Where it comes late itself, `tx` has it wait behind what came before it."""
    if ordered.template not in OF_ACTIONS:
        return NOTHING
    earlier: list[tuple[NoticeId, int]] = []
    later: list[tuple[NoticeId, int]] = []
    for notice, revision, urgency, ordered_at in await database.read(
        _OTHERS, incident=ordered.incident, notice=ordered.notice, mode=ordered.mode.value
    ):
        if ordered_at < ordered.ordered_at and urgency >= ordered.urgency:
            earlier.append((notice, revision))
        elif ordered_at > ordered.ordered_at and urgency <= ordered.urgency:
            later.append((notice, revision))
            tx.add(_IS_OVERTAKEN, by=notice, notice=ordered.notice)
    return Overtaking(earlier=tuple(earlier), later=tuple(later))
