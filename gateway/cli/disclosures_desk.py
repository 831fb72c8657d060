"""What every `belltower disclosures` command stands on: the register, and the paper it fills."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from belltower.clock import Instant, SystemClock, aware
from belltower.errors import NotFound, Refused
from belltower.ids import Ids, IncidentId, PersonId, StreamName
from belltower.incident.encoding import FactEncoding
from belltower.incident.facts import Fact
from belltower.journal import streams
from belltower.journal.reader import Reader
from belltower.people import disclosure_tables
from belltower.people.disclosure import Disclosure
from belltower.people.disclosure_register import IncidentKnown, Register
from belltower.people.store import RosterStore
from belltower.people.vault import Vault, read_ring
from belltower.store import Database
from gateway import site_package
from gateway.beside import desk_database
from gateway.disclosing import incident_known
from gateway.settings import Settings
from gateway.web import store as web_store
from gateway.web.disclosure_papers import Papers
from gateway.web.grants import Grants


class Opened(Struct, frozen=True, kw_only=True):
    """All of it, while a command runs."""

    database: Database
    register: Register
    papers: Papers
    roster: RosterStore
    incident: Callable[[IncidentId], Awaitable[IncidentKnown | None]]
    ids: Ids
    zone: ZoneInfo
    now: Instant

    async def person(self, named: str) -> PersonId:
        """Who acts: the holder of an account, by sign-in name or id. Raises `NotFound`."""
        account = await web_store.account(self.database, named.strip().casefold())
        if account is not None:
            return account.person
        if named in await web_store.names(self.database):
            return PersonId(named)
        raise NotFound(f"--by {named}: nobody signs in so; give a sign-in name, or the id of an account")

    async def named(self, incident: str) -> IncidentId:
        """The incident of this number or id. Raises `NotFound` for a number that none has."""
        if not incident.isdecimal():
            return IncidentId(incident)
        # No number has more figures, and a database takes no larger one.
        found = await web_store.incident_of(self.database, int(incident[:18]))
        if found is None:
            now = ", ".join(await web_store.open_incidents(self.database)) or "none"
            raise NotFound(f"--incident {incident}: no incident has this number; open now: {now}")
        return found

    def time(self, at: Instant) -> str:
        """As a clock on the campus shows it."""
        return aware(at).astimezone(self.zone).isoformat(timespec="seconds")

    def state(self, one: Disclosure) -> str:
        """Whether anything leaves by it."""
        if one.is_open(self.now):
            return "open"
        return one.closed_why or "ended"


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Opened]:
    """The register of the desk. Raises `NotFound`: the desk has never run."""
    clock = SystemClock()
    ids = Ids(clock=clock)
    site = site_package.load(settings.site.folder)
    async with desk_database(settings) as database:
        await database.migrate(web_store.STEPS)
        await database.migrate(disclosure_tables.STEPS)
        roster = RosterStore(database=database, vault=Vault(ring=read_ring(settings.people_keys)))
        await roster.open()
        reader: Reader[Fact] = Reader(database=database, stream=StreamName("desk"), codec=FactEncoding())

        async def known(incident: IncidentId) -> IncidentKnown | None:
            return await incident_known(reader, await streams(database), incident)

        names = await web_store.names(database)
        zone = ZoneInfo(site.timezone)
        register = Register(
            roster=roster,
            incident=known,
            allowed=Grants(database=database, roles=site.roles, clock=clock, ids=ids).allowed,
            clock=clock,
            ids=ids,
        )
        yield Opened(
            database=database,
            register=register,
            papers=Papers(
                register=register, roster=roster, name=lambda person: names.get(person, person), zone=zone
            ),
            roster=roster,
            incident=known,
            ids=ids,
            zone=zone,
            now=clock.now(),
        )


def write_out(pieces: Iterable[bytes], output: Path | None) -> None:
    """To a new file that only its owner may read, or to standard output."""
    if output is None:
        for piece in pieces:
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
        return
    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Refused(f"{output}: there is such a file; name another") from None
    except OSError as error:
        raise Refused(f"{output}: {error.strerror}") from error
    with open(descriptor, "wb") as file:  # noqa: PTH123 - made with its mode, before a name is in it
        for piece in pieces:
            file.write(piece)


def lines_of(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[bytes]:
    """One JSON object for each row."""
    for row in rows:
        yield msgspec.json.encode(dict(zip(columns, row, strict=True))) + b"\n"
