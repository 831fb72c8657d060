"""Accounts from outside the desk lane: one-time links by which people make them, and what they may do."""

from __future__ import annotations

import base64
import os
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager

from belltower.clock import Instant, SystemClock
from belltower.errors import NotFound
from belltower.ids import Ids
from belltower.people.grant import ADMINISTRATOR, STAFF, Role
from belltower.people.store import RosterStore
from belltower.people.vault import Vault, read_ring
from belltower.store import Database, Transaction
from gateway.beside import desk_database
from gateway.settings import Settings
from gateway.site_package.roles import roles_in
from gateway.web import store
from gateway.web.grants import Grants
from gateway.web.sign_in import INVITATION
from gateway.web.store import Invitation

FIRST = "first-sign-in.url"
"""The file in the state folder that holds the one-time link until the first account exists."""

_NAMED = 20


@asynccontextmanager
async def _beside(settings: Settings) -> AsyncIterator[Database]:
    """The desk's database with the tables of accounts. Raises `NotFound` before the lane has ever run."""
    async with desk_database(settings) as database:
        await database.migrate(store.STEPS)
        yield database


def roles_of(settings: Settings) -> Mapping[str, Role]:
    """The roles of the site package's folder. Raises `SettingsError`."""
    return roles_in(settings.site.folder)


async def check_schools(settings: Settings, schools: Collection[str]) -> None:
    """Raises `NotFound` for a key that no school of the roster in force has; it says which there are."""
    known: dict[str, str] = {}
    if schools and settings.people_keys.exists():
        async with _beside(settings) as database:
            roster = RosterStore(database=database, vault=Vault(ring=read_ring(settings.people_keys)))
            await roster.open()
            known = {str(one.key): one.name for one in await roster.schools()}
    for school in sorted(set(schools) - known.keys()):
        named = [f"{key} ({name})" for key, name in sorted(known.items())]
        more = [f"{len(named) - _NAMED} more"] if len(named) > _NAMED else []
        raise NotFound(
            f'there is no school "{school}" in the roster; '
            + (f"known: {', '.join([*named[:_NAMED], *more])}" if named else "none is in force yet")
        )


@asynccontextmanager
async def grants_beside(settings: Settings) -> AsyncIterator[Grants]:
    """Who may do what, to be seen and changed. Raises `NotFound` before the desk lane has ever run."""
    roles, clock = roles_of(settings), SystemClock()
    async with _beside(settings) as database:
        yield Grants(database=database, roles=roles, clock=clock, ids=Ids(clock=clock))


async def invite(settings: Settings, role: str = "", schools: Collection[str] = ()) -> tuple[str, Invitation]:
    """A new one-time link and what it brings, for these schools or everywhere; links never used before are void.

    Without a role the first account is its administrator, and every later one is staff. Raises `NotFound` before the
    desk lane has ever run, and for a role that the site package, or a school that the roster does not know.
    """
    if role and role not in (known := roles_of(settings)):
        raise NotFound(f"there is no role {role}; known: {', '.join(sorted(known))}")
    await check_schools(settings, schools)
    token = base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("=")
    now = SystemClock().now()
    async with _beside(settings) as database:
        role = role or (STAFF if await store.accounts(database) else ADMINISTRATOR)
        brings = Invitation(role=role, schools=frozenset(schools))
        tx = Transaction()
        store.add_invitation(tx, token, now, Instant(now + INVITATION), brings)
        await database.submit(tx)
    link = f"{settings.desk.web.url}/setup/{token}"
    first = settings.state.folder / FIRST
    if first.exists():  # the link in it is void now
        first.write_text(f"{link}\n", encoding="utf-8")
    return link, brings
