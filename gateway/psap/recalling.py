"""What the facts of an earlier process say of one link's frames: which have left, and what was answered."""

from __future__ import annotations

from collections.abc import Sequence

from belltower.ids import CallId
from belltower.incident.facts import CallReceipt, CallRejected, CallSent
from gateway.psap.coalesce import Ledger
from gateway.psap.ranges import Ranges

OfFrame = CallSent | CallReceipt | CallRejected
"""A fact that tells of a frame."""


def recall(ledger: Ledger, facts: Sequence[OfFrame], *, now: float) -> None:
    """Bring a ledger, which has its calls and updates, to where the link's facts say that it was."""
    frames: dict[str, list[tuple[CallId, Ranges]]] = {}
    for fact in facts:
        if isinstance(fact, CallSent) and not fact.update:
            frames.setdefault(fact.frame, []).append((fact.call, fact.covers))
    for frame, covers in frames.items():
        ledger.recall_sent(frame, covers, now=now)
    for fact in facts:
        match fact:
            case CallSent(frame=frame):
                ledger.recall_note(frame, None)
            case CallReceipt(frame=frame, level=level, update=update) if update:
                ledger.recall_note(frame, level)
            case CallReceipt(call=call, frame=frame, covers=ranges, level=level):
                ledger.recall_receipt(frame, call, ranges, level, now=now)
            case CallRejected(frame=frame):
                ledger.recall_rejected(frame)
