"""What nobody may send by hand, whatever a form says. Pure."""

from __future__ import annotations

from belltower.errors import NotFound, WrongState
from belltower.ids import IncidentId
from belltower.incident.facts import Mode, NoticeOrdered
from belltower.incident.fold import Incident
from belltower.incident.told import Readers, clears, corrects_another, readers
from notify.audience import AudienceRule
from notify.wording import about_site, exercise_only, for_families

NO_DRILL = "No drill runs now. What says that something is practised goes out while a signed drill runs, and not else."
"""Why a text of an exercise is not sent."""

_OURS = (
    "staff-alarm",
    "staff-action",
    "staff-acknowledged",
    "staff-unreached",
    "staff-alone",
    "staff-update-due",
)


def by_hand(template: str) -> bool:
    """Whether somebody may choose the text: it neither belongs to the response plan nor takes something back."""
    if template.startswith(_OURS) or corrects_another(template):
        return False
    return not (clears(template) and readers(template) is Readers.STAFF)


def check_text(template: str, rule: AudienceRule, *, incident: IncidentId, drilling: bool) -> None:
    """Raises `WrongState`: that text may not go to them, or not in this way."""
    if corrects_another(template):
        raise WrongState(
            "A mistake is put right on the page of the notice that was wrong: open it and correct it."
        )
    if not by_hand(template):
        raise WrongState("That text is sent by the house itself. Choose another.")
    if clears(template) and incident:
        raise WrongState(
            "That an incident is over is said on its page, to everybody who was told. "
            "To tell others, write it without an incident."
        )
    if rule.asks_roster and not for_families(template):
        raise WrongState("That text is for staff. Choose one for families.")
    if exercise_only(template) and not drilling:
        raise WrongState(NO_DRILL)


def check_incident(incident: Incident, order: NoticeOrdered) -> None:
    """Raises `NotFound`, `WrongState`: this notice may not be about it."""
    if not incident.number:
        raise NotFound("There is no such incident.")
    # Families meet their children long after it is over.
    if not incident.open and not about_site(order.template):
        raise WrongState(f"No. {incident.number} is over. Write it without an incident.")
    if incident.mode is not order.mode:
        raise WrongState(
            f"No. {incident.number} is an exercise, and this text is of something real."
            if incident.mode is Mode.EXERCISE
            else f"No. {incident.number} is real, and this text is of an exercise."
        )
