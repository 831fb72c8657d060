"""One output that is switched: from its orders to what became of them. Each has a task of its own.

It is on as long as an open incident orders it on. Of one that is not idempotent it is written down before it is sent
that it is about to be, so that nothing, a kill least of all, sends it twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from belltower.ids import IncidentId, RandomBytes
from belltower.incident.facts import Fact, OutputFailed, OutputLevel, OutputOrdered, OutputReceipt
from gateway.outputs import rules
from gateway.outputs.request import Failed, asked
from gateway.outputs.rules import Does, FailSafe, LiveSwitching, Rule, Switching
from gateway.outputs.switch_test import proven
from hardware.drivers.switch import Ask, Switch

AGAIN = 0.5
"""Seconds until a failed request is made again; then twice as long each time, as far as its rule says."""
REMEMBERED = 256
"""Incidents whose latest order is remembered."""
NOT_REPEATED = "the lane ended while it was being switched, and it must not be switched twice: go and look"
MISTAKEN = "its driver failed while it was being switched"

Write = Callable[[IncidentId, Fact], Awaitable[object]]
"""Writes a fact down; what is returned is done once it is kept."""


class SwitchedOutput:
    """Serves one switch. `run` it; mendable."""

    def __init__(
        self,
        *,
        name: str,
        switch: Switch,
        rule: Rule,
        write: Write,
        random_bytes: RandomBytes,
        text: Callable[[Switching], str],
    ) -> None:
        """Serve `switch` by its `rule`; `text` is what a sign shows."""
        self._name = name
        self._switch = switch
        self._rule = rule
        self._write = write
        self._random_bytes = random_bytes
        self._text = text
        self.fault = ""
        """Why it cannot be relied upon now: what the latest request failed with; "": it did not."""
        # The latest order of each incident, and those of them that are not settled yet.
        self._standing: dict[IncidentId, OutputOrdered] = {}
        self._owed: dict[IncidentId, OutputOrdered] = {}
        # What failed last, by order, so that each reason is written down once.
        self._told: dict[IncidentId, tuple[int, str]] = {}
        # It is, or may be, in another state than at rest without an order: put to rest until that has worked.
        self._resting = rule.fail_safe is not FailSafe.HOLD
        # The time that putting it to rest, or a test, may take: an order ends it at once.
        self._unordered: asyncio.Timeout | None = None
        self._test: asyncio.Future[tuple[OutputLevel, str]] | None = None
        self._is_on = False
        self._serving = False
        # The order of which it is written down that it is about to be sent.
        self._begun: OutputOrdered | None = None
        # The order that was sent, as long as nothing is known of what became of it.
        self._sent: OutputOrdered | None = None
        self._bell = asyncio.Event()

    def order(self, order: OutputOrdered) -> None:
        """Take an order; a later one of the same incident replaces it."""
        known = self._standing.get(order.incident)
        if known is not None and known.order >= order.order:
            return
        self._standing.pop(order.incident, None)
        self._standing[order.incident] = self._owed[order.incident] = order
        if len(self._standing) > REMEMBERED:
            self._forget()
        self._bell.set()
        if self._unordered is not None and not self._unordered.expired():
            self._unordered.reschedule(0)

    def recall(self, order: OutputOrdered, *, tried: bool, settled: bool) -> None:
        """Take an order of before a restart. What was on and may be switched again is switched again, unsaid."""
        self.order(order)
        if settled:
            self._told[order.incident] = (order.order, "")
            if self._once(order) or not order.on:
                self._owed.pop(order.incident, None)
                self._is_on = self._is_on or (order.on and self._pulse(order) == 0.0)
        elif tried and self._once(order):
            self._owed.pop(order.incident, None)
            self._standing.pop(order.incident, None)
            self._resting = False
            self._fail(order, NOT_REPEATED, OutputLevel.QUEUED)

    async def prove(self) -> tuple[OutputLevel, str]:
        """Switch it on for a second: how far that got, and why not further. Not while orders use it; one ends it."""
        if self._serving or self._owed or self._test is not None or self._wanted():
            return OutputLevel.QUEUED, "it is in use, so it was not tested"
        self._test = asyncio.get_running_loop().create_future()
        self._bell.set()
        try:
            return await self._test
        finally:
            self._test = None

    def surprised(self, error: Exception) -> None:
        """Take that `run` ended by a mistake; it is run again."""
        self.fault = f"{MISTAKEN} ({type(error).__name__})"

    async def run(self) -> None:
        """Serve for ever."""
        wait = AGAIN
        while True:
            self._bell.clear()
            order = self._next()
            try:
                if order is not None:
                    await self._serve(order)
                elif self._test is not None and not self._test.done():
                    await self._prove(self._test)
                elif self._resting and not self._wanted():
                    await self._put_to_rest()
                else:
                    self._resting = False
                    await self._idle()
                wait = AGAIN
            except Failed as failed:
                if order is not None:
                    self._tell(order, failed)
                if order is None or failed.again:
                    # Something new is tried at once.
                    with suppress(TimeoutError):
                        async with asyncio.timeout(wait):
                            await self._bell.wait()
                    wait = min(wait * 2, self._rule.slowest)

    async def _idle(self) -> None:
        """Wait for an order or a test; what ends by itself is told again in time."""
        refresh = self._rule.refresh if self._is_on else 0.0
        try:
            async with asyncio.timeout(refresh or None):
                await self._bell.wait()
        except TimeoutError:
            self._ask_again()

    async def _put_to_rest(self) -> None:
        async with self._unless_ordered():
            await self._request(Ask(on=self._rule.fail_safe is FailSafe.ON, request=""))
            self._resting = False

    async def _prove(self, test: asyncio.Future[tuple[OutputLevel, str]]) -> None:
        self._resting = True
        come = OutputLevel.QUEUED, "an order ended the test"
        try:
            async with self._unless_ordered():
                come = await proven(self._switch, self._rule, self._random_bytes)
                self._resting = bool(come[1]) or self._rule.fail_safe is FailSafe.ON
        finally:
            if not test.done():
                test.set_result(come)

    @asynccontextmanager
    async def _unless_ordered(self) -> AsyncIterator[None]:
        """Until an order comes."""
        with suppress(TimeoutError):
            try:
                async with asyncio.timeout(None) as self._unordered:
                    yield
            finally:
                self._unordered = None

    # ---- one order

    async def _serve(self, order: OutputOrdered) -> None:
        self._serving = True
        try:
            await self._carry_out(order)
        finally:
            self._serving = False

    async def _carry_out(self, order: OutputOrdered) -> None:
        what = rules.switching(order)
        pulse = self._pulse(order)
        if pulse is None or self._kept(order):
            self._settle(order, OutputLevel.WITHHELD)
            if not order.on:
                self._again_standing()
            return
        if not self._rule.idempotent:
            if self._sent is order:
                self._sent = None
                raise Failed(
                    f"{MISTAKEN}, and it must not be switched twice: go and look",
                    OutputLevel.QUEUED,
                    again=False,
                )
            if order is not self._begun:
                self._begun = order
                await self._write(order.incident, self._receipt(order, OutputLevel.QUEUED))
        exercise = not isinstance(what, LiveSwitching)
        ask = Ask(
            on=order.on,
            request="",
            text=self._text(what),
            seconds=pulse if order.on else 0.0,
            exercise=exercise,
        )
        if order.on and pulse:
            # Whatever becomes of it from here on, it is to end.
            self._resting = True
        self._sent = order
        try:
            level = await self._request(ask)
        except Failed:
            self._sent = None
            raise
        self._sent = None
        self._is_on = order.on and not pulse
        self._settle(order, level)
        if order.on and pulse:
            await self._end_pulse(order, pulse)

    async def _end_pulse(self, order: OutputOrdered, pulse: float) -> None:
        """Let it be on for `pulse` seconds, or until something matters more; then off."""
        loop = asyncio.get_running_loop()
        with suppress(TimeoutError):
            async with asyncio.timeout_at(loop.time() + pulse):
                while not self._cut_short(order):
                    self._bell.clear()
                    await self._bell.wait()
        try:
            await self._request(Ask(on=self._rule.fail_safe is FailSafe.ON, request=""))
        except Failed as failed:
            raise Failed(f"its pulse has no end: {failed.reason}", failed.level, again=True) from None
        self._resting = False

    def _cut_short(self, order: OutputOrdered) -> bool:
        """Whether a pulse ends before its time: its incident ordered something else, or it is a drill's and this is real."""
        live = isinstance(rules.switching(order), LiveSwitching)
        return any(
            other.incident == order.incident
            or (not live and isinstance(rules.switching(other), LiveSwitching))
            for other in self._owed.values()
        )

    async def _request(self, ask: Ask) -> OutputLevel:
        """As `asked`, and what came of it is known from then on."""
        try:
            level = await asked(self._switch, self._rule, self._random_bytes, ask)
        except Failed as failed:
            self.fault = failed.reason
            raise
        self.fault = ""
        return level

    # ---- what is wanted

    def _next(self) -> OutputOrdered | None:
        """What is owed first: live before any drill, on before off."""
        return min(
            self._owed.values(),
            key=lambda order: (not isinstance(rules.switching(order), LiveSwitching), not order.on),
            default=None,
        )

    def _pulse(self, order: OutputOrdered) -> float | None:
        return rules.pulse_of(rules.switching(order), self._rule)

    def _once(self, order: OutputOrdered) -> bool:
        return not self._rule.idempotent or self._pulse(order) != 0.0

    def _wanted(self, *, live: bool = False) -> bool:
        """Whether any incident wants it on until it is ordered off; `live`: any that is no drill."""
        return any(
            order.on
            and self._pulse(order) == 0.0
            and (not live or isinstance(rules.switching(order), LiveSwitching))
            for order in self._standing.values()
        )

    def _kept(self, order: OutputOrdered) -> bool:
        """Whether it must stay as it is: another incident keeps it on, or it is on and may not be switched twice."""
        if not order.on:
            return self._wanted()
        if not isinstance(rules.switching(order), LiveSwitching) and self._wanted(live=True):
            return True
        return not self._rule.idempotent and self._is_on

    def _again_standing(self) -> None:
        """Ask again, unsaid, for what another incident wants: a sign showed what is over."""
        if self._rule.does is Does.SIGN:
            self._ask_again()

    def _ask_again(self) -> None:
        for incident, order in self._standing.items():
            if order.on and self._pulse(order) == 0.0:
                self._owed.setdefault(incident, order)

    def _forget(self) -> None:
        """Forget the oldest order that is settled and off; a flood of open incidents forgets the oldest at all."""
        for incident, order in self._standing.items():
            if incident not in self._owed and not order.on:
                break
        else:
            incident = next(iter(self._standing))
        self._standing.pop(incident)
        self._owed.pop(incident, None)
        self._told.pop(incident, None)

    # ---- what is written

    def _settled(self) -> set[tuple[IncidentId, int]]:
        return {(incident, order) for incident, (order, reason) in self._told.items() if not reason}

    def _settle(self, order: OutputOrdered, level: OutputLevel) -> None:
        if self._owed.get(order.incident) is order:
            del self._owed[order.incident]
        if (order.incident, order.order) in self._settled():
            return
        self._told[order.incident] = (order.order, "")
        self._write(order.incident, self._receipt(order, level))

    def _receipt(self, order: OutputOrdered, level: OutputLevel) -> OutputReceipt:
        return OutputReceipt(
            output=order.output,
            incident=order.incident,
            order=order.order,
            on=order.on,
            confirmed=level is OutputLevel.DEVICE and self._rule.confirmed,
            level=level,
        )

    def _tell(self, order: OutputOrdered, failed: Failed) -> None:
        if not failed.again and self._owed.get(order.incident) is order:
            del self._owed[order.incident]
        if self._told.get(order.incident) == (order.order, failed.reason):
            return
        self._told[order.incident] = (order.order, failed.reason)
        self._fail(order, failed.reason, failed.level)

    def _fail(self, order: OutputOrdered, reason: str, level: OutputLevel) -> None:
        failed = OutputFailed(
            output=order.output,
            incident=order.incident,
            order=order.order,
            on=order.on,
            reason=reason,
            level=level,
        )
        self._write(order.incident, failed)
