"""The calls of the simulated carrier: they ring, are answered or not, hear the words and press a key."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable

from gateway.carrier.records import CarrierOptions, Faults, PhoneCall

_MOST_CALLS = 100_000

Report = Callable[[PhoneCall, str], None]
"""Tells, later, what became of a call: its status; or, with a key, that it was pressed."""


class Exchange:
    """Takes calls and lets them happen."""

    def __init__(
        self,
        *,
        options: CarrierOptions,
        faults: Callable[[], Faults],
        report: Report,
        taken: Callable[[], None],
    ) -> None:
        """`taken` hears of each one taken."""
        self._options = options
        self._faults = faults
        self._report = report
        self._taken = taken
        self.calls: OrderedDict[str, PhoneCall] = OrderedDict()
        """Every call taken, by its sid."""

    def ring(self, call: PhoneCall) -> None:
        """Let it happen."""
        self.calls[call.sid] = call
        if len(self.calls) > _MOST_CALLS:
            self.calls.popitem(last=False)
        self._taken()
        self._happen(call)

    def _happen(self, call: PhoneCall) -> None:
        faults = self._faults()
        answered = faults.calls in {"answered", "machine"}
        steps = ["ringing", "in-progress", "completed"] if answered else ["ringing", faults.calls]
        loop = asyncio.get_running_loop()
        for n, status in enumerate(steps):
            loop.call_later((n + 1) * self._options.carrying, self._becomes, call, status)

    def _becomes(self, call: PhoneCall, status: str) -> None:
        call.status = status
        faults = self._faults()
        if status == "in-progress" and call.key_to and faults.key and faults.calls == "answered":
            call.pressed = faults.key
            self._report(call, faults.key)
        if status not in {"ringing", "in-progress"} and faults.callbacks and call.callback:
            for _ in range(faults.doubled):
                self._report(call, "")
