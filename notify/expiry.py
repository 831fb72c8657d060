"""Until when a notice is worth sending, whatever the wall clock does meanwhile."""

from __future__ import annotations

from collections import OrderedDict

from belltower.clock import SECOND, Clock, Instant
from belltower.ids import NoticeId

_REMEMBERED = 10_000


class Expiry:
    """A notice is too late `ttl` seconds after it was ordered."""

    def __init__(self, *, ttl: float, clock: Clock) -> None:
        self._ttl = ttl
        self._clock = clock
        self._until: OrderedDict[tuple[NoticeId, int, Instant], float] = OrderedDict()

    def until(self, notice: NoticeId, revision: int, ordered_at: Instant, now: float) -> float:
        """The loop's time after which it is too late; once told, a stepped wall clock moves it no more."""
        key = (notice, revision, ordered_at)
        until = self._until.get(key)
        if until is None:
            age = max(0.0, (self._clock.now() - ordered_at) / SECOND)
            until = self._until[key] = now + self._ttl - age
            if len(self._until) > _REMEMBERED:
                self._until.popitem(last=False)
        return until
