"""What each room said, and whether the ordered action is shown there."""

from __future__ import annotations

from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from belltower.clock import Instant
from belltower.ids import FactId, PlaceId
from belltower.incident import facts
from belltower.incident.entry import Entry
from belltower.incident.facts import Action, RoomStatus

_KEPT = 64
_EITHER = {RoomStatus.SAFE: RoomStatus.NEED_HELP, RoomStatus.NEED_HELP: RoomStatus.SAFE}


class RoomView(Struct, frozen=True, kw_only=True):
    """What one room said, and whether the ordered action is shown there."""

    # The latest count of each status; `safe` and `need_help` replace each other.
    statuses: dict[RoomStatus, int] = {}
    said_at: Instant | None = None
    # The facts that said so: the wall clock may step, so it orders nothing.
    heard: tuple[FactId, ...] = ()
    # The action that a unit there confirmed to show, and that no unit confirmed in time.
    shown: Action | None = None
    not_reached: Action | None = None
    # The facts that ordered what was confirmed, and what was not in time; a confirmation that came late counts.
    shown_of: tuple[FactId, ...] = ()
    missed_of: tuple[FactId, ...] = ()

    def after(self, fact: facts.RoomFact, entry: Entry) -> RoomView:
        """The room after `fact`, which `entry` holds."""
        match fact:
            case facts.StatusReported():
                return self if entry.id in self.heard else self._said(fact, entry)
            case facts.OrderShown():
                return self if fact.ordered in self.shown_of else self._shown(fact)
            case facts.RoomNotReached():
                return self if fact.ordered in self.missed_of else self._missed(fact)
            case other:
                assert_never(other)

    def _said(self, fact: facts.StatusReported, entry: Entry) -> RoomView:
        replaced = _EITHER.get(fact.status)
        statuses = {status: count for status, count in self.statuses.items() if status is not replaced}
        return replace(
            self,
            statuses={**statuses, fact.status: fact.count},
            said_at=entry.at,
            heard=(*self.heard, entry.id)[-_KEPT:],
        )

    def _shown(self, fact: facts.OrderShown) -> RoomView:
        return replace(
            self,
            shown_of=(*self.shown_of, fact.ordered)[-_KEPT:],
            shown=fact.action,
            not_reached=None if self.missed_of[-1:] == (fact.ordered,) else self.not_reached,
        )

    def _missed(self, fact: facts.RoomNotReached) -> RoomView:
        reached = fact.ordered in self.shown_of
        return replace(
            self,
            missed_of=(*self.missed_of, fact.ordered)[-_KEPT:],
            not_reached=self.not_reached if reached else fact.action,
        )


def rooms_after(
    rooms: dict[PlaceId, RoomView], fact: facts.RoomFact, entry: Entry
) -> dict[PlaceId, RoomView]:
    """The rooms after a fact of one of them, which `entry` holds."""
    place = facts.room_of(fact.place, None if isinstance(fact, facts.RoomNotReached) else fact.unit)
    return {**rooms, place: rooms.get(place, RoomView()).after(fact, entry)}
