"""How the records of a roster become rows, sealed: many at a time, since a district has half a million of them.

A row's `content` is a mark over all that is known of the record but the file it stood in: equal marks, equal records.
It is made with the vault's marking key, so that nobody without it can try names or numbers against it; of what stands
in clear beside it, with the key of names, which is not turned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from itertools import islice, repeat
from typing import Any, ClassVar

import msgspec
from msgspec import Struct, structs

from belltower.ids import PersonId
from belltower.people.records import normalised_mailbox, place
from belltower.people.roster import (
    ClassKey,
    Enrolment,
    Human,
    HumanKey,
    HumanKind,
    Link,
    Roster,
    School,
    SchoolClass,
)
from belltower.people.tables import SEALED, Kept, table
from belltower.people.vault import Vault
from belltower.store import SQLValue

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]
_MOST_ALIKE = 4_096

_encode = msgspec.msgpack.Encoder(order="deterministic").encode
_json = msgspec.json.Encoder(order="deterministic").encode

Row = tuple[SQLValue, ...]
Columns = Sequence[Iterable[SQLValue]]
"""Of some rows, each column by itself."""
Address = tuple[PersonId, str, str, str, bool, str]
"""Whose, "phone" or "email", what it is found by, as written, whether it takes texts, and the file."""


class Item(Struct, frozen=True, gc=False):
    """One record as it would be kept."""

    ident: str
    content: bytes
    record: Any


class _Seat(Struct, frozen=True, gc=False):
    """An `Enrolment` as it is kept. A human's own key may be personal: the row has the id instead."""

    school_class: ClassKey
    role: str
    key: str
    primary: bool
    begins: date | None
    ends: date | None
    file: str
    human: HumanKey = HumanKey("")


class _Ids(dict[HumanKey, PersonId]):
    """Everybody's id by their key, made when it is asked for first."""

    def __init__(self, *, vault: Vault, source: str) -> None:
        self._vault = vault
        self._source = source

    def __missing__(self, key: HumanKey) -> PersonId:
        made = self[key] = person_id(self._vault, self._source, key)
        return made


