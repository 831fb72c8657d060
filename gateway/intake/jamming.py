"""Several of one path that fall silent together look like jamming; what could not be read there meanwhile says how much."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from belltower.clock import Clock
from belltower.incident import facts
from belltower.incident.facts import Fact

JAMMED = 3
"""So many lost on one path within `JAM_WITHIN` seconds look like jamming."""
JAM_WITHIN = 60.0
JAM_SHOWN_EVERY = 600.0
NOISE_WITHIN = 180.0
"""Seconds of noise that count: whoever is jammed is known to be silent only a while later."""
_NOTED = 256


class Jamming:
    """Writes `JamSuspected`, seldom."""

    def __init__(
        self,
        *,
        clock: Clock,
        record: Callable[[Fact], object],
        closed: Callable[[str], bool] = lambda _: False,
    ) -> None:
        """Keep what it is made of; `closed` says whether a path is down, which is a reason of its own."""
        self._clock = clock
        self._record = record
        self._closed = closed
        self._lost: dict[str, deque[tuple[float, str]]] = {}
        self._noise: dict[str, deque[float]] = {}
        self._shown: dict[str, float] = {}

    def noise(self, path: str) -> None:
        """Something came by this path that nobody could read."""
        self._noise.setdefault(path, deque(maxlen=_NOTED)).append(self._clock.monotonic())

    def lost(self, path: str, name: str) -> None:
        """Whoever was last heard by this path is lost, for no reason that is known."""
        if self._closed(path):
            return
        now = self._clock.monotonic()
        lately = self._lost.setdefault(path, deque(maxlen=64))
        lately.append((now, name))
        together = tuple(sorted({each for at, each in lately if now - at <= JAM_WITHIN}))
        shown = self._shown.get(path)
        if len(together) < JAMMED or (shown is not None and now - shown < JAM_SHOWN_EVERY):
            return
        self._shown[path] = now
        noise = sum(now - at <= NOISE_WITHIN for at in self._noise.get(path, ()))
        self._record(facts.JamSuspected(path=path, devices=together, noise=noise))
