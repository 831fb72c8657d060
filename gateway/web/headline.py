"""The one big line at the top of an incident: what is known of the call for help, never more."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum, StrEnum
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from belltower.incident.facts import ReceiptLevel, UpdateKind
from belltower.incident.fold import CallView
from gateway.web.story import Story

_PLACES_SPOKEN = 4


class Tone(StrEnum):
    """How loud a line is; each has its own icon and word as well as its colour."""

    LOUD = "loud"
    WAITING = "waiting"
    ANSWERED = "answered"
    QUIET = "quiet"


class Headline(Struct, frozen=True, kw_only=True):
    """The big line, what stands below it, and its tone."""

    tone: Tone
    text: str
    note: str = ""
    # What was pressed after a person had answered, and how far that came; "" for nothing.
    later: str = ""


class _Call(IntEnum):
    """How a call stands, from the best to the worst: an incident is as well off as its worst call."""

    CANCELLED = 0
    ACKNOWLEDGED = 1
    RECEIVED = 2
    SENT = 3
    ORDERED = 4
    WITHHELD = 5
    REFUSED = 6
    UNANSWERED = 7
    CANCELLING = 8


def _standing(call: CallView) -> _Call:
    links = call.links.values()
    if call.cancelled:
        return _Call.CANCELLED
    if call.cancelling and any(link.sent_at is not None for link in links):
        return _Call.CANCELLING
    if call.acknowledged_at is not None:
        return _Call.ACKNOWLEDGED
    if call.received is not None:
        return _Call.RECEIVED
    if call.unanswered_at is not None:
        return _Call.UNANSWERED
    alive = [link for link in links if link.rejected_at is None and not link.withheld]
    if any(link.sent_at is not None for link in alive):
        return _Call.SENT
    if alive or not call.links:
        return _Call.ORDERED
    return _Call.REFUSED if any(link.rejected_at is not None for link in links) else _Call.WITHHELD


def headline(story: Story) -> Headline:
    """What to read first."""
    if not story.incident.open:
        return Headline(tone=Tone.QUIET, text="CLOSED", note=_closed_note(story))
    return replace(_known(story), later=_later(story))


def _later(story: Story) -> str:
    """The places of presses that no person has answered although the call was answered before them."""
    calls = [call for call in story.incident.calls.values() if not call.cancelling]
    places = {place: received for call in calls for place, received in story.later(call).items()}
    said = [
        (True, "received by the PSAP's system, no person has answered it"),
        (False, "not known to have reached the PSAP"),
    ]
    return " ".join(
        f"{_listed([place for place in places if places[place] is received])}, pressed later: {words}."
        for received, words in said
        if received in places.values()
    )


def _listed(places: Sequence[str]) -> str:
    more = len(places) - _PLACES_SPOKEN
    told = ", ".join(places[:_PLACES_SPOKEN])
    return f"{told} and {more} more" if more > 0 else told


def _known(story: Story) -> Headline:
    """The line of the open incident."""
    incident = story.incident
    uncalled = _uncalled(story)
    if not incident.calls and uncalled:
        return _look(uncalled, "", exercise=story.exercise)
    if not incident.calls:
        note = "" if story.exercise else "If help from outside is needed, call 911."
        return Headline(tone=Tone.WAITING, text="NO CALL TO THE PSAP WAS ORDERED", note=note)
    standings = {call.id: _standing(call) for call in incident.calls.values()}
    worst = max(standings.values())
    calls = [call for call in incident.calls.values() if standings[call.id] == worst]
    about = ""
    if len(incident.calls) > 1:
        about = ", ".join(filter(None, (story.building_of(call.id) for call in calls)))
    line = _line(story, worst, calls[0], about)
    if any(_corrected_unread(call) for call in incident.calls.values()):
        line = replace(
            line, note=f"{line.note} The right place has not been read back yet: telephone the PSAP."
        )
    if uncalled and line.tone is Tone.LOUD:
        return replace(line, note=f"{line.note} Nobody was called for {uncalled}.")
    return _look(uncalled, line.text, exercise=story.exercise) if uncalled else line


def _uncalled(story: Story) -> str:
    """The buildings whose alarms prove nothing and for which there is no call, each with why."""
    incident = story.incident
    called = {call.building for call in incident.calls.values()}
    return "; ".join(
        f"{story.place_words(each.place)} ({each.unproven})"
        for name, each in incident.buildings.items()
        if not each.proven and name not in called
    )


def _look(uncalled: str, others: str, *, exercise: bool) -> Headline:
    """What nobody was called for; `others` is what the calls there are have come to."""
    note = f"{uncalled}." + (f" Other places: {others}." if others else "")
    if exercise:
        return Headline(
            tone=Tone.LOUD,
            text="NOT CALLED BY ITSELF — EXERCISE",
            note=f"{note} In a real alarm: look, then call 911.",
        )
    return Headline(tone=Tone.LOUD, text="NOT CALLED BY ITSELF — LOOK, THEN CALL 911", note=note)


def _corrected_unread(call: CallView) -> bool:
    return bool(call.unread) and call.updates[call.unread].kind is UpdateKind.PLACE


def _line(story: Story, worst: _Call, call: CallView, about: str) -> Headline:
    tone, text, note = _words(worst, call, exercise=story.exercise)
    return Headline(tone=tone, text=text, note=f"{about}: {note}" if about else note)


def _words(worst: _Call, call: CallView, *, exercise: bool) -> tuple[Tone, str, str]:
    match worst:
        case _Call.CANCELLED:
            text = "CALLED OFF, and read back by a telecommunicator"
            return Tone.QUIET, text, "A new press is a new alarm."
        case _Call.CANCELLING:
            mend = "elephone the PSAP and let them read the number back."
            note = f"Responders may still be coming. {'In a real case: t' if exercise else 'T'}{mend}"
            return Tone.WAITING, "CALLING IT OFF, NOT READ BACK YET", note
        case _Call.ACKNOWLEDGED:
            by = f"Position {call.acknowledged_by}, " if call.acknowledged_by else ""
            note = f"{by}over {call.acknowledged_on}." if call.acknowledged_on else by.removesuffix(", ")
            return Tone.ANSWERED, "ACKNOWLEDGED by a telecommunicator", note
        case _Call.RECEIVED:
            text = f"RECEIVED BY {call.received}, NO PERSON HAS ANSWERED"
            return Tone.WAITING, text, "The PSAP's system confirmed the call."
        case _Call.SENT:
            on_the_way = any(link.level not in {None, ReceiptLevel.SYSTEM} for link in call.links.values())
            note = "The call is on its way."
            if on_the_way:
                note = "A machine on the way has it; the PSAP has not confirmed."
            return Tone.WAITING, "SENT, NOTHING HAS ANSWERED YET", note
        case _Call.ORDERED:
            return Tone.WAITING, "NOT SENT YET", "No link has taken the call so far."
        case _Call.WITHHELD:
            return Tone.QUIET, "NOT SENT TO THE PSAP", "No link opened for this call."
        case _Call.REFUSED | _Call.UNANSWERED:
            loud = "REFUSED BY THE PSAP" if worst is _Call.REFUSED else "NOT ACKNOWLEDGED"
            if exercise:
                return Tone.LOUD, f"{loud} — EXERCISE", "In a real alarm: call 911."
            note = "Use any telephone now. The call is still being repeated on every link."
            return Tone.LOUD, f"{loud} — CALL 911", note
        case other:
            assert_never(other)


def _closed_note(story: Story) -> str:
    return (
        ""
        if story.incident.acknowledged or not story.incident.calls
        else "No telecommunicator had acknowledged."
    )
