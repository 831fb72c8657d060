"""The texts of the simulated carrier: each is queued, sent, and delivered or not."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from random import Random

from gateway.carrier.records import CarrierOptions, Faults, Text

_MOST_TEXTS = 100_000

Report = Callable[[Text, str], None]
"""Tells what became of a text: its status."""


class TextCentre:
    """Takes texts and brings them to phones, one after another where there is a gap to keep."""

    def __init__(
        self,
        *,
        options: CarrierOptions,
        faults: Callable[[], Faults],
        report: Report,
        taken: Callable[[], None],
        random: Random,
    ) -> None:
        """`taken` hears of each one taken."""
        self._options = options
        self._faults = faults
        self._report = report
        self._taken = taken
        self._random = random
        self._free_at: dict[str, float] = {}
        self.texts: OrderedDict[str, Text] = OrderedDict()
        """Every text taken, by its sid."""

    def take(self, text: Text) -> None:
        """Let it be carried."""
        self.texts[text.sid] = text
        if len(self.texts) > _MOST_TEXTS:
            self.texts.popitem(last=False)
        self._taken()
        self._carry(text)

    def _carry(self, text: Text) -> None:
        loop = asyncio.get_running_loop()
        faults = self._faults()
        start = max(loop.time(), self._free_at.get(text.to, 0.0))
        if self._options.gap:
            self._free_at[text.to] = start + self._options.gap
        lost = self._random.random() < faults.undelivered
        steps = ["queued", "sent", "undelivered" if lost else "delivered"]
        for n, status in enumerate(steps):
            loop.call_at(start + n * self._options.carrying, _becomes, text, status)
        if not faults.callbacks or not text.callback:
            return
        reports = [status for status in steps for _ in range(faults.doubled)]
        if faults.shuffled:
            self._random.shuffle(reports)
        for n, status in enumerate(reports):
            loop.call_at(start + n * self._options.carrying, self._report, text, status)


def _becomes(text: Text, status: str) -> None:
    text.status = status
    if status == "undelivered":
        text.error_code = 30003
