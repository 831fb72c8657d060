"""The steps of one incident, in the order in which they were told."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from belltower.clock import SECOND, Instant
from belltower.ids import FactId, StreamName
from belltower.incident.entry import Entry
from belltower.journal import UNPLACED
from gateway.web.story.moment import Moment, Step, stamp


class Timeline:
    """Steps by their keys. Whatever changes one returns the keys that changed."""

    def __init__(self) -> None:
        self.steps: dict[str, Moment] = {}
        self.pressed_at: Instant | None = None
        """When the first alarm was raised."""
        self._heads: dict[StreamName, int] = {}
        self._spooled: set[FactId] = set()
        self._latest: dict[StreamName, Instant] = {}
        self._order = Instant(0)

    def takes(self, entry: Entry) -> bool:
        """Whether the entry is new; the steps that follow are its."""
        if not self._fresh(entry):
            return False
        self._order = self._latest[entry.stream] = max(entry.at, self._latest.get(entry.stream, entry.at))
        return True

    def told(self) -> list[Moment]:
        """The steps in the order in which they happened."""
        return sorted(self.steps.values(), key=lambda moment: moment.order)

    def first(self, step: Step, at: Instant) -> set[str]:
        """Tell the step, unless it was told before: the first word stands."""
        if step.key in self.steps:
            return set()
        self.steps[step.key] = Moment(
            key=step.key,
            at=at,
            order=self._order,
            seconds=self._seconds(at),
            stage=step.stage,
            title=step.title,
            detail=step.detail,
        )
        return {step.key}

    def grow(self, step: Step, at: Instant) -> set[str]:
        """Tell the step, or say anew what it says; it stays where it was told first."""
        if step.key in self.steps:
            return self.change(step.key, stage=step.stage, title=step.title, detail=step.detail)
        return self.first(step, at)

    def change(self, key: str, **changed: Any) -> set[str]:
        """Change what a step says, if it was told."""
        known = self.steps.get(key)
        if known is None:
            return set()
        self.steps[key] = replace(known, **changed)
        return {key}

    def stamped(self, at: Instant) -> str:
        """A time as part of a sentence: "at +4.2 s"; "" where no press is known."""
        seconds = self._seconds(at)
        return "" if seconds is None else f"at {stamp(seconds)} s"

    def _seconds(self, at: Instant) -> float | None:
        return None if self.pressed_at is None else (at - self.pressed_at) / SECOND

    def _fresh(self, entry: Entry) -> bool:
        if entry.id in self._spooled:
            return False
        if entry.position == UNPLACED:  # it comes again under the same id once it has its place
            self._spooled.add(entry.id)
            return True
        if entry.position <= self._heads.get(entry.stream, 0):
            return False
        self._heads[entry.stream] = entry.position
        return True
