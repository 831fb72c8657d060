"""What a delta says of links: each side's record states its own, and only what nobody states any more goes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from msgspec import structs

from belltower.people.roster import HumanKey, Link, Side

Pair = tuple[HumanKey, HumanKey]
"""Student and adult."""


def restate(
    standing: Mapping[Pair, Link], coming: Mapping[Pair, Link], restated: AbstractSet[HumanKey]
) -> tuple[tuple[Link, ...], frozenset[Pair]]:
    """The links to write, and those to remove.

    `standing` are the links in force of everybody in `restated` or `coming`; `restated`, those whose own list of links
    the delta states anew, whole.
    """
    written: list[Link] = []
    removed: set[Pair] = set()
    for pair, link in coming.items():
        before = standing.get(pair)
        kept = frozenset() if before is None else before.stated_by - _silenced(pair, restated)
        written.append(structs.replace(link, stated_by=link.stated_by | kept))
    for pair, link in standing.items():
        if pair in coming:
            continue
        left = link.stated_by - _silenced(pair, restated)
        if left == link.stated_by:
            continue
        if left:
            written.append(structs.replace(link, stated_by=left))
        else:
            removed.add(pair)
    return tuple(written), frozenset(removed)


def _silenced(pair: Pair, restated: AbstractSet[HumanKey]) -> frozenset[Side]:
    """The sides whose earlier statements count no more."""
    student, adult = pair
    return frozenset(side for side, key in ((Side.STUDENT, student), (Side.ADULT, adult)) if key in restated)
