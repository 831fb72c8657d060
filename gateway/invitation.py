"""One-time links by which people make accounts, from outside the desk lane."""

from __future__ import annotations

import base64
import os
from collections.abc import Collection

from belltower.clock import Instant, SystemClock
from belltower.errors import NotFound
from belltower.people.grant import ADMINISTRATOR, STAFF
from belltower.store import Transaction, open_beside, open_database
from gateway.settings import Settings
from gateway.web import store
from gateway.web.sign_in import INVITATION
from gateway.web.store import Invitation

FIRST = "first-sign-in.url"
"""The file in the state folder that holds the one-time link until the first account exists."""


async def invite(settings: Settings, role: str, schools: Collection[str] = ()) -> str:
    """A new one-time link that brings `role`, for these schools or everywhere; links never used before are void.

    Without a role the first account is its administrator, and every later one is staff. Raises `NotFound` before the
    desk lane has ever run.
    """
    if settings.desk.database:
        database = await open_database(settings.desk_url)
    else:
        if not settings.state.desk_database.is_file():
            raise NotFound(
                f"{settings.state.desk_database}: there is no desk yet; start it with: belltower run"
            )
        database = open_beside(settings.state.desk_database)
    token = base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("=")
    now = SystemClock().now()
    tx = Transaction()
    try:
        await database.migrate(store.STEPS)
        role = role or (STAFF if await store.accounts(database) else ADMINISTRATOR)
        brings = Invitation(role=role, schools=frozenset(schools))
        store.add_invitation(tx, token, now, Instant(now + INVITATION), brings)
        await database.submit(tx)
    finally:
        await database.close()
    link = f"{settings.desk.web.url}/setup/{token}"
    first = settings.state.folder / FIRST
    if first.exists():  # the link in it is void now
        first.write_text(f"{link}\n", encoding="utf-8")
    return link
