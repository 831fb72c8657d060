"""One building's share of an incident."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from belltower.clock import Instant
from belltower.ids import PlaceId
from belltower.incident.facts import AlarmRaised


class BuildingView(Struct, frozen=True, kw_only=True):
    """One building's share of an incident."""

    # How many alarms; the highest number given out.
    alarms: int
    # Where the first one was.
    place: PlaceId | None
    first_at: Instant
    # Whether one of them could place a call; and why one could not, as the latest of those says.
    proven: bool = True
    unproven: str = ""

    @classmethod
    def of_first(cls, fact: AlarmRaised, at: Instant) -> BuildingView:
        """The building with the first alarm that is known of it."""
        return cls(
            alarms=fact.number,
            place=fact.place,
            first_at=at,
            proven=not fact.unproven,
            unproven=fact.unproven,
        )

    def after(self, fact: AlarmRaised) -> BuildingView:
        """The building after another of its alarms."""
        if fact.number <= self.alarms and (self.proven or fact.unproven):
            return self
        return replace(
            self,
            alarms=max(fact.number, self.alarms),
            proven=self.proven or not fact.unproven,
            unproven=fact.unproven or self.unproven,
        )
