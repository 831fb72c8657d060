"""A walk-test: somebody presses each device at its place, and it is written down that it was heard.

It is an exercise and needs a running drill: without one a press is a press. Within it the first press of each device
is its proof; what the same device says a while later is live again, and ends the drill. So is, for a test at one place,
the press of a device that hangs elsewhere: the person who tests cannot have pressed it.
"""

from __future__ import annotations

from msgspec import Struct

from belltower.clock import Clock
from belltower.errors import WrongState
from belltower.ids import PersonId, PlaceId

ELSEWHERE = "elsewhere"
"""The trouble of a device that is pressed where the test is not."""
STILL_THE_SAME = 30.0
"""Seconds after its proof in which a device's presses still belong to it: hands press twice."""


class Walk(Struct, kw_only=True):
    """One walk-test, under the drill of this authorisation."""

    by: PersonId
    authorisation: str
    # Where the person stands now; None: at each device's own place.
    at: PlaceId | None = None
    # When each was first pressed.
    proven: dict[str, float] = {}


class WalkTest:
    """The walk-test that is going on, if any."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._walk: Walk | None = None

    def begin(self, by: PersonId, authorisation: str | None, at: PlaceId | None = None) -> None:
        """Begin one, or go on with it `at` another place. `WrongState` without a running drill, or while another walks."""
        if authorisation is None:
            raise WrongState("a walk-test is an exercise: begin a drill first, with its token")
        walk = self.going_on(authorisation)
        if walk is None:
            walk = Walk(by=by, authorisation=authorisation)
        if walk.by != by:
            raise WrongState(
                f"{walk.by} walks already; that test is to be ended first, its proofs are of one person"
            )
        walk.at = at
        self._walk = walk

    def end(self) -> None:
        """From here on every press is live."""
        self._walk = None

    def going_on(self, authorisation: str | None) -> Walk | None:
        """The walk-test under the drill that runs now; it ends with its drill."""
        walk = self._walk
        if walk is not None and walk.authorisation != authorisation:
            walk = self._walk = None
        return walk

    def elsewhere(self, place: PlaceId | None, authorisation: str | None) -> PlaceId | None:
        """Where the test goes on, if that is not where a device of this place hangs."""
        walk = self.going_on(authorisation)
        return walk.at if walk is not None and place is not None and walk.at != place else None

    def takes(
        self, device: str, place: PlaceId | None, authorisation: str | None
    ) -> tuple[bool, Walk | None]:
        """Whether the press of the device at `place` is part of the walk-test; and the test where it is the proof."""
        walk = self.going_on(authorisation)
        if walk is None or self.elsewhere(place, authorisation) is not None:
            return False, None
        now = self._clock.monotonic()
        first = walk.proven.get(device)
        if first is None:
            walk.proven[device] = now
            return True, walk
        return now - first <= STILL_THE_SAME, None


def elsewhere(at: PlaceId, place: PlaceId | None) -> str:
    """Why: the test is here, and the device hangs there."""
    return f"the walk-test is at {at}, the site package says {place}"
