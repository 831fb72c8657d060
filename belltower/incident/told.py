"""Who belongs together among those who were told of an incident, and which text takes back or ends what they read. Pure.

A template's name says for whom it is: `staff-alarm` is for the school's own people, `families.lockdown.now` and
`families-notice` for the families. What was told to one of the two is put right for the same, by everybody's own way.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

from belltower.ids import NoticeId
from belltower.incident.facts import Action
from belltower.incident.fold import NoticeView

_ACTIONS = frozenset(Action)
_CORRECTION, _CLEARED = "correction", "cleared"
_GENERAL_CORRECTION, _GENERAL_CLEARED = "{}-correction", "{}-closed"


class Readers(StrEnum):
    """The two sets of people who read different texts."""

    STAFF = "staff"
    FAMILIES = "families"


def readers(template: str) -> Readers:
    """Who reads this template."""
    return (
        Readers.FAMILIES
        if template.startswith((f"{Readers.FAMILIES}.", f"{Readers.FAMILIES}-"))
        else Readers.STAFF
    )


def correcting(template: str) -> str:
    """The template that says that a notice by `template` was wrong."""
    return _of_the_same_action(template, _CORRECTION) or _GENERAL_CORRECTION.format(readers(template))


def clearing(template: str) -> str:
    """The template that says that what a notice by `template` was about is over."""
    return _of_the_same_action(template, _CLEARED) or _GENERAL_CLEARED.format(readers(template))


def corrects_another(template: str) -> bool:
    """Whether it says that an earlier notice was wrong."""
    return template == correcting(template)


def clears(template: str) -> bool:
    """Whether it says that it is over."""
    return template == clearing(template)


def put_right(said: Sequence[tuple[str, str]], told: Iterable[NoticeView]) -> list[tuple[NoticeId, ...]]:
    """For each template and audience of `said`, the notices in whose place it stands.

    Every notice of a set of readers that is told anything is in exactly one of them: the one of its own audience, else
    the set's first. So nobody of a set misses the later word, and nobody is told twice because of it.
    """
    places: list[list[NoticeId]] = [[] for _ in said]
    for notice in told:
        whose = readers(notice.template)
        own = [at for at, (template, _) in enumerate(said) if readers(template) is whose]
        if own:
            same = [at for at in own if said[at][1] == notice.audience]
            places[(same or own)[0]].append(notice.id)
    return [tuple(place) for place in places]


def _of_the_same_action(template: str, phase: str) -> str:
    """`families.lockdown.now` in another phase; "" for a text of the staff.

    Where families go (`families.site.open`) is no action: it may have been a mistake, and nothing of it is ever over.
    """
    parts = template.split(".")
    if parts[0] != Readers.FAMILIES or len(parts) != 3 or (parts[1] not in _ACTIONS and phase == _CLEARED):
        return ""
    return f"{parts[0]}.{parts[1]}.{phase}"
