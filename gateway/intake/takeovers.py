"""Two connections that throw each other off one name: a password that two hold, a unit built twice, or an impostor.

Once is a unit that comes back before its old connection was known to be dead. Again and again is a trouble, until it has
been quiet for a while.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Protocol

from belltower.clock import Clock

OFTEN = 3
"""So many takeovers of one name by one path within `WITHIN` seconds are a trouble."""
WITHIN = 600.0
KIND = "taken over"
_NAMES = 1024


class Standing(Protocol):
    """Where a trouble stands until it is over."""

    def stand(self, device: str, kind: str, *, why: str = "") -> None:
        """It is so from now on."""
        ...

    def over(self, device: str, kind: str) -> None:
        """It is not so any more."""
        ...


class Takeovers:
    """Who was taken over of late."""

    def __init__(self, *, clock: Clock, troubles: Standing) -> None:
        self._clock = clock
        self._troubles = troubles
        self._seen: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()
        self._fought: dict[str, float] = {}

    def seen(self, path: str, name: str) -> None:
        """A second connection took `name` by this path."""
        now = self._clock.monotonic()
        times = self._seen.setdefault((path, name[:80]), deque(maxlen=OFTEN))
        self._seen.move_to_end((path, name[:80]))
        times.append(now)
        if len(self._seen) > _NAMES:
            self._seen.popitem(last=False)
        if len(times) == OFTEN and now - times[0] <= WITHIN:
            self._fought[name[:80]] = now
            why = f"connections by {path} throw each other off this name; is its password held by two?"
            self._troubles.stand(name[:80], KIND, why=why)

    def look(self) -> None:
        """What has been quiet for long enough is over."""
        now = self._clock.monotonic()
        for name in [name for name, at in self._fought.items() if now - at > WITHIN]:
            del self._fought[name]
            self._troubles.over(name, KIND)
