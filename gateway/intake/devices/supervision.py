"""Which foreign devices are alive. Each may be silent for as long as its profile or the site package says.

When a device is lost, how those behind it are is not known from then on, nor how those are whom a lost path brought.
Each is back only when it is heard itself; who is not, once the way is open again, is lost by its own silence. One task
looks after all of them, by deadlines, not by turns.
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
from gateway.intake.jamming import Jamming

CHILDREN_AFTER = 30.0
"""Seconds after a parent or a path was lost until what is heard through it counts as lost."""
WEAK = 4 * 3600.0
"""Seconds of silence that alarm practice allows; whoever may be silent for longer is weakly supervised."""
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
    # The parent or path that is the reason, so that no more is known; "" where it is the device itself.
    because: str = ""
    # When that parent or path was back: from then on silence is the device's own.
    since: float = 0.0


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
        self.jamming = Jamming(clock=clock, record=record)
        self.wired: set[str] = set()
        """Paths that are cables: nothing can be jammed there."""

    def of(self, device: str) -> Heard:
        """What is known of the device; it is not to be changed."""
        return self._heard.get(device) or Heard()

    @property
    def lost(self) -> Iterable[str]:
        """The devices that are lost now, by their own silence or on somebody's word."""
        return (name for name, heard in self._heard.items() if heard.lost and not heard.because)

    @property
    def unknown(self) -> Iterable[str]:
        """The devices that cannot be heard because of another that is lost."""
        return (name for name, heard in self._heard.items() if heard.lost and heard.because)

    def resume(self, device: str, *, silent: float | None, path: str, lost: bool, because: str) -> None:
        """What an earlier process knew; `silent`: seconds without a sign of life while it ran, None: never heard."""
        known = self._watched.get(device)
        if known is None:
            return
        at = self._began - silent if silent is not None else None
        self._heard[device] = Heard(at=at, path=path, lost=lost, because=because, since=self._began)
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
            self._opened(device, self._children.get(device, ()))
        self._changed(device)

    def offline(self, device: str) -> None:
        """Somebody who must know says that the device is gone."""
        if device in self._watched and (not self.of(device).lost or self.of(device).because):
            self._lose(device, self._clock.monotonic())

    def path_lost(self, path: str) -> None:
        """Nothing can be heard on this path."""
        if path not in self._down:
            self._down.add(path)
            self._orphan(path, is_path=True)

    def path_restored(self, path: str) -> None:
        """The path is open again; who was heard on it is back when it is heard."""
        self._down.discard(path)
        self._opened(path, [device for device, heard in self._heard.items() if heard.because == path])

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
            else:
                self._to_lose.append((device, self._reason(device), now))
        while self._orphaned and self._orphaned[0][0] <= now:
            self._take_along(*self._orphaned.popleft()[1:])
        unknown: dict[str, list[str]] = {}
        for _ in range(min(AT_ONCE, len(self._to_lose))):
            device, because, since = self._to_lose.popleft()
            heard = self.of(device)
            if heard.at is not None and heard.at >= since:
                continue
            if not heard.lost and because:
                self._not_known(device, because)
                unknown.setdefault(because, []).append(device)
            elif not because and (not heard.lost or (heard.because and not self._gone(heard.because))):
                self._lose(device, now)
        for because, devices in unknown.items():
            self._record(facts.DevicesUnknown(because=because, devices=tuple(devices)))

    def _reason(self, device: str) -> str:
        parent, path = self._watched[device].parent, self.of(device).path
        return next((one for one in (parent, path) if one and self._gone(one)), "")

    def _gone(self, name: str) -> bool:
        """Whether this parent or path is lost."""
        return name in self._down or self.of(name).lost

    def _due(self, device: str) -> float:
        heard = self.of(device)
        silent_since = heard.at if heard.at is not None else self._began
        if heard.because:
            silent_since = max(silent_since, heard.since)
        return silent_since + self._watched[device].late_after

    def _opened(self, name: str, devices: Iterable[str]) -> None:
        """What they hang on is back: from now on each may be silent for as long as ever, and no longer."""
        now = self._clock.monotonic()
        for device in devices:
            heard = self.of(device)
            if heard.because == name:
                heard.since = now
                self._expect(device)

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

    def _lose(self, device: str, now: float) -> None:
        heard = self._heard.setdefault(device, Heard())
        heard.lost, heard.because = True, ""
        silent = round(now - heard.at, 1) if heard.at is not None else -1.0
        self._record(facts.DeviceLost(device=device, silent_for=silent))
        self._changed(device)
        self._orphan(device, is_path=False)
        if heard.path and heard.path not in self.wired:
            self.jamming.lost(heard.path, device)

    def _not_known(self, device: str, because: str) -> None:
        heard = self._heard.setdefault(device, Heard())
        heard.lost, heard.because, heard.since = True, because, 0.0
        self._changed(device)
        self._orphan(device, is_path=False)
