"""The keys of the desk's vault: opened at start, counted, turned and dropped, and what is sealed with them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from belltower import log
from belltower.clock import SECOND, Instant
from belltower.errors import NotFound, SettingsError, WrongState
from belltower.people import disclosure_tables, hand_tables, marking
from belltower.people.resealing import Resealed, Resealing, SealedTable
from belltower.people.tables import LAST, STEPS
from belltower.people.vault import (
    KeyRing,
    RingFile,
    Vault,
    new_ring,
    open_vault,
    read_ring,
    ring_held,
    write_ring,
)
from belltower.store import Database
from notify import addresses, browsers, meant, reply_tables
from notify import store as notify_store
from notify.addresses import LOST
from notify.reply_tables import ReplyTables
from notify.sealing import SCRUB

_log = log.get("keys")

TABLES: tuple[SealedTable, ...] = (
    *marking.TABLES,
    SealedTable(name="notice_reply", key=("id",), fields=("text",), named=False),
    SealedTable(name="notice_browser", key=("mark",), fields=("address",), named=False),
    SealedTable(
        name="notice_delivery",
        key=("id",),
        fields=("sealed",),
        beside=("channel", "address"),
        marks=addresses.marks,
        marked=("address",),
    ),
    SealedTable(
        name=reply_tables.STOPS,
        key=("channel", "mark"),
        fields=("address",),
        marks=reply_tables.marks,
        marked=("mark",),
    ),
    SealedTable(name=meant.TABLE, key=("notice", "revision"), fields=(meant.FIELD,)),
)
"""Everything that lies sealed in the desk's database; a test finds what is missing here."""

_BY_HAND = "SELECT (SELECT count(*) FROM people_hand) + (SELECT count(*) FROM people_word) + (SELECT count(*) FROM people_doubt)"
_MUST_OPEN = (LAST, _BY_HAND, disclosure_tables.ANY, reply_tables.ANY, browsers.ANY)

_GIVEN_UP = {"notice_delivery": "id", meant.TABLE: "notice"}
_ENDS = [
    f"SELECT sealed_with FROM {table} WHERE sealed_with <> '' AND sealed_with <> :lost ORDER BY {key} {way} LIMIT 1"  # noqa: S608 - names of ours
    for table, key in _GIVEN_UP.items()
    for way in ("ASC", "DESC")
]
"""The keys of the oldest and the newest row of what is given up where its key is lost."""

_PATIENCE = 3_600 * SECOND

_FORGET = "UPDATE notice_delivery SET sealed = NULL, sealed_with = :lost WHERE sealed_with = :key"
_FORGET_MEANT = "DELETE FROM notice_meant WHERE sealed_with = :key"


async def open_keys(database: Database, key_ring: Path) -> Vault:
    """The vault of this database, under the keys of this file, which is made at the first start.

    Where the file is lost or spoilt and only addresses of deliveries are sealed with its keys, a new one is made: what
    was sent is known no more, but notices leave. See `lost_keys`.

    Raises `SettingsError`: rosters, disclosures, answers or browsers are sealed with the keys too.
    """
    for steps in (
        STEPS,
        hand_tables.STEPS,
        disclosure_tables.STEPS,
        reply_tables.STEPS,
        browsers.STEPS,
        notify_store.STEPS,
        meant.STEPS,
    ):
        await database.migrate(steps)
    needed = any([(await database.read(asked))[0][0] for asked in _MUST_OPEN])
    numbers = [int(name[1:]) for name in await _named(database)]
    return _vault(key_ring, needed=needed, number=1 + max(numbers, default=0))


def _vault(path: Path, *, needed: bool, number: int) -> Vault:
    """The vault of a file; where there is none, of a new ring whose key bears a number that nothing names."""
    if needed and not path.exists():
        raise SettingsError(
            f"key ring {path}: not there, and rosters, disclosures, answers or browsers are sealed with its keys; take it from the backup"
        )
    with suppress(SettingsError):
        return open_vault(path)
    with ring_held(path):
        if not path.exists():
            write_ring(path, new_ring(number=number))
        try:
            return open_vault(path)
        except SettingsError as error:
            if needed:
                raise
            _log.error("key_ring_put_aside", why=str(error))
        path.replace(path.with_name(path.name + ".spoilt"))
        write_ring(path, new_ring(number=number))
    return open_vault(path)


async def _named(database: Database) -> set[str]:
    """The keys of the oldest and the newest rows: of one that is lost all before or behind bear the name."""
    return {str(key) for asked in _ENDS for (key,) in await database.read(asked, lost=LOST)}


async def lost_keys(database: Database, vault: Vault) -> list[str]:
    """Keys that sealed addresses of deliveries, or for whom notices were, and are in the ring no more."""
    return sorted(await _named(database) - vault.keys)


class KeyCount(Struct, frozen=True, kw_only=True):
    """One key, and how much lies sealed with it."""

    key: str
    # Seals from now on.
    current: bool
    # In the ring; what is sealed with a key that is not cannot be read by anybody.
    held: bool
    # By table, only those that have any.
    rows: dict[str, int]


