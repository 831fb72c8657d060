"""What the training page draws. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from belltower.ids import PersonId
from belltower.people.person import Contact, ContactKind, Person
from floorplans.place import Place, spoken
from gateway.training.others import Mail, ScreenCall, ShownUnit, Text

Box = tuple[float, float, float, float]

COUNTY_FAULTS = {
    "": "works",
    "silent": "hears everything, says nothing",
    "late=5": "answers 5 s late",
    "negative": "rejects every call",
    "wrong-id": "acknowledges another message",
    "noise": "the line is noisy",
    "half-frames": "every second frame breaks off",
}
"""What can go wrong at the county, by the name its simulator knows."""

CARRIER_FAULTS: dict[str, tuple[str, dict[str, object]]] = {
    "": ("works", {}),
    "slow": ("answers 2 s late", {"slow": 2.0}),
    "busy": ("too many requests (429)", {"status": 429, "retry_after": 2}),
    "broken": ("server error (500)", {"status": 500}),
    "lost": ("takes the message, never answers", {"accept_anyway": True, "lose_answer": True}),
    "undelivered": ("half of the handsets are off", {"undelivered": 0.5}),
}
"""What can go wrong at the carrier: words, and what its simulator is asked for."""


OTHER = "Another phone"
"""What the phone of somebody is called who is not of the school's own people: a parent's, or staff of the roster."""

# Phones of others than the school's own people that are drawn.
_OTHERS = 50


class Room(Struct, frozen=True, kw_only=True):
    """A drawn place, and the units that hang there."""

    label: str
    box: Box
    units: Sequence[ShownUnit]


class Outline(Struct, frozen=True, kw_only=True):
    """A drawn building."""

    name: str
    box: Box


class Message(Struct, frozen=True, kw_only=True):
    """One message as somebody's phone or mailbox shows it."""

    way: str
    text: str
    status: str


class Reader(Struct, frozen=True, kw_only=True):
    """One person of the staff and all that reached them."""

    name: str
    addresses: str
    messages: Sequence[Message]


class Scene(Struct, frozen=True, kw_only=True):
    """Everything the page shows. A None is what could not be asked."""

    rooms: Sequence[Room]
    unplaced: Sequence[ShownUnit]
    calls: Sequence[ScreenCall] | None
    readers: Sequence[Reader] | None
    # Phones of others than the school's own people, which can be answered from as well.
    others: Sequence[str]
    silent: Sequence[str]


class School(Struct, frozen=True, kw_only=True):
    """What the page knows of the school."""

    name: str
    places: Mapping[str, Place]
    outlines: Sequence[Outline]
    people: Sequence[Person]

    @property
    def size(self) -> tuple[float, float]:
        """How large the drawn plan is."""
        boxes = [place.box for place in self.places.values() if place.box] + [
            line.box for line in self.outlines
        ]
        return (
            max((x + width for x, _, width, _ in boxes), default=100) + 20,
            max((y + height for _, y, _, height in boxes), default=100) + 20,
        )


def scene(
    school: School,
    units: Sequence[ShownUnit] | None,
    calls: Sequence[ScreenCall] | None,
    phones: Mapping[str, Sequence[Text]] | None,
    mails: Mapping[str, Sequence[Mail]] | None,
) -> Scene:
    """What is drawn of what the simulators answered; those that did not answer gave None."""
    by_place: dict[str, list[ShownUnit]] = {}
    for unit in units or ():
        by_place.setdefault(unit.place, []).append(unit)
    drawn = {name: place for name, place in school.places.items() if place.box is not None}
    rooms = [
        Room(label=spoken(place), box=place.box, units=by_place.get(name, []))
        for name, place in drawn.items()
        if place.box is not None
    ]
    readers = None
    others: list[str] = []
    if phones is not None and mails is not None:
        readers = [_reader(person, phones, mails) for person in school.people]
        known = {contact.address for person in school.people for contact in person.contacts}
        others = [number for number in phones if number not in known][-_OTHERS:]
        readers += [_reader(_somebody(number), phones, mails) for number in others]
        readers.sort(key=lambda reader: -len(reader.messages))
    answers = {"the units": units, "the county": calls, "the carrier": phones}
    return Scene(
        rooms=rooms,
        unplaced=[unit for name, here in by_place.items() if name not in drawn for unit in here],
        calls=None if calls is None else sorted(calls, key=lambda call: -call.number),
        readers=readers,
        others=others,
        silent=[name for name, answer in answers.items() if answer is None],
    )


def _somebody(number: str) -> Person:
    """Whoever is not of the school's own people."""
    contact = Contact(kind=ContactKind.SMS, address=number)
    return Person(id=PersonId(number), name=f"{OTHER}, {number}", contacts=(contact,))


def _reader(
    person: Person, phones: Mapping[str, Sequence[Text]], mails: Mapping[str, Sequence[Mail]]
) -> Reader:
    messages: list[tuple[int, Message]] = []
    for contact in person.contacts:
        if contact.kind is ContactKind.SMS:
            messages.extend(
                (text.at, Message(way="Text", text=text.body, status=text.status))
                for text in phones.get(contact.address, ())
            )
        elif contact.kind is ContactKind.EMAIL:
            for mail in mails.get(contact.address, ()):
                said = f"{mail.subject} — {' '.join(mail.body.split())[:160]}"
                messages.append((mail.at, Message(way="Mail", text=said, status="in the mailbox")))
    messages.sort(key=lambda pair: -pair[0])
    return Reader(
        name=person.name,
        addresses=", ".join(contact.address for contact in person.contacts),
        messages=[message for _, message in messages],
    )
