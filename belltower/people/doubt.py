"""Perhaps the same person: a contact without an id of their own, whose address changes with a load. Pure.

Such a contact is known by the student's id and their own name. With another telephone number or mailbox they may be
the same person, or another of that name; with another name they seem to go, and somebody new to come. Neither is taken
silently: what is in force stays until a person says which it is (people.md P18).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum

import msgspec
from msgspec import Struct, structs

from belltower.clock import Instant
from belltower.ids import PersonId
from belltower.people.roster import Human, HumanKey, Link, Removed, Roster, Table
from belltower.people.vault import Vault

_encode = msgspec.msgpack.Encoder(order="deterministic").encode


class Answer(StrEnum):
    """What a person says to it."""

    # The same person: the load is right, and what was changed by hand of them stays.
    SAME = "same"
    # Another person: the load is right, and nothing by hand is carried over.
    OTHER = "other"
    # The load is wrong: what is in force stays, until the load says something else again.
    KEEP = "keep"


class Doubt(Struct, frozen=True, kw_only=True):
    """One of them."""

    id: str
    source: str
    student: PersonId
    # Who is in force, and who the load brings: the same id where the name is the same.
    before: PersonId
    after: PersonId
    # What the load says of them.
    coming: Human
    # By what the load links them to the student, where the id is another.
    links: tuple[Link, ...] = ()
    # The source's key of who is in force.
    key: HumanKey = HumanKey("")
    # Equal for equal words of the load.
    mark: bytes = b""
    # "open", an `Answer`, "taken" or "gone".
    state: str = "open"
    found_at: Instant = Instant(0)
    decided_by: PersonId = PersonId("")

    def roster(self) -> Roster:
        """A delta of one contact, by which the load's word comes in force."""
        removed = () if self.before == self.after else (Removed(table=Table.HUMAN, key=self.key),)
        return Roster(format="review", delta=True, humans=(self.coming,), links=self.links, removed=removed)


def exchanged(before: Human, after: Human) -> bool:
    """Whether of one sort of address something goes and something else comes."""
    numbers = {one.e164 or one.written for one in before.phones}
    coming = {one.e164 or one.written for one in after.phones}
    boxes, coming_boxes = set(map(str.casefold, before.emails)), set(map(str.casefold, after.emails))
    return any(old - new and new - old for old, new in ((numbers, coming), (boxes, coming_boxes)))


def pairs(gone: Iterable[Human], come: Iterable[Human]) -> Iterator[tuple[Human, Human]]:
    """Of one student's contacts those who may be one person under another name; each stands in one pair."""
    left = list(come)
    for before in gone:
        after = next((one for one in left if _alike(before, one)), None)
        if after is not None:
            left.remove(after)
            yield before, after


def _alike(before: Human, after: Human) -> bool:
    if not before.family and not after.family:
        # Known by an address only.
        return True
    return bool(_addresses(before) & _addresses(after))


def _addresses(human: Human) -> set[str]:
    return {one.e164 or one.written for one in human.phones} | set(map(str.casefold, human.emails))


def mark_of(vault: Vault, coming: Human, links: tuple[Link, ...]) -> bytes:
    """By which is told whether a load asks the same again."""
    return vault.content("doubt", _encode((structs.replace(coming, file=""), links)))
