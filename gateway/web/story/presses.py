"""The presses of each building: the first is a step, and all further ones are another that grows."""

from __future__ import annotations

from belltower.clock import Instant
from belltower.incident.facts import AlarmKind, AlarmRaised, CallReceipt, CallSent
from gateway.psap.ranges import NONE, Ranges, count, union, without
from gateway.web.desk import Names
from gateway.web.story.moment import Stage, Step
from gateway.web.story.timeline import Timeline

_BUTTON = {AlarmKind.PANIC: "Panic button", AlarmKind.MEDICAL: "Medical button"}
_WAYS = {"mqtt": "by network", "radio": "by radio"}


class Presses:
    """How many there are, and how many of them have left for the PSAP and arrived there."""

    def __init__(self, *, timeline: Timeline, names: Names) -> None:
        self._timeline = timeline
        self._names = names
        # The highest number of each building.
        self._alarms: dict[str, int] = {}
        # By building: the numbers that left on any link, and those that the PSAP's system has.
        self._sent: dict[str, Ranges] = {}
        self._received: dict[str, Ranges] = {}
        self._last: dict[str, str] = {}
        # By building and place: the highest number pressed there after a person had the building's call.
        self._later: dict[str, dict[str, int]] = {}

    def later(self, building: str) -> dict[str, bool]:
        """Where it was pressed after a person had answered, and whether the PSAP's system has that; nobody answered since."""
        arrived = self._received.get(building, NONE)
        return {
            place: not count(without(((number, number),), arrived))
            for place, number in self._later.get(building, {}).items()
        }

    def answered(self, building: str) -> None:
        """A person has the call as the PSAP's system has it now."""
        unknown = [place for place, received in self.later(building).items() if not received]
        later = self._later.pop(building, {})
        self._later[building] = {place: later[place] for place in unknown}

    def raised(self, fact: AlarmRaised, at: Instant, *, answered: bool) -> set[str]:
        """One more alarm; `answered`: after a person had the call of its building."""
        building, where = fact.building, self._names.place(fact.place)
        known = self._alarms.get(building)
        self._alarms[building] = max(fact.number, known or 0)
        if known is None:
            who = f"{_BUTTON[fact.kind]} pressed"
            if fact.person is not None:
                who = f"Raised by {self._names.person(fact.person)}"
            step = Step(f"alarm:{building}", Stage.RECORDED, f"{who}: {where}", _way(fact))
            return self._timeline.first(step, at)
        if fact.number <= known:
            return set()
        if answered:
            self._later.setdefault(building, {})[where] = fact.number
        self._last[building] = f"the last from {where}, {self._timeline.stamped(at)}"
        return self._further(building, at)

    def covered(self, fact: CallSent | CallReceipt, building: str, at: Instant) -> set[str]:
        """A frame with the numbers of presses left, or is known to have arrived."""
        numbers = self._sent if isinstance(fact, CallSent) else self._received
        before = numbers.get(building, NONE)
        numbers[building] = union(before, fact.covers)
        changed = numbers[building] != before and building in self._last
        return self._further(building, at) if changed else set()

    def _further(self, building: str, at: Instant) -> set[str]:
        """Say where the presses after the first stand by now."""
        more = self._alarms[building] - 1
        further: Ranges = ((2, more + 1),)
        arrived = self._received.get(building, NONE)
        received = more - count(without(further, arrived))
        sent = more - count(without(further, union(self._sent.get(building, NONE), arrived)))
        stage = Stage.RECORDED
        if sent:
            stage = Stage.MACHINE if received == more else Stage.SENT if sent == more else stage
        words = [f"{'all' if sent == more else sent} sent" if sent else "none sent to the PSAP so far"]
        if received:
            words.append(f"{'all' if received == more else received} received by the PSAP's system")
        title = f"{more} more {'press' if more == 1 else 'presses'}"
        if building:
            title += f" in building {building}"
        detail = f"{self._last[building]}; {', '.join(words)}"
        return self._timeline.grow(Step(f"alarms:{building}", stage, title, detail), at)


def _way(fact: AlarmRaised) -> str:
    unit = f"unit {fact.unit}" if fact.unit else ""
    return ", ".join(filter(None, [unit, _WAYS.get(fact.path, fact.path)]))