class Keys:
    """The ring of one database: listed, turned and dropped, beside a lane that uses it."""

    def __init__(self, *, database: Database, key_ring: Path) -> None:
        self._database = database
        self._path = key_ring

    async def counted(self) -> list[KeyCount]:
        """Every key of the ring, and every other that something is sealed with."""
        ring = read_ring(self._path)
        by_key: dict[str, dict[str, int]] = {}
        for name, counts in (await self._resealing(ring).keys()).items():
            for key, count in counts.items():
                by_key.setdefault(key, {})[name] = count
        return [
            KeyCount(key=key, current=key == ring.current, held=key in ring.keys, rows=by_key.get(key, {}))
            for key in sorted({*by_key, *ring.keys}, key=lambda name: (len(name), name))
        ]

    def _resealing(self, ring: KeyRing) -> Resealing:
        file = RingFile(path=self._path)
        return Resealing(database=self._database, vault=Vault(ring=ring, changed=file.changed), tables=TABLES)

    async def turn(self) -> str:
        """Make a new current key, and its id. Where an older one still seals something, nothing is made.

        Nothing is sealed anew yet: call `reseal`, as often as you like. Raises `WrongState`: somebody else is turning or
        dropping keys in this moment.
        """
        with ring_held(self._path):
            ring = read_ring(self._path)
            if any(one.held and not one.current and one.rows for one in await self.counted()):
                return ring.current
            turned = ring.turned()
            write_ring(self._path, turned)
            return turned.current

    async def complete(self) -> int:
        """Find the addresses of marks that an older program kept without; how many nobody knows."""
        vault = Vault(ring=read_ring(self._path))
        return await ReplyTables(database=self._database, vault=vault).complete()

    async def outstanding(self) -> int:
        """How many rows `reseal` will look at."""
        return await self._resealing(read_ring(self._path)).outstanding()

    async def reseal(self, told: Callable[[str, int], None]) -> dict[str, Resealed]:
        """Seal with the current key what another key of the ring sealed, and make its marks anew."""
        return await self._resealing(read_ring(self._path)).reseal(told)

    async def drop(self, *, now: Instant | None) -> list[str]:
        """Forget every key but the current one; which they were. `now` is None where surely nothing of ours runs.

        The desk then writes its files anew after its next start: whoever has the old keys finds no old mark in them. What
        made a mark of something that nobody can read stays, until a later call finds no such thing any more.
        Raises `WrongState`: one still seals something, or was current a moment ago, so that an import may yet use it; or
        somebody else is turning or dropping keys.
        """
        with ring_held(self._path):
            return await self._drop(now)

    async def _drop(self, now: Instant | None) -> list[str]:
        ring = read_ring(self._path)
        if len(ring.keys) == 1 and not ring.marked:
            return []
        if now is not None and now < self._path.stat().st_mtime * SECOND + _PATIENCE:
            raise WrongState(
                "The keys were turned less than an hour ago: an import that began before may still seal with the old one. "
                "Wait, or say --now where nothing of Belltower runs."
            )
        needed = {
            one.key: sum(one.rows.values())
            for one in await self.counted()
            if one.held and not one.current and one.rows
        }
        if needed:
            said = ", ".join(f"{key} ({count} rows)" for key, count in needed.items())
            raise WrongState(
                f"Still sealed with an older key: {said}. Run `belltower keys turn` until nothing is."
            )
        reduced = ring.reduced(marked=bool(await self.complete()))
        if reduced != ring:
            # Owed before the ring is written: after a kill between the two nobody would know of it any more.
            async with self._database.begin() as tx:
                for table in TABLES:
                    if table.marked:
                        tx.add(SCRUB, since=table.name)
            write_ring(self._path, reduced)
        return sorted(ring.keys.keys() - {ring.current})

    async def forget(self) -> Counter[str]:
        """Give up addresses of deliveries, and for whom notices were, whose keys are lost; how many rows, by key.

        Raises `NotFound`: none are.
        """
        ring = read_ring(self._path)
        gone = Counter(
            {
                one.key: count
                for one in await self.counted()
                if not one.held and (count := sum(one.rows.get(table, 0) for table in _GIVEN_UP))
            }
        )
        if not gone:
            raise NotFound(f"{self._path}: every key that sealed something of a notice is there.")
        for key in gone.keys() - ring.keys.keys():
            async with self._database.begin() as tx:
                tx.add(_FORGET, lost=LOST, key=key)
                tx.add(_FORGET_MEANT, key=key)
        return gone


async def turned(
    keys: Keys, *, settling: float, begun: Callable[[int], None], told: Callable[[int], None]
) -> tuple[str, dict[str, tuple[int, int]]]:
    """Turn the keys, or go on turning them: the current key, and by table how many rows were sealed anew or cannot be.

    `settling` is in how many seconds a lane that runs has taken the new ring: before that it would not find what stands
    under a new mark. What was begun before and written meanwhile is looked for again.
    """
    key = await keys.turn()
    await asyncio.sleep(settling)
    await keys.complete()
    begun(await keys.outstanding())
    became = await keys.reseal(lambda _table, count: told(count))
    again = await keys.reseal(lambda _table, _count: None)
    return key, {
        name: (one.sealed + again[name].sealed, again[name].unreadable) for name, one in became.items()
    }
