"""What somebody chose from the lists for a notice of their own, and what may not be chosen. Pure."""

from __future__ import annotations

from msgspec import Struct

from belltower.errors import NotFound, WrongState
from belltower.ids import IncidentId, PlaceId
from notify.audience import AudienceRule, narrowed
from notify.permitted import check_text
from notify.site import NoticeSite
from notify.wording import exercise_only

_SAYS = {
    "place": "where it is",
    "cause": "why",
    "site": "where families meet their children",
    "next": "when the next update comes",
}


class Choice(Struct, frozen=True, kw_only=True):
    """What somebody chose from the lists."""

    template: str
    # A name in the site package, narrowed by `rule`; "": `rule` alone.
    audience: str = ""
    rule: AudienceRule = AudienceRule()
    # place, site: ids of places; cause: a name of the wording, "" for none, and where it lacks what families were told
    # last of the incident; next: microseconds since 1970.
    slots: dict[str, str] = {}
    # Seconds from the moment it leaves until the next update that it promises; 0: none, or that in `slots`.
    next_in: int = 0
    incident: IncidentId = IncidentId("")
    routine: bool = False
    # Families are to hear of an exercise.
    families_of_exercise: bool = False


def audience_of(choice: Choice, site: NoticeSite) -> AudienceRule:
    """For whom it is. Raises `NotFound`, `WrongState`: for nobody."""
    if not choice.audience:
        if not (choice.rule.roles or choice.rule.everyone):
            raise WrongState("Choose whom it is for.")
        return choice.rule
    rule = site.audiences.get(choice.audience)
    if rule is None:
        raise NotFound("There is no such audience in the site package.")
    found = narrowed(rule, choice.rule)
    if found is None:
        raise WrongState(
            "That audience cannot be narrowed to what is chosen below it: nobody is both, or it means everybody."
            " Choose the people without it, or it without them."
        )
    return found


def check_choice(choice: Choice, rule: AudienceRule, site: NoticeSite, *, drilling: bool) -> None:
    """Raises `NotFound`, `WrongState`: what was chosen is not there, or may not go to these people."""
    if not site.wording.knows(choice.template):
        raise NotFound("There is no such text.")
    for slot in ("place", "site"):
        if choice.slots.get(slot) and PlaceId(choice.slots[slot]) not in site.places:
            raise NotFound("There is no such place.")
    named = site.wording.names(choice.template)
    for slot, words in _SAYS.items():
        if slot not in named and (choice.slots.get(slot) or (slot == "next" and choice.next_in)):
            raise WrongState(f"That text does not say {words}. Choose another text, or leave it out.")
    if choice.slots.get("cause") and choice.slots["cause"] not in site.wording.source.causes:
        raise NotFound("There is no such cause in the list.")
    check_text(choice.template, rule, incident=choice.incident, drilling=drilling)
    if exercise_only(choice.template) and rule.asks_roster and not choice.families_of_exercise:
        raise WrongState("Families hear of an exercise only where you say so: tick it.")
