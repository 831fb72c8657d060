"""Journals on both engines, over facts of no meaning."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from belltower.clock import Instant
from belltower.ids import FactId, StreamName
from belltower.journal import Draft, Journal, SpoolFile
from belltower.store import Transaction, open_database
from tests.peers.waiting import PATIENCE
from tests.servers.postgres import postgres  # noqa: F401 - a fixture


class Said(msgspec.Struct, frozen=True, tag="said"):
    """A fact."""

    text: str


class Counted(msgspec.Struct, frozen=True, tag="counted"):
    """Another fact."""

    number: int


class Codec:
    """Facts as JSON."""

    def encode(self, fact):
        return fact.__struct_config__.tag, msgspec.json.encode(fact)

    def decode(self, tag, body):
        return msgspec.json.decode(body, type=Said | Counted)


class Desk:
    """What a journal test works with."""

    Said = Said
    Counted = Counted

    def __init__(self, url, tmp_path) -> None:
        self.url = url
        self.tmp_path = tmp_path
        self.troubles = []
        self.number = 0

    async def open(self, *, stream="alarm", spool=None, database=None, **options):
        """A journal on the database, opened again after a restart."""
        self.database = database or await open_database(self.url)
        self.spool = spool or SpoolFile(path=self.tmp_path / f"{stream}.spool")
        options.setdefault("spool_after", PATIENCE)  # on a busy machine's disk too
        journal = Journal(
            database=self.database,
            stream=StreamName(stream),
            codec=Codec(),
            spool=self.spool,
            on_trouble=self.troubles.append,
            **options,
        )
        await journal.open()
        return journal

    async def shut(self, journal) -> None:
        """End as a lane does."""
        await journal.close()
        await self.database.close()

    def draft(self, fact, *, subject="", fact_id=None):
        """A draft with the next id."""
        self.number += 1
        return Draft(
            id=FactId(fact_id or f"fct_{self.number:06}"), at=Instant(self.number), subject=subject, fact=fact
        )

    def say(self, journal, *texts, subject="", tx=None):
        """Commit one fact per text, together."""
        return journal.commit(
            tx or Transaction(), [self.draft(Said(text), subject=subject) for text in texts]
        )


@pytest.fixture(params=["sqlite", "postgres"])
def url(request, tmp_path):
    """An empty database's URL."""
    if request.param == "postgres":
        return request.getfixturevalue("postgres").database()
    return f"sqlite://{tmp_path}/journal.db"


@pytest.fixture
def desk(url, tmp_path):
    """What a journal test works with."""
    return Desk(url, tmp_path)


@pytest.fixture
async def journal(desk):
    """An open, empty journal."""
    journal = await desk.open()
    yield journal
    await desk.shut(journal)


@pytest.fixture
def gathered():
    """Take the first so many of a follower, within five seconds."""

    async def take(follower, count):
        found = []
        async with asyncio.timeout(PATIENCE):
            async for item in follower:
                found.append(item)
                if len(found) == count:
                    break
        await follower.aclose()
        return found

    return take
