"""Times as people read them."""

from __future__ import annotations

from datetime import tzinfo

from belltower.clock import Instant, aware


def wall(at: Instant | None, zone: tzinfo) -> str:
    """The time on the school's wall: "14:03:22"."""
    return "" if at is None else aware(at).astimezone(zone).strftime("%H:%M:%S")


def day(at: Instant | None, zone: tzinfo) -> str:
    """Day and time: "22 Nov 2026, 14:03:22"."""
    return "" if at is None else aware(at).astimezone(zone).strftime("%-d %b %Y, %H:%M:%S")


def ago(microseconds: int) -> str:
    """How long ago, in one unit."""
    seconds = max(microseconds // 1_000_000, 0)
    if seconds < 90:
        return f"{seconds} s ago"
    if seconds < 5400:
        return f"{round(seconds / 60)} min ago"
    if seconds < 36 * 3600:
        return f"{round(seconds / 3600)} h ago"
    return f"{round(seconds / 86_400)} days ago"
