"""A person who may have to be told something, and the addresses that reach them."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from belltower.ids import PersonId, PlaceId


class ContactKind(StrEnum):
    """What kind of address it is."""

    SMS = "sms"
    VOICE = "voice"
    EMAIL = "email"
    # A browser that asked to be told: the address is the subscription, as JSON.
    PUSH = "push"
    # A group or a chat room, by its name in the settings.
    CHAT = "chat"
    CONSOLE = "console"
    # A loudspeaker zone or a sign, by its name among the outputs.
    PAGING = "paging"
    SIGN = "sign"


class Contact(Struct, frozen=True, kw_only=True):
    """One address: a telephone number in E.164, a mailbox, or the name of what the kind says."""

    kind: ContactKind
    address: str


class Person(Struct, frozen=True, kw_only=True):
    """One human. The name is for screens and notices, never for logs or the alarm journal."""

    id: PersonId
    name: str
    roles: frozenset[str] = frozenset({"staff"})
    # Places where the person usually is; empty: the whole campus.
    places: frozenset[PlaceId] = frozenset()
    contacts: tuple[Contact, ...] = ()
    # The tag of the language this person reads: "es", "zh-Hans"; "": the school's own.
    language: str = ""
    # Classes that a student attends, a teacher gives, or a guardian's children attend.
    classes: frozenset[str] = frozenset()
    schools: frozenset[str] = frozenset()
    # The students for whom this person is a guardian or a contact.
    children: frozenset[PersonId] = frozenset()
    # Signed in at the school now; None: nobody knows.
    on_site: bool | None = None
