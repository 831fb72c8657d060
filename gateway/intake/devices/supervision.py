"""Which foreign devices are alive. Each may be silent for as long as its profile or the site package says.

A device lost takes along what is heard through it: its children are unsupervised from then on, and so is what a lost
path brought. Each is back only when it is heard itself. One task looks after all of them, by deadlines, not by turns.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from msgspec import Struct

from belltower.clock import Clock
from belltower.incident import facts
from belltower.incident.facts import Fact

CHILDREN_AFTER = 30.0
"""Seconds after a parent or a path was lost until what is heard through it counts as lost."""
WEAK = 4 * 3600.0
"""Seconds of silence that alarm practice allows; whoever may be silent for longer is weakly supervised."""
JAMMED = 3
"""So many devices of one path lost within `JAM_WITHIN` seconds look like jamming."""
JAM_WITHIN = 60.0
JAM_SHOWN_EVERY = 600.0
AT_ONCE = 500
"""Losses that are written down in one look; the rest waits for the next."""
LOOK_EVERY = 1.0

Strength = Literal["strong", "weak", "none"]


class Watched(Struct, frozen=True, kw_only=True):
    """A device as supervision sees it."""

    id: str
    # Seconds that it may be silent; 0: it is not supervised by its own silence.
    late_after: float = 0.0
    parent: str = ""

    @property
    def strength(self) -> Strength:
        """How much its silence tells."""
        if self.late_after <= 0:
            return "none"
        return "weak" if self.late_after > WEAK else "strong"


class Heard(Struct):
    """What is known of one device's silence. Times are those of the monotonic clock."""

    at: float | None = None
    path: str = ""
    lost: bool = False
    # The parent or path that is the reason; "" where it is the device itself.
    because: str = ""


