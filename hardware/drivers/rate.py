"""How much a source may say: a bucket for each, and never more buckets than can be held."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

MOST_SOURCES = 4_096


class Rates:
    """Token buckets by source. A source that fell silent for longest is forgotten first, which costs it nothing."""

    def __init__(
        self, *, per_second: float, burst: float, now: Callable[[], float], most: int = MOST_SOURCES
    ) -> None:
        self._rate = per_second
        self._burst = burst
        self._now = now
        self._most = most
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, source: str) -> float:
        """Take one; 0 when there was one, else the seconds until there is."""
        now = self._now()
        level, at = self._buckets.pop(source, (self._burst, now))
        level = min(self._burst, level + (now - at) * self._rate)
        short = level < 1.0
        self._buckets[source] = (level if short else level - 1.0, now)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return (1.0 - level) / self._rate if short else 0.0
