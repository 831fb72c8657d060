"""When a load waits for a person: pure.

A load that would remove more than one student in twenty, or leave one contact or one enrolment in ten fewer, is more often
a broken export than the truth (people.md P6); so is a change to a roster that was never loaded. While an incident is open its roster is frozen (P7): a load may be looked at and, if it takes
no student, contact or enrolment away, approved; one that does waits for the end of the incident, whoever approves it.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from belltower.ids import PersonId
from belltower.people.diff import Diff

STUDENTS_IN_A_HUNDRED = 5
CONTACTS_IN_A_HUNDRED = 10
ENROLMENTS_IN_A_HUNDRED = 10


class Reason(StrEnum):
    """Why a load waits."""

    STUDENTS = "students"
    CONTACTS = "contacts"
    ENROLMENTS = "enrolments"
    # What changes a roster that is not there.
    DELTA = "delta"
    EMPTY = "empty"
    FROZEN = "frozen"
    # What was approved is another diff.
    APPROVAL = "approval"


class Stop(Struct, frozen=True, kw_only=True):
    """One thing that holds a load up."""

    reason: Reason
    # For a person: what would happen, and what to do.
    message: str
    # Nobody can approve it now.
    final: bool = False


class Approval(Struct, frozen=True, kw_only=True):
    """A person's word that this diff, and no other, is right."""

    by: PersonId
    fingerprint: str


def stops(diff: Diff, *, incident_open: bool) -> tuple[Stop, ...]:
    """All that holds this load up, whoever approves."""
    found = []
    if not diff.students_left:
        found.append(
            Stop(
                reason=Reason.EMPTY,
                message="no student is left after this load: look whether the export is empty or of another term",
            )
        )
    if diff.onto_nothing:
        found.append(
            Stop(
                reason=Reason.DELTA,
                message="it only changes a roster, and none of this source is in force: load the whole export first",
            )
        )
    for reason, word, removed, of, limit in (
        (Reason.STUDENTS, "students", diff.students_removed, diff.students, STUDENTS_IN_A_HUNDRED),
        (Reason.CONTACTS, "contacts of students", diff.links_removed, diff.links, CONTACTS_IN_A_HUNDRED),
        (
            Reason.CONTACTS,
            "telephone numbers and mailboxes",
            diff.addresses_removed,
            diff.addresses,
            CONTACTS_IN_A_HUNDRED,
        ),
        (
            Reason.ENROLMENTS,
            "places in classes",
            diff.enrolments_lost,
            diff.enrolments,
            ENROLMENTS_IN_A_HUNDRED,
        ),
    ):
        if removed * 100 > of * limit:
            found.append(
                Stop(
                    reason=reason,
                    message=f"{removed} of {of} {word} would be removed, more than {limit} in a hundred:"
                    " look at the export, or approve this diff",
                )
            )
    if incident_open and diff:
        found.append(
            Stop(
                reason=Reason.FROZEN,
                message="an incident is open and its roster is frozen: "
                + (
                    "load again when it is closed" if diff.takes else "approve this diff, or load again later"
                ),
                final=diff.takes,
            )
        )
    return tuple(found)


def held_up(diff: Diff, *, incident_open: bool, approval: Approval | None = None) -> tuple[Stop, ...]:
    """What still holds this load up, given what was approved. An approval of another diff holds it up by itself."""
    found = stops(diff, incident_open=incident_open)
    if approval is None:
        return found
    if approval.fingerprint == diff.fingerprint:
        return tuple(one for one in found if one.final)
    return (*found, _of_another(diff, approval)) if diff else found


def _of_another(diff: Diff, approval: Approval) -> Stop:
    return Stop(
        reason=Reason.APPROVAL,
        message=f"the approval is of {approval.fingerprint}, and this diff is {diff.fingerprint}: the export, or the roster in"
        " force, is not the one that was looked at; look at this diff, and approve it by its own fingerprint",
    )
