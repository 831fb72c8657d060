"""What a person must look at: written down once in a while, however often it is said."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Callable

from belltower import log
from belltower.clock import Clock
from belltower.incident import facts
from belltower.incident.facts import Fact

_log = log.get("devices")

SHOWN_EVERY = 60.0
"""Seconds between two notes of the same trouble of the same device."""
SELDOM = {"stuck": 3600.0, "unbound press": 3600.0, "low battery": 24 * 3600.0, "open to joining": 3600.0}
"""Where once a minute would be too often."""
MOST_A_MINUTE = 120
"""Notes of all devices together: a thousand devices that talk rubbish fill no journal either."""
REMEMBERED = 4_096


class Troubles:
    """Writes `DeviceTrouble` facts, and holds back what was just written. What is held back is counted."""

    def __init__(self, *, record: Callable[[Fact], object], clock: Clock, counts: Counter[str]) -> None:
        self._record = record
        self._clock = clock
        self._counts = counts
        self._noted: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._lately: deque[float] = deque(maxlen=MOST_A_MINUTE)

    def note(self, device: str, kind: str, *, why: str = "", profile: str = "") -> bool:
        """Write it down unless that was done lately; whether it was."""
        self._counts[f"trouble_{kind.replace(' ', '_')}"] += 1
        now = self._clock.monotonic()
        last = self._noted.get((device, kind))
        if last is not None and now - last < SELDOM.get(kind, SHOWN_EVERY):
            return False
        if len(self._lately) == MOST_A_MINUTE and now - self._lately[0] < 60.0:
            self._counts["troubles_held_back"] += 1
            return False
        self._lately.append(now)
        self._noted[device, kind] = now
        self._noted.move_to_end((device, kind))
        if len(self._noted) > REMEMBERED:
            self._noted.popitem(last=False)
        _log.warning("device_trouble", device=device, kind=kind)
        self._record(facts.DeviceTrouble(device=device, kind=kind, why=why[:200], profile=profile))
        return True

    def over(self, device: str, kind: str) -> None:
        """It is past: when it comes again it is news."""
        self._noted.pop((device, kind), None)
