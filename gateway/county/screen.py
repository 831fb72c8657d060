"""What telecommunicators see and do, one screen for every road by which a school can reach the centre.

The ends of the wires `show` what they heard; the same number and key heard on several roads is one call with its
roads. What a person does is told to every end that `follow`s, and each sends back what its wire can carry.
"""

from __future__ import annotations

import re
from collections import Counter, OrderedDict
from collections.abc import Callable

from msgspec import Struct, field

from belltower.incident.facts import ResponseStatus
from gateway.psap.ranges import Ranges, union

MOST = 10_000
"""How many calls, and how many tests, are kept."""

_BY = re.compile(r"[A-Za-z0-9-]{1,16}")
_FIRST: Ranges = ((1, 1),)


class HeardCall(Struct, frozen=True, kw_only=True):
    """What one end understood of one message, in the words of the screen; empty where the wire has no room for it."""

    # The end's name, "dc09" for instance: the road.
    end: str
    number: int
    # The last 8 characters of the call's id, `radio_text.key_of`.
    key: str = ""
    incident: int = 0
    # "panic" or "medical".
    kind: str = ""
    exercise: bool = False
    # A marked test of the link: it is listed apart and never becomes a call.
    test: bool = False
    building: str = ""
    place: str = ""
    presses: Ranges = _FIRST


class ScreenCall(Struct, kw_only=True):
    """One call as the telecommunicator sees it."""

    number: int
    # "" where only a summary, or a wire without room for it, was heard so far.
    key: str
    incident: int
    kind: str
    exercise: bool
    building: str
    place: str
    presses: Ranges
    # new, acknowledged, rejected, or cancelled once the school's cancellation was read back.
    state: str
    heard_at: float
    by: str = ""
    # Whether the school has confirmed, on any road, that it knows of the acknowledgement.
    told: bool = False
    # When each road first brought the call.
    roads: dict[str, float] = field(default_factory=dict)
    # The roads on which the school confirmed the acknowledgement.
    told_on: list[str] = field(default_factory=list)
    # What the school asks to have read back: "cancel", "correct", or "" for nothing; and the roads that said so.
    asked: str = ""
    asked_on: list[str] = field(default_factory=list)
    # The number of the update that was heard last, where a wire tells it.
    update: int = 0
    # Who read back last.
    read_by: str = ""
    # The place before it was corrected.
    was: str = ""
    # What responders do: "", assigned, enroute, onscene or closed.
    status: str = ""


class HeardTest(Struct, frozen=True, kw_only=True):
    """A marked test of one road, and when it came."""

    end: str
    number: int
    key: str
    at: float


class Acknowledged(Struct, frozen=True, kw_only=True):
    """A person has the call."""

    number: int
    key: str
    by: str


class ReadBack(Struct, frozen=True, kw_only=True):
    """A person read back the cancellation or the correction of the call."""

    number: int
    key: str
    by: str
    # Which update; 0 where no wire told its number.
    update: int = 0


class Status(Struct, frozen=True, kw_only=True):
    """Responders to the call are assigned, on the way, there, or done."""

    number: int
    key: str
    status: ResponseStatus


ScreenEvent = Acknowledged | ReadBack | Status
"""What a person did that a school wants to know."""

Told = Callable[[ScreenEvent], None]
Seen = Callable[[int], None]


