"""Which of a unit's counters were heard: a window of 64 below the highest, within one epoch.

Epoch 0 is spoken by units that have lost their memory, and may count what they counted before: it is always stale.
"""

from __future__ import annotations

from enum import Enum

from msgspec import Struct

WIDTH = 64
"""How many counters back a late frame may still be told from a replayed one."""

_ALL = (1 << WIDTH) - 1
_SIGN = 1 << (WIDTH - 1)


class Judgement(Enum):
    """What the window says of a frame whose MAC is right."""

    FRESH = "fresh"
    """Never heard: act, and store `after()` in the same commit."""
    SEEN = "seen"
    """Heard before: the same ACK again, nothing else."""
    STALE = "stale"
    """Too old to tell: challenge the unit."""


class ReplayWindow(Struct, frozen=True, kw_only=True):
    """What was heard of one unit. Bit n of `bitmap` is the counter `highest` - n. The default has heard nothing."""

    epoch: int = 0
    highest: int = 0
    bitmap: int = 0

    def judge(self, epoch: int, counter: int) -> Judgement:
        """Whether this counter is new, known, or out of the window."""
        if epoch == 0:
            return Judgement.STALE
        if epoch != self.epoch:
            return Judgement.FRESH if epoch > self.epoch else Judgement.STALE
        back = self.highest - counter
        if back < 0:
            return Judgement.FRESH
        if back >= WIDTH:
            return Judgement.STALE
        return Judgement.SEEN if self.bitmap >> back & 1 else Judgement.FRESH

    def after(self, epoch: int, counter: int) -> ReplayWindow:
        """The window once this counter was heard; itself when that teaches nothing."""
        if self.judge(epoch, counter) is not Judgement.FRESH:
            return self
        if epoch > self.epoch:
            return ReplayWindow(epoch=epoch, highest=counter, bitmap=1)
        ahead = counter - self.highest
        if ahead > 0:
            shifted = self.bitmap << ahead & _ALL if ahead < WIDTH else 0
            return ReplayWindow(epoch=epoch, highest=counter, bitmap=shifted | 1)
        return ReplayWindow(epoch=epoch, highest=self.highest, bitmap=self.bitmap | 1 << -ahead)

    def stored(self) -> tuple[int, int, int]:
        """Epoch, highest and bitmap as a database keeps them: the bitmap as a signed number of 64 bits."""
        return self.epoch, self.highest, (self.bitmap ^ _SIGN) - _SIGN

    @classmethod
    def restored(cls, epoch: int, highest: int, bitmap: int) -> ReplayWindow:
        """The window that `stored()` gave."""
        return cls(epoch=epoch, highest=highest, bitmap=bitmap & _ALL)
