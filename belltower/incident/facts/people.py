"""People known to the house: rosters, changes by hand, roles and accounts."""

from __future__ import annotations

from msgspec import Struct

from belltower.ids import PersonId


class RosterTaken(Struct, frozen=True, kw_only=True, tag="roster.taken"):
    """A roster is in force from now on; the entry bears no incident."""

    revision: int
    # The one whose place it takes; 0: there was none.
    before: int
    # The district's own name of the feed, and what its files were.
    source: str
    format: str
    # How many students, guardians, links .. the load held.
    counts: dict[str, int]
    # Of each table added, changed, removed.
    changes: dict[str, tuple[int, int, int]]
    # Who let it through, where it would not have gone by itself.
    approved_by: PersonId | None = None
    # Of how many persons and links something stays as it was changed by hand, though the load says otherwise.
    kept_by_hand: int = 0
    # How many contacts of the load wait for a person to say who they are.
    to_review: int = 0


class PersonChanged(Struct, frozen=True, kw_only=True, tag="person.changed"):
    """Somebody changed by hand what is known of a person; the entry bears no incident, and no value."""

    person: PersonId
    by: PersonId
    # "set", "unset", "collecting", "collecting ended" or "reviewed".
    what: str
    # The other of a link or of a word on who may collect.
    adult: PersonId | None = None
    # Names of fields.
    fields: tuple[str, ...] = ()
    # The id of the word on collecting, or of what was reviewed.
    record: str = ""


class GrantGiven(Struct, frozen=True, kw_only=True, tag="grant.given"):
    """Somebody has a role from now on, in the place of what this role of theirs was; the entry bears no incident."""

    person: PersonId
    role: str
    # Keys of the roster's schools; none: everywhere.
    schools: tuple[str, ...] = ()
    # None: at the command line.
    by: PersonId | None = None


class GrantTaken(Struct, frozen=True, kw_only=True, tag="grant.taken"):
    """Somebody has a role no more."""

    person: PersonId
    role: str
    by: PersonId | None = None


class AccountClosed(Struct, frozen=True, kw_only=True, tag="account.closed"):
    """Somebody may sign in no more."""

    person: PersonId
    by: PersonId | None = None


class AccountReopened(Struct, frozen=True, kw_only=True, tag="account.reopened"):
    """Somebody may sign in again, with the roles of before."""

    person: PersonId
    by: PersonId | None = None


PeopleFact = RosterTaken | PersonChanged | GrantGiven | GrantTaken | AccountClosed | AccountReopened
