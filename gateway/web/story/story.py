"""One incident as a story."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from belltower.clock import Instant
from belltower.ids import CallId, IncidentId, NoticeId, PersonId, PlaceId
from belltower.incident import facts
from belltower.incident.entry import Entry
from belltower.incident.facts import Mode, ReceiptLevel
from belltower.incident.fold import CallView, Incident
from gateway.web.answers import Answers, named
from gateway.web.desk import Names
from gateway.web.rooms import Room
from gateway.web.runners import Runners
from gateway.web.story.calls import call_step, called_place
from gateway.web.story.moment import Moment
from gateway.web.story.notices import Notices, Tally
from gateway.web.story.plain import plain_step
from gateway.web.story.presses import Presses
from gateway.web.story.replies import Replies
from gateway.web.story.rooms import Rooms
from gateway.web.story.timeline import Timeline

_PLACES_SPOKEN = 2


class Story:
    """One incident: its fold, its steps in the order they were told, its notices."""

    def __init__(self, incident: IncidentId, *, names: Names) -> None:
        self.incident = Incident(id=incident)
        # Who raised its alarms; None among them: a button did.
        self.raisers: set[PersonId | None] = set()
        self._names = names
        self._pressed: dict[str, None] = {}
        self._timeline = Timeline()
        self._presses = Presses(timeline=self._timeline, names=names)
        self._notices = Notices(timeline=self._timeline)
        self._rooms = Rooms(timeline=self._timeline, names=names)
        self._replies = Replies(timeline=self._timeline, names=names)
        self._runners = Runners()

    def apply(self, entry: Entry) -> set[str]:
        """Take `entry`, which must be about this incident; returns the keys of the steps that changed."""
        if not self._timeline.takes(entry):
            return set()
        self.incident = self.incident.apply(entry)
        self._runners.apply(entry.fact)
        match entry.fact:
            case facts.AlarmRaised() as fact:
                return self._raised(fact, entry.at)
            case (
                facts.NoticeOrdered()
                | facts.NoticePlanned()
                | facts.DeliverySettled()
                | facts.DeliveryEscalated()
            ) as fact:
                return self._notices.apply(fact, entry.at)
            case facts.ReplyHeard() as fact:
                return self._replies.apply(fact, entry)
            case facts.StatusReported() | facts.OrderShown() | facts.RoomNotReached() as fact:
                return self._rooms.apply(fact, entry)
            case facts.TextHeard() | facts.TextOrdered() | facts.TextShown() as fact:
                return self._rooms.text(fact, entry.at)
            case fact if isinstance(fact, facts.CallFact):
                return self._called(fact, entry.at)
            case _:
                step = plain_step(entry, self._names)
                return self._timeline.first(step, entry.at) if step is not None else set()

    @property
    def steps(self) -> Mapping[str, Moment]:
        """The steps by their keys."""
        return self._timeline.steps

    def told(self) -> list[Moment]:
        """The steps in the order in which they happened."""
        return self._timeline.told()

    @property
    def exercise(self) -> bool:
        """It is not real."""
        return self.incident.mode is Mode.EXERCISE

    @property
    def pressed_at(self) -> Instant | None:
        """When the first alarm was raised."""
        return self._timeline.pressed_at

    @property
    def place(self) -> str:
        """Where help is needed first: the first call's corrected place, else where it began."""
        call = next(iter(self.incident.calls.values()), None)
        if call is not None and call.corrected is not None:
            return self._names.place(call.corrected)
        building = next(iter(self.incident.buildings.values()), None)
        return self._names.place(building.place if building is not None else None)

    @property
    def corrections(self) -> dict[str, str]:
        """The right place of each place that was given to the PSAP wrongly."""
        return {
            self.building_of(call.id): self._names.place(call.corrected)
            for call in self.incident.calls.values()
            if call.corrected is not None and call.number
        }

    @property
    def where(self) -> str:
        """Every place it was pressed in, as far as one line bears: "A Library, Gym Cafeteria and 2 more"."""
        right = self.corrections
        places = [
            f"{right[place]}, not {place}" if place in right else place
            for place in list(self._pressed) or [self.place]
        ]
        told, more = places[:_PLACES_SPOKEN], len(places) - _PLACES_SPOKEN
        return f"{', '.join(told)} and {more} more" if more > 0 else " and ".join(told)

    def later(self, call: CallView) -> Mapping[str, bool]:
        """Where it was pressed after a person had the call and answered no more, and whether the PSAP's system has it."""
        return self._presses.later(call.building) if call.acknowledged_at is not None else {}

    def building_of(self, call: CallId) -> str:
        """The place a call is about, as people read it."""
        return called_place(self.incident, call, self._names)

    def place_words(self, place: PlaceId | None) -> str:
        """A place as people read it."""
        return self._names.place(place)

    def name(self, person: PersonId) -> str:
        """The person's name; the roster's people are named only where they are looked up."""
        return named(person, self._names)

    @property
    def tallies(self) -> Mapping[NoticeId, Tally]:
        """Every notice with its counts, in the order in which they were ordered."""
        return self._notices.tallies

    @property
    def answers(self) -> Answers:
        """What people answered."""
        return self._replies.all

    @property
    def answered(self) -> Mapping[NoticeId, Answers]:
        """What people answered to each notice."""
        return self._replies.by_notice

    @property
    def rooms(self) -> Sequence[Room]:
        """Every room whose units show orders."""
        return self._rooms.all

    @property
    def texts(self) -> int:
        """How many facts there are about texts."""
        return self._rooms.texts

    @property
    def texts_shown(self) -> frozenset[str]:
        """The texts that a unit has confirmed to show."""
        return self._rooms.texts_shown

    def errands(self) -> list[tuple[str, list[str]]]:
        """Where somebody must go, and for whom; "" for a place that is not known."""
        return [
            (
                self._names.place(errand.place) if errand.place is not None else "",
                [self._names.person(person) for person in errand.people],
            )
            for errand in self._runners.errands()
        ]

    def _raised(self, fact: facts.AlarmRaised, at: Instant) -> set[str]:
        self.raisers.add(fact.person)
        if fact.place is not None:
            self._pressed.setdefault(self._names.place(fact.place))
        if self._timeline.pressed_at is None:
            self._timeline.pressed_at = at
        answered = any(
            call.acknowledged_at is not None
            for call in self.incident.calls.values()
            if call.building == fact.building
        )
        return self._presses.raised(fact, at, answered=answered)

    def _called(self, fact: facts.CallFact, at: Instant) -> set[str]:
        changed = self._timeline.first(call_step(fact, self.incident, self._names), at)
        call = self.incident.calls[fact.call]
        match fact:
            case facts.TelecommunicatorAcknowledged():
                self._presses.answered(call.building)
                return changed
            case facts.CallSent(update=0) | facts.CallReceipt(update=0, level=ReceiptLevel.SYSTEM) if (
                call.number
            ):
                return changed | self._presses.covered(fact, call.building, at)
            case _:
                return changed


def tell(incident: IncidentId, entries: Iterable[Entry], *, names: Names) -> Story:
    """The story of all `entries`, which are each stream's own facts in order, one stream after the other."""
    story = Story(incident, names=names)
    for entry in entries:
        story.apply(entry)
    return story
