"""Rows become records again; see `rows` for how they became rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

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
    School,
    SchoolClass,
    SchoolKey,
)
from belltower.people.tables import Kept, table
from belltower.people.vault import Vault


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


_PERSON, _ADDRESS, _LINK = (table(kept) for kept in (Kept.PERSON, Kept.ADDRESS, Kept.LINK))


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
