"""A button that is stuck presses a hundred times a second: it is flagged, never muted, and holds up nobody."""

from __future__ import annotations

from msgspec import Struct

from belltower.clock import Clock

TOO_MANY = 10
"""Presses of one device within `WITHIN` seconds that no hand makes."""
WITHIN = 2.0
TOO_MANY_SLOWLY = 60
"""Presses of one device within `SLOWLY_WITHIN` seconds: slow for a fault, and for a hand too long."""
SLOWLY_WITHIN = 60.0
ALARMS_EVERY = 5.0
"""Seconds between two alarms of a stuck button; what it says in between belongs to the one before."""


class _Window(Struct):
    within: float
    most: int
    began: float
    count: int = 0
    over: bool = False

    def press(self, now: float) -> None:
        """Count one."""
        if now - self.began > self.within:
            self.over = self.over and self.count > self.most
            self.began, self.count = now, 0
        self.count += 1
        self.over = self.over or self.count > self.most


class _Presses(Struct):
    fast: _Window
    slow: _Window
    alarmed: float = 0.0

    @property
    def stuck(self) -> bool:
        """More than a hand makes."""
        return self.fast.over or self.slow.over


class StuckButtons:
    """Counts the presses of each device."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._presses: dict[str, _Presses] = {}

    def pressed(self, device: str) -> tuple[bool, bool]:
        """Count a press: whether it is to alarm, and whether the device has just turned out to be stuck."""
        now = self._clock.monotonic()
        presses = self._presses.get(device)
        if presses is None:
            presses = self._presses[device] = _Presses(
                fast=_Window(within=WITHIN, most=TOO_MANY, began=now),
                slow=_Window(within=SLOWLY_WITHIN, most=TOO_MANY_SLOWLY, began=now),
            )
        before = presses.stuck
        presses.fast.press(now)
        presses.slow.press(now)
        just = presses.stuck and not before
        if presses.stuck and now - presses.alarmed < ALARMS_EVERY:
            return False, just
        presses.alarmed = now
        return True, just

    def stuck(self, device: str) -> bool:
        """Whether it presses faster than a hand can, now."""
        presses = self._presses.get(device)
        if presses is None:
            return False
        now = self._clock.monotonic()
        return any(each.over and now - each.began <= 2 * each.within for each in (presses.fast, presses.slow))
