"""Who is told in another way, or through somebody else, because nothing is known to have reached them. Pure.

nothing arrived, and may never ──> an address of another kind                  (every urgent notice)
nobody has acknowledged        ──> the next channels ──> the next person ──> the runner's list
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from enum import StrEnum

from msgspec import Struct

from belltower.ids import PersonId, PlaceId
from belltower.incident.plan import EscalationPlan
from belltower.people.person import Contact, ContactKind, Person
from floorplans.place import Place
from notify.addresses import same

NEXT_PERSON, RUNNER = "next person", "runner"
"""What `DeliveryEscalated.to` says where it names no channel."""

UNREACHED = "staff-unreached"
"""The template that tells somebody that another does not answer."""

MOST_APART = 20
"""Places of which the next people are told one by one; of more they are told at once."""

ELSEWHERE = (
    ContactKind.PUSH,
    ContactKind.SMS,
    ContactKind.VOICE,
    ContactKind.CHAT,
    ContactKind.EMAIL,
    ContactKind.CONSOLE,
)
"""In which order other kinds of address are tried."""


class Step(StrEnum):
    """What a rung of the ladder does."""

    CHANNEL = "channel"
    PERSON = "person"
    RUNNER = "runner"


class Rung(Struct, frozen=True, kw_only=True):
    """One step of the ladder."""

    # From 1, in the order of time.
    number: int
    # Seconds after the order.
    after: float
    step: Step
    channel: ContactKind | None = None


def ladder(plan: EscalationPlan) -> tuple[Rung, ...]:
    """The rungs of a plan, the earliest first; empty where it names no template."""
    if not plan.templates:
        return ()
    steps: list[tuple[float, Step, ContactKind | None]] = [
        (plan.channel_after * number, Step.CHANNEL, channel)
        for number, channel in enumerate(plan.channels, start=1)
    ]
    if plan.audience:
        steps.append((plan.person_after, Step.PERSON, None))
    steps.append((plan.runner_after, Step.RUNNER, None))
    steps.sort(key=lambda one: one[0])
    return tuple(
        Rung(number=number, after=after, step=step, channel=channel)
        for number, (after, step, channel) in enumerate(steps, start=1)
    )


def unused(
    person: Person,
    kinds: Iterable[ContactKind],
    *,
    taken: Collection[tuple[str, str]],
    served: Collection[str],
    marks: Callable[[str, str], Iterable[str]] = lambda channel, address: (same(channel, address),),
) -> Contact | None:
    """The first address of one of `kinds`, in their order, at which nothing was sent yet.

    `taken` are channels and marks, any of those that `marks` makes of a channel and an address.
    """
    for kind in kinds:
        for contact in person.contacts:
            if contact.kind is not kind or kind.value not in served:
                continue
            if not any((kind.value, mark) in taken for mark in marks(kind.value, contact.address)):
                return contact
    return None


class Turn(Struct, frozen=True, kw_only=True):
    """One person who is told that others do not answer."""

    deputy: PersonId
    # Where they are; "" where that is not known.
    place: str
    people: tuple[PersonId, ...]


def next_people(
    silent: Iterable[Person], deputies: Iterable[Person], places: Mapping[PlaceId, Place]
) -> list[Turn]:
    """For each silent person whoever of `deputies` is nearest: the same room, the same building, else the first.

    People of one place with one deputy are one turn. Nobody is asked to look after themselves.
    """
    able = list(deputies)
    turns: dict[tuple[PersonId, str], list[PersonId]] = {}
    for person in silent:
        others = [one for one in able if one.id != person.id]
        if others:
            nearest = min(others, key=lambda one: _distance(one, person, places))
            place = min(person.places, default=PlaceId(""))
            turns.setdefault((nearest.id, place), []).append(person.id)
    return [
        Turn(deputy=deputy, place=place, people=tuple(people)) for (deputy, place), people in turns.items()
    ]


def _distance(deputy: Person, person: Person, places: Mapping[PlaceId, Place]) -> int:
    if deputy.places & person.places:
        return 0
    return 1 if _buildings(deputy, places) & _buildings(person, places) else 2


def _buildings(person: Person, places: Mapping[PlaceId, Place]) -> set[str]:
    return {places[place].building for place in person.places if place in places}
