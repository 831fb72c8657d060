"""The time, taken from outside, so that tests can bend it.

At rest and in facts a time is an `Instant`: whole microseconds since 1970-01-01T00:00:00Z. Timers never use it:
they run on the event loop's monotonic time (`asyncio.sleep`, `asyncio.timeout`, `loop.call_later`), so that a
stepped wall clock moves no deadline.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import NewType, Protocol

Instant = NewType("Instant", int)
"""Microseconds since the epoch, UTC."""

SECOND = 1_000_000
"""One second, in microseconds."""


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> Instant:
        """The wall clock, for what is written down. May step either way."""
        ...

    def monotonic(self) -> float:
        """Seconds since some start; never steps back."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> Instant:
        """The wall clock."""
        return Instant(time.time_ns() // 1000)

    def monotonic(self) -> float:
        """The monotonic clock, the same that the event loop uses."""
        return time.monotonic()  # noqa: TID251 - the one place


def aware(at: Instant) -> datetime:
    """`at` as an aware datetime in UTC, for showing to people."""
    return datetime.fromtimestamp(at / SECOND, tz=UTC)
