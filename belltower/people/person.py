"""A person of the staff and the addresses that reach them."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from belltower.ids import PersonId, PlaceId


class ContactKind(StrEnum):
    """What kind of address it is."""

    SMS = "sms"
    EMAIL = "email"
    CONSOLE = "console"


class Contact(Struct, frozen=True, kw_only=True):
    """One address: a telephone number in E.164, a mailbox, or the name of a desktop console."""

    kind: ContactKind
    address: str


class Person(Struct, frozen=True, kw_only=True):
    """One human of the staff. The name is for screens and notices, never for logs or the alarm journal."""

    id: PersonId
    name: str
    roles: frozenset[str] = frozenset({"staff"})
    # Places where the person usually is; empty: the whole campus.
    places: frozenset[PlaceId] = frozenset()
    contacts: tuple[Contact, ...] = ()
