"""How records of a roster become rows, sealed, and rows become records again.

A row's `content` is a mark over all that is known of the record but the file it stood in: equal marks, equal records.
It is made with the vault's marking key, so that nobody without it can try names or numbers against it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from typing import Any, ClassVar

import msgspec
from msgspec import Struct, structs

from belltower.ids import PersonId
from belltower.people.by_hand import NOTHING, Fields, HandField, phones
from belltower.people.roster import (
    Enrolment,
    Human,
    HumanKey,
    HumanKind,
    Link,
    Phone,
    Roster,
    School,
    SchoolClass,
    SchoolKey,
)
from belltower.people.tables import Kept, table
from belltower.people.vault import Vault
from belltower.store import SQLValue

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]

_encode = msgspec.msgpack.Encoder(order="deterministic").encode
_json = msgspec.json.Encoder(order="deterministic").encode


class Item(Struct, frozen=True, kw_only=True, gc=False):
    """One record as it would be kept."""

    ident: str
    content: bytes
    record: Any


class Address(Struct, frozen=True, kw_only=True):
    """One of a human's telephone numbers or mailboxes."""

    person: PersonId
    # "phone" or "email".
    kind: str
    # What it is found by: E.164, or the mailbox in lower case; "": by nothing, it reaches nobody.
    normalised: str
    written: str
    sms: bool = False
    # Whose load stated it, the revision since when it stands so, and the file it stood in then.
    source: str = ""
    since: int = 0
    file: str = ""


class KnownHuman(Struct, frozen=True, kw_only=True):
    """A human of the roster in force, under the id that facts use."""

    id: PersonId
    # Whose load stated it, and the revision since when it stands so; the file stands in `human`.
    source: str
    human: Human
    since: int = 0
    addresses: tuple[Address, ...] = ()
    # What `human` has by hand, and not from its load.
    by_hand: Fields = NOTHING


class KnownLink(Struct, frozen=True, kw_only=True):
    """A link of the roster in force."""

    student: PersonId
    adult: PersonId
    source: str
    link: Link
    # The revision since when it stands so; the file stands in `link`.
    since: int = 0
    by_hand: Fields = NOTHING


class _Rest(Struct, frozen=True, array_like=True):
    """What is known of a human and names nobody."""

    schools: tuple[SchoolKey, ...]
    roles: frozenset[str]
    derived: bool
    file: str


class _Address(Struct, frozen=True, array_like=True):
    normalised: str
    written: str
    sms: bool
    file: str = ""


class _Name(Struct, frozen=True, array_like=True):
    given: str
    family: str
    middle: str
    preferred_given: str
    preferred_family: str


_rest = msgspec.json.Decoder(_Rest)
_name = msgspec.msgpack.Decoder(_Name)
_birth = msgspec.msgpack.Decoder(date | None)
_traits = msgspec.msgpack.Decoder(tuple[str, str])
_origin = msgspec.msgpack.Decoder(tuple[HumanKey, str])
_address = msgspec.msgpack.Decoder(_Address)
_link = msgspec.msgpack.Decoder(Link)
_school = msgspec.json.Decoder(School)
_class = msgspec.json.Decoder(SchoolClass)
_enrolment = msgspec.json.Decoder(Enrolment)


