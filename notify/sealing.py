"""Seals the addresses that an older program left in clear, before anybody works with them.

Some rows at a time, each time a commit: a kill loses nothing, and the next start goes on. When all are sealed the
files are written anew, for an overwritten row can still be found in them.
"""

from __future__ import annotations

from collections.abc import Callable

from belltower import log
from belltower.errors import StoreError
from belltower.store import Database, Priority, Transaction
from notify.addresses import TABLE, Addresses
from notify.standing import prefix

_log = log.get("notify")

_AT_ONCE = 1_000

_CLEAR = """
SELECT id, channel, address FROM notice_delivery WHERE sealed_with = '' AND id > :id ORDER BY id LIMIT :count
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

_OWED = "INSERT INTO notice_scrubbing (since) VALUES ('clear') ON CONFLICT DO NOTHING"
_PAID = "DELETE FROM notice_scrubbing"

Progress = Callable[[int, int], None]
"""Called with how many are sealed, of how many."""


def silent(_done: int, _of: int) -> None:
    """Nobody watches."""


async def owed(database: Database) -> bool:
    """Whether there is anything to seal, or to scrub."""
    if await database.read("SELECT 1 FROM notice_scrubbing"):
        return True
    return bool(await database.read(_CLEAR, id="", count=1))


async def seal_clear(database: Database, addresses: Addresses, *, told: Progress = silent) -> int:
    """Seal every address that stands in clear; how many. Raises `StoreError`."""
    of = int((await database.read(_COUNT))[0][0])
    done, after = 0, ""
    if of:
        _log.info("addresses_to_seal", count=of)
    while of and (rows := await database.read(_CLEAR, id=after, count=_AT_ONCE)):
        after = rows[-1][0]
        sealed = addresses.seal((id_, address) for id_, _, address in rows)
        tx = Transaction()
        tx.add(_OWED)
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
        done += len(rows)
        told(done, of)
    if await database.read("SELECT 1 FROM notice_scrubbing"):
        await _scrub(database)
    return done


async def _scrub(database: Database) -> None:
    try:
        await database.scrub(TABLE)
    except StoreError as error:  # no room for a second copy: the next start tries again
        _log.warning("addresses_not_scrubbed", error=type(error).__name__)
        return
    async with database.begin() as tx:
        tx.add(_PAID)
    _log.info("addresses_sealed")
