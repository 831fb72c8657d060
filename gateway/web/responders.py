"""What the PSAP's system says of the responders, in one calm line. Pure."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from belltower.clock import Instant
from belltower.incident.facts import ResponseStatus
from belltower.incident.fold import CallView
from gateway.web.story import RESPONSES, Story

_NEARNESS = list(RESPONSES)


class Responders(Struct, frozen=True, kw_only=True):
    """One line, since when, and who says so."""

    status: str
    text: str
    note: str


def responders(story: Story, wall: Callable[[Instant | None], str]) -> Responders | None:
    """What is known of the responders of an open incident; None: nothing has been said.

    Of several calls the one with the least news that has any is spoken of: nobody is told that help has come to a
    building to which it is still on its way.
    """
    incident = story.incident
    if not incident.open:
        return None
    calls = [call for call in incident.calls.values() if call.number]
    told = [call for call in calls if call.response is not None and call.response_at is not None]
    live = [call for call in told if call.response is not ResponseStatus.CLOSED] or told
    if not live:
        return None
    least = min(_nearness(call) for call in live)
    spoken = [call for call in live if _nearness(call) == least]
    status = _NEARNESS[least]
    since = min(call.response_at for call in spoken if call.response_at is not None)
    note = (
        f"The PSAP's system says so, over {' and '.join(sorted({str(call.response_on) for call in spoken}))}."
    )
    if len(calls) > 1:
        note = f"{_places(story, spoken)}: {note[0].lower()}{note[1:]}"
        unheard = [call for call in calls if call.response is None]
        if unheard:
            note += f" Nothing has been said for {_places(story, unheard)}."
        nearer = [call for call in live if _nearness(call) > least]
        if nearer:
            note += f" Nearer: {'; '.join(_about(story, call) for call in nearer)}."
    opening = "EXERCISE: " if story.exercise else ""
    return Responders(status=status.value, text=f"{opening}{RESPONSES[status]} ({wall(since)})", note=note)


def _nearness(call: CallView) -> int:
    return _NEARNESS.index(call.response) if call.response is not None else -1


def _about(story: Story, call: CallView) -> str:
    words = RESPONSES[call.response].lower() if call.response is not None else ""
    return f"{story.building_of(call.id) or f'call {call.number}'}, {words}"


def _places(story: Story, calls: list[CallView]) -> str:
    return ", ".join(story.building_of(call.id) or f"call {call.number}" for call in calls)
