"""How often a password may be tried: for each (account, address) some tries, then longer and longer waits.

Counted by the name that was typed, whether or not there is such an account, so that the answer tells nothing. A whole
school may sign in through one address, so an address is slowed down late and never for long. What was counted fades:
half of it is forgotten in a quarter of an hour. Kept in memory, bounded, oldest forgotten first: it slows guessing
down and promises nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from math import exp2

from msgspec import Struct

from belltower.clock import Clock

HALF_LIFE = 900.0
"""Seconds in which half of the wrong tries are forgotten."""


class Patience(Struct, frozen=True, kw_only=True):
    """What wrong tries cost."""

    # Wrong tries before the first wait.
    free: int
    # Seconds.
    longest: float


ACCOUNT = Patience(free=5, longest=900.0)
"""For one account from one address."""

ADDRESS = Patience(free=50, longest=30.0)
"""For all that comes from one address: everybody behind it waits."""


class Throttle:
    """Counts wrong tries."""

    def __init__(self, *, clock: Clock, entries: int = 10_000) -> None:
        self._clock = clock
        self._entries = entries
        self._wrong: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    def wait(self, account: str, address: str) -> float:
        """Seconds until the next try is heard; 0 when it may be now."""
        return max(self._left((account, address), ACCOUNT), self._left(("", address), ADDRESS))

    def wrong(self, account: str, address: str) -> None:
        """Remember a wrong try."""
        now = self._clock.monotonic()
        for key in ((account, address), ("", address)):
            count = self._count(key)
            self._wrong.pop(key, None)
            self._wrong[key] = (count + 1, now)
        while len(self._wrong) > self._entries:
            self._wrong.popitem(last=False)

    def right(self, account: str, address: str) -> None:
        """Forget this account's wrong tries from there. What was tried at other accounts still counts."""
        forgiven = self._count((account, address))
        self._wrong.pop((account, address), None)
        if ("", address) in self._wrong:
            left = max(0.0, self._count(("", address)) - forgiven)
            self._wrong["", address] = (left, self._clock.monotonic())

    def _count(self, key: tuple[str, str]) -> float:
        """Wrong tries that are not forgotten yet."""
        count, last = self._wrong.get(key, (0.0, 0.0))
        return count * exp2((last - self._clock.monotonic()) / HALF_LIFE)

    def _left(self, key: tuple[str, str], patience: Patience) -> float:
        count, last = self._wrong.get(key, (0.0, 0.0))
        beyond = round(count) - patience.free
        if beyond < 0:
            return 0.0
        # The exponent is bounded, or a patient guesser would end in an overflow.
        return max(0.0, last + min(2.0 ** min(beyond, 16), patience.longest) - self._clock.monotonic())
