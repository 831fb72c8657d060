"""What a load would change: pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

from msgspec import Struct, field, structs

from belltower.people.tables import Kept

LINES = 1_000
"""Lines kept for people to read; the counts are always whole."""


class Difference(Struct, frozen=True, kw_only=True):
    """One table's idents: what comes, what is not as it was, what goes."""

    added: frozenset[str] = frozenset()
    changed: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()
    # How many records bore an ident that a record before them bore; the first counts.
    repeated: int = 0
    # A sum over every change, whatever the order they were met in.
    fingerprint: int = 0

    def __bool__(self) -> bool:
        """Whether anything changes."""
        return bool(self.added or self.changed or self.removed)


def without(difference: Difference, idents: Iterable[str], contents: Mapping[str, bytes]) -> Difference:
    """The same but for these, which stay as they stand; `contents` are of those that came."""
    away = frozenset(idents)
    total = difference.fingerprint - sum(_number(one, b"") for one in away & difference.removed)
    total -= sum(_number(one, contents[one]) for one in away & (difference.added | difference.changed))
    return structs.replace(
        difference,
        added=difference.added - away,
        changed=difference.changed - away,
        removed=difference.removed - away,
        fingerprint=total & ((1 << 128) - 1),
    )


class Coming(Protocol):
    """A record that a load brings."""

    @property
    def ident(self) -> str:
        """Equal for one record in two loads."""
        ...

    @property
    def content(self) -> bytes:
        """Equal where nothing changed."""
        ...


C = TypeVar("C", bound=Coming)


class Comparing:
    """Between what stands in one table and what comes, met one record at a time."""

    def __init__(self, standing: Mapping[str, bytes]) -> None:
        self._standing = standing
        self._met: set[str] = set()
        self._changed: set[str] = set()
        self._repeated = 0
        self._sum = 0

    def meet(self, coming: Sequence[C]) -> list[C]:
        """Records that come; those of them that are to be written."""
        met, standing = self._met, self._standing
        fresh = {one.ident: one for one in reversed(coming)}
        if not met.isdisjoint(fresh):
            fresh = {ident: one for ident, one in fresh.items() if ident not in met}
        self._repeated += len(coming) - len(fresh)
        met.update(fresh)
        if standing:
            fresh = {ident: one for ident, one in fresh.items() if standing.get(ident) != one.content}
            self._changed.update([ident for ident in fresh if ident in standing])
        self._sum += sum([int.from_bytes(one.content) for one in fresh.values()])
        return list(fresh.values())

    def whole(self) -> Difference:
        """Having met all there is: what was not met goes."""
        return self._with(self._standing.keys() - self._met)

    def part(self, removed: Iterable[str]) -> Difference:
        """Having met all that a delta brings: only what it names goes, unless it brings it too."""
        return self._with({ident for ident in removed if ident in self._standing} - self._met)

    def _with(self, removed: set[str]) -> Difference:
        total = self._sum + sum(_number(ident, b"") for ident in removed)
        return Difference(
            added=frozenset(self._met - self._standing.keys()),
            changed=frozenset(self._changed),
            removed=frozenset(removed),
            repeated=self._repeated,
            fingerprint=total & ((1 << 128) - 1),
        )


def _number(ident: str, content: bytes) -> int:
    """Of what comes, its content, which says whose it is; of what goes, its ident."""
    return int.from_bytes(content or hashlib.blake2b(ident.encode(), digest_size=16).digest())


class Line(Struct, frozen=True, kw_only=True):
    """One change for a person to look at. Names the record by its id, and fields by their names only."""

    table: Kept
    # A person's id; for an address or a link, the ids it hangs on; else the source's own id.
    record: str
    # "added", "changed", "removed", or "kept by hand": the load brings another value, and a
    # person's stays; or "to review": perhaps the same person, who stays as they stand until somebody says.
    what: str
    fields: tuple[str, ...] = ()


class Diff(Struct, frozen=True, kw_only=True):
    """All that a load would change."""

    # By table: added, changed, removed.
    counts: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    # Students who are there now, and those of them who would not be: gone, or no longer active.
    students: int = 0
    students_removed: int = 0
    # Students who would be there afterwards.
    students_left: int = 0
    # Whom to call for whom, now, and what of it would go; the same of telephone numbers and mailboxes.
    links: int = 0
    links_removed: int = 0
    addresses: int = 0
    addresses_removed: int = 0
    # Who is in which class, now, and how many fewer that would be.
    enrolments: int = 0
    enrolments_lost: int = 0
    # A delta, and nothing of its source is kept.
    onto_nothing: bool = False
    repeated: int = 0
    # Persons and links of which the load brings another value for what was changed by hand; that stays.
    kept_by_hand: int = 0
    # Contacts without an id of their own who may be those in force with another address: they stay as they stand until
    # somebody says.
    to_review: int = 0
    lines: tuple[Line, ...] = ()
    # Names this very diff, so that an approval approves nothing else.
    fingerprint: str = ""

    def __bool__(self) -> bool:
        """Whether anything changes."""
        return any(any(three) for three in self.counts.values())

    @property
    def takes(self) -> bool:
        """Whether it leaves somebody, or a way to reach somebody, out."""
        return bool(
            self.students_removed or self.links_removed or self.addresses_removed or self.enrolments_lost
        )

    def told(self) -> dict[str, object]:
        """For the last line of a command's output: counts in words, lines as they are."""
        words = {
            name: {"added": three[0], "changed": three[1], "removed": three[2]}
            for name, three in self.counts.items()
        }
        lines = [
            {
                "table": line.table.value,
                "record": line.record,
                "what": line.what,
                "fields": list(line.fields),
            }
            for line in self.lines
        ]
        return {
            **words,
            "students_removed": {"removed": self.students_removed, "of": self.students},
            "links_removed": {"removed": self.links_removed, "of": self.links},
            "addresses_removed": {"removed": self.addresses_removed, "of": self.addresses},
            "enrolments_lost": {"removed": self.enrolments_lost, "of": self.enrolments},
            "repeated": self.repeated,
            "kept_by_hand": self.kept_by_hand,
            "to_review": self.to_review,
            "fingerprint": self.fingerprint,
            "lines": lines,
        }
