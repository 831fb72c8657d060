"""The facts of one incident as a story: steps, each with its seconds since the press and its stage.

Pure. A step is a place in the story that may still grow ("accepted: 12, last at +4.2 s"): `Story.apply` says which
steps changed, and a screen replaces those by their key. A fact fed twice changes nothing the second time.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from belltower.clock import SECOND, Instant
from belltower.ids import CallId, DeliveryId, FactId, IncidentId, NoticeId, PersonId, PlaceId, StreamName
from belltower.incident import facts
from belltower.incident.entry import Entry
from belltower.incident.facts import (
    AlarmKind,
    Mode,
    Outcome,
    ReceiptLevel,
    Reply,
    ResponseStatus,
    UpdateKind,
)
from belltower.incident.fold import CallView, Incident
from gateway.psap.ranges import NONE, Ranges, count, union, without
from gateway.web.answers import WAYS, Answers, named
from gateway.web.desk import Names
from gateway.web.rooms import room_names, spoken_room
from gateway.web.runners import NEXT_PERSON, RUNNER, Runners


class Stage(StrEnum):
    """How far a step is known to have come."""

    RECORDED = "recorded"
    SENT = "sent"
    MACHINE = "machine"
    HUMAN = "human"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Moment(Struct, frozen=True, kw_only=True):
    """One step of the story."""

    key: str
    at: Instant
    # Where it stands in the story: its time, yet never before what its own stream said earlier.
    order: Instant
    # Since the first alarm of the incident; None where no alarm is known.
    seconds: float | None
    stage: Stage
    title: str
    detail: str = ""


class Tally(Struct, frozen=True, kw_only=True):
    """One notice and what is known of its deliveries."""

    notice: NoticeId
    template: str
    audience: str
    planned: bool = False
    people: int = 0
    deliveries: int = 0
    unreachable: int = 0
    # Of the deliveries: that nothing is set up for.
    unsendable: int = 0
    # (channel, outcome) and how many deliveries stand there now.
    counts: dict[tuple[str, Outcome], int] = {}

    @property
    def silent(self) -> int:
        """Deliveries of which nothing at all is known yet."""
        return max(0, self.deliveries - sum(self.counts.values()))


_BUTTON = {AlarmKind.PANIC: "Panic button", AlarmKind.MEDICAL: "Medical button"}
_RECEIPT = {
    ReceiptLevel.RADIO: "The far radio on {link} has it; the PSAP has not confirmed",
    ReceiptLevel.STATION: "The far station on {link} has it; the PSAP has not confirmed",
    ReceiptLevel.SYSTEM: "The PSAP's system has it, over {link}",
}

_OUTPUT_LEVELS = {
    facts.OutputLevel.WITHHELD: "withheld",
    facts.OutputLevel.QUEUED: "not sent yet",
    facts.OutputLevel.SENT: "sent, not confirmed",
    facts.OutputLevel.DEVICE: "answered by the device",
}
_OUTCOME = {
    Outcome.ACCEPTED: (Stage.MACHINE, "accepted by {carrier}, not known to have arrived"),
    Outcome.DELIVERED: (Stage.MACHINE, "delivered"),
    Outcome.READ: (Stage.MACHINE, "opened"),
    Outcome.REFUSED: (Stage.FAILED, "refused"),
    Outcome.UNCERTAIN: (Stage.UNKNOWN, "unknown whether they went out"),
}
RESPONSES = {
    ResponseStatus.ASSIGNED: "Responders are assigned",
    ResponseStatus.ENROUTE: "Help is on the way",
    ResponseStatus.ONSCENE: "Responders on scene",
    ResponseStatus.CLOSED: "The PSAP has closed the call",
}
"""What the PSAP's system says of responders, the nearest last."""

CHANNELS = {
    "sms": "Text messages",
    "voice": "Calls",
    "email": "E-mail",
    "push": "Push messages",
    "chat": "Chat messages",
    "console": "Consoles",
}
"""What people call a channel."""