class Records:
    """Rows of one source's records, under one vault."""

    def __init__(self, *, vault: Vault, source: str) -> None:
        self._vault = vault
        self._source = source
        self._ids: dict[HumanKey, PersonId] = {}

    def person(self, key: HumanKey) -> PersonId:
        """The id of a human: the same for the same key of the same source, for ever."""
        found = self._ids.get(key)
        if found is None:
            found = self._ids[key] = person_id(self._vault, self._source, key)
        return found

    def items(self, kept: Kept, roster: Roster) -> Iterator[Item]:
        """The roster's records of one table. Idents may repeat, if the roster repeats itself."""
        return self._ITEMS[kept](self, roster)

    def row(self, kept: Kept, item: Item, revision: int, until: int) -> tuple[SQLValue, ...]:
        """The row, its fields sealed in their places."""
        own = self._ROWS[kept](self, item.ident, revision, item.record)
        sealed_with = self._vault.current if kept in _WITH_SEALS else ""
        return (self._source, item.ident, revision, until, item.content, sealed_with, *own)

    # -- items

    def _mark(self, kept: Kept, of: Any) -> bytes:
        return self._vault.content(kept.value, _encode(of))

    def _schools(self, roster: Roster) -> Iterator[Item]:
        for one in roster.schools:
            content = self._mark(
                Kept.SCHOOL, (one.key, one.name, one.kind, one.number, one.parent, one.phone)
            )
            yield Item(ident=one.key, content=content, record=one)

    def _classes(self, roster: Roster) -> Iterator[Item]:
        for one in roster.classes:
            known = (one.key, one.school, one.title, one.course, one.periods, one.location, one.grades)
            content = self._mark(Kept.CLASS, (*known, one.begins, one.ends))
            yield Item(ident=one.key, content=content, record=one)

    def _persons(self, roster: Roster) -> Iterator[Item]:
        for one in roster.humans:
            names = (one.given, one.family, one.middle, one.preferred_given, one.preferred_family)
            known = (one.kind, one.birth_date, one.grade, one.language, one.schools, one.roles, one.number)
            content = self._mark(Kept.PERSON, (one.key, *names, *known, one.active, one.derived))
            yield Item(ident=self.person(one.key), content=content, record=one)

    def _addresses(self, roster: Roster) -> Iterator[Item]:
        for one in roster.humans:
            if not one.phones and not one.emails:
                continue
            person = self.person(one.key)
            for address in _of(person, one.phones, one.emails, one.file):
                count, found = address
                content = self._mark(
                    Kept.ADDRESS, (person, found.kind, found.normalised, found.written, found.sms, count)
                )
                yield Item(ident=f"{person}/{found.kind}/{count}", content=content, record=found)

    def _links(self, roster: Roster) -> Iterator[Item]:
        for one in roster.links:
            plain = one if not one.file else structs.replace(one, file="")
            yield Item(
                ident=f"{self.person(one.student)}/{self.person(one.adult)}",
                content=self._mark(Kept.LINK, plain),
                record=one,
            )

    def _enrolments(self, roster: Roster) -> Iterator[Item]:
        for one in roster.enrolments:
            person = self.person(one.human)
            ident = one.key or f"{one.school_class}/{person}/{one.role}/{one.begins or ''}"
            known = (one.school_class, person, one.role, one.key, one.primary, one.begins, one.ends)
            yield Item(ident=ident, content=self._mark(Kept.ENROLMENT, known), record=one)

    # -- rows

    def _school_row(self, _ident: str, _revision: int, one: School) -> tuple[SQLValue, ...]:
        return (_json(one).decode(),)

    def _class_row(self, _ident: str, _revision: int, one: SchoolClass) -> tuple[SQLValue, ...]:
        return (one.school, _json(one).decode())

    def _person_row(self, ident: str, revision: int, one: Human) -> tuple[SQLValue, ...]:
        seal, row = self._vault.seal, place(self._source, ident, revision)
        rest = _Rest(one.schools, one.roles, one.derived, one.file)
        name = (one.given, one.family, one.middle, one.preferred_given, one.preferred_family)
        return (
            one.kind.value,
            int(one.active),
            _json(rest).decode(),
            seal(_PERSON, row, "name", _encode(name)),
            seal(_PERSON, row, "birth", _encode(one.birth_date)),
            seal(_PERSON, row, "traits", _encode((one.grade, one.language))),
            seal(_PERSON, row, "origin", _encode((one.key, one.number))),
        )

    def _address_row(self, ident: str, revision: int, one: Address) -> tuple[SQLValue, ...]:
        row = place(self._source, ident, revision)
        told = _encode((one.normalised, one.written, one.sms, one.file))
        found_by = self._vault.mark(one.kind, one.normalised) if one.normalised else b""
        return (one.person, one.kind, found_by, self._vault.seal(_ADDRESS, row, "address", told))

    def _link_row(self, ident: str, revision: int, one: Link) -> tuple[SQLValue, ...]:
        sealed = self._vault.seal(_LINK, place(self._source, ident, revision), "body", _encode(one))
        return (self.person(one.student), self.person(one.adult), one.relation.value, sealed)

    def _enrolment_row(self, _ident: str, _revision: int, one: Enrolment) -> tuple[SQLValue, ...]:
        # The human's own key may be personal: the row has the id instead.
        plain = structs.replace(one, human=HumanKey(""))
        return (one.school_class, self.person(one.human), _json(plain).decode())

    _ITEMS: ClassVar[dict[Kept, Callable[[Records, Roster], Iterator[Item]]]] = {
        Kept.SCHOOL: _schools,
        Kept.CLASS: _classes,
        Kept.PERSON: _persons,
        Kept.ADDRESS: _addresses,
        Kept.LINK: _links,
        Kept.ENROLMENT: _enrolments,
    }
    _ROWS: ClassVar[dict[Kept, Callable[..., tuple[SQLValue, ...]]]] = {
        Kept.SCHOOL: _school_row,
        Kept.CLASS: _class_row,
        Kept.PERSON: _person_row,
        Kept.ADDRESS: _address_row,
        Kept.LINK: _link_row,
        Kept.ENROLMENT: _enrolment_row,
    }


