"""What the records about one student and one adult say about collecting, on one day. Pure.

It is what the papers say, not a release: that also wants the person, an identity and a handover. Whoever is on no record
has no right, and so has one of whom nobody has said anything (people.md §7).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from enum import IntEnum

from msgspec import Struct

from belltower.people.roster import Link, LinkSource, MayCollect


class Says(IntEnum):
    """What comes of the records, the most careful first."""

    NO = 0
    # A person reads the order, or asks whether it still stands.
    READ = 1
    # No record says either; it counts as no.
    NOTHING = 2
    YES = 3


class Word(Struct, frozen=True, kw_only=True):
    """The answer, and on whose word. A checker is shown `says` only: that an order exists may be sealed."""

    says: Says
    # None: there is no record at all.
    source: LinkSource | None = None
    # The day on which the deciding record ran out, or on which it begins; None: it is in force.
    outside: date | None = None


_STRENGTH = {source: strength for strength, source in enumerate(LinkSource)}


def strength(link: Link) -> int:
    """The rank of a record among those of one pair: a restraining one is the strongest, whoever states it."""
    return _STRENGTH[LinkSource.RESTRAINING_ORDER if link.restraining else link.source]


def collecting(links: Iterable[Link], *, on: date) -> Word:
    """What all records of one student and one adult say for `on`, a day of the campus's own calendar.

    The strongest record decides, and the more careful of two that are equally strong. One outside its dates is read by
    a person: it never says yes, and it never gives way to a weaker one. Both its first and its last day count.

    Raises:
        ValueError: the records are of more than one pair.
    """
    records = list(links)
    if not records:
        return Word(says=Says.NOTHING)
    if len({(one.student, one.adult) for one in records}) > 1:
        raise ValueError("records of more than one student and adult")
    strongest = max(map(strength, records))
    words = [_word(one, on) for one in records if strength(one) == strongest]
    return min(words, key=lambda word: word.says)


def _word(link: Link, on: date) -> Word:
    outside = None
    if link.ends is not None and on > link.ends:
        outside = link.ends
    elif link.begins is not None and on < link.begins:
        outside = link.begins
    return Word(says=_says(link, on, outside), source=link.source, outside=outside)


def _says(link: Link, on: date, outside: date | None) -> Says:
    if outside is not None:
        return Says.READ
    if link.restraining or link.source is LinkSource.RESTRAINING_ORDER or link.may_collect is MayCollect.NO:
        return Says.NO
    if link.weekdays and on.weekday() not in link.weekdays:
        return Says.NO
    if link.may_collect is None:
        return Says.NOTHING
    # What somebody wrote about limits decides nothing, and must be read.
    if link.may_collect is MayCollect.CONDITIONAL or link.restrictions.strip():
        return Says.READ
    return Says.YES
