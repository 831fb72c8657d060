"""The desk's database, opened beside its lane, for one thing that a person does at the command line. Nobody else opens it so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from belltower.errors import NotFound
from belltower.store import Database, open_beside, open_database
from gateway.settings import Settings


@asynccontextmanager
async def desk_database(settings: Settings) -> AsyncIterator[Database]:
    """Open it whether or not the lane runs. Raises `NotFound` before the lane has ever run."""
    file = settings.state.desk_database
    if settings.desk.database:
        database = await open_database(settings.desk_url)
    elif file.is_file():
        database = open_beside(file)
    else:
        raise NotFound(f"{file}: there is no desk yet; start it with: belltower run")
    try:
        yield database
    finally:
        await database.close()
