"""What a person must look at: written down once in a while, however often it is said."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Mapping

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
"""Notes of all devices of ours together: a thousand devices that talk rubbish fill no journal either."""
MOST_OF_STRANGERS = 30
"""The same of whom the site package does not name: anybody can be many of them, and none of ours may be held back for that."""
REMEMBERED = 4_096


class Troubles:
    """Writes `DeviceTrouble` facts, and holds back what was just written. What is held back is counted."""

    def __init__(self, *, record: Callable[[Fact], object], clock: Clock, counts: Counter[str]) -> None:
        self._record = record
        self._clock = clock
        self._counts = counts
        self._noted: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._lately: deque[float] = deque(maxlen=MOST_A_MINUTE)
        self._strangers: deque[float] = deque(maxlen=MOST_OF_STRANGERS)
        self._standing: OrderedDict[str, dict[str, str]] = OrderedDict()

    def note(self, device: str, kind: str, *, why: str = "", profile: str = "", ours: bool = True) -> bool:
        """Write it down unless that was done lately; whether it was."""
        self._counts[f"trouble_{kind.replace(' ', '_')}"] += 1
        now = self._clock.monotonic()
        last = self._noted.get((device, kind))
        if last is not None and now - last < SELDOM.get(kind, SHOWN_EVERY):
            return False
        lately = self._lately if ours else self._strangers
        if len(lately) == lately.maxlen and now - lately[0] < 60.0:
            self._counts["troubles_held_back"] += 1
            return False
        lately.append(now)
        self._noted[device, kind] = now
        self._noted.move_to_end((device, kind))
        if len(self._noted) > REMEMBERED:
            self._noted.popitem(last=False)
        _log.warning("device_trouble", device=device, kind=kind)
        self._record(facts.DeviceTrouble(device=device, kind=kind, why=why[:200], profile=profile))
        return True

    def stand(self, device: str, kind: str, *, why: str = "", profile: str = "", ours: bool = True) -> None:
        """It is so from now on, until `over`; written down once."""
        standing = self._standing.setdefault(device, {})
        if kind in standing:
            return
        standing[kind] = why[:200]
        if len(self._standing) > REMEMBERED:
            self._standing.popitem(last=False)
        self.note(device, kind, why=why, profile=profile, ours=ours)

    def over(self, device: str, kind: str, *, stood: bool = False) -> None:
        """It is past: when it comes again it is news. `stood`: an earlier process wrote down that it was so."""
        self._noted.pop((device, kind), None)
        standing = self._standing.get(device, {})
        stood |= standing.pop(kind, None) is not None
        if not standing:
            self._standing.pop(device, None)
        if stood:
            self._record(facts.DeviceTroubleOver(device=device, kind=kind))

    @property
    def standing(self) -> Mapping[str, Mapping[str, str]]:
        """What stands now: by device, the kinds with their reasons."""
        return self._standing
