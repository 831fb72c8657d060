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

    Raises `NotFound`: there is no desk yet, or `by` is nobody; `NotPermitted`.
    """
    from belltower.errors import NotFound
    from belltower.people.store import RosterStore
    from belltower.people.vault import Vault, read_ring
    from belltower.store import open_beside, open_database
    from gateway.cli.journal_reading import settings_of
    from gateway.cli.roster_taking import known

    settings = settings_of(config)
    if by:
        await known(settings, by, right)
    if settings.desk.database:
        database = await open_database(settings.desk_url)
    else:
        if not settings.state.desk_database.is_file() or not settings.people_keys.exists():
            raise NotFound(
                f"{settings.state.desk_database}: there is no desk yet; start it with: belltower run"
            )
        database = open_beside(settings.state.desk_database)
    try:
        return await work(RosterStore(database=database, vault=Vault(ring=read_ring(settings.people_keys))))
    finally:
        await database.close()