_PERSON, _ADDRESS, _LINK = (table(kept) for kept in (Kept.PERSON, Kept.ADDRESS, Kept.LINK))
_WITH_SEALS = frozenset({Kept.PERSON, Kept.ADDRESS, Kept.LINK})


def person_id(vault: Vault, source: str, key: HumanKey) -> PersonId:
    """Made from the source and its key, so that a load names everybody as the load before did; it says neither."""
    value = int.from_bytes(vault.mark("person", f"{source}\0{key}"))
    return PersonId("per_" + "".join([_PAIRS[value >> shift & 0x3FF] for shift in range(120, -1, -10)]))


def place(source: str, ident: str, revision: int) -> str:
    """The one row in which a field opens."""
    return f"{source}|{ident}|{revision}"


def normalised_mailbox(mailbox: str) -> str:
    """What two spellings of one mailbox have in common."""
    return mailbox.strip().casefold()


def _of(
    person: PersonId, phones: Iterable[Phone], emails: Iterable[str], file: str
) -> Iterator[tuple[int, Address]]:
    for count, phone in enumerate(phones):
        yield (
            count,
            Address(
                person=person,
                kind="phone",
                normalised=phone.e164,
                written=phone.written,
                sms=phone.sms,
                file=file,
            ),
        )
    for count, email in enumerate(emails):
        yield (
            count,
            Address(
                person=person, kind="email", normalised=normalised_mailbox(email), written=email, file=file
            ),
        )


# ---- rows become records


def known_human(vault: Vault, row: tuple[Any, ...], addresses: Iterable[Address] = ()) -> KnownHuman:
    """A row of `select(Kept.PERSON, ..)`, opened. Raises `Unreadable`."""
    source, ident, since, kind, active, rest, name, birth, traits, origin = row
    at = place(source, ident, since)
    grade, language = _traits.decode(vault.open(_PERSON, at, "traits", traits))
    key, number = _origin.decode(vault.open(_PERSON, at, "origin", origin))
    plain = _rest.decode(rest)
    known = structs.asdict(_name.decode(vault.open(_PERSON, at, "name", name)))
    phones, emails = [], []
    addresses = tuple(addresses)
    for one in addresses:
        if one.kind == "phone":
            phones.append(Phone(written=one.written, e164=one.normalised, sms=one.sms))
        else:
            emails.append(one.written)
    human = Human(
        key=key,
        kind=HumanKind(kind),
        **known,
        birth_date=_birth.decode(vault.open(_PERSON, at, "birth", birth)),
        grade=grade,
        language=language,
        schools=plain.schools,
        phones=tuple(phones),
        emails=tuple(emails),
        roles=plain.roles,
        number=number,
        active=bool(active),
        derived=plain.derived,
        file=plain.file,
    )
    return KnownHuman(id=PersonId(ident), source=source, human=human, since=since, addresses=addresses)


