"""The frozen snapshot of a notice: one row for each address, in the language its reader knows. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from belltower.ids import DeliveryId, PersonId, PlaceId
from belltower.people.person import Contact, ContactKind, Person
from belltower.store import SQLValue
from floorplans.place import Place
from notify.addresses import UNREADABLE, same
from notify.audience import AudienceRule, addresses, matches
from notify.delivery import State
from notify.forecast import Load
from notify.standing import NO_CHANNEL
from notify.stops import NOBODY, Stops
from notify.store import Attempted, Ordered, Words

_PENDING, _REFUSED = State.PENDING.value, State.REFUSED.value

Render = Callable[[ContactKind, str], Words | None]
"""The filled text for a kind of contact and a language; None where none fits its way."""


class Unsendable(Struct, frozen=True, kw_only=True):
    """A delivery that is refused before it is tried, and why."""

    delivery: DeliveryId
    person: PersonId
    channel: str
    reason: str


class Batch(Struct, kw_only=True):
    """What some people add to a snapshot."""

    # What `notify.addresses.Addresses.rows` makes the parameters of `notify.store.ADD_DELIVERY` from.
    rows: list[tuple[SQLValue, ...]] = []
    # Of `notify.store.ADD_PERSON`: who shares an address, and whom nothing reaches.
    others: list[tuple[SQLValue, ...]] = []
    # Texts that none before these people needed.
    words: list[Words] = []
    unsendable: list[Unsendable] = []

    def loads(self) -> dict[tuple[str, State], Load]:
        """How many rows, and parts, of each kind of address begin in which state."""
        found = Counter((row[5], row[7], row[11]) for row in self.rows)
        loads: dict[tuple[str, State], Load] = {}
        for (channel, state, parts), count in found.items():
            key = (str(channel), State(str(state)))
            loads[key] = loads.get(key, Load()) + Load(count, count * int(parts or 0))
        return loads


class Snapshot:
    """Counts a notice's people and gives every address one delivery, however many people share it.

    Addresses, not people, decide what is one: two parents with one telephone get one message, and it is written
    down whose it was.
    """

    def __init__(
        self,
        *,
        ordered: Ordered,
        rule: AudienceRule,
        at: Place | None,
        places: Mapping[PlaceId, Place],
        served: frozenset[str],
        language: str,
        render: Render,
        new_id: Callable[[str, str], DeliveryId],
        stops: Stops = NOBODY,
        mark: Callable[[str, str], str],
        marks: Callable[[str, str], Iterable[str]] | None = None,
    ) -> None:
        """`mark` is what a channel's address is kept as: what an earlier life planned is known by it alone.

        `marks` are those it may be known by, where there are several. `new_id` makes an id for a channel and a mark.
        """
        self._stops = stops
        self._mark = mark
        self._marks = marks or (lambda channel, address: (mark(channel, address),))
        self._ordered = ordered
        self.rule = rule
        self._at = at
        self._places = places
        self._served = served
        self._language = language
        self._render = render
        self._new_id = new_id
        # Channel -> address -> delivery and the person it is for.
        self._seen: dict[str, dict[str, tuple[DeliveryId, PersonId]]] = {}
        # The same by the address's mark, of what an earlier life has planned.
        self._recalled: dict[tuple[str, str], tuple[DeliveryId, PersonId]] = {}
        self._words: dict[tuple[str, str], Words | None] = {}
        # Everybody counted, and whether there is an address to reach them at.
        self._counted: dict[PersonId, bool] = {}
        self.deliveries = 0
        self.unsendable = 0
        self.unreachable = 0

    @property
    def people(self) -> int:
        """How many people are meant, each once, by however many addresses and for whatever reasons."""
        return len(self._counted)

    def recall(self, channel: str, mark: str, delivery: DeliveryId, person: PersonId) -> None:
        """An earlier life has planned this already."""
        self._recalled[channel, mark] = (delivery, person)
        self.deliveries += 1
        self.unsendable += channel not in self._served

    def add(self, people: Iterable[Person]) -> Batch:
        """Everybody of these whom the rule means."""
        batch = Batch()
        for person in people:
            if matches(self.rule, person, at=self._at, places=self._places):
                self._person(batch, person)
        return batch

    def add_attempted(self, attempted: Iterable[Attempted]) -> Batch:
        """Everybody to whom what this notice corrects may have gone, at the same address."""
        batch = Batch()
        for one in attempted:
            self._count(one.person, reached=bool(one.address))
            if not one.address:
                batch.others.append(self._other(one.person, "", UNREADABLE))
            elif not self._known(batch, one.channel, one.address, one.person):
                # What was sent in another language because theirs had no text bears both, as `en-x-vi`.
                language = one.language.partition("-x-")[2] or one.language
                self._address(batch, one.channel, one.address, one.person, language)
        return batch

    def add_contacts(self, given: Iterable[tuple[Person, Contact]]) -> Batch:
        """These people at these addresses, whether or not the rule means them."""
        batch = Batch()
        for person, contact in given:
            channel = contact.kind.value
            if not self._known(batch, channel, contact.address, person.id):
                self._address(batch, channel, contact.address, person.id, person.language or self._language)
        return batch

    def stopped_since(self, stops: Stops) -> list[DeliveryId]:
        """What was added and is refused by `stops`, which are newer than those that it was added with."""
        new = replace(stops, marks=stops.marks - self._stops.marks)
        return [
            delivery
            for channel, found in self._seen.items()
            for address, (delivery, _) in found.items()
            if new.refuses(channel, address, urgency=self._ordered.urgency)
        ]

    def _person(self, batch: Batch, person: Person) -> None:
        contacts: tuple[Contact, ...] = addresses(self.rule, person)
        self._count(person.id, reached=bool(contacts))
        if not contacts:
            batch.others.append(self._other(person.id, "", "no_address"))
        language = person.language or self._language
        for contact in contacts:
            channel = contact.kind.value
            if not self._known(batch, channel, contact.address, person.id):
                self._address(batch, channel, contact.address, person.id, language)

    def _count(self, person: PersonId, *, reached: bool) -> None:
        before = self._counted.get(person)
        self._counted[person] = reached or bool(before)
        if before is None:
            self.unreachable += not reached
        elif reached and not before:
            self.unreachable -= 1

    def _known(self, batch: Batch, channel: str, address: str, person: PersonId) -> bool:
        """Whether the address has its delivery; it may be somebody else's too."""
        known = self._seen.get(channel, {}).get(same(channel, address))
        if known is None and self._recalled:
            every = (self._recalled.get((channel, mark)) for mark in self._marks(channel, address))
            known = next((one for one in every if one is not None), None)
        if known is None:
            return False
        if known[1] != person:
            batch.others.append(self._other(person, known[0], "shared"))
        return True

    def _address(self, batch: Batch, channel: str, address: str, person: PersonId, language: str) -> None:
        mark = self._mark(channel, address)
        id_ = self._new_id(channel, mark)
        self._seen.setdefault(channel, {})[same(channel, address)] = (id_, person)
        self.deliveries += 1
        self.unsendable += channel not in self._served
        words = self._said(batch, channel, language) if channel in self._served else None
        reason = self._unsendable(channel, address, words)
        if reason:
            batch.unsendable.append(Unsendable(delivery=id_, person=person, channel=channel, reason=reason))
        ordered = self._ordered
        batch.rows.append(
            (
                id_,
                ordered.notice,
                ordered.revision,
                ordered.incident,
                person,
                channel,
                address,
                _REFUSED if reason else _PENDING,
                reason,
                ordered.urgency,
                # Of what nobody can send no text is written; what corrects it asks for the reader's language.
                words.language if words is not None else language if reason == NO_CHANNEL else "",
                words.parts if words is not None else 1,
                mark,
            )
        )

    def _unsendable(self, channel: str, address: str, words: Words | None) -> str:
        """Why nothing can be sent there; "" where it can."""
        if channel not in self._served:
            return NO_CHANNEL
        if self._stops.refuses(channel, address, urgency=self._ordered.urgency):
            return "stopped"
        return "" if words is not None else "too_long"

    def _said(self, batch: Batch, channel: str, language: str) -> Words | None:
        key = (channel, language)
        if key not in self._words:
            words = self._words[key] = self._render(ContactKind(channel), language)
            if words is not None:
                batch.words.append(words)
        return self._words[key]

    def _other(self, person: PersonId, delivery: str, reason: str) -> tuple[SQLValue, ...]:
        return (self._ordered.notice, self._ordered.revision, person, delivery, reason)
