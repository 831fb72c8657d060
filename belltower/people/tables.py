"""The tables of rosters, all alike: every record in its versions, each in force from one revision until another.

A version is in force at revision R if `since <= R < until`. What a load writes bears the next revision and is seen by
nobody until the one row that says which revision is in force is changed: whatever a kill leaves behind is past that
revision, and is taken back before the next load begins.
"""
# ruff: noqa: S608 - every name in these texts is one of ours

from __future__ import annotations

from enum import StrEnum

from belltower.store import Step

NEVER = 1 << 62
"""`until` of what has no end yet."""


class Kept(StrEnum):
    """What a kept record is; also the end of its table's name."""

    SCHOOL = "school"
    CLASS = "class"
    PERSON = "person"
    ADDRESS = "address"
    LINK = "link"
    ENROLMENT = "enrolment"


COLUMNS: dict[Kept, tuple[str, ...]] = {
    Kept.SCHOOL: ("body",),
    Kept.CLASS: ("school", "body"),
    Kept.PERSON: ("kind", "active", "rest", "name", "birth", "traits", "origin"),
    Kept.ADDRESS: ("person", "kind", "found_by", "address"),
    Kept.LINK: ("student", "adult", "relation", "body"),
    Kept.ENROLMENT: ("class", "person", "body"),
}
"""Each table's own columns, behind those that all have: source, ident, since, until, content, sealed_with."""

SEALED: dict[Kept, tuple[str, ...]] = {
    Kept.PERSON: ("name", "birth", "traits", "origin"),
    Kept.ADDRESS: ("address",),
    Kept.LINK: ("body",),
}
"""The columns that the vault seals."""

_TYPES = {
    **{column: "BYTEA" for columns in SEALED.values() for column in columns},
    "found_by": "BYTEA",
    "active": "BIGINT",
}


_ENDED = f"until < {NEVER}"
"""In figures, so that the engines see that the index of what has ended serves."""


def table(kept: Kept) -> str:
    """The table's name."""
    return f"roster_{kept.value}"


def _create(kept: Kept) -> str:
    types = {**_TYPES, "body": "BYTEA" if kept is Kept.LINK else "TEXT"}
    own = ", ".join(f"{column} {types.get(column, 'TEXT')} NOT NULL" for column in COLUMNS[kept])
    return (
        f"CREATE TABLE {table(kept)} (source TEXT NOT NULL, ident TEXT NOT NULL, since BIGINT NOT NULL,"
        f" until BIGINT NOT NULL, content BYTEA NOT NULL, sealed_with TEXT NOT NULL, {own},"
        " PRIMARY KEY (source, ident, since));"
        f" CREATE INDEX {table(kept)}_ended ON {table(kept)} (until) WHERE {_ENDED};"
    )


_INDEXES = (
    (Kept.ADDRESS, "found", "found_by"),
    (Kept.ADDRESS, "person", "person"),
    (Kept.LINK, "student", "student"),
    (Kept.LINK, "adult", "adult"),
    (Kept.ENROLMENT, "class", "class"),
    (Kept.ENROLMENT, "person", "person"),
)

STEPS = [
    Step(
        room="roster",
        number=1,
        sql="""
        CREATE TABLE roster_revision (
            revision BIGINT PRIMARY KEY, before BIGINT NOT NULL, source TEXT NOT NULL, begun_at BIGINT NOT NULL,
            ready_at BIGINT NOT NULL, taken_at BIGINT NOT NULL, told TEXT NOT NULL
        );
        CREATE TABLE roster_number (name TEXT PRIMARY KEY, value BIGINT NOT NULL);
        INSERT INTO roster_number (name, value) VALUES ('in_force', 0);
        INSERT INTO roster_number (name, value) VALUES ('last', 0);
        """
        + "".join(_create(kept) for kept in Kept)
        + "".join(
            f"CREATE INDEX {table(kept)}_{name} ON {table(kept)} ({column});"
            for kept, name, column in _INDEXES
        ),
    )
]

UNINDEXED = tuple(f"DROP INDEX IF EXISTS {table(kept)}_{name}" for kept, name, _ in _INDEXES)
"""Before the very first load: an index is made in a fraction of the time once its rows are there."""


def indexed(kept: Kept) -> tuple[str, ...]:
    """Behind it, each for itself; also behind a first load that came after one which a kill interrupted."""
    return tuple(
        f"CREATE INDEX IF NOT EXISTS {table(kept)}_{name} ON {table(kept)} ({column})"
        for one, name, column in _INDEXES
        if one is kept
    )


