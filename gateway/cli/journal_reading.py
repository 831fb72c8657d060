"""Journals read from outside, whether or not their lanes run. Nothing is written."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from belltower.errors import NotFound
from belltower.ids import StreamName
from belltower.journal import RawEntry, streams
from belltower.journal.tables import COUNT, PAGE
from belltower.store import Database, Unavailable, open_database
from gateway.cli.output import progress
from gateway.settings import Settings, load

_PAGE = 5_000
_STEP = 1_000


def settings_of(config: Path) -> Settings:
    """The settings; secrets are opened only where a database asks for one."""
    settings = load(config, secrets=False)
    return load(config) if settings.desk.database else settings


def urls(settings: Settings) -> dict[str, str]:
    """The address of each lane's database that can be there."""
    found = {"alarm": settings.alarm_url}
    if settings.desk.database or settings.state.desk_database.is_file():
        found["desk"] = settings.desk_url
    return found


@asynccontextmanager
async def reading(url: str) -> AsyncIterator[Database]:
    """A database for reading only; NotFound where there is none yet."""
    try:
        database = await open_database(url, read_only=True)
    except Unavailable as error:
        if url.startswith("sqlite:"):
            raise NotFound(
                f"{url.removeprefix('sqlite://')}: there is no journal; has the lane ever run?"
            ) from error
        raise
    try:
        yield database
    finally:
        await database.close()


async def size(database: Database, stream: StreamName) -> int:
    """How many entries a stream has."""
    rows = await database.read(COUNT, stream=stream)
    return int(rows[0][0])


async def everything(settings: Settings) -> AsyncIterator[RawEntry]:
    """Every entry of every stream, with a progress bar. A copy of a stream is read once."""
    seen: set[StreamName] = set()
    for lane, url in urls(settings).items():
        async with reading(url) as database:
            for stream in await streams(database):
                if stream in seen:
                    continue
                seen.add(stream)
                with progress(f"Reading the {lane} journal") as bar:
                    task = bar.add_task("", total=await size(database, stream))
                    async for row in _entries(database, stream):
                        if row.position % _STEP == 0:
                            bar.update(task, completed=row.position)
                        yield row


async def _entries(database: Database, stream: StreamName) -> AsyncIterator[RawEntry]:
    after = 0
    while rows := await database.read(PAGE, stream=stream, after=after, limit=_PAGE):
        for name, position, fact, at, tag, subject, body, chain in rows:
            after = position
            yield RawEntry(
                stream=name,
                position=position,
                id=fact,
                at=at,
                tag=tag,
                subject=subject,
                body=bytes(body),
                hash=bytes(chain),
            )


__all__ = ["everything", "reading", "settings_of", "size", "streams", "urls"]
