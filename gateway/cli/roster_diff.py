"""What a load would change beside another load, for `belltower roster import --against`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from msgspec import Struct, structs

from belltower.people.delta import restate
from belltower.people.diff import Diff
from belltower.people.roster import Human, HumanKey, HumanKind, Link, Roster, Table
from belltower.people.safety import stops

LINES = 1_000
"""Lines that are listed; the counts are always whole."""

_TABLES = ("schools", "classes", "students", "staff", "guardians", "contacts", "links", "enrolments")
_WORDS = {
    HumanKind.STUDENT: "students",
    HumanKind.STAFF: "staff",
    HumanKind.GUARDIAN: "guardians",
    HumanKind.CONTACT: "contacts",
}
# Where a record stands in the files is no change of it.
_ASIDE = frozenset({"file", "stated_by"})
_Records = dict[str, Struct]


def diff(before: Roster, after: Roster, *, today: date) -> dict[str, Any]:
    """Counts and lines of what `after` changes, and why it would wait for a person. Lines bear ids, never names.

    A delta changes what it names; a full load also removes what it does not name.
    """
    standing, coming = _records(before), _records(after)
    gone = _gone(before, after, standing, coming)
    counts: dict[str, dict[str, int]] = {}
    lines: list[dict[str, Any]] = []
    for table in _TABLES:
        old, new = standing[table], coming[table]
        changed = {key: _fields(old[key], new[key]) for key in new if key in old and old[key] != new[key]}
        changed = {key: fields for key, fields in changed.items() if fields}
        added = [key for key in new if key not in old]
        counts[table] = {"added": len(added), "changed": len(changed), "removed": len(gone[table])}
        for what, keys in (("removed", gone[table]), ("changed", changed), ("added", added)):
            lines += [
                {"table": table, "record": key, "what": what, "fields": changed.get(key, [])}
                for key in list(keys)[: LINES - len(lines)]
            ]
    return {
        **counts,
        "lines": lines if standing["schools"] or standing["students"] else [],
        "stops": _stops(before, after, standing, counts, today),
    }


def _records(roster: Roster) -> dict[str, _Records]:
    found: dict[str, _Records] = {table: {} for table in _TABLES}
    found["schools"] = {one.key: one for one in roster.schools}
    found["classes"] = {one.key: one for one in roster.classes}
    for human in roster.humans:
        found[_WORDS[human.kind]][human.key] = human
    found["links"] = {f"{one.student} {one.adult}": one for one in roster.links}
    found["enrolments"] = {one.key: one for one in roster.enrolments}
    return found


def _gone(
    before: Roster, after: Roster, standing: Mapping[str, _Records], coming: Mapping[str, _Records]
) -> dict[str, list[str]]:
    if not after.delta:
        return {table: [key for key in standing[table] if key not in coming[table]] for table in _TABLES}
    named = {what: {one.key for one in after.removed if one.table is what} for what in Table}
    humans = {one.key for one in after.humans}
    people = {HumanKey(key) for key in named[Table.HUMAN]} - humans
    pairs = {(one.student, one.adult): one for one in before.links}
    _, silenced = restate(pairs, {(one.student, one.adult): one for one in after.links}, after.restated)

    def links(_: str, one: Struct) -> bool:
        return isinstance(one, Link) and (
            (one.student, one.adult) in silenced or one.student in people or one.adult in people
        )

    def person(key: str, _: Struct) -> bool:
        return HumanKey(key) in people

    tests: dict[str, Callable[[str, Struct], bool]] = {
        "schools": lambda key, _: key in named[Table.SCHOOL],
        "classes": lambda key, _: key in named[Table.CLASS],
        "links": links,
        "enrolments": lambda key, one: (
            key in named[Table.ENROLMENT]
            or getattr(one, "human", None) in people
            or getattr(one, "school_class", None) in named[Table.CLASS]
        ),
    }
    return {
        table: [
            key
            for key, one in standing[table].items()
            if key not in coming[table] and tests.get(table, person)(key, one)
        ]
        for table in _TABLES
    }


def _fields(old: Struct, new: Struct) -> list[str]:
    return [
        one.name
        for one in structs.fields(type(new))
        if one.name not in _ASIDE and getattr(old, one.name) != getattr(new, one.name)
    ]


def _stops(
    before: Roster,
    after: Roster,
    standing: Mapping[str, _Records],
    counts: Mapping[str, Mapping[str, int]],
    today: date,
) -> list[str]:
    """Why a person would have to look first: what the taking of rosters itself says."""
    students, removed = len(standing["students"]), counts["students"]["removed"]
    if after.nothing_current(today):
        removed = students
    left = 0 if after.nothing_current(today) else students - removed + counts["students"]["added"]
    addresses = _addresses(before)
    kept = _addresses(after) if not after.delta else addresses
    found = stops(
        Diff(
            students=students,
            students_removed=removed,
            students_left=left,
            links=len(before.links),
            links_removed=counts["links"]["removed"],
            addresses=len(addresses),
            addresses_removed=len(addresses - kept),
        ),
        incident_open=False,
    )
    return [one.message for one in found]


def _addresses(roster: Roster) -> set[tuple[str, str]]:
    def each(human: Human) -> list[str]:
        return [*(phone.e164 or phone.written for phone in human.phones), *human.emails]

    return {(human.key, address) for human in roster.humans for address in each(human)}
