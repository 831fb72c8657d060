"""Seals the addresses that an older program left in clear: those that are still worked with before anything else.

The others are sealed while notices leave; whoever looks for one of them meanwhile looks for it in clear too. Some rows
at a time, each time a commit: a kill loses nothing, and the next start goes on. When all are sealed the files are
written anew, for an overwritten row can still be found in them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from belltower import log
from belltower.clock import Instant
from belltower.errors import StoreError
from belltower.ids import NoticeId
from belltower.store import Database, Priority, Transaction
from notify.addresses import TABLE, Addresses
from notify.standing import prefix

_log = log.get("notify")

_AT_ONCE = 1_000
_BESIDE_OTHERS = 100

_QUIET_EVERY = 1.0
_PATIENCE = 3_600

_CLEAR = """
SELECT id, channel, address FROM notice_delivery WHERE sealed_with = '' AND id > :id ORDER BY id LIMIT :count
"""

_CLEAR_OF = """
SELECT id, channel, address FROM notice_delivery WHERE notice = :notice AND sealed_with = '' LIMIT :count
"""

_WORKED_WITH = """
SELECT notice FROM notice_delivery WHERE sealed_with = '' AND (state IN ('pending', 'sending') OR asking = 1)
UNION SELECT notice FROM notice WHERE ordered_at >= :since
"""

_UNDER_WAY = """
SELECT 1 FROM notice_delivery WHERE state = 'pending' AND channel > ''
UNION ALL SELECT 1 FROM notice_delivery WHERE lease <> '' LIMIT 1
"""

_COUNT = "SELECT COUNT(*) FROM notice_delivery WHERE sealed_with = ''"

# Of two ways to write one mailbox in one notice, which an older program took for two, the second keeps a mark of its own.
_SEAL = """
UPDATE notice_delivery SET sealed = :sealed, sealed_with = :sealed_with, prefix = :prefix,
    address = CASE WHEN EXISTS (
        SELECT 1 FROM notice_delivery o WHERE o.notice = notice_delivery.notice
            AND o.revision = notice_delivery.revision AND o.channel = :channel AND o.address = :mark
    ) THEN :other ELSE :mark END
WHERE id = :id AND sealed_with = ''
"""

SCRUB = "INSERT INTO notice_scrubbing (since) VALUES (:since) ON CONFLICT DO NOTHING"
"""Has the files written anew for the table `since`, once nothing is to be sent after the next start."""

_OWED = "SELECT since FROM notice_scrubbing"
_PAID = "DELETE FROM notice_scrubbing WHERE since = :since"
_CLEARED = "clear"

Progress = Callable[[int, int], None]
"""Called with how many are sealed, of how many."""


def silent(_done: int, _of: int) -> None:
    """Nobody watches."""


async def owed(database: Database) -> bool:
    """Whether there is anything to seal, or to scrub."""
    if await database.read(_OWED):
        return True
    return bool(await database.read(_CLEAR, id="", count=1))


async def seal_clear(database: Database, addresses: Addresses, *, told: Progress = silent) -> int:
    """Seal every address that stands in clear; how many. Raises `StoreError`."""
    done = await _seal_all(database, addresses, _AT_ONCE, told)
    if await database.read(_OWED):
        await _scrub(database)
    return done


async def seal_first(database: Database, addresses: Addresses, *, since: Instant) -> None:
    """Seal those of every notice that is still on its way or was ordered `since` then. Raises `StoreError`."""
    if not await database.read(_CLEAR, id="", count=1):
        return
    for (notice,) in await database.read(_WORKED_WITH, since=since):
        await _seal_of(database, addresses, NoticeId(notice))


async def seal_notice(database: Database, addresses: Addresses, notice: NoticeId) -> None:
    """Seal those of one notice, if there are any. Raises `StoreError`."""
    if await database.read(_CLEAR, id="", count=1):
        await _seal_of(database, addresses, notice)


async def seal_rest(database: Database, addresses: Addresses, *, quiet_every: float = _QUIET_EVERY) -> None:
    """Seal all that is left beside work that goes on, and write the files anew when nothing is to be sent.

    That is waited for, an hour at most: nobody else writes meanwhile. Raises `StoreError`.
    """
    await _seal_all(database, addresses, _BESIDE_OTHERS, silent)
    for _ in range(_PATIENCE):
        if not await database.read(_UNDER_WAY):
            break
        await asyncio.sleep(quiet_every)
    if await database.read(_OWED):
        await _scrub(database)


async def _seal_of(database: Database, addresses: Addresses, notice: NoticeId) -> None:
    while rows := await database.read(_CLEAR_OF, notice=notice, count=_AT_ONCE):
        await _seal(database, addresses, rows)


async def _seal_all(database: Database, addresses: Addresses, at_once: int, told: Progress) -> int:
    of = int((await database.read(_COUNT))[0][0])
    done, after = 0, ""
    if of:
        _log.info("addresses_to_seal", count=of)
    while of and (rows := await database.read(_CLEAR, id=after, count=at_once)):
        after = rows[-1][0]
        await _seal(database, addresses, rows)
        done += len(rows)
        told(done, of)
    return done


async def _seal(database: Database, addresses: Addresses, rows: Sequence[tuple[Any, ...]]) -> None:
    sealed = addresses.seal((id_, address) for id_, _, address in rows)
    tx = Transaction()
    tx.add(SCRUB, since=_CLEARED)
    tx.rows(
        _SEAL,
        [
            {
                "id": id_,
                "channel": channel,
                "mark": (mark := addresses.mark(channel, address)),
                "other": f"{mark}.{id_}",
                "sealed": one,
                "sealed_with": addresses.current,
                "prefix": prefix(channel, address),
            }
            for (id_, channel, address), one in zip(rows, sealed, strict=True)
        ],
    )
    await database.submit(tx, priority=Priority.BULK)


async def _scrub(database: Database) -> None:
    due = [str(since) for (since,) in await database.read(_OWED)]
    try:
        await database.scrub(*sorted({TABLE if since == _CLEARED else since for since in due}))
    except StoreError as error:  # no room for a second copy: the next start tries again
        _log.warning("addresses_not_scrubbed", error=type(error).__name__)
        return
    async with database.begin() as tx:
        tx.rows(_PAID, [{"since": since} for since in due])  # what became owed meanwhile stays so
    _log.info("addresses_sealed")
