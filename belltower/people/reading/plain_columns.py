"""Our own columns of plain CSV."""

from __future__ import annotations

from belltower.people.reading.columns import Layout

LAYOUTS = {
    "schools": Layout(wanted=("id", "name", "kind", "number", "parent"), required=frozenset({"id", "name"})),
    "people": Layout(
        wanted=(
            "id",
            "kind",
            "given",
            "family",
            "middle",
            "preferred_given",
            "preferred_family",
            "birth_date",
            "grade",
            "language",
            "schools",
            "phones",
            "emails",
            "roles",
            "number",
        ),
        required=frozenset({"id", "family"}),
    ),
    "classes": Layout(
        wanted=("id", "school", "title", "course", "periods", "room", "grades", "begins", "ends"),
        required=frozenset({"id", "school"}),
    ),
    "enrolments": Layout(wanted=("class", "person", "role"), required=frozenset({"class", "person"})),
    "links": Layout(
        wanted=(
            "student",
            "adult",
            "relation",
            "may_collect",
            "source",
            "order_reference",
            "begins",
            "ends",
            "weekdays",
            "sealed",
            "restraining",
            "priority",
        ),
        required=frozenset({"student", "adult", "relation"}),
    ),
}
"""Our own files and columns, by name."""


def is_own(headers: dict[str, set[str]]) -> bool:
    """Whether files have our own columns."""
    return {"id", "kind", "family"} <= headers.get("people", set()) or any(
        len(header & set(_bare(name))) >= 3 and name in headers
        for name, header in headers.items()
        if name in LAYOUTS and name != "people"
    )


def _bare(name: str) -> list[str]:
    return [column.replace("_", "") for column in LAYOUTS[name].wanted]
