"""The one big line at the top of an incident: what is known of the call for help, never more."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from belltower.incident.facts import ReceiptLevel, UpdateKind
from belltower.incident.fold import CallView
from gateway.web.story import Story


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


# From the best to the worst: an incident is as well off as its worst call.
_CANCELLED, _ACKNOWLEDGED, _RECEIVED, _SENT, _ORDERED, _WITHHELD, _REFUSED, _UNANSWERED, _CANCELLING = range(
    9
)


def _standing(call: CallView) -> int:
    links = call.links.values()
    if call.cancelled:
        return _CANCELLED
    if call.cancelling and any(link.sent_at is not None for link in links):
        return _CANCELLING
    if call.acknowledged_at is not None:
        return _ACKNOWLEDGED
    if call.received is not None:
        return _RECEIVED
    if call.unanswered_at is not None:
        return _UNANSWERED
    alive = [link for link in links if link.rejected_at is None and not link.withheld]
    if any(link.sent_at is not None for link in alive):
        return _SENT
    if alive or not call.links:
        return _ORDERED
    return _REFUSED if any(link.rejected_at is not None for link in links) else _WITHHELD


def headline(story: Story) -> Headline:
    """What to read first."""
    incident = story.incident
    if not incident.open:
        return Headline(tone=Tone.QUIET, text="CLOSED", note=_closed_note(story))
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


def _line(story: Story, worst: int, call: CallView, about: str) -> Headline:
    exercise = story.exercise
    place = f"{about}: " if about else ""
    if worst == _CANCELLED:
        return Headline(
            tone=Tone.QUIET,
            text="CALLED OFF, and read back by a telecommunicator",
            note=f"{place}A new press is a new alarm.",
        )
    if worst == _CANCELLING:
        how = "In a real case: t" if exercise else "T"
        return Headline(
            tone=Tone.WAITING,
            text="CALLING IT OFF, NOT READ BACK YET",
            note=f"{place}Responders may still be coming. {how}elephone the PSAP and let them read the number back.",
        )
    if worst == _ACKNOWLEDGED:
        by = f"Position {call.acknowledged_by}, " if call.acknowledged_by else ""
        note = f"{by}over {call.acknowledged_on}." if call.acknowledged_on else by.removesuffix(", ")
        return Headline(tone=Tone.ANSWERED, text="ACKNOWLEDGED by a telecommunicator", note=f"{place}{note}")
    if worst == _RECEIVED:
        text = f"RECEIVED BY {call.received}, NO PERSON HAS ANSWERED"
        return Headline(tone=Tone.WAITING, text=text, note=f"{place}The PSAP's system confirmed the call.")
    if worst == _SENT:
        radio = any(
            link.level is not None and link.level is not ReceiptLevel.SYSTEM for link in call.links.values()
        )
        note = (
            "A machine on the way has it; the PSAP has not confirmed." if radio else "The call is on its way."
        )
        return Headline(tone=Tone.WAITING, text="SENT, NOTHING HAS ANSWERED YET", note=f"{place}{note}")
    if worst == _ORDERED:
        note = "No link has taken the call so far."
        return Headline(tone=Tone.WAITING, text="NOT SENT YET", note=f"{place}{note}")
    if worst == _WITHHELD:
        return Headline(
            tone=Tone.QUIET, text="NOT SENT TO THE PSAP", note=f"{place}No link opened for this call."
        )
    loud = "REFUSED BY THE PSAP" if worst == _REFUSED else "NOT ACKNOWLEDGED"
    if exercise:
        return Headline(tone=Tone.LOUD, text=f"{loud} — EXERCISE", note=f"{place}In a real alarm: call 911.")
    return Headline(
        tone=Tone.LOUD,
        text=f"{loud} — CALL 911",
        note=f"{place}Use any telephone now. The call is still being repeated on every link.",
    )


def _closed_note(story: Story) -> str:
    return (
        ""
        if story.incident.acknowledged or not story.incident.calls
        else "No telecommunicator had acknowledged."
    )
