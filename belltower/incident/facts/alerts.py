"""Public alerts of others."""

from __future__ import annotations

from msgspec import Struct

from belltower.clock import Instant


class AlertSeen(Struct, frozen=True, kw_only=True, tag="alert.seen"):
    """A public alert of the weather service or a neighbour that concerns this campus: for a person to judge."""

    # The watched feed's name in the settings.
    feed: str
    # What identifies the alert: CAP 1.2 sender, identifier, sent.
    sender: str
    identifier: str
    sent: Instant
    event: str
    headline: str = ""
    severity: str = ""
    urgency: str = ""
    certainty: str = ""
    expires: Instant = Instant(0)
    # CAP's status: Actual, Exercise, System, Test or Draft.
    status: str = "Actual"
    cancelled: bool = False
