"""What rooms say, and what is shown there. What is urgent is a step of its own; the rest is counted."""

from __future__ import annotations

from typing import assert_never

from belltower.clock import Instant
from belltower.ids import PlaceId
from belltower.incident import facts
from belltower.incident.entry import Entry
from gateway.web.desk import Names
from gateway.web.rooms import room_names, spoken_room
from gateway.web.story.moment import Stage, Step
from gateway.web.story.timeline import Timeline


class Rooms:
    """The rooms with two-way units, and the texts from and to them."""

    def __init__(self, *, timeline: Timeline, names: Names) -> None:
        self.all = names.rooms()
        # How many facts there are about texts.
        self.texts = 0
        self.texts_shown: frozenset[str] = frozenset()
        self._timeline = timeline
        self._names = names
        self._of_units = room_names(self.all)
        # Rooms counted in a step, by its key.
        self._counted: dict[str, set[PlaceId]] = {}

    def apply(self, fact: facts.RoomFact, entry: Entry) -> set[str]:
        """A room said something, or is known to show or not to show an order; `entry` holds the fact."""
        place = facts.room_of(fact.place, None if isinstance(fact, facts.RoomNotReached) else fact.unit)
        name = self._name(place)
        match fact:
            case facts.RoomNotReached():
                title = f"{name} not reached: nothing there confirms {fact.action.value}"
                key = f"missed:{fact.ordered}:{place}"
                return self._timeline.first(
                    Step(key, Stage.FAILED, title, "somebody must go or call"), entry.at
                )
            case facts.OrderShown():
                title = f"{fact.action.value.capitalize()} is shown in"
                step = Step(f"shown:{fact.ordered}", Stage.MACHINE, title, f"last {name}; shown is not read")
                return self._count(step, place, entry.at)
            case facts.StatusReported(status=facts.RoomStatus.SAFE):
                return self._count(Step("safe", Stage.RECORDED, "Safe:", f"last {name}"), place, entry.at)
            case facts.StatusReported():
                word = fact.status.value.replace("_", " ")
                title = f"{name}: {fact.count} {word}" if fact.count else f"{name}: {word}"
                return self._timeline.first(Step(f"status:{entry.id}", Stage.RECORDED, title), entry.at)
            case other:
                assert_never(other)

    def text(self, fact: facts.TextFact, at: Instant) -> set[str]:
        """That there is a text, never what it says."""
        self.texts += 1
        key, name = f"text:{fact.text}", self._of_units.get(fact.unit, f"unit {fact.unit}")
        match fact:
            case facts.TextHeard():
                return self._timeline.first(Step(key, Stage.RECORDED, f"Text from {name}"), at)
            case facts.TextOrdered():
                by = "" if fact.by is None else f"by {self._names.person(fact.by)}"
                return self._timeline.first(Step(key, Stage.RECORDED, f"Text to {name}", by), at)
            case facts.TextShown():
                self.texts_shown |= {fact.text}
                return self._timeline.change(key, stage=Stage.MACHINE, detail="shown on the unit")
            case other:
                assert_never(other)

    def _count(self, step: Step, place: PlaceId, at: Instant) -> set[str]:
        rooms = self._counted.setdefault(step.key, set())
        rooms.add(place)
        count = f"{len(rooms)} room{'' if len(rooms) == 1 else 's'}"
        return self._timeline.grow(Step(step.key, step.stage, f"{step.title} {count}", step.detail), at)

    def _name(self, place: PlaceId) -> str:
        known = next((room.name for room in self.all if room.id == place), "")
        return known or (spoken_room(place) if place.startswith("?") else self._names.place(place))