def addressed(
    vault: Vault, row: tuple[Any, ...], fields: Fields = NOTHING
) -> tuple[str, str, tuple[SchoolKey, ...], frozenset[str]]:
    """Of a row of `select(Kept.PERSON, ..)` what a notice needs: the name they go by, language, schools, roles."""
    source, ident, since, _kind, _active, rest, name, _birth, traits, _origin = row
    at, plain = place(source, ident, since), _rest.decode(rest)
    known = _named(_name.decode(vault.open(_PERSON, at, "name", name)), fields)
    _grade, language = _traits.decode(vault.open(_PERSON, at, "traits", traits))
    if HandField.LANGUAGE in fields:
        language = (*fields[HandField.LANGUAGE].value, "")[0]
    given, family = known.preferred_given or known.given, known.preferred_family or known.family
    return f"{given} {family}".strip(), language, plain.schools, plain.roles


def named(vault: Vault, row: tuple[Any, ...], fields: Fields = NOTHING) -> tuple[str, str, str, str, str]:
    """Of a row of `select(Kept.PERSON, ..)` all names: given, family, middle, preferred given, preferred family."""
    known = _named(_name.decode(vault.open(_PERSON, place(row[0], row[1], row[2]), "name", row[6])), fields)
    return known.given, known.family, known.middle, known.preferred_given, known.preferred_family


def _named(known: _Name, fields: Fields) -> _Name:
    if not fields:
        return known
    names = structs.asdict(known)
    return _Name(**names | {one.value: (*fields[one].value, "")[0] for one in fields if one.value in names})


def schools_of(row: tuple[Any, ...]) -> tuple[SchoolKey, ...]:
    """The schools that a row of `select(Kept.PERSON, ..)` names; nothing is opened."""
    schools: tuple[SchoolKey, ...] = _rest.decode(row[5]).schools
    return schools


def address(vault: Vault, row: tuple[Any, ...]) -> Address:
    """A row of `select(Kept.ADDRESS, ..)`, opened. Raises `Unreadable`."""
    source, ident, since, person, kind, _found_by, sealed = row
    opened = vault.open(_ADDRESS, place(source, ident, since), "address", sealed)
    told = _address.decode(opened)
    return Address(
        person=PersonId(person),
        kind=kind,
        normalised=told.normalised,
        written=told.written,
        sms=told.sms,
        source=source,
        since=since,
        file=told.file,
    )


def addresses_by_hand(person: PersonId, loaded: Iterable[Address], fields: Fields) -> list[Address]:
    """A person's addresses, with the telephone numbers and the mailboxes that were written by hand in their place."""
    numbers, mailboxes = fields.get(HandField.PHONES), fields.get(HandField.EMAILS)
    away = {kind for kind, value in (("phone", numbers), ("email", mailboxes)) if value is not None}
    found = [one for one in loaded if one.kind not in away]
    if numbers is not None:
        found += [address for _, address in _of(person, phones(numbers), (), "")]
    if mailboxes is not None:
        found += [address for _, address in _of(person, (), mailboxes.value, "")]
    return found


def known_link(vault: Vault, row: tuple[Any, ...]) -> KnownLink:
    """A row of `select(Kept.LINK, ..)`, opened. Raises `Unreadable`."""
    source, ident, since, student, adult, _relation, sealed = row
    link = _link.decode(vault.open(_LINK, place(source, ident, since), "body", sealed))
    return KnownLink(student=PersonId(student), adult=PersonId(adult), source=source, link=link, since=since)


def school(row: tuple[Any, ...]) -> School:
    """A row of `select(Kept.SCHOOL, ..)`."""
    return _school.decode(row[3])


def school_class(row: tuple[Any, ...]) -> SchoolClass:
    """A row of `select(Kept.CLASS, ..)`."""
    return _class.decode(row[4])


def enrolment(row: tuple[Any, ...]) -> tuple[PersonId, Enrolment]:
    """A row of `select(Kept.ENROLMENT, ..)`: who, and in what; the record bears no human's key."""
    return PersonId(row[4]), _enrolment.decode(row[5])
