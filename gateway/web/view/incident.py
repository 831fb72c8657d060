"""An incident as the templates are given it: its card, its steps, the calls and reasons that forms name."""

from __future__ import annotations

from datetime import tzinfo

from msgspec import Struct

from belltower.ids import CallId
from belltower.incident.facts import Action
from belltower.incident.verbs import EXERCISE_OVER
from gateway.web.answers import WAYS, Calling, asking
from gateway.web.headline import Headline, headline
from gateway.web.responders import responders
from gateway.web.story import Moment, Stage, Story, stamp
from gateway.web.view.times import day, wall

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
    # How it stands with the action: "in force" or "was ordered".
    ordered: str
    alarms: int
    headline: Headline
    # What is known of the responders; "" for nothing.
    responders: str
    # "2 people ask for help"; "" where nobody does.
    calling: str


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
        ordered="in force" if incident.open else "was ordered",
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
