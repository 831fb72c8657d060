"""The roster as the pages of notices use it: what people are called, and which schools and classes there are."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from belltower.ids import PersonId
from belltower.people.store import RosterStore
from gateway.own_schools import SCHOOL


class DeskRoster:
    """Satisfies `gateway.web.ledger.RosterNames`."""

    def __init__(self, *, store: RosterStore) -> None:
        self._store = store

    async def names(self, people: Collection[PersonId]) -> Mapping[PersonId, str]:
        """What these are called, as far as the roster in force says."""
        return await self._store.names_of(list(people)) if people else {}

    async def schools_and_classes(self) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """The names of schools and of classes, by the keys that audiences use; what is above schools is none."""
        schools = {str(one.key): one.name for one in await self._store.schools() if one.kind == SCHOOL}
        classes = {
            str(one.key): f"{one.title} ({schools[one.school]})" if one.school in schools else one.title
            for one in await self._store.classes()
        }
        return schools, classes
