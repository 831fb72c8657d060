"""A button that is stuck presses a hundred times a second: it is flagged, never muted, and holds up nobody."""

from __future__ import annotations

from msgspec import Struct

from belltower.clock import Clock

TOO_MANY = 10
"""Presses of one device within `WITHIN` seconds that no hand makes."""
WITHIN = 2.0
ALARMS_EVERY = 5.0
"""Seconds between two alarms of a stuck button; what it says in between belongs to the one before."""


class _Presses(Struct):
    began: float
    count: int = 0
    stuck: bool = False
    alarmed: float = 0.0


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
            presses = self._presses[device] = _Presses(began=now)
        just = False
        if now - presses.began > WITHIN:
            presses.stuck = presses.stuck and presses.count > TOO_MANY
            presses.began, presses.count = now, 0
        presses.count += 1
        if presses.count > TOO_MANY and not presses.stuck:
            presses.stuck = just = True
        if presses.stuck and now - presses.alarmed < ALARMS_EVERY:
            return False, just
        presses.alarmed = now
        return True, just

    def stuck(self, device: str) -> bool:
        """Whether it presses faster than a hand can, now."""
        presses = self._presses.get(device)
        return presses is not None and presses.stuck and self._clock.monotonic() - presses.began <= 2 * WITHIN
