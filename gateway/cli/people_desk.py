"""The desk's rosters for a command beside the running lane."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
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