class DeviceSupervision:
    """When each device was last heard. `resume` what an earlier process knew, then run `watch`."""

    def __init__(
        self,
        *,
        watched: Mapping[str, Watched],
        clock: Clock,
        record: Callable[[Fact], object],
        changed: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Keep what it is made of; `changed` hears the name of every device that was heard or lost."""
        self._watched = watched
        self._clock = clock
        self._record = record
        self._changed = changed
        self._began = clock.monotonic()
        self._heard: dict[str, Heard] = {}
        self._children: dict[str, list[str]] = {}
        for device in watched.values():
            if device.parent:
                self._children.setdefault(device.parent, []).append(device.id)
        # The next deadline of every supervised device that is not lost, each once; None before the first look.
        self._deadlines: list[tuple[float, str]] | None = None
        self._expected: set[str] = set()
        # Parents and paths whose children are looked at in a while: (when, since, name, whether a path).
        self._orphaned: deque[tuple[float, float, str, bool]] = deque()
        self._to_lose: deque[tuple[str, str, float]] = deque()
        self._down: set[str] = set()
        self._recent: dict[str, deque[tuple[float, str]]] = {}
        self._jam_shown: dict[str, float] = {}
        self.wired: set[str] = set()
        """Paths that are cables: nothing can be jammed there."""

    def of(self, device: str) -> Heard:
        """What is known of the device; it is not to be changed."""
        return self._heard.get(device) or Heard()

    @property
    def lost(self) -> Iterable[str]:
        """The devices that are lost now."""
        return (name for name, heard in self._heard.items() if heard.lost)

    def resume(self, device: str, *, silent: float | None, path: str, lost: bool, because: str) -> None:
        """What an earlier process knew; `silent`: seconds without a sign of life while it ran, None: never heard."""
        known = self._watched.get(device)
        if known is None:
            return
        at = self._began - silent if silent is not None else None
        self._heard[device] = Heard(at=at, path=path, lost=lost, because=because)
        if lost:
            self._orphan(device, is_path=False)

    def heard(self, device: str, path: str) -> None:
        """The device itself said something, live."""
        if device not in self._watched:
            return
        now = self._clock.monotonic()
        heard = self._heard.setdefault(device, Heard())
        heard.at, heard.path = now, path
        self._expect(device)
        if heard.lost:
            heard.lost, heard.because = False, ""
            self._record(facts.DeviceRestored(device=device))
        self._changed(device)

    def offline(self, device: str) -> None:
        """Somebody who must know says that the device is gone."""
        if device in self._watched and not self.of(device).lost:
            self._lose(device, "", self._clock.monotonic())

    def path_lost(self, path: str) -> None:
        """Nothing can be heard on this path."""
        if path not in self._down:
            self._down.add(path)
            self._orphan(path, is_path=True)

    def path_restored(self, path: str) -> None:
        """The path is open again; who was heard on it is back when it is heard."""
        self._down.discard(path)

    async def watch(self) -> None:
        """Look for silent devices for ever."""
        if not self._watched:
            await asyncio.get_running_loop().create_future()  # there is nobody to look for
        while True:
            await asyncio.sleep(LOOK_EVERY)
            self.look()

    def look(self) -> None:
        """Write down what has just become lost."""
        now = self._clock.monotonic()
        if self._deadlines is None:
            self._deadlines = []
            for device in self._watched:
                self._expect(device)
        while self._deadlines and self._deadlines[0][0] <= now:
            _, device = heapq.heappop(self._deadlines)
            self._expected.discard(device)
            if self._due(device) > now:
                self._expect(device)
            elif not self.of(device).lost:
                self._to_lose.append((device, self._reason(device), now))
        while self._orphaned and self._orphaned[0][0] <= now:
            self._take_along(*self._orphaned.popleft()[1:])
        for _ in range(min(AT_ONCE, len(self._to_lose))):
            device, because, since = self._to_lose.popleft()
            heard = self.of(device)
            if not heard.lost and (heard.at is None or heard.at < since):
                self._lose(device, because, now)

    def _reason(self, device: str) -> str:
        parent = self._watched[device].parent
        if parent and self.of(parent).lost:
            return parent
        path = self.of(device).path
        return path if path in self._down else ""

    def _due(self, device: str) -> float:
        heard = self.of(device)
        return (heard.at if heard.at is not None else self._began) + self._watched[device].late_after

    def _expect(self, device: str) -> None:
        if self._deadlines is None or device in self._expected or not self._watched[device].late_after:
            return
        self._expected.add(device)
        heapq.heappush(self._deadlines, (self._due(device), device))

    def _orphan(self, name: str, *, is_path: bool) -> None:
        if is_path or name in self._children:
            now = self._clock.monotonic()
            self._orphaned.append((now + CHILDREN_AFTER, now, name, is_path))

    def _take_along(self, since: float, name: str, is_path: bool) -> None:
        """Lose what was heard through a parent or path that is still lost, and was not heard since."""
        if is_path:
            if name in self._down:
                through = [device for device, heard in self._heard.items() if heard.path == name]
                self._to_lose += [(device, name, since) for device in through]
        elif self.of(name).lost:
            self._to_lose += [(child, name, since) for child in self._children[name]]

    def _lose(self, device: str, because: str, now: float) -> None:
        heard = self._heard.setdefault(device, Heard())
        heard.lost, heard.because = True, because
        silent = round(now - heard.at, 1) if heard.at is not None else -1.0
        self._record(facts.DeviceLost(device=device, silent_for=silent, parent=because))
        self._changed(device)
        self._orphan(device, is_path=False)
        if not because and heard.path and heard.path not in self.wired:
            self._suspect_jam(heard.path, device, now)

    def _suspect_jam(self, path: str, device: str, now: float) -> None:
        recent = self._recent.setdefault(path, deque(maxlen=64))
        recent.append((now, device))
        together = tuple(sorted({name for at, name in recent if now - at <= JAM_WITHIN}))
        shown = self._jam_shown.get(path)
        if len(together) >= JAMMED and (shown is None or now - shown >= JAM_SHOWN_EVERY):
            self._jam_shown[path] = now
            self._record(facts.JamSuspected(path=path, devices=together))
