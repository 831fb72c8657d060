"""What the pages of notices stand on: the room of notices, its composer and reports, and what the roster calls people."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from msgspec import Struct

from belltower.ids import PersonId
from notify.compose import Composer
from notify.reports import Reports
from notify.room import NotifyRoom
from notify.site import NoticeSite


class RosterNames(Protocol):
    """What people of the roster are called."""

    async def names(self, people: Collection[PersonId]) -> Mapping[PersonId, str]:
        """The names of those who are known. Raises `StoreError`."""
        ...

    async def schools_and_classes(
        self, within: Collection[str] | None = None
    ) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """The names of schools and of classes, by the keys that audiences use; of all, or `within` these schools.

        Raises `StoreError`.
        """
        ...


class NobodyKnown:
    """Where there is no roster."""

    async def names(self, people: Collection[PersonId]) -> Mapping[PersonId, str]:  # noqa: ARG002 - the protocol's
        """None."""
        return {}

    async def schools_and_classes(
        self,
        within: Collection[str] | None = None,  # noqa: ARG002 - the protocol's
    ) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """None."""
        return {}, {}


class NoticeRoom(Struct, frozen=True, kw_only=True):
    """What the pages of notices stand on."""

    notify: NotifyRoom
    composer: Composer
    reports: Reports
    site: Callable[[], NoticeSite]
    roster: RosterNames = NobodyKnown()
