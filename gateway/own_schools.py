"""Whether the schools that the site package names as its own are those of the roster in force."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from belltower import log
from belltower.people.reach import SCHOOL, RosterPeople
from belltower.people.store import RosterStore, schools_in_force
from belltower.store import open_database

_log = log.get("site")

_LOOK = 30.0
_NAMED = 8


def amiss(own: Collection[str], *, several: Collection[str], known: Collection[str]) -> str:
    """What is wrong, for the screen and `belltower check`; "": nothing. Pure.

    `several` are the roster's schools among which somebody has to choose, `known` is every key that it has.
    """
    if not known:
        return ""
    if lost := sorted(set(own) - set(known)):
        return (
            f"site.toml: schools: the roster has no {_listed(lost)}: staff of it are told nothing; it has"
            f" {_listed(sorted(several) or sorted(known))}"
        )
    if not own and len(several) > 1:
        return (
            "site.toml: schools: the roster has several, and none is named as of this campus: an audience of staff that"
            f" names no school means nobody of the roster; it has {_listed(sorted(several))}"
        )
    return ""


async def seen(url: str, own: Collection[str]) -> str:
    """`amiss` as the desk's database says from outside. Raises `StoreError` where it cannot be read."""
    database = await open_database(url, read_only=True)
    try:
        known = await schools_in_force(database)
    finally:
        await database.close()
    return amiss(
        own,
        several=[one.key for one in known if one.kind == SCHOOL],
        known=[one.key for one in known],
    )


class OwnSchools:
    """Looks whenever the roster is another. `run` is mendable work."""

    def __init__(
        self, *, own: Collection[str], store: RosterStore, people: RosterPeople, look_every: float = _LOOK
    ) -> None:
        self._own = own
        self._store = store
        self._people = people
        self._look_every = look_every
        # What is wrong now; "": nothing.
        self.fault = ""

    async def run(self) -> None:
        """For ever."""
        version = -1
        while True:
            now = await self._people.version()
            if now != version:
                await self.look()
                version = now
            await asyncio.sleep(self._look_every)

    async def look(self) -> None:
        """Look now; what is newly wrong is logged once. Raises `StoreError`."""
        before = self.fault
        self.fault = amiss(
            self._own,
            several=await self._people.schools_of_staff(),
            known=[one.key for one in await self._store.schools()],
        )
        if self.fault and self.fault != before:
            _log.warning("own_schools_amiss", fault=self.fault)


def _listed(keys: list[str]) -> str:
    more = f" and {len(keys) - _NAMED} more" if keys[_NAMED:] else ""
    return ", ".join(keys[:_NAMED]) + more
