"""How many messages one provider is handed at once, and when it is asked again after trouble. Pure; times are the loop's."""

from __future__ import annotations

from random import Random

_FIRST = 16
_UNCERTAIN_RUN = 3
_LONGEST_PAUSE = 30.0
# Rows are leased when at least one in so many places is free, or half of the line has moved up: a commit is shared.
_SHARE = 4
# What has its row and waits for a place in flight: at most what leaves in so many seconds, and so many windows of it.
# It is what a kill makes uncertain besides what is in flight.
_AHEAD = 0.05
_MOST_AHEAD = 16


class Window:
    """The window opens with every success and closes to one at trouble.

    So a provider in trouble is asked by one message at a time, and little becomes uncertain. While it is open and
    steady, some more messages have their rows and stand in line, so that a place is never free for long.
    """

    def __init__(self, *, at_once: int, random: Random) -> None:
        """`at_once` is the widest."""
        self._at_once = at_once
        self._random = random
        self._size = min(_FIRST, at_once)
        # It is as wide as can be, and nothing has gone wrong since.
        self._steady = False
        self._troubles = 0
        self._uncertain_run = 0
        self.latency = _AHEAD
        """Seconds that a message takes, of late."""
        self.worth_at = 0.0
        """So few in flight and in line are worth a lease."""
        self.paused_until = 0.0
        self.trouble = ""
        """Why the provider is pausing, or nothing."""

    def free(self, flying: int) -> int:
        """Places in flight or in line, as soon as they are worth a commit."""
        ahead = min(_MOST_AHEAD, 1 + _AHEAD / (self.latency + 1e-4)) if self._steady else 1.0
        places = int(self._size * ahead)
        self.worth_at = places - max(places / _SHARE, (places - self._size) / 2)
        return places - flying if not flying or flying <= self.worth_at else 0

    def took(self, seconds: float) -> None:
        """A message had its answer."""
        self.latency += (seconds - self.latency) / 16

    def well(self, now: float) -> bool:
        """The provider has answered. Whether that ends a trouble.

        What it answers while it rests was asked before: others take over from it until it has answered anew.
        """
        if now < self.paused_until:
            return False
        self._troubles = self._uncertain_run = 0
        if not self._steady:
            self._size = min(self._size + 1, self._at_once)
            self._steady = self._size == self._at_once
        ended, self.trouble = bool(self.trouble), ""
        return ended

    def uncertain(self) -> bool:
        """It has not answered. Whether that was once too often, and it should pause."""
        self._uncertain_run += 1
        self._close(max(1, self._size // 2))
        return self._uncertain_run >= _UNCERTAIN_RUN

    def pause(self, reason: str, after: float | None, now: float) -> bool:
        """Let the provider rest, `after` seconds if it asked for that. Whether its trouble is another one now."""
        self._troubles += 1
        wait = min(_LONGEST_PAUSE, 0.25 * 2 ** min(self._troubles, 10)) * self._random.uniform(0.5, 1.0)
        self.paused_until = max(self.paused_until, now + (wait if after is None else after))
        self._close(1)
        other, self.trouble = reason != self.trouble, reason
        return other

    def _close(self, size: int) -> None:
        self._size, self._steady = size, False
