"""Names that are easily mixed up: two students of one school whose names are the same or one letter apart.

Of two names that differ in one place the first halves or the last halves are the same, counted from their own ends by
the shorter name's length. So every name is filed under its halves, and only names that meet in a file are compared.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from belltower.people.reading.faults import Findings
from belltower.people.roster import Human, HumanKey, HumanKind

_SHORTEST = 6


def folded(text: str) -> str:
    """A name as it is compared and searched: without case, marks and double blanks; "Núñez" becomes "nunez"."""
    if text.isascii():
        return " ".join(text.casefold().split())
    bare = "".join(one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one))
    return " ".join(bare.casefold().split())


def close_names(names: Iterable[str]) -> set[tuple[int, int]]:
    """Pairs of indexes, smaller first, of folded names that are the same or one letter apart.

    Of many that are the same each is paired with the first only.
    """
    first: dict[str, int] = {}
    pairs: set[tuple[int, int]] = set()
    filed: dict[tuple[int, str], list[int]] = defaultdict(list)
    order = list(names)
    for index, name in enumerate(order):
        if first.setdefault(name, index) != index:
            pairs.add((first[name], index))
            continue
        if len(name) < _SHORTEST:
            continue
        for key in _halves(name):
            meets = filed[key]
            if meets:
                pairs.update([(other, index) for other in meets if _one_apart(order[other], name)])
            meets.append(index)
    return pairs


class Near:
    """Some folded names, to find those among them that another name is one letter apart from."""

    def __init__(self, names: Iterable[str]) -> None:
        self._filed: dict[tuple[int, str], set[str]] = defaultdict(set)
        for name in names:
            for key in _halves(name) if len(name) >= _SHORTEST else ():
                self._filed[key].add(name)

    def to(self, name: str) -> set[str]:
        """Those of them that are one letter apart from `name`, and not the same."""
        met = {other for key in _halves(name) for other in self._filed.get(key, ())}
        return {other for other in met if other != name and _one_apart(other, name)}


def is_close(one: str, other: str) -> bool:
    """Whether two folded names are the same, or one letter apart where they are not short."""
    return one == other or (
        abs(len(one) - len(other)) <= 1 and min(len(one), len(other)) >= _SHORTEST and _one_apart(one, other)
    )


def _halves(name: str) -> Iterator[tuple[int, str]]:
    """Where to file a name: as the shorter or equal one, and as the longer one, of two."""
    for length in (len(name), len(name) - 1):
        half = length // 2
        yield length, name[:half]
        yield -length, name[half - length :]


def _one_apart(one: str, other: str) -> bool:
    """Whether two different names are one letter more, less or other apart."""
    if len(one) > len(other):
        one, other = other, one
    if len(other) - len(one) > 1:
        return False
    at = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        at += 1
    return one[at + (len(one) == len(other)) :] == other[at + 1 :]


def find_namesakes(
    humans: Mapping[HumanKey, Human], rows: Mapping[HumanKey, tuple[str, int]], findings: Findings
) -> None:
    """Put close names of one school to review, by their rows."""
    schools: dict[str, list[Human]] = defaultdict(list)
    for human in humans.values():
        if human.kind is HumanKind.STUDENT and human.schools:
            schools[human.schools[0]].append(human)
    for students in schools.values():
        names = [folded(f"{one.given} {one.family}") for one in students]
        for before, after in sorted(close_names(names)):
            at, other = rows.get(students[after].key), rows.get(students[before].key)
            if at is None or other is None:
                continue
            same = "the same as" if names[before] == names[after] else "one letter from"
            findings.review(
                "name",
                at[0],
                at[1],
                "",
                f"the student's name is {same} that of row {other[1]} in the same school",
                "tell the two apart by birth date or grade wherever one of them is picked",
            )