_PLACES_SPOKEN = 2


def carrier(channel: str) -> str:
    """Who has a message of this channel once it was accepted."""
    return {"email": "the mail server", "console": "the console"}.get(channel, "the carrier")


def spoken_template(name: str) -> str:
    """A template's name as people read it: "Staff alarm"."""
    return name.replace("-", " ").capitalize()


class Story:
    """One incident: its fold, its steps in the order they were told, its notices."""

    def __init__(self, incident: IncidentId, *, names: Names) -> None:
        self.incident = Incident(id=incident)
        self.steps: dict[str, Moment] = {}
        self.tallies: dict[NoticeId, Tally] = {}
        self._names = names
        self._pressed_at: Instant | None = None
        # Who raised its alarms; None among them: a button did.
        self.raisers: set[PersonId | None] = set()
        # Rooms counted in a step, by its key.
        self._rooms: dict[str, dict[PlaceId, None]] = {}
        self.rooms = names.rooms()
        self.room_names = room_names(self.rooms)
        # Who must be gone to.
        self.runners = Runners()
        # How many facts there are about texts.
        self.texts = 0
        self.texts_shown: frozenset[str] = frozenset()
        # What people answered, in all and by notice.
        self.answers = Answers()
        self.answered: dict[NoticeId, Answers] = {}
        self._outcomes: dict[DeliveryId, Outcome] = {}
        self._notified: dict[str, int] = {}
        self._buildings: dict[CallId, str] = {}
        self._building_ids: dict[CallId, str] = {}
        self._places: dict[str, None] = {}
        # Alarm numbers by building: those that left on any link, and those the PSAP's system has.
        self._sent: dict[str, Ranges] = {}
        self._received: dict[str, Ranges] = {}
        self._last_presses: dict[str, str] = {}
        self._settled_since: dict[str, int] = {}
        self._heads: dict[StreamName, int] = {}
        self._spooled: set[FactId] = set()
        self._latest: dict[StreamName, Instant] = {}
        self._order = Instant(0)

    @property
    def exercise(self) -> bool:
        """It is not real."""
        return self.incident.mode is Mode.EXERCISE

    @property
    def pressed_at(self) -> Instant | None:
        """When the first alarm was raised."""
        return self._pressed_at

    @property
    def place(self) -> str:
        """Where help is needed first: the first call's corrected place, else where it began."""
        for call in self.incident.calls.values():
            if (corrected := self._corrected(call)) is not None:
                return self._names.place(corrected)
            break
        for building in self.incident.buildings.values():
            return self._names.place(building.place)
        return "place unknown"

    @staticmethod
    def _corrected(call: CallView) -> PlaceId | None:
        for number in sorted(call.updates, reverse=True):
            if call.updates[number].kind is UpdateKind.PLACE:
                return call.updates[number].place
        return None

    @property
    def corrections(self) -> dict[str, str]:
        """The right place of each place that was given to the PSAP wrongly."""
        return {
            self._buildings[call.id]: self._names.place(corrected)
            for call in self.incident.calls.values()
            if (corrected := self._corrected(call)) is not None and call.id in self._buildings
        }

    @property
    def where(self) -> str:
        """Every place it was pressed in, as far as one line bears: "A Library, Gym Cafeteria and 2 more"."""
        right = self.corrections
        places = [
            f"{right[place]}, not {place}" if place in right else place
            for place in list(self._places) or [self.place]
        ]
        spoken, more = places[:_PLACES_SPOKEN], len(places) - _PLACES_SPOKEN
        if more > 0:
            return f"{', '.join(spoken)} and {more} more"
        return " and ".join(spoken)

    def name(self, person: PersonId) -> str:
        """The person's name; the roster's people are named only where they are looked up."""
        return named(person, self._names)

    def told(self) -> list[Moment]:
        """The steps in the order in which they happened."""
        return sorted(self.steps.values(), key=lambda moment: moment.order)

    def _update(self, call: CallId, number: int) -> str:
        view = self.incident.calls.get(call)
        update = view.updates.get(number) if view is not None else None
        return "Correction" if update is not None and update.kind is UpdateKind.PLACE else "Cancellation"

    def building_of(self, call: CallId) -> str:
        """The place a call is about, as people read it."""
        return self._buildings.get(call, "")

    def place_words(self, place: PlaceId | None) -> str:
        """A place as people read it."""
        return self._names.place(place)

    def apply(self, entry: Entry) -> set[str]:
        """Take `entry`, which must be about this incident; returns the keys of the steps that changed."""
        if not self._fresh(entry):
            return set()
        self._order = max(entry.at, self._latest.get(entry.stream, entry.at))
        self._latest[entry.stream] = self._order
        before = self.incident
        self.incident = before.apply(entry)
        self.runners.apply(entry.fact)
        match entry.fact:
            case facts.AlarmRaised() as fact:
                self.raisers.add(fact.person)
                return self._alarm(before, fact, entry.at)
            case facts.ActionOrdered(action=action, by=by):
                who = "by the response plan" if by is None else f"by {self._names.person(by)}"
                return self._first(
                    f"action:{entry.id}",
                    entry.at,
                    Stage.RECORDED,
                    f"{action.value.capitalize()} ordered",
                    who,
                )
            case facts.CallOrdered() as fact:
                self._buildings[fact.call] = self._names.place(fact.place)
                self._building_ids[fact.call] = fact.building
                title = "Call to the PSAP ordered"
                return self._first(
                    f"call:{fact.call}", entry.at, Stage.RECORDED, title, self._names.place(fact.place)
                )
            case facts.UpdateOrdered() as fact:
                title, detail = "Cancellation of the call ordered", ""
                if fact.kind is facts.UpdateKind.PLACE:
                    title, detail = "Correction of the place ordered", self._names.place(fact.place)
                if fact.by is not None:
                    detail = "; ".join(filter(None, [detail, f"by {self._names.person(fact.by)}"]))
                key = f"update:{fact.call}:{fact.update}"
                return self._first(key, entry.at, Stage.RECORDED, title, detail)
            case facts.CallSent(update=update) as fact if update:
                key = f"update-sent:{fact.call}:{update}:{fact.link}"
                title = f"{self._update(fact.call, update)} sent over {fact.link}"
                return self._first(key, entry.at, Stage.SENT, title, self._about(fact.call))
            case facts.CallReceipt(update=update) as fact if update:
                key = f"update-receipt:{fact.call}:{update}:{fact.link}:{fact.level.value}"
                title = f"{self._update(fact.call, update)}: a machine has it, over {fact.link}"
                return self._first(key, entry.at, Stage.MACHINE, title, self._about(fact.call))
            case facts.CallRejected(update=update) as fact if update:
                key = f"update-rejected:{fact.call}:{update}:{fact.link}"
                title = f"{self._update(fact.call, update)} refused on {fact.link}"
                return self._first(key, entry.at, Stage.FAILED, title, fact.reason)
            case facts.UpdateReadBack() as fact:
                said = [f"position {fact.by}" if fact.by else "", f"over {fact.link}"]
                if fact.noted_by is not None:
                    said.append(f"noted by {self._names.person(fact.noted_by)}")
                if fact.awaiting:
                    said.append(f"{', '.join(fact.awaiting)} still to come")
                key = f"read-back:{fact.call}:{fact.update}:{fact.link}"
                title = f"{self._update(fact.call, fact.update)} read back by a telecommunicator"
                return self._first(key, entry.at, Stage.HUMAN, title, "; ".join(filter(None, said)))
            case facts.CallSent() as fact:
                key = f"sent:{fact.call}:{fact.link}"
                title = f"Sent over {fact.link}"
                return self._first(key, entry.at, Stage.SENT, title, self._about(fact.call)) | self._covered(
                    self._sent, fact.call, fact.covers
                )
            case facts.CallReceipt() as fact:
                title = _RECEIPT[fact.level].format(link=fact.link)
                key = f"receipt:{fact.call}:{fact.link}:{fact.level.value}"
                changed = self._first(key, entry.at, Stage.MACHINE, title, self._about(fact.call))
                if fact.level is ReceiptLevel.SYSTEM:
                    changed |= self._covered(self._received, fact.call, fact.covers)
                return changed
            case facts.CallRejected() as fact:
                detail = "; ".join(filter(None, [fact.reason, self._about(fact.call)]))
                key = f"rejected:{fact.call}:{fact.link}"
                return self._first(key, entry.at, Stage.FAILED, f"Refused on {fact.link}", detail)
            case facts.CallWithheld() as fact:
                key = f"withheld:{fact.call}:{fact.link}"
                return self._first(key, entry.at, Stage.FAILED, f"Not sent over {fact.link}", fact.reason)
            case facts.CallUnanswered() as fact:
                mend = "exercise: nobody is to call" if self.exercise else "CALL 911"
                title = f"No PSAP confirmed within {fact.after:.0f} s"
                return self._first(f"unanswered:{fact.call}", entry.at, Stage.FAILED, title, mend)
            case facts.TelecommunicatorAcknowledged() as fact:
                detail = "; ".join(
                    filter(
                        None,
                        [
                            f"position {fact.by}" if fact.by else "",
                            f"over {fact.link}",
                            self._about(fact.call),
                        ],
                    )
                )
                key = f"human:{fact.call}"
                return self._first(key, entry.at, Stage.HUMAN, "A telecommunicator acknowledged", detail)
            case facts.ResponseSeen() as fact:
                detail = "; ".join(
                    filter(None, ["the PSAP's system says so", f"over {fact.link}", self._about(fact.call)])
                )
                key = f"response:{fact.call}:{fact.status.value}"
                return self._first(key, entry.at, Stage.MACHINE, RESPONSES[fact.status], detail)
            case facts.NoticeOrdered() as fact:
                if fact.notice in self.tallies:
                    return set()
                self.tallies[fact.notice] = Tally(
                    notice=fact.notice, template=fact.template, audience=fact.audience
                )
                title = f"Notice ordered: {spoken_template(fact.template)}"
                key = f"notice:{fact.notice}"
                return self._first(
                    key, entry.at, Stage.RECORDED, title, f"to {fact.audience.replace('-', ' ')}"
                )
            case facts.NoticePlanned() as fact:
                return self._planned(fact, entry.at)
            case facts.DeliverySettled() as fact:
                return self._settled(fact, entry.at)
            case facts.DeliveryEscalated() as fact:
                return self._escalated(fact, entry.at)
            case facts.IncidentClosed(by=by, reason=reason):
                detail = "; ".join(filter(None, [f"by {self._names.person(by)}", reason.replace("-", " ")]))
                return self._first("closed", entry.at, Stage.RECORDED, "Closed", detail)
            case facts.OutputOrdered() as fact:
                title = f"{fact.output} switched {'on' if fact.on else 'off'}: ordered"
                return self._first(f"output:{entry.id}", entry.at, Stage.RECORDED, title)
            case facts.OutputReceipt() as fact:
                came = "confirmed" if fact.confirmed else _OUTPUT_LEVELS[fact.level]
                title = f"{fact.output} {'on' if fact.on else 'off'}: {came}"
                return self._first(f"output:{entry.id}", entry.at, Stage.SENT, title)
            case facts.OutputFailed() as fact:
                title = f"{fact.output} could not be switched {'on' if fact.on else 'off'}"
                if fact.level is not facts.OutputLevel.QUEUED:
                    title = f"{fact.output} {'on' if fact.on else 'off'}: {_OUTPUT_LEVELS[fact.level]}"
                return self._first(f"output:{entry.id}", entry.at, Stage.FAILED, title, fact.reason)
            case facts.StatusReported() | facts.OrderShown() | facts.RoomNotReached() as fact:
                return self._room(fact, entry)
            case facts.TextHeard() | facts.TextOrdered() | facts.TextShown() as fact:
                return self._text(fact, entry)
            case facts.ReplyHeard() as fact:
                return self._reply(fact, entry)
            case facts.SignalSuspect() as fact:
                title = f"Unproven signal from {fact.unit}"
                return self._first(
                    f"suspect:{entry.id}", entry.at, Stage.UNKNOWN, title, "a person must look"
                )
            case facts.PanelTrouble() as fact:
                title = f"Panel {fact.panel} reports {fact.code} of zone {fact.zone or '-'}"
                return self._first(f"panel:{entry.id}", entry.at, Stage.UNKNOWN, title, "a person must look")
            case facts.DisclosureOpened() | facts.DisclosureGiven() | facts.DisclosureClosed() as fact:
                who = self._names.person(fact.by) if fact.by is not None else "by itself"
                return self._first(f"disclosure:{entry.id}", entry.at, Stage.RECORDED, disclosed(fact), who)
            case facts.UnknownFact() as fact:
                title = f"Something this version does not know: {fact.unknown_tag}"
                return self._first(f"other:{entry.id}", entry.at, Stage.UNKNOWN, title)
            case _:  # about links, units and lanes: those stand in the banner
                return set()

    def _room(
        self, fact: facts.StatusReported | facts.OrderShown | facts.RoomNotReached, entry: Entry
    ) -> set[str]:
        """What is urgent is a step of its own; rooms that are safe, and those that show an order, are counted."""
        unit = None if isinstance(fact, facts.RoomNotReached) else fact.unit
        place = facts.room_of(fact.place, unit)
        name = next((room.name for room in self.rooms if room.id == place), "")
        if not name:
            name = spoken_room(place) if place.startswith("?") else self._names.place(place)
        match fact:
            case facts.RoomNotReached():
                title = f"{name} not reached: nothing there confirms {fact.action.value}"
                key = f"missed:{fact.ordered}:{place}"
                return self._first(key, entry.at, Stage.FAILED, title, "somebody must go or call")
            case facts.OrderShown():
                return self._counted(
                    f"shown:{fact.ordered}",
                    place,
                    entry.at,
                    Stage.MACHINE,
                    f"{fact.action.value.capitalize()} is shown in",
                    f"last {name}; shown is not read",
                )
            case facts.StatusReported(status=facts.RoomStatus.SAFE):
                return self._counted("safe", place, entry.at, Stage.RECORDED, "Safe:", f"last {name}")
            case facts.StatusReported():
                word = fact.status.value.replace("_", " ")
                title = f"{name}: {fact.count} {word}" if fact.count else f"{name}: {word}"
                return self._first(f"status:{entry.id}", entry.at, Stage.RECORDED, title)

    def _counted(
        self, key: str, place: PlaceId, at: Instant, stage: Stage, title: str, detail: str
    ) -> set[str]:
        rooms = self._rooms.setdefault(key, {})
        rooms[place] = None
        count = f"{len(rooms)} room{'' if len(rooms) == 1 else 's'}"
        known = self.steps.get(key)
        if known is None:
            return self._first(key, at, stage, f"{title} {count}", detail)
        return self._put(replace(known, title=f"{title} {count}", detail=detail))

    def _text(self, fact: facts.TextHeard | facts.TextOrdered | facts.TextShown, entry: Entry) -> set[str]:
        """That there is a text, never what it says."""
        self.texts += 1
        name = self.room_names.get(fact.unit, f"unit {fact.unit}")
        match fact:
            case facts.TextHeard():
                return self._first(f"text:{fact.text}", entry.at, Stage.RECORDED, f"Text from {name}")
            case facts.TextOrdered():
                by = "" if fact.by is None else f"by {self._names.person(fact.by)}"
                return self._first(f"text:{fact.text}", entry.at, Stage.RECORDED, f"Text to {name}", by)
            case facts.TextShown():
                self.texts_shown = self.texts_shown | {fact.text}
                key = f"text:{fact.text}"
                known = self.steps.get(key)
                if known is None:
                    return set()
                return self._put(replace(known, stage=Stage.MACHINE, detail="shown on the unit"))

    def _reply(self, fact: facts.ReplyHeard, entry: Entry) -> set[str]:
        """Who needs help has a step of their own; the others are counted."""
        self.answers.take(fact, entry.at)
        if fact.notice is not None:
            self.answered.setdefault(fact.notice, Answers()).take(fact, entry.at)
        name, way = self.name(fact.person), WAYS.get(fact.channel, fact.channel)
        match fact.reply:
            case Reply.NEED_HELP:
                return self._first(f"answer:{entry.id}", entry.at, Stage.RECORDED, f"{name} NEEDS HELP", way)
            case Reply.SAFE:
                return self._tell("safe", entry.at, f"Safe, in their own words: {self.answers.safe}", name)
            case Reply.ACKNOWLEDGED:
                return self._tell("heard", entry.at, f"Heard and understood: {self.answers.heard}", name)
            case Reply.TEXT:
                title = f"Texts from people: {self.answers.texts}"  # perhaps from a telephone that answers by itself
                return self._tell("texts", entry.at, title, name, Stage.RECORDED)
            case Reply.STOP | Reply.START:  # about the address, not about the incident
                return set()

    def _tell(self, about: str, at: Instant, title: str, last: str, stage: Stage = Stage.HUMAN) -> set[str]:
        key = f"answers:{about}"
        known = self.steps.get(key)
        detail = f"the last: {last}"
        if known is None:
            return self._first(key, at, stage, title, detail)
        return self._put(replace(known, title=title, detail=detail))

    def _fresh(self, entry: Entry) -> bool:
        if entry.id in self._spooled:
            return False
        if entry.position == 0:  # it was spooled, and comes again under the same id once it has its place
            self._spooled.add(entry.id)
            return True
        if entry.position <= self._heads.get(entry.stream, 0):
            return False
        self._heads[entry.stream] = entry.position
        return True

    def _seconds(self, at: Instant) -> float | None:
        return None if self._pressed_at is None else (at - self._pressed_at) / SECOND

    def _put(self, moment: Moment) -> set[str]:
        self.steps[moment.key] = moment
        return {moment.key}

    def _first(self, key: str, at: Instant, stage: Stage, title: str, detail: str = "") -> set[str]:
        if key in self.steps:
            return set()
        return self._put(
            Moment(
                key=key,
                at=at,
                order=self._order,
                seconds=self._seconds(at),
                stage=stage,
                title=title,
                detail=detail,
            )
        )

    def _about(self, call: CallId) -> str:
        return self._buildings.get(call, "") if len(self._buildings) > 1 else ""

    def _alarm(self, before: Incident, fact: facts.AlarmRaised, at: Instant) -> set[str]:
        if self._pressed_at is None:
            self._pressed_at = at
        where = self._names.place(fact.place)
        if fact.place is not None:
            self._places.setdefault(where)
        known = before.buildings.get(fact.building)
        if known is None:
            if fact.person is not None:
                title = f"Raised by {self._names.person(fact.person)}"
            else:
                title = f"{_BUTTON[fact.kind]} pressed"
            return self._first(f"alarm:{fact.building}", at, Stage.RECORDED, f"{title}: {where}", _way(fact))
        if fact.number <= known.alarms:
            return set()
        more = fact.number - 1
        key = f"alarms:{fact.building}"
        first = self.steps.get(key)
        moment = Moment(
            key=key,
            at=first.at if first else at,
            order=first.order if first else self._order,
            seconds=first.seconds if first else self._seconds(at),
            stage=Stage.RECORDED,
            title=f"{more} more {'press' if more == 1 else 'presses'}"
            + (f" in building {fact.building}" if fact.building else ""),
        )
        self._last_presses[fact.building] = f"the last from {where}, {_stamp(self._seconds(at))}"
        self._put(moment)
        return self._presses(fact.building)

    def _covered(self, known: dict[str, Ranges], call: CallId, covers: Ranges) -> set[str]:
        building = self._building_ids.get(call)
        if building is None:
            return set()
        before = known.get(building, NONE)
        known[building] = union(before, covers)
        return self._presses(building) if known[building] != before else set()

    def _presses(self, building: str) -> set[str]:
        """Say where the further presses in a building stand by now."""
        moment = self.steps.get(f"alarms:{building}")
        if moment is None:
            return set()
        more = self.incident.buildings[building].alarms - 1
        further: Ranges = ((2, more + 1),)
        received = more - count(without(further, self._received.get(building, NONE)))
        sent = more - count(
            without(further, union(self._sent.get(building, NONE), self._received.get(building, NONE)))
        )
        stage = Stage.RECORDED
        if sent:
            stage = Stage.MACHINE if received == more else Stage.SENT if sent == more else stage
        words = ["none sent to the PSAP so far"]
        if sent:
            words = [f"{'all' if sent == more else sent} sent"]
        if received:
            words.append(f"{'all' if received == more else received} received by the PSAP's system")
        detail = f"{self._last_presses[building]}; {', '.join(words)}"
        return self._put(replace(moment, stage=stage, detail=detail))

    def _planned(self, fact: facts.NoticePlanned, at: Instant) -> set[str]:
        tally = self.tallies.get(fact.notice)
        if tally is None or tally.planned:
            return set()
        self.tallies[fact.notice] = replace(
            tally,
            planned=True,
            people=fact.people,
            deliveries=fact.deliveries,
            unreachable=fact.unreachable,
            unsendable=fact.unsendable,
        )
        messages = fact.deliveries - fact.unsendable
        title = f"{spoken_template(tally.template)}: {fact.people} people, {messages} messages to send"
        detail = [f"{fact.unreachable} have no address"] if fact.unreachable else []
        detail += [f"{fact.unsendable} addresses that nobody can send to"] if fact.unsendable else []
        return self._first(f"planned:{fact.notice}", at, Stage.RECORDED, title, "; ".join(detail))

    def _settled(self, fact: facts.DeliverySettled, at: Instant) -> set[str]:
        tally = self.tallies.get(fact.notice)
        known = self._outcomes.get(fact.delivery)
        if tally is None or known is fact.outcome:
            return set()
        self._outcomes[fact.delivery] = fact.outcome
        counts = dict(tally.counts)
        if known is not None:
            counts[fact.channel, known] -= 1
        counts[fact.channel, fact.outcome] = counts.get((fact.channel, fact.outcome), 0) + 1
        self.tallies[fact.notice] = replace(tally, counts=counts)
        changed = self._heard_since(fact) if known is Outcome.ACCEPTED else set()
        if fact.outcome not in _OUTCOME:
            return changed
        stage, words = _OUTCOME[fact.outcome]
        words = words.format(carrier=carrier(fact.channel))
        key = f"delivery:{fact.notice}:{fact.channel}:{fact.outcome.value}"
        reached = self._notified[key] = self._notified.get(key, 0) + 1
        first = self.steps.get(key)
        channel = CHANNELS.get(fact.channel, fact.channel)
        moment = Moment(
            key=key,
            at=first.at if first else at,
            order=first.order if first else self._order,
            seconds=first.seconds if first else self._seconds(at),
            stage=stage,
            title=f"{channel}: {reached} {words}",
            detail=f"the last {_stamp(self._seconds(at))}" if reached > 1 else "",
        )
        self._put(moment)
        if fact.outcome is Outcome.ACCEPTED:
            self._say_accepted(key, fact.channel)
        return changed | {key}

    def errands(self) -> list[tuple[str, list[str]]]:
        """Where somebody must go, and for whom; "" for a place that is not known."""
        return [
            (
                self._names.place(errand.place) if errand.place is not None else "",
                [self._names.person(person) for person in errand.people],
            )
            for errand in self.runners.errands()
        ]

    def _escalated(self, fact: facts.DeliveryEscalated, at: Instant) -> set[str]:
        """People who did not answer, counted by what follows."""
        tally = self.tallies.get(fact.notice)
        if tally is not None and fact.to not in {NEXT_PERSON, RUNNER}:
            self.tallies[fact.notice] = replace(tally, deliveries=tally.deliveries + 1)
        key = f"escalated:{fact.notice}:{fact.step}:{fact.to}"
        people = self._notified[key] = self._notified.get(key, 0) + 1
        who = "1 person" if people == 1 else f"{people} people"
        follow = CHANNELS.get(fact.to, fact.to).lower()
        stage, title = Stage.RECORDED, f"{who} not known to be reached: {follow} follow"
        if fact.to == NEXT_PERSON:
            title = f"{who} did not answer: whoever is nearest is told"
        elif fact.to == RUNNER:
            stage, title = Stage.FAILED, f"{who} did not answer in any way"
        detail = "somebody must go or call" if fact.to == RUNNER else ""
        known = self.steps.get(key)
        if known is None:
            return self._first(key, at, stage, title, detail)
        return self._put(replace(known, title=title))

    def _heard_since(self, fact: facts.DeliverySettled) -> set[str]:
        """One that was accepted has arrived, or is known not to."""
        key = f"delivery:{fact.notice}:{fact.channel}:{Outcome.ACCEPTED.value}"
        self._settled_since[key] = self._settled_since.get(key, 0) + 1
        self._say_accepted(key, fact.channel)
        return {key}

    def _say_accepted(self, key: str, channel: str) -> None:
        accepted, since = self._notified[key], self._settled_since.get(key, 0)
        if not since:
            return
        rest = f"{accepted - since} not known to have arrived" if accepted > since else "all heard of since"
        title = f"{CHANNELS.get(channel, channel)}: {accepted} accepted by {carrier(channel)}, {rest}"
        self._put(replace(self.steps[key], title=title))