class Screen:
    """The centre's screen. `now` gives seconds; all is done at once, nothing waits."""

    def __init__(self, *, now: Callable[[], float]) -> None:
        self._now = now
        self.calls: OrderedDict[int, ScreenCall] = OrderedDict()
        """By call number, in the order heard."""
        self.tests: list[HeardTest] = []
        """The last tests of links."""
        self.counts: Counter[str] = Counter()
        """What came: calls, repeats, tests, cancels, corrections, unknown."""
        self._refused: set[int] = set()
        self._past: OrderedDict[tuple[int, str], None] = OrderedDict()
        self._followers: list[tuple[str, Told]] = []
        self._watchers: list[Seen] = []

    # ---- what the ends heard

    def show(self, heard: HeardCall) -> bool:
        """Take what an end heard. True: the centre takes it; False: a person here rejects this call."""
        if heard.test:
            self.counts["tests"] += 1
            test = HeardTest(end=heard.end, number=heard.number, key=heard.key, at=self._now())
            self.tests = [*self.tests[-MOST + 1 :], test]
            self._seen(0)
            return True
        call = self.calls.get(heard.number)
        if call is not None and call.key and heard.key and call.key != heard.key:
            if (heard.number, heard.key) in self._past:  # a late word of a call before numbers began again
                return True
            self._past[call.number, call.key] = None
            if len(self._past) > MOST:
                self._past.popitem(last=False)
            call = None
        if call is None:
            call = self._open(heard)
        else:
            self.counts["repeats"] += heard.end in call.roads
            _enrich(call, heard)
        late = heard.end not in call.roads
        call.roads.setdefault(heard.end, self._now())
        if late and call.by:
            self._tell(Acknowledged(number=call.number, key=call.key, by=call.by), only=heard.end)
        self._seen(call.number)
        return heard.number not in self._refused

    def cancel(self, end: str, number: int, key: str = "", *, update: int = 0) -> bool:
        """The school takes the call back; a person has to read that back. False: there is no such call."""
        call = self._known(number, key)
        if call is None:
            return False
        self.counts["cancels"] += 1
        if call.state != "cancelled" and not self._overtaken(call, update):
            self._ask(call, "cancel", end)
        return True

    def correct(
        self, end: str, number: int, key: str = "", *, place: str, building: str = "", update: int = 0
    ) -> bool:
        """The school says that help is needed elsewhere; a person has to read that back. False: no such call."""
        call = self._known(number, key)
        if call is None:
            return False
        self.counts["corrections"] += 1
        if self._overtaken(call, update):
            return True
        if place != call.place or (call.asked == "correct" and end not in call.asked_on):
            if place != call.place:
                call.was, call.place, call.asked = call.place, place, ""
                call.building = building  # the old one would mislead
            self._ask(call, "correct", end)
        return True

    def confirmed(self, end: str, number: int) -> None:
        """The school has confirmed on this road that it knows of the acknowledgement."""
        call = self.calls.get(number)
        if call is not None:
            call.told = True
            if end not in call.told_on:
                call.told_on.append(end)
            self._seen(number)

    # ---- what a person does

    def acknowledge(self, number: int, by: str = "T1") -> None:
        """A person takes the call.

        KeyError: there is no such call. ValueError: `by` is no code of 1 to 16 letters, digits and hyphens.
        """
        call = self._person(number, by)
        call.state, call.by = "acknowledged", by
        self._refused.discard(number)
        self._tell(Acknowledged(number=number, key=call.key, by=by))
        self._seen(number)

    def reject(self, number: int) -> None:
        """The centre does not take this call; each further repeat of it is rejected. KeyError: no such call."""
        self.calls[number].state = "rejected"
        self._refused.add(number)
        self._seen(number)

    def read_back(self, number: int, by: str = "T1") -> None:
        """A person reads the cancellation or correction back.

        KeyError: no such call. ValueError: nothing waits to be read back, or `by` is no code.
        """
        call = self._person(number, by)
        if not call.asked:
            raise ValueError(f"nothing of call {number} waits to be read back")
        if call.asked == "cancel":
            call.state = "cancelled"
        call.asked, call.asked_on, call.read_by = "", [], by
        self._tell(ReadBack(number=number, key=call.key, by=by, update=call.update))
        self._seen(number)

    def status(self, number: int, status: str) -> None:
        """Say what responders do. KeyError: no such call. ValueError: no such status."""
        call = self.calls[number]
        told = ResponseStatus(status)
        call.status = told.value
        self._tell(Status(number=number, key=call.key, status=told))
        self._seen(number)

    # ---- who is told

    def follow(self, told: Told, *, end: str = "") -> Callable[[], None]:
        """Tell an end what persons do, from now on; returns how to stop.

        An end that names itself is also told when its road brings a call that a person had acknowledged before.
        """
        entry = (end, told)
        self._followers.append(entry)
        return lambda: self._followers.remove(entry) if entry in self._followers else None

    def watch(self, seen: Seen) -> Callable[[], None]:
        """Say whenever a call, by number, looks different; 0 for a test. Returns how to stop."""
        self._watchers.append(seen)
        return lambda: self._watchers.remove(seen) if seen in self._watchers else None

    # ----

    def _open(self, heard: HeardCall) -> ScreenCall:
        self.counts["calls"] += 1
        self._refused.discard(heard.number)
        call = self.calls[heard.number] = ScreenCall(
            number=heard.number,
            key=heard.key,
            incident=heard.incident,
            kind=heard.kind,
            exercise=heard.exercise,
            building=heard.building,
            place=heard.place,
            presses=heard.presses,
            state="new",
            heard_at=self._now(),
        )
        if len(self.calls) > MOST:
            self.calls.popitem(last=False)
        return call

    def _known(self, number: int, key: str) -> ScreenCall | None:
        call = self.calls.get(number)
        if call is None or (key and call.key and key != call.key):
            self.counts["unknown"] += 1
            return None
        return call

    @staticmethod
    def _overtaken(call: ScreenCall, update: int) -> bool:
        """Whether a later update was heard before this one."""
        overtaken = 0 < update < call.update
        call.update = max(call.update, update)
        return overtaken

    def _ask(self, call: ScreenCall, what: str, end: str) -> None:
        if call.asked != what:
            call.asked, call.asked_on = what, []
        if end not in call.asked_on:
            call.asked_on.append(end)
        self._seen(call.number)

    def _person(self, number: int, by: str) -> ScreenCall:
        if not _BY.fullmatch(by):
            raise ValueError("by is a code of 1 to 16 letters, digits and hyphens, never a name")
        return self.calls[number]

    def _tell(self, event: ScreenEvent, *, only: str = "") -> None:
        for end, told in tuple(self._followers):
            if not only or end == only:
                told(event)

    def _seen(self, number: int) -> None:
        for seen in tuple(self._watchers):
            seen(number)


def _enrich(call: ScreenCall, heard: HeardCall) -> None:
    """Add what this road knows and the others did not."""
    call.key = call.key or heard.key
    call.incident = call.incident or heard.incident
    call.kind = call.kind or heard.kind
    call.building = call.building or heard.building
    call.place = call.place or heard.place
    call.exercise = call.exercise and heard.exercise  # one road that says it is real is believed
    call.presses = union(call.presses, heard.presses)
