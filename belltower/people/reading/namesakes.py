"""Names that are easily mixed up: two students of one school whose names are the same or one letter apart.

Every name is filed under itself and under itself less one letter; names that meet in a file are at most two changes
apart and are compared. That takes time in proportion to the names, not to their pairs.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping

from belltower.people.reading.columns import within
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
    filed: dict[int, list[int]] = defaultdict(list)
    order = list(names)
    for index, name in enumerate(order):
        if name in first:
            pairs.add((first[name], index))
            continue
        first[name] = index
        if len(name) < _SHORTEST:
            continue
        keys = {hash(name), *(hash(name[:at] + name[at + 1 :]) for at in range(len(name)))}
        for key in keys:
            for other in filed[key]:
                if within(order[other], name, 1):
                    pairs.add((other, index))
            filed[key].append(index)
    return pairs


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
