"""The latest order to each output, and what came of it."""

from __future__ import annotations

from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from belltower.clock import Instant
from belltower.incident import facts
from belltower.incident.facts import Action, OutputLevel


class OutputView(Struct, frozen=True, kw_only=True):
    """The latest order to one output and what came of it."""

    order: int
    on: bool
    ordered_at: Instant
    done_at: Instant | None = None
    # Whether the device itself confirmed it.
    confirmed: bool = False
    failed: str = ""
    # How far it got; None: nothing is known yet.
    level: OutputLevel | None = None
    # What it tells people to do.
    action: Action | None = None

    def after(self, fact: facts.OutputReceipt | facts.OutputFailed, at: Instant) -> OutputView:
        """The output after something became of an order to it; only the latest order's counts."""
        if self.order != fact.order or self.done_at is not None:
            return self
        match fact:
            case facts.OutputFailed():
                return replace(self, failed=fact.reason, level=fact.level)
            case facts.OutputReceipt(level=OutputLevel.QUEUED):
                return replace(self, level=fact.level)
            case facts.OutputReceipt():
                return replace(self, done_at=at, confirmed=fact.confirmed, failed="", level=fact.level)
            case other:
                assert_never(other)


def outputs_after(
    outputs: dict[str, OutputView], fact: facts.OutputFact, at: Instant
) -> dict[str, OutputView]:
    """The outputs after a fact of one of them."""
    known = outputs.get(fact.output)
    if isinstance(fact, facts.OutputOrdered):
        if known is not None and known.order >= fact.order:
            return outputs
        ordered = OutputView(order=fact.order, on=fact.on, ordered_at=at, action=fact.action)
        return {**outputs, fact.output: ordered}
    return outputs if known is None else {**outputs, fact.output: known.after(fact, at)}