IN_FORCE = "SELECT value FROM roster_number WHERE name = 'in_force'"
LAST = "SELECT value FROM roster_number WHERE name = 'last'"
NUMBER_TAKEN = "UPDATE roster_number SET value = :revision WHERE name = 'last' AND value = :last"
BEGUN = (
    "INSERT INTO roster_revision (revision, before, source, begun_at, ready_at, taken_at, told)"
    " VALUES (:revision, :before, :source, :at, 0, 0, '')"
)
STILL_OURS = "UPDATE roster_revision SET begun_at = begun_at WHERE revision = :revision AND ready_at = 0"
READY = "UPDATE roster_revision SET ready_at = :at, told = :told WHERE revision = :revision AND ready_at = 0"
WAITING = (
    "SELECT revision, before, source, told FROM roster_revision WHERE ready_at > 0 AND taken_at = 0"
    " ORDER BY revision"
)
TAKEN = (
    "UPDATE roster_revision SET taken_at = :at WHERE revision = :revision AND ready_at > 0 AND taken_at = 0"
)
SWITCHED = "UPDATE roster_number SET value = :revision WHERE name = 'in_force' AND value = :before"
UNFINISHED = "SELECT 1 FROM roster_revision WHERE taken_at = 0 LIMIT 1"
GIVEN_UP = "DELETE FROM roster_revision WHERE taken_at = 0 AND revision > :in_force"
REVISIONS = (
    "SELECT revision, source, taken_at, told FROM roster_revision WHERE taken_at > 0 ORDER BY revision"
)


def insert(kept: Kept) -> str:
    """A new version."""
    names = ("source", "ident", "since", "until", "content", "sealed_with", *COLUMNS[kept])
    return (
        f"INSERT INTO {table(kept)} ({', '.join(names)}) VALUES ({', '.join(':' + name for name in names)})"
    )


def end(kept: Kept) -> str:
    """The version in force ends with the coming revision."""
    return (
        f"UPDATE {table(kept)} SET until = :revision"
        " WHERE source = :source AND ident = :ident AND until = :never AND since < :revision"
    )


def contents(kept: Kept) -> str:
    """What is in force, by its mark; of persons also what they are, of enrolments also whose."""
    more = {Kept.PERSON: ", kind, active", Kept.ENROLMENT: ", class, person"}.get(kept, "")
    return (
        f"SELECT ident, content{more} FROM {table(kept)}"
        " WHERE source = :source AND since <= :revision AND until > :revision"
    )


def select(kept: Kept, where: str, *, limit: bool = False) -> str:
    """Versions in force, with all that is needed to open them."""
    columns = ", ".join(("source", "ident", "since", *COLUMNS[kept]))
    return (
        f"SELECT {columns} FROM {table(kept)}"
        f" WHERE since <= :revision AND until > :revision AND {where}"
        f" ORDER BY source, ident{' LIMIT :limit' if limit else ''}"
    )


def written_beyond(kept: Kept) -> str:
    """Some new versions beyond the revision in force, behind a place in the table's order."""
    return (
        f"SELECT source, ident FROM {table(kept)} WHERE since > :in_force"
        " AND (source > :source OR (source = :source AND ident > :ident)) ORDER BY source, ident LIMIT :limit"
    )


def unwrite(kept: Kept) -> str:
    """Take one of them back."""
    return f"DELETE FROM {table(kept)} WHERE source = :source AND ident = :ident AND since > :in_force"


def ended_beyond(kept: Kept) -> str:
    """Whether there are versions that end beyond the revision in force."""
    return f"SELECT 1 FROM {table(kept)} WHERE {_ENDED} AND until > :in_force LIMIT 1"


def unend(kept: Kept) -> str:
    """Let some of them go on."""
    name, which = table(kept), f"{_ENDED} AND until > :in_force"
    some = f"SELECT ident FROM {name} WHERE {which} LIMIT :limit"
    return f"UPDATE {name} SET until = {NEVER} WHERE {which} AND ident IN ({some})"


def outdated(kept: Kept) -> tuple[str, str]:
    """Whether versions ended before the last revision, and how some of them are forgotten."""
    name, which = table(kept), f"{_ENDED} AND until < :in_force"
    some = f"SELECT ident FROM {name} WHERE {which} LIMIT :limit"
    return (
        f"SELECT 1 FROM {name} WHERE {which} LIMIT 1",
        f"DELETE FROM {name} WHERE {which} AND ident IN ({some})",
    )
