"""Facts that are one step each, and never change afterwards."""

from __future__ import annotations

from belltower.incident import facts
from belltower.incident.entry import Entry
from belltower.incident.facts import Mode, OutputLevel
from gateway.web.desk import Names
from gateway.web.story.moment import Stage, Step
from gateway.web.story.words import spoken

_OUTPUT_LEVELS = {
    OutputLevel.WITHHELD: "withheld",
    OutputLevel.QUEUED: "not sent yet",
    OutputLevel.SENT: "sent, not confirmed",
    OutputLevel.DEVICE: "answered by the device",
}
_LOOK = "a person must look"


def plain_step(entry: Entry, names: Names) -> Step | None:
    """The step; None for facts about links, units and lanes, which stand in the banner."""
    match entry.fact:
        case facts.ActionOrdered(action=action, by=by):
            who = "by the response plan" if by is None else f"by {names.person(by)}"
            return Step(f"action:{entry.id}", Stage.RECORDED, f"{action.value.capitalize()} ordered", who)
        case facts.IncidentClosed(by=by, reason=reason):
            detail = spoken(f"by {names.person(by)}", reason.replace("-", " "))
            return Step("closed", Stage.RECORDED, "Closed", detail)
        case facts.OutputOrdered() | facts.OutputReceipt() | facts.OutputFailed() as fact:
            return _output_step(fact, f"output:{entry.id}")
        case facts.SignalSuspect(unit=unit):
            return Step(f"suspect:{entry.id}", Stage.UNKNOWN, f"Unproven signal from {unit}", _LOOK)
        case facts.PanelTrouble() as fact:
            title = f"Panel {fact.panel} reports {fact.code} of zone {fact.zone or '-'}"
            return Step(f"panel:{entry.id}", Stage.UNKNOWN, title, _LOOK)
        case facts.DisclosureOpened() | facts.DisclosureGiven() | facts.DisclosureClosed() as fact:
            who = names.person(fact.by) if fact.by is not None else "by itself"
            return Step(f"disclosure:{entry.id}", Stage.RECORDED, disclosed(fact), who)
        case facts.UnknownFact(unknown_tag=tag):
            title = f"Something this version does not know: {tag}"
            return Step(f"other:{entry.id}", Stage.UNKNOWN, title)
        case _:
            return None


def _output_step(fact: facts.OutputFact, key: str) -> Step:
    turned = "on" if fact.on else "off"
    match fact:
        case facts.OutputOrdered():
            return Step(key, Stage.RECORDED, f"{fact.output} switched {turned}: ordered")
        case facts.OutputReceipt():
            came = "confirmed" if fact.confirmed else _OUTPUT_LEVELS[fact.level]
            return Step(key, Stage.SENT, f"{fact.output} {turned}: {came}")
        case facts.OutputFailed(level=OutputLevel.QUEUED):
            return Step(key, Stage.FAILED, f"{fact.output} could not be switched {turned}", fact.reason)
        case facts.OutputFailed():
            title = f"{fact.output} {turned}: {_OUTPUT_LEVELS[fact.level]}"
            return Step(key, Stage.FAILED, title, fact.reason)


def disclosed(fact: facts.DisclosureFact) -> str:
    """What became of records for somebody outside: counts, and nobody's name."""
    if isinstance(fact, facts.DisclosureClosed):
        return f"No records are given outside any more: {fact.why.replace('-', ' ')}"
    whose = f"Records of {fact.students} student{'' if fact.students == 1 else 's'}"
    if isinstance(fact, facts.DisclosureGiven):
        return f"{whose} {fact.way} for somebody outside"
    exercise = ", in an exercise: nobody's are" if fact.mode is Mode.EXERCISE else ""
    return f"{whose} may be given outside{exercise}"
