"""How often a password may be tried: for each (account, address) some tries, then longer and longer waits.

Counted by the name that was typed, whether or not there is such an account, so that the answer tells nothing. Kept in
memory, bounded, oldest forgotten first: it slows guessing down and promises nothing.
"""

from __future__ import annotations

from collections import OrderedDict

from belltower.clock import Clock

FREE = 5
"""Wrong tries before the first wait."""

LONGEST = 900.0
"""Seconds."""


class Throttle:
    """Counts wrong tries."""

    def __init__(self, *, clock: Clock, entries: int = 10_000) -> None:
        self._clock = clock
        self._entries = entries
        self._wrong: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()

    def wait(self, account: str, address: str) -> float:
        """Seconds until the next try is heard; 0 when it may be now."""
        now = self._clock.monotonic()
        waits = [self._left(key, now, free) for key, free in self._keys(account, address)]
        return max(waits)

    def wrong(self, account: str, address: str) -> None:
        """Remember a wrong try."""
        for key, _ in self._keys(account, address):
            count, _then = self._wrong.pop(key, (0, 0.0))
            self._wrong[key] = (count + 1, self._clock.monotonic())
        while len(self._wrong) > self._entries:
            self._wrong.popitem(last=False)

    def right(self, account: str, address: str) -> None:
        """Forget the wrong tries of whoever got it right."""
        self._wrong.pop((account, address), None)

    @staticmethod
    def _keys(account: str, address: str) -> tuple[tuple[tuple[str, str], int], ...]:
        # One address guessing at many accounts is slowed down too, much later.
        return (((account, address), FREE), (("", address), FREE * 10))

    def _left(self, key: tuple[str, str], now: float, free: int) -> float:
        count, last = self._wrong.get(key, (0, 0.0))
        if count < free:
            return 0.0
        return max(0.0, last + min(2.0 ** (count - free), LONGEST) - now)
