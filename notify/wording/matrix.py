"""Which texts there are: the templates by name, and the forms that each of them has."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from belltower.incident.facts import Action


class Phase(StrEnum):
    """What a notice to families says about an action."""

    # It is in force.
    NOW = "now"
    # The way home waits for it.
    DISMISSAL = "dismissal"
    # It is over.
    CLEARED = "cleared"
    # What was said of it was a mistake.
    CORRECTION = "correction"
    # It is practised. Said in exercises only.
    EXERCISE = "exercise"
    # It goes on.
    UPDATE = "update"


class SitePhase(StrEnum):
    """What a notice to families says about where they meet their children."""

    # Go there.
    OPEN = "open"
    # Go there, and no longer to where we said before.
    MOVED = "moved"
    # How to get there, and where to leave the car.
    ROUTE = "route"
    # Do not set out yet; for those on their way, stay.
    WAIT = "wait"
    # What was said of it was a mistake.
    CORRECTION = "correction"


SITE = "site"
"""Stands where an action stands in the names of texts about where families go."""

FORMS = ("sms", "voice", "subject", "body", "push", "paging", "sign", "console")
"""The forms of a template, by the key in its table. `subject` and `body` are the two halves of an e-mail."""

STAFF_FORMS = ("sms", "console", "subject", "body")
"""The forms that a text for staff cannot lack; for the others `console` stands in."""

FAMILY_FORMS = ("sms", "voice", "subject", "body", "push", "paging", "sign")
"""The forms that a text for families cannot lack; for `console` `push` stands in."""

FALLBACK = "staff-notice"
"""The template that stands in for one of staff's that this version does not know."""

FAMILY_FALLBACK = "families-notice"
"""The template that stands in for one of families' that cannot be said. It tells nothing but where to read."""

_FAMILIES_CLOSED = "families-closed"

NO_HAZARD = frozenset({FAMILY_FALLBACK, _FAMILIES_CLOSED})
"""Families' texts that need not say what happens: the one cannot, the other ends what no action names."""

REQUIRED = (
    *("staff-alarm", "staff-action", "staff-closed", "staff-acknowledged", "staff-correction"),
    *("staff-unreached", "staff-alone", "staff-update-due", "test", FALLBACK),
)
"""The templates for staff that a complete language has; `staff-action` once for each action."""

_FAMILIES = "families"
ABOUT_CHILD = "child."
"""How the names of texts about one child begin; what a family reads of its own child says nothing of what happened."""


def families(action: Action, phase: Phase) -> str:
    """The template that tells families of `action`."""
    return f"{_FAMILIES}.{action}.{phase}"


def site_text(phase: SitePhase) -> str:
    """The template that tells families where to go."""
    return f"{_FAMILIES}.{SITE}.{phase}"


def about_site(template: str) -> bool:
    """Whether it is of where families go, and of no action."""
    return template.startswith(f"{_FAMILIES}.{SITE}.")


def names_site(template: str) -> bool:
    """Whether it has to say where families go."""
    return template in {site_text(SitePhase.OPEN), site_text(SitePhase.MOVED), site_text(SitePhase.ROUTE)}


def moves_site(template: str) -> bool:
    """Whether it says that families go to another place than they were told."""
    return template == site_text(SitePhase.MOVED)


def for_families(template: str) -> bool:
    """Whether families read it."""
    return template.startswith((f"{_FAMILIES}.", f"{_FAMILIES}-", ABOUT_CHILD))


def exercise_only(template: str) -> bool:
    """Whether it says that something is practised, so that it can never be said of what is so."""
    return template.startswith(f"{_FAMILIES}.") and template.endswith(f".{Phase.EXERCISE}")


def fallback(template: str) -> str:
    """What is said instead of a template that cannot be said."""
    return FAMILY_FALLBACK if for_families(template) else FALLBACK


def forms_of(template: str) -> tuple[str, ...]:
    """The forms that the template cannot lack."""
    return FAMILY_FORMS if for_families(template) else STAFF_FORMS


def cells() -> Iterator[str]:
    """Every template that a complete language has."""
    for name in REQUIRED:
        if name == "staff-action":
            yield from (f"{name}.{action}" for action in Action)
        else:
            yield name
    yield from (FAMILY_FALLBACK, "families-correction", _FAMILIES_CLOSED)
    for action in Action:
        yield from (families(action, phase) for phase in Phase)
    yield from map(site_text, SitePhase)


def form_for(channel: str) -> str:
    """The form that a kind of contact takes; for e-mail its body."""
    return {"email": "body", "chat": "push"}.get(channel, channel)
