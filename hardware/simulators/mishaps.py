"""What happens to messages between a device and us: some twice, some never, some out of order. Drawn by a seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from random import Random

import msgspec

from hardware.simulators.spoken import Spoken

_POOL = 4


class Mishaps:
    """Lets messages through as a bad network would; the same seed does the same."""

    def __init__(
        self,
        *,
        random: Random,
        duplicates: int = 0,
        gaps: float = 0.0,
        shuffle: bool = False,
        retained: bool = False,
    ) -> None:
        """Keep what is drawn from.

        Each message comes `duplicates` times more, or by the share `gaps` not at all; with `shuffle` later ones overtake
        up to three earlier ones; `retained` marks each as kept by the broker.
        """
        self._random = random
        self._duplicates = duplicates
        self._gaps = gaps
        self._shuffle = shuffle
        self._retained = retained
        self._pool: list[Spoken] = []
        self.counts: Counter[str] = Counter()

    def through(self, message: Spoken, *, duplicates: int = 0, retained: bool = False) -> Iterator[Spoken]:
        """What arrives once this one has been sent; `duplicates` and `retained` of this one, besides."""
        if self._random.random() < self._gaps:
            self.counts["lost"] += 1
            return
        if retained or self._retained:
            message = msgspec.structs.replace(message, retained=True)
        more = self._duplicates + duplicates
        self.counts["duplicates"] += more
        for _ in range(1 + more):
            if not self._shuffle:
                yield message
                continue
            self._pool.append(message)
            if len(self._pool) >= _POOL:
                yield self._drawn()

    def rest(self) -> Iterable[Spoken]:
        """What is still on its way, now that nothing more will be sent."""
        while self._pool:
            yield self._drawn()

    def _drawn(self) -> Spoken:
        place = self._random.randrange(len(self._pool))
        self.counts["overtaken"] += place > 0
        return self._pool.pop(place)
