"""Records of students for somebody outside."""

from __future__ import annotations

from msgspec import Struct

from belltower.clock import Instant
from belltower.ids import IncidentId, PersonId
from belltower.incident.facts.incidents import Mode


class DisclosureOpened(Struct, frozen=True, kw_only=True, tag="disclosure.opened"):
    """Records of students may be given to somebody outside, for one emergency and for a time."""

    disclosure: str
    incident: IncidentId
    by: PersonId
    # How many students, and which groups of fields.
    students: int
    fields: tuple[str, ...]
    basis: str
    # When it ends by itself.
    until: Instant
    # In an exercise nothing of anybody leaves.
    mode: Mode = Mode.ACTUAL


class DisclosureGiven(Struct, frozen=True, kw_only=True, tag="disclosure.given"):
    """Records left; the register says of whom, row by row."""

    disclosure: str
    incident: IncidentId
    by: PersonId
    students: int
    fields: tuple[str, ...]
    # shown or exported
    way: str


class DisclosureClosed(Struct, frozen=True, kw_only=True, tag="disclosure.closed"):
    """Nothing leaves by it any more."""

    disclosure: str
    incident: IncidentId
    # deadline, by-hand or incident-closed
    why: str
    # None: nobody, it ended by itself.
    by: PersonId | None = None


DisclosureFact = DisclosureOpened | DisclosureGiven | DisclosureClosed
