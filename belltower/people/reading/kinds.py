"""What the words for roles make of somebody: student, staff or guardian."""

from __future__ import annotations

from collections.abc import Iterable

from belltower.people.roster import HumanKind

GUARDIAN = frozenset({"guardian", "parent", "relative"})
_STAFF = (
    "administrator aide counselor districtadministrator principal proctor siteadministrator systemadministrator teacher "
    # School Data Sync has these besides.
    "professor lecturer adjunct faculty staff coach chair dean deputy director superintendent itadmin supportstaff "
    "paraprofessional assistant assistantprincipal nurse librarian officestaff otherstaff vicepresident president"
)
_KINDS = {
    **dict.fromkeys(("student", "pupil", "learner"), HumanKind.STUDENT),
    **dict.fromkeys(GUARDIAN, HumanKind.GUARDIAN),
    **dict.fromkeys(_STAFF.split(), HumanKind.STAFF),
}


def kind_of(role: str) -> HumanKind | None:
    """What a role, in lower case, makes of somebody; None for a word nobody knows."""
    return _KINDS.get(role)


def kind_of_all(roles: Iterable[str], primary: str = "") -> HumanKind | None:
    """What several roles make of somebody: student by the primary one or the only ones, else staff before guardian."""
    kinds = {kind for role in roles if (kind := kind_of(role)) is not None}
    if kind_of(primary) is HumanKind.STUDENT:
        return HumanKind.STUDENT
    for kind in (HumanKind.STAFF, HumanKind.STUDENT, HumanKind.GUARDIAN):
        if kind in kinds:
            return kind
    return None
