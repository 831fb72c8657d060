"""A shared radio channel: its times, how busy it is, and what gives way when it is. Pure, the time comes in as a number.

Counted is all that is known to have been on the air: what we sent, and every frame that our modem heard, whosever it
was. First sendings of a call or an update never ask; repeats, summaries, tests and heartbeats do.
"""

from __future__ import annotations

from collections import deque

from msgspec import Struct

from hardware.codecs import kiss

WINDOW = 60.0
"""Seconds over which the load is measured."""


class Channel(Struct, frozen=True, kw_only=True):
    """A shared channel and its speed."""

    # Bits per second.
    rate: int
    # Seconds keyed before the first bit and after the last.
    txdelay: float = 0.3
    tail: float = 0.1

    # The share of the channel's time above which what can wait gives way; see `Governor`.
    load_limit: float = 0.7

    def airtime(self, octets: int) -> float:
        """Seconds on the air for one frame; 3 % are for stuffed bits."""
        return self.txdelay + octets * 8 / self.rate * 1.03 + self.tail


class ModemParameters(Struct, frozen=True, kw_only=True):
    """What the modem is told whenever its line opens, as KISS knows it; None: it keeps its own."""

    # Seconds, in steps of 10 ms.
    txdelay: float | None = None
    tail: float | None = None
    slot: float | None = None
    # The chance of keying in a free slot is (persistence + 1) / 256.
    persistence: int | None = None

    def octets(self) -> bytes:
        """The KISS frames that say so."""
        said = (
            (kiss.TXDELAY, _hundredths(self.txdelay)),
            (kiss.PERSISTENCE, self.persistence),
            (kiss.SLOT, _hundredths(self.slot)),
            (kiss.TXTAIL, _hundredths(self.tail)),
        )
        return b"".join(
            kiss.encode(bytes([value]), command=command) for command, value in said if value is not None
        )


def _hundredths(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 100)


class Load(Struct, frozen=True, kw_only=True):
    """Shares of the channel's time, 0 to 1."""

    ours: float
    others: float

    @property
    def all(self) -> float:
        """How busy the channel is."""
        return min(self.ours + self.others, 1.0)


class Governor:
    """The measured load of one channel. It is bounded: one entry a second."""

    def __init__(self, *, limit: float, patience: float, window: float = WINDOW) -> None:
        self._limit = limit
        self._patience = patience
        self._window = window
        # Second, airtime of ours in it, airtime of others.
        self._seconds: deque[list[float]] = deque()
        self._sums = [0.0, 0.0]
        self._since: float | None = None

    def ours(self, airtime: float, *, now: float) -> None:
        """We have sent something that takes so long."""
        self._count(0, airtime, now)

    def others(self, airtime: float, *, now: float) -> None:
        """Something was heard that took so long."""
        self._count(1, airtime, now)

    def load(self, now: float) -> Load:
        """The shares of the last minute."""
        self._forget(now)
        ours, others = (min(max(total / self._window, 0.0), 1.0) for total in self._sums)
        return Load(ours=ours, others=others)

    def loaded(self, now: float) -> bool:
        """Whether the channel is so busy that what can wait waits."""
        return self.load(now).all > self._limit

    def waits(self, now: float) -> bool:
        """Whether what can wait should wait now. Never longer than the patience: then one thing may go."""
        if not self.loaded(now):
            self._since = None
            return False
        if self._since is None:
            self._since = now
        if now - self._since < self._patience:
            return True
        self._since = None
        return False

    def _count(self, whose: int, airtime: float, now: float) -> None:
        self._forget(now)
        second = float(int(now))
        if not self._seconds or self._seconds[-1][0] != second:
            self._seconds.append([second, 0.0, 0.0])
        self._seconds[-1][1 + whose] += airtime
        self._sums[whose] += airtime

    def _forget(self, now: float) -> None:
        while self._seconds and self._seconds[0][0] <= now - self._window:
            _, ours, others = self._seconds.popleft()
            self._sums[0] -= ours
            self._sums[1] -= others
