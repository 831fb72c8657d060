"""What the templates are given. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from math import inf

from msgspec import Struct

from belltower.clock import SECOND, Instant, aware
from belltower.ids import CallId
from belltower.incident.facts import Action, AlertSeen, Outcome
from belltower.incident.verbs import EXERCISE_OVER
from gateway.web.answers import WAYS, Answers, AnswersView, Calling, asking, counted
from gateway.web.desk import LaneState, Names, Recipient
from gateway.web.headline import Headline, Tone, headline
from gateway.web.responders import responders
from gateway.web.story import CHANNELS, Moment, Stage, Story, Tally, carrier, spoken_template, stamp

SILENT = 5.0
"""Seconds without a sign of life until the alarm lane counts as silent."""

SOON = 300 * SECOND
"""How long before it is due a promised update is named."""

WORDS = {
    Stage.RECORDED: "recorded",
    Stage.SENT: "sent",
    Stage.MACHINE: "received by a machine",
    Stage.HUMAN: "acknowledged by a human",
    Stage.FAILED: "failed",
    Stage.UNKNOWN: "unknown",
}
"""The word that stands beside a stage's icon."""

ACTIONS = {
    Action.LOCKDOWN: "Lock the room, stay hidden and silent",
    Action.SECURE: "Everybody inside, outer doors locked",
    Action.HOLD: "Stay where you are, empty corridors",
    Action.EVACUATE: "Leave for the meeting place",
    Action.SHELTER: "Take cover from the hazard",
}
"""The five actions as their buttons explain them, the most urgent first."""


REASONS = {
    "over": "It is over",
    "false-alarm": "False alarm",
    "handed-over": "Handed over to responders",
    EXERCISE_OVER: "The exercise is over",
}
"""Why an incident is closed: a word for the record, never free text."""


def reasons(story: Story) -> dict[str, str]:
    """The reasons that fit this incident."""
    return {key: words for key, words in REASONS.items() if story.exercise or key != EXERCISE_OVER}


class CallChoice(Struct, frozen=True, kw_only=True):
    """A call as forms name it."""

    id: CallId
    number: int
    where: str


def calls_told(story: Story) -> list[CallChoice]:
    """The calls that may be corrected or cancelled."""
    return [
        CallChoice(id=call.id, number=call.number, where=story.building_of(call.id))
        for call in story.incident.calls.values()
        if call.number and not call.cancelling
    ]


def unread(story: Story) -> list[CallChoice]:
    """The calls of which something is to be read back."""
    return [
        CallChoice(id=call.id, number=call.number, where=story.building_of(call.id))
        for call in story.incident.calls.values()
        if call.unread
    ]


class StepView(Struct, frozen=True, kw_only=True):
    """One line of the timeline."""

    key: str
    clock: str
    stamp: str
    stage: str
    word: str
    title: str
    detail: str


class CountView(Struct, frozen=True, kw_only=True):
    """How many deliveries of one channel stand where."""

    channel: str
    # Who has those that were accepted.
    carrier: str
    delivered: int
    # Opened: neither understood nor safe.
    read: int
    accepted: int
    refused: int
    uncertain: int


class NoticeBlock(Struct, frozen=True, kw_only=True):
    """One notice with its counts."""

    id: str
    title: str
    audience: str
    planned: bool
    people: int
    # That somebody can send.
    messages: int
    silent: int
    unreachable: int
    unsendable: int
    counts: Sequence[CountView]
    answers: AnswersView


class Card(Struct, frozen=True, kw_only=True):
    """One incident in the list."""

    id: str
    number: int
    # Where it began, and every place it was pressed in as far as one line bears.
    place: str
    where: str
    exercise: bool
    open: bool
    kind: str
    pressed: str
    action: str
    alarms: int
    headline: Headline
    # What is known of the responders; "" for nothing.
    responders: str
    # "2 people ask for help"; "" where nobody does.
    calling: str


class BannerLine(Struct, frozen=True, kw_only=True):
    """One thing that is wrong with the house itself, or that a drill runs."""

    tone: Tone
    text: str
    exercise: bool = False


class RecipientView(Struct, frozen=True, kw_only=True):
    """One person and what is known of the messages to them."""

    name: str
    words: Sequence[tuple[str, str, str]]


def wall(at: Instant | None, zone: tzinfo) -> str:
    """The time on the school's wall: "14:03:22"."""
    return "" if at is None else aware(at).astimezone(zone).strftime("%H:%M:%S")


