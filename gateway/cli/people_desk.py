"""The desk's rosters for a command beside the running lane."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from belltower.people.store import RosterStore

T = TypeVar("T")


async def at_the_desk(
    config: Path, work: Callable[[RosterStore], Awaitable[T]], *, by: str = "", right: str = ""
) -> T:
    """Do `work` with the rosters of a settings file: `by` is whoever acts, and has `right`; "" for nobody.

    Raises `NotFound`: there is no desk yet, or `by` is nobody; `NotPermitted`; `SettingsError`: the key ring
    is not there.
    """
    from belltower.people.store import RosterStore
    from belltower.people.vault import Vault, read_ring
    from gateway.beside import desk_database
    from gateway.cli.journal_reading import settings_of
    from gateway.cli.roster_taking import known

    settings = settings_of(config)
    if by:
        await known(settings, by, right)
    async with desk_database(settings) as database:
        return await work(RosterStore(database=database, vault=Vault(ring=read_ring(settings.people_keys))))
