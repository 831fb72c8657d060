"""The window in which presses may be exercises."""

from __future__ import annotations

from msgspec import Struct

from belltower.clock import Instant
from belltower.incident.facts.incidents import Action


class DrillBegun(Struct, frozen=True, kw_only=True, tag="drill.begun"):
    """A valid drill token opened a window in which exercise-class presses are exercises."""

    # The token's own id; a token opens one drill only.
    authorisation: str
    until: Instant
    # The centre agreed to take exercise traffic in this window.
    psap_accepted: bool = False
    # The only action that may be told in it; None: none.
    action: Action | None = None
    # Where presses may be exercises: places, buildings, or the campus.
    places: tuple[str, ...] = ()
    authorisers: tuple[str, ...] = ()


class DrillEnded(Struct, frozen=True, kw_only=True, tag="drill.ended"):
    """From here on everything is live: the window closed, a person ended it, or a live press aborted it."""

    authorisation: str
    # over, ended, aborted_real
    reason: str


DrillFact = DrillBegun | DrillEnded
