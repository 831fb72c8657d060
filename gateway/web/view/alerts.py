"""A public alert as the templates are given it."""

from __future__ import annotations

from datetime import tzinfo

from msgspec import Struct

from belltower.incident.facts import AlertSeen
from gateway.web.view.times import day


class AlertView(Struct, frozen=True, kw_only=True):
    """One public alert."""

    event: str
    headline: str
    # "Severe · expected · likely"
    rating: str
    sender: str
    feed: str
    until: str
    # "EXERCISE", "TEST", or "" where it is meant in earnest.
    mark: str


def alert_view(seen: AlertSeen, zone: tzinfo) -> AlertView:
    """The alert in one glance, in its sender's words."""
    rating = " · ".join(
        word
        for word in (seen.severity, seen.urgency.lower(), seen.certainty.lower())
        if word not in ("", "unknown", "Unknown")
    )
    return AlertView(
        event=seen.event or "Alert",
        headline=seen.headline if seen.headline != seen.event else "",
        rating=rating,
        sender=seen.sender,
        feed=seen.feed,
        until=day(seen.expires, zone),
        mark=seen.status.upper() if seen.status in ("Exercise", "Test") else "",
    )