class Records:
    """Rows of one source's records, under one vault."""

    def __init__(self, *, vault: Vault, source: str) -> None:
        self._vault = vault
        self._source = source
        self._ids = _Ids(vault=vault, source=source)
        # What is known of many humans alike, as it is kept.
        self._rests: dict[object, str] = {}

    def person(self, key: HumanKey) -> PersonId:
        """The id of a human: the same for the same key of the same source, for ever."""
        return self._ids[key]

    def items(self, kept: Kept, roster: Roster, size: int) -> Iterator[list[Item]]:
        """The roster's records of one table, some at a time. Idents may repeat, if the roster repeats itself."""
        told, purpose = self._TOLD[kept], kept.value
        records = iter(self._records(kept, roster))
        while piece := list(islice(records, size)):
            named = [told(self, one) for one in piece]
            contents = self._vault.contents(
                purpose, [_encode(known) for _, known in named], named=kept not in SEALED
            )
            yield list(map(Item, [ident for ident, _ in named], contents, piece))

    def content(self, kept: Kept, record: Any) -> bytes:
        """Of one record of a sealed table, as `items` makes it."""
        _, known = self._TOLD[kept](self, record)
        return self._vault.content(kept.value, _encode(known))

    def recognise(self, kept: Kept, items: Iterable[Item], standing: dict[str, bytes]) -> None:
        """Let contents that stand as they were before keys were turned be as they are now, where they tell the same."""
        for item in items:
            content = standing.get(item.ident, item.content)
            if content != item.content:
                _, known = self._TOLD[kept](self, item.record)
                if content in self._vault.former_contents(kept.value, _encode(known)):
                    standing[item.ident] = item.content

    def rows(self, kept: Kept, items: Sequence[Item], revision: int, until: int) -> list[Row]:
        """Their rows, in the order of the table's columns, the fields sealed in their places."""
        source, sealed_with, places = self._source, "", []
        if kept in SEALED:
            sealed_with = self._vault.current
            places = [place(source, item.ident, revision) for item in items]
        return list(
            zip(
                repeat(source),
                [item.ident for item in items],
                repeat(revision),
                repeat(until),
                [item.content for item in items],
                repeat(sealed_with),
                *self._COLUMNS[kept](self, [item.record for item in items], places),
            )
        )

    # -- items: the ident, and all that the content is made of

    def _records(self, kept: Kept, roster: Roster) -> Iterable[Any]:
        match kept:
            case Kept.SCHOOL:
                return roster.schools
            case Kept.CLASS:
                return roster.classes
            case Kept.PERSON:
                return roster.humans
            case Kept.ADDRESS:
                return self._addresses(roster.humans)
            case Kept.LINK:
                return roster.links
            case Kept.ENROLMENT:
                return roster.enrolments

    def _school(self, one: School) -> tuple[str, object]:
        return one.key, (one.key, one.name, one.kind, one.number, one.parent, one.phone)

    def _class(self, one: SchoolClass) -> tuple[str, object]:
        known = (one.key, one.school, one.title, one.course, one.periods, one.location, one.grades)
        return one.key, (*known, one.begins, one.ends)

    def _person(self, one: Human) -> tuple[str, object]:
        key = one.key
        return self.person(key), (
            key,
            one.given,
            one.family,
            one.middle,
            one.preferred_given,
            one.preferred_family,
            one.kind,
            one.birth_date,
            one.grade,
            one.language,
            one.schools,
            one.roles,
            one.number,
            one.active,
            one.derived,
        )

    def _addresses(self, humans: Iterable[Human]) -> Iterator[tuple[int, Address]]:
        for one in humans:
            if not one.phones and not one.emails:
                continue
            person, file = self.person(one.key), one.file
            for count, phone in enumerate(one.phones):
                yield count, (person, "phone", phone.e164, phone.written, phone.sms, file)
            for count, email in enumerate(one.emails):
                yield count, (person, "email", normalised_mailbox(email), email, False, file)

    def _address(self, one: tuple[int, Address]) -> tuple[str, object]:
        count, (person, kind, normalised, written, sms, _) = one
        return f"{person}/{kind}/{count}", (person, kind, normalised, written, sms, count)

    def _link(self, one: Link) -> tuple[str, object]:
        ids, plain = self._ids, one if not one.file else structs.replace(one, file="")
        return f"{ids[one.student]}/{ids[one.adult]}", plain

    def _enrolment(self, one: Enrolment) -> tuple[str, object]:
        person, key, school_class, role = self._ids[one.human], one.key, one.school_class, one.role
        ident = key or f"{school_class}/{person}/{role}/{one.begins or ''}"
        return ident, (school_class, person, role, key, one.primary, one.begins, one.ends)

    # -- rows: each table's own columns

    def _school_columns(self, schools: Sequence[School], _places: Sequence[str]) -> Columns:
        return ([_json(one).decode() for one in schools],)

    def _class_columns(self, classes: Sequence[SchoolClass], _places: Sequence[str]) -> Columns:
        return [one.school for one in classes], [_json(one).decode() for one in classes]

    def _person_columns(self, humans: Sequence[Human], places: Sequence[str]) -> Columns:
        names = [
            _encode((one.given, one.family, one.middle, one.preferred_given, one.preferred_family))
            for one in humans
        ]
        return (
            [_KINDS[one.kind] for one in humans],
            [int(one.active) for one in humans],
            [self._rest(one) for one in humans],
            self._sealed(_PERSON, "name", places, names),
            self._sealed(_PERSON, "birth", places, [_encode(one.birth_date) for one in humans]),
            self._sealed(_PERSON, "traits", places, [_encode((one.grade, one.language)) for one in humans]),
            self._sealed(_PERSON, "origin", places, [_encode((one.key, one.number)) for one in humans]),
        )

    def _rest(self, one: Human) -> str:
        known = (one.schools, one.roles, one.derived, one.file)
        told = self._rests.get(known)
        if told is None:
            if len(self._rests) >= _MOST_ALIKE:
                self._rests.clear()
            told = self._rests[known] = _json(known).decode()
        return told

    def _address_columns(self, counted: Sequence[tuple[int, Address]], places: Sequence[str]) -> Columns:
        addresses = [one for _, one in counted]
        mark = self._vault.mark
        return (
            [one[0] for one in addresses],
            [one[1] for one in addresses],
            [mark(one[1], one[2]) if one[2] else b"" for one in addresses],
            self._sealed(_ADDRESS, "address", places, [_encode(one[2:]) for one in addresses]),
        )

    def _link_columns(self, links: Sequence[Link], places: Sequence[str]) -> Columns:
        ids = self._ids
        return (
            [ids[one.student] for one in links],
            [ids[one.adult] for one in links],
            [one.relation.value for one in links],
            self._sealed(_LINK, "body", places, map(_encode, links)),
        )

    def _enrolment_columns(self, enrolments: Sequence[Enrolment], _places: Sequence[str]) -> Columns:
        ids = self._ids
        seats = [
            _Seat(one.school_class, one.role, one.key, one.primary, one.begins, one.ends, one.file)
            for one in enrolments
        ]
        return (
            [one.school_class for one in enrolments],
            [ids[one.human] for one in enrolments],
            [_json(seat).decode() for seat in seats],
        )

    def _sealed(
        self, name: str, field: str, places: Sequence[str], plain: Iterable[bytes]
    ) -> Iterable[bytes]:
        return self._vault.seal_many(name, field, zip(places, plain, strict=True))

    _TOLD: ClassVar[dict[Kept, Callable[[Records, Any], tuple[str, object]]]] = {
        Kept.SCHOOL: _school,
        Kept.CLASS: _class,
        Kept.PERSON: _person,
        Kept.ADDRESS: _address,
        Kept.LINK: _link,
        Kept.ENROLMENT: _enrolment,
    }
    _COLUMNS: ClassVar[dict[Kept, Callable[[Records, Sequence[Any], Sequence[str]], Columns]]] = {
        Kept.SCHOOL: _school_columns,
        Kept.CLASS: _class_columns,
        Kept.PERSON: _person_columns,
        Kept.ADDRESS: _address_columns,
        Kept.LINK: _link_columns,
        Kept.ENROLMENT: _enrolment_columns,
    }


_KINDS = {kind: kind.value for kind in HumanKind}
_PERSON, _ADDRESS, _LINK = (table(kept) for kept in (Kept.PERSON, Kept.ADDRESS, Kept.LINK))


def person_id(vault: Vault, source: str, key: HumanKey) -> PersonId:
    """Made from the source and its key, so that a load names everybody as the load before did; it says neither."""
    value = int.from_bytes(vault.name("person", f"{source}\0{key}"))
    return PersonId("per_" + "".join([_PAIRS[value >> shift & 0x3FF] for shift in range(120, -1, -10)]))
