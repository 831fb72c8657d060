"""Who has not answered in any way and must be gone to: the list stays until each of them, or their room, is heard of."""

from __future__ import annotations

from msgspec import Struct

from belltower.ids import NoticeId, PersonId, PlaceId
from belltower.incident import facts
from belltower.incident.facts import Fact, Reply
from belltower.incident.told import Readers, clears, readers

NEXT_PERSON, RUNNER = "next person", "runner"
"""What an escalation says where somebody else is told, and where somebody must go."""

_HUMAN = frozenset({Reply.SAFE, Reply.NEED_HELP, Reply.ACKNOWLEDGED, Reply.TEXT})


class Errand(Struct, frozen=True, kw_only=True):
    """One place to go to, or people whose place is not known."""

    place: PlaceId | None
    people: tuple[PersonId, ...]


class Runners:
    """The list of one incident."""

    def __init__(self) -> None:
        self._missing: dict[PersonId, PlaceId | None] = {}
        self._over: set[NoticeId] = set()
        self._notices: dict[PersonId, NoticeId] = {}

    def apply(self, fact: Fact) -> None:
        """One fact later."""
        match fact:
            case facts.DeliveryEscalated(to=to) if to == RUNNER and fact.notice not in self._over:
                self._missing[fact.person] = fact.place
                self._notices[fact.person] = fact.notice
            case facts.ReplyHeard(reply=reply) if reply in _HUMAN:
                self._missing.pop(fact.person, None)
            case facts.StatusReported():
                room = facts.room_of(fact.place, fact.unit)
                self._missing = {who: place for who, place in self._missing.items() if place != room}
            case facts.NoticeOrdered():
                self._over.update(fact.corrects)
                whole = clears(fact.template) and readers(fact.template) is Readers.STAFF
                self._missing = {
                    who: place
                    for who, place in self._missing.items()
                    if not whole and self._notices[who] not in fact.corrects
                }
            case _:
                pass

    def errands(self) -> list[Errand]:
        """Where to go, in the order in which it was known; people without a place come last, together."""
        places: dict[PlaceId | None, list[PersonId]] = {}
        for person, place in self._missing.items():
            places.setdefault(place, []).append(person)
        return [
            Errand(place=place, people=tuple(people))
            for place, people in sorted(places.items(), key=lambda one: one[0] is None)
        ]