def ago(microseconds: int) -> str:
    """How long ago, in one unit."""
    seconds = max(microseconds // 1_000_000, 0)
    if seconds < 90:
        return f"{seconds} s ago"
    if seconds < 5400:
        return f"{round(seconds / 60)} min ago"
    if seconds < 36 * 3600:
        return f"{round(seconds / 3600)} h ago"
    return f"{round(seconds / 86_400)} days ago"


def day(at: Instant | None, zone: tzinfo) -> str:
    """Day and time: "22 Nov 2026, 14:03:22"."""
    return "" if at is None else aware(at).astimezone(zone).strftime("%-d %b %Y, %H:%M:%S")


def step_view(moment: Moment, zone: tzinfo) -> StepView:
    """One line of the timeline."""
    return StepView(
        key=moment.key,
        clock=wall(moment.at, zone),
        stamp=stamp(moment.seconds),
        stage=moment.stage.value,
        word=WORDS[moment.stage],
        title=moment.title,
        detail=moment.detail,
    )


def card(story: Story, zone: tzinfo) -> Card:
    """The incident in one glance."""
    incident = story.incident
    coming = responders(story, lambda at: wall(at, zone))
    calling = story.answers.calling
    return Card(
        id=incident.id,
        number=incident.number,
        place=story.place,
        where=story.where,
        exercise=story.exercise,
        open=incident.open,
        kind=incident.kind.value,
        pressed=day(story.pressed_at, zone),
        action=incident.action.value.capitalize() if incident.action else "",
        alarms=incident.alarms,
        headline=headline(story),
        responders=coming.text if coming is not None else "",
        calling=asking(len(calling)) if calling else "",
    )


class CallingView(Struct, frozen=True, kw_only=True):
    """One person who asks for help."""

    name: str
    clock: str
    way: str
    # Where what they wrote can be read; "": nowhere.
    notice: str


def calling_view(one: Calling, name: str, zone: tzinfo) -> CallingView:
    """One of them, in one line."""
    return CallingView(
        name=name, clock=wall(one.at, zone), way=WAYS.get(one.channel, one.channel), notice=one.notice or ""
    )


class AlertView(Struct, frozen=True, kw_only=True):
    """One public alert."""

    event: str
    headline: str
    # "Severe · expected · likely"
    rating: str
    sender: str
    feed: str
    until: str
    # "EXERCISE", "TEST", or "" where it is meant in earnest.
    mark: str


def alert_view(seen: AlertSeen, zone: tzinfo) -> AlertView:
    """The alert in one glance, in its sender's words."""
    rating = " · ".join(
        word
        for word in (seen.severity, seen.urgency.lower(), seen.certainty.lower())
        if word not in ("", "unknown", "Unknown")
    )
    return AlertView(
        event=seen.event or "Alert",
        headline=seen.headline if seen.headline != seen.event else "",
        rating=rating,
        sender=seen.sender,
        feed=seen.feed,
        until=day(seen.expires, zone),
        mark=seen.status.upper() if seen.status in ("Exercise", "Test") else "",
    )


def notice_block(tally: Tally, answers: Answers | None = None) -> NoticeBlock:
    """One notice with its counts; what is unknown is never counted as delivered."""
    channels = sorted({channel for channel, _ in tally.counts})
    return NoticeBlock(
        id=tally.notice,
        title=spoken_template(tally.template),
        audience=tally.audience.replace("-", " "),
        planned=tally.planned,
        people=tally.people,
        messages=tally.deliveries - tally.unsendable,
        silent=tally.silent,
        unreachable=tally.unreachable,
        unsendable=tally.unsendable,
        answers=counted(answers),
        counts=[
            CountView(
                channel=CHANNELS.get(channel, channel),
                carrier=carrier(channel),
                delivered=tally.counts.get((channel, Outcome.DELIVERED), 0),
                read=tally.counts.get((channel, Outcome.READ), 0),
                accepted=tally.counts.get((channel, Outcome.ACCEPTED), 0),
                refused=tally.counts.get((channel, Outcome.REFUSED), 0),
                uncertain=tally.counts.get((channel, Outcome.UNCERTAIN), 0),
            )
            for channel in channels
        ],
    )


def banner(lane: LaneState, *, reading: str, now: Instant, zone: tzinfo) -> list[BannerLine]:
    """What is wrong with the house itself, the worst first. `reading`: why this page cannot read, or ""."""
    lines: list[BannerLine] = []
    if lane.silent_for > SILENT:
        since = "since this page started"
        if lane.silent_for != inf:
            since = f"since {wall(Instant(now - int(lane.silent_for * SECOND)), zone)}"
        text = f"The alarm lane is silent {since}. Presses may not be seen here: use the telephone, call 911."
        lines.append(BannerLine(tone=Tone.LOUD, text=text))
    if reading:
        lines.append(
            BannerLine(tone=Tone.LOUD, text=f"Cannot read the record: {reading}. What is shown may be old.")
        )
    lines += _promised(lane, now, zone)
    if lane.recording_trouble:
        text = f"What happens cannot be recorded ({lane.recording_trouble}). Calls for help still go out."
        lines.append(BannerLine(tone=Tone.LOUD, text=text))
    if lane.record_broken:
        text = f"Part of the record is missing: {lane.record_broken}. Incidents opened before may not be shown as open."
        lines.append(BannerLine(tone=Tone.LOUD, text=text))
    if lane.silent_for <= SILENT and now < lane.drill_until:
        lines.append(BannerLine(tone=Tone.QUIET, text=_drill(lane, zone), exercise=True))
    for fault in _folded(lane.faults):
        text = f"Not as it was set up: {fault}. Alarms go out all the same."
        lines.append(BannerLine(tone=Tone.WAITING, text=text))
    for link, reason in sorted(lane.lost.items()):
        text = f"Link {link} does not answer{f': {reason}' if reason else ''}."
        lines.append(BannerLine(tone=Tone.WAITING, text=text))
    if lane.unproven:
        names = ", ".join(lane.unproven)
        text = f"Not proven by a test for 31 days: {names}. Run: belltower psap test"
        lines.append(BannerLine(tone=Tone.QUIET, text=text))
    for channel, reason in sorted(lane.channels_pausing.items()):
        text = f"{CHANNELS.get(channel, channel)} are not going out now ({reason}); they are tried again."
        lines.append(BannerLine(tone=Tone.WAITING, text=text))
    if lane.units_lost:
        units = "1 unit has" if lane.units_lost == 1 else f"{lane.units_lost} units have"
        lines.append(BannerLine(tone=Tone.WAITING, text=f"{units} not been heard lately."))
    if lane.devices_lost:
        devices = "1 device is" if lane.devices_lost == 1 else f"{lane.devices_lost} devices are"
        lines.append(BannerLine(tone=Tone.WAITING, text=f"{devices} not heard; see Devices."))
    if lane.devices_unknown:
        devices = "1 device hangs" if lane.devices_unknown == 1 else f"{lane.devices_unknown} devices hang"
        text = f"{devices} on something that is lost, so nothing is known of them; see Devices."
        lines.append(BannerLine(tone=Tone.WAITING, text=text))
    if lane.device_troubles:
        lines.append(BannerLine(tone=Tone.WAITING, text="A device is in trouble that lasts; see Devices."))
    return lines


def _folded(faults: Sequence[str]) -> list[str]:
    """The faults, those of several outputs as one: on a telephone they would hide what happens."""
    outputs = [fault for fault in faults if fault.startswith("outputs")]
    if len(outputs) < 2:
        return list(faults)
    names = ", ".join(
        fault.split(":", 1)[0].removeprefix("outputs.") for fault in outputs if fault.startswith("outputs.")
    )
    more = next((f" and {fault.split()[1]} more" for fault in outputs if fault.startswith("outputs: ")), "")
    folded = f"outputs that cannot be relied upon: {names}{more}; see Devices"
    return [*(fault for fault in faults if fault not in outputs), folded]


def _promised(lane: LaneState, now: Instant, zone: tzinfo) -> list[BannerLine]:
    """Updates that families were promised: missed ones are loud, those due within `SOON` are named."""
    lines = []
    for due, number in lane.promised:
        at = aware(due).astimezone(zone).strftime("%H:%M")
        which = f"Incident No. {number}: families" if number else "Families"
        if now >= due:
            text = f"{which} were promised an update at {at}, and have none. Write it now."
            lines.append(BannerLine(tone=Tone.LOUD, text=text))
        elif now >= due - SOON:
            text = f"{which} were promised an update at {at}. Write it in time."
            lines.append(BannerLine(tone=Tone.WAITING, text=text))
    return lines


def _drill(lane: LaneState, zone: tzinfo) -> str:
    action = lane.drill_action or "no action"
    psap = "The PSAP has agreed to take part" if lane.drill_psap else "The PSAP is not part of it"
    return (
        f"EXERCISE until {wall(lane.drill_until, zone)}: {action}, at {', '.join(lane.drill_places)}. {psap}. Only units"
        " switched to exercise take part; any other press is real and ends it. EXERCISE"
    )


_OUTCOME_WORDS = {
    None: (Stage.RECORDED, "no word yet"),
    Outcome.ACCEPTED: (Stage.MACHINE, "with {carrier}, not known to have arrived"),
    Outcome.DELIVERED: (Stage.MACHINE, "delivered"),
    Outcome.READ: (Stage.MACHINE, "opened"),
    Outcome.REFUSED: (Stage.FAILED, "refused"),
    Outcome.UNCERTAIN: (Stage.UNKNOWN, "unknown"),
    Outcome.SUPERSEDED: (Stage.RECORDED, "superseded"),
}


def recipients(rows: Sequence[Recipient], names: Names) -> tuple[list[RecipientView], list[RecipientView]]:
    """Those whom nothing is known to have reached, and those whom something has, by name."""
    words: dict[str, list[tuple[str, str, str]]] = {}
    reached: set[str] = set()
    for row in rows:
        stage, word = _OUTCOME_WORDS[row.outcome]
        channel = CHANNELS.get(row.channel, row.channel)
        word = word.format(carrier=carrier(row.channel))
        said = f"{channel}: {word}{f' ({row.reason})' if row.reason else ''}"
        words.setdefault(row.person, []).append((stage.value, WORDS[stage], said))
        if row.outcome in {Outcome.DELIVERED, Outcome.READ}:
            reached.add(row.person)
    views = {person: RecipientView(name=names.person(person), words=said) for person, said in words.items()}  # type: ignore[arg-type]
    ordered = sorted(views.items(), key=lambda pair: pair[1].name)
    return (
        [view for person, view in ordered if person not in reached],
        [view for person, view in ordered if person in reached],
    )
