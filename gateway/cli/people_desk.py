"""The desk's rosters for a command beside the running lane: read, and corrected by hand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from belltower.ids import PersonId, VerbId
    from belltower.people.editing import Editing
    from belltower.people.store import RosterStore

T = TypeVar("T")


async def at_the_desk(config: Path, work: Callable[[RosterStore], Awaitable[T]]) -> T:
    """Do `work` with the rosters of a settings file.

    Raises `NotFound`: there is no desk yet; `SettingsError`: the key ring is not there.
    """
    from belltower.people.store import RosterStore
    from belltower.people.vault import Vault, read_ring
    from gateway.beside import desk_database
    from gateway.cli.journal_reading import settings_of

    settings = settings_of(config)
    async with desk_database(settings) as database:
        return await work(RosterStore(database=database, vault=Vault(ring=read_ring(settings.people_keys))))


async def edit(config: Path, by: str, work: Callable[[Editing, VerbId, PersonId], Awaitable[T]]) -> T:
    """Do one correction under a new id, as the person that `by` names. Raises what `known` and `at_the_desk` do."""
    from belltower.clock import SystemClock
    from belltower.ids import Ids
    from belltower.people.editing import Editing
    from gateway.cli.journal_reading import settings_of
    from gateway.cli.roster_taking import known

    who = await known(settings_of(config), by, "people-change")

    def corrected(store: RosterStore) -> Awaitable[T]:
        clock = SystemClock()
        ids = Ids(clock=clock)
        return work(Editing(store=store, clock=clock, ids=ids), ids.verb(), who)

    return await at_the_desk(config, corrected)


async def require_sealed(config: Path, by: str) -> None:
    """Only few may see that a sealed record exists. Raises `NotPermitted`, `NotFound`."""
    from gateway.cli.journal_reading import settings_of
    from gateway.cli.roster_taking import known

    await known(settings_of(config), by, "people-disclose")
