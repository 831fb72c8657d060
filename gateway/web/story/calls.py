"""What became of calls to the PSAP: each fact is a step of its own."""

from __future__ import annotations

from typing import assert_never

from belltower.ids import CallId
from belltower.incident import facts
from belltower.incident.facts import Mode, ReceiptLevel, ResponseStatus, UpdateKind
from belltower.incident.fold import Incident
from gateway.web.desk import Names
from gateway.web.story.moment import Stage, Step
from gateway.web.story.words import spoken

RESPONSES = {
    ResponseStatus.ASSIGNED: "Responders are assigned",
    ResponseStatus.ENROUTE: "Help is on the way",
    ResponseStatus.ONSCENE: "Responders on scene",
    ResponseStatus.CLOSED: "The PSAP has closed the call",
}
"""What the PSAP's system says of responders, the nearest last."""

_RECEIPT = {
    ReceiptLevel.RADIO: "The far radio on {link} has it; the PSAP has not confirmed",
    ReceiptLevel.STATION: "The far station on {link} has it; the PSAP has not confirmed",
    ReceiptLevel.SYSTEM: "The PSAP's system has it, over {link}",
}
_FrameFact = facts.CallSent | facts.CallReceipt | facts.CallRejected


def called_place(incident: Incident, call: CallId, names: Names) -> str:
    """The place that the call is about, as it was ordered; "" where its order is not known."""
    view = incident.calls.get(call)
    return names.place(view.place) if view is not None and view.number else ""


def call_step(fact: facts.CallFact, incident: Incident, names: Names) -> Step:
    """The step; `incident` stands as it does after the fact."""
    several = sum(call.number > 0 for call in incident.calls.values()) > 1
    about = called_place(incident, fact.call, names) if several else ""
    match fact:
        case facts.UpdateOrdered() | facts.UpdateReadBack():
            return _update_step(fact, incident, names)
        case facts.CallSent() | facts.CallReceipt() | facts.CallRejected() if fact.update:
            return _update_frame_step(fact, incident, about)
        case facts.CallOrdered():
            where = names.place(fact.place)
            return Step(f"call:{fact.call}", Stage.RECORDED, "Call to the PSAP ordered", where)
        case facts.CallSent():
            return Step(f"sent:{fact.call}:{fact.link}", Stage.SENT, f"Sent over {fact.link}", about)
        case facts.CallReceipt():
            key = f"receipt:{fact.call}:{fact.link}:{fact.level.value}"
            return Step(key, Stage.MACHINE, _RECEIPT[fact.level].format(link=fact.link), about)
        case facts.CallRejected():
            key, title = f"rejected:{fact.call}:{fact.link}", f"Refused on {fact.link}"
            return Step(key, Stage.FAILED, title, spoken(fact.reason, about))
        case facts.CallWithheld():
            key, title = f"withheld:{fact.call}:{fact.link}", f"Not sent over {fact.link}"
            return Step(key, Stage.FAILED, title, fact.reason)
        case facts.CallUnanswered():
            mend = "exercise: nobody is to call" if incident.mode is Mode.EXERCISE else "CALL 911"
            title = f"No PSAP confirmed within {fact.after:.0f} s"
            return Step(f"unanswered:{fact.call}", Stage.FAILED, title, mend)
        case facts.TelecommunicatorAcknowledged():
            detail = spoken(_position(fact.by), f"over {fact.link}", about)
            return Step(f"human:{fact.call}", Stage.HUMAN, "A telecommunicator acknowledged", detail)
        case facts.ResponseSeen():
            key = f"response:{fact.call}:{fact.status.value}"
            detail = spoken("the PSAP's system says so", f"over {fact.link}", about)
            return Step(key, Stage.MACHINE, RESPONSES[fact.status], detail)
        case other:
            assert_never(other)


def _update_step(fact: facts.UpdateOrdered | facts.UpdateReadBack, incident: Incident, names: Names) -> Step:
    if isinstance(fact, facts.UpdateReadBack):
        detail = spoken(
            _position(fact.by),
            f"over {fact.link}",
            f"noted by {names.person(fact.noted_by)}" if fact.noted_by is not None else "",
            f"{', '.join(fact.awaiting)} still to come" if fact.awaiting else "",
        )
        key = f"read-back:{fact.call}:{fact.update}:{fact.link}"
        title = f"{_update(fact, incident)} read back by a telecommunicator"
        return Step(key, Stage.HUMAN, title, detail)
    title, where = "Cancellation of the call ordered", ""
    if fact.kind is UpdateKind.PLACE:
        title, where = "Correction of the place ordered", names.place(fact.place)
    by = f"by {names.person(fact.by)}" if fact.by is not None else ""
    return Step(f"update:{fact.call}:{fact.update}", Stage.RECORDED, title, spoken(where, by))


def _update_frame_step(fact: _FrameFact, incident: Incident, about: str) -> Step:
    of, what = f"{fact.call}:{fact.update}:{fact.link}", _update(fact, incident)
    match fact:
        case facts.CallSent():
            return Step(f"update-sent:{of}", Stage.SENT, f"{what} sent over {fact.link}", about)
        case facts.CallReceipt():
            key, title = (
                f"update-receipt:{of}:{fact.level.value}",
                f"{what}: a machine has it, over {fact.link}",
            )
            return Step(key, Stage.MACHINE, title, about)
        case facts.CallRejected():
            return Step(f"update-rejected:{of}", Stage.FAILED, f"{what} refused on {fact.link}", fact.reason)
        case other:
            assert_never(other)


def _update(fact: _FrameFact | facts.UpdateReadBack, incident: Incident) -> str:
    update = incident.calls[fact.call].updates[fact.update]
    return "Correction" if update.kind is UpdateKind.PLACE else "Cancellation"


def _position(by: str) -> str:
    return f"position {by}" if by else ""