def _way(fact: facts.AlarmRaised) -> str:
    way = {"mqtt": "by network", "radio": "by radio"}.get(fact.path, fact.path)
    return ", ".join(filter(None, [f"unit {fact.unit}" if fact.unit else "", way]))


def _stamp(seconds: float | None) -> str:
    return "" if seconds is None else f"at {stamp(seconds)} s"


def stamp(seconds: float | None) -> str:
    """Seconds since the press as they are written: "+0.412", "+75.0", "−0.300" after the clock was set back."""
    if seconds is None:
        return "–"
    digits = 3 if abs(seconds) < 10 else 1
    return f"{'−' if seconds < 0 else '+'}{abs(seconds):.{digits}f}"


def tell(incident: IncidentId, entries: Iterable[Entry], *, names: Names) -> Story:
    """The story of all `entries`, which are each stream's own facts in order, one stream after the other."""
    story = Story(incident, names=names)
    for entry in entries:
        story.apply(entry)
    return story


def disclosed(fact: facts.DisclosureOpened | facts.DisclosureGiven | facts.DisclosureClosed) -> str:
    """What became of records for somebody outside: counts, and nobody's name."""
    if isinstance(fact, facts.DisclosureClosed):
        return f"No records are given outside any more: {fact.why.replace('-', ' ')}"
    whose = f"Records of {fact.students} student{'' if fact.students == 1 else 's'}"
    if isinstance(fact, facts.DisclosureGiven):
        return f"{whose} {fact.way} for somebody outside"
    exercise = ", in an exercise: nobody's are" if fact.mode is Mode.EXERCISE else ""
    return f"{whose} may be given outside{exercise}"
