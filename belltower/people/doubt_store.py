"""Contacts that wait for a person to say who they are, sealed, and what was said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from belltower.clock import Instant
from belltower.errors import NotFound, WrongState
from belltower.ids import PersonId, VerbId
from belltower.people import hand_tables as tables
from belltower.people.doubt import Answer, Doubt, mark_of
from belltower.people.hand_store import Change, HandStore
from belltower.people.resealing import Row
from belltower.people.roster import Human, HumanKey, Link
from belltower.people.vault import Vault
from belltower.store import Database, Priority, SQLValue, Transaction

_TABLE = "people_doubt"


class _Body(Struct, frozen=True, array_like=True):
    coming: Human
    links: tuple[Link, ...]
    key: HumanKey


_encode = msgspec.msgpack.encode
_body = msgspec.msgpack.Decoder(_Body)


class DoubtStore:
    """Reads and writes them."""

    def __init__(self, *, database: Database, vault: Vault, hands: HandStore) -> None:
        self._database = database
        self._vault = vault
        self._hands = hands

    async def open(self, limit: int = 500) -> list[Doubt]:
        """Those that wait, the oldest first. Raises `Unreadable`."""
        return [
            self._doubt(row) for row in await self._database.read(tables.DOUBTS_IN, state="open", limit=limit)
        ]

    async def of(self, person: PersonId) -> list[Doubt]:
        """Those that wait and concern this student or contact."""
        return [self._doubt(row) for row in await self._database.read(tables.DOUBTS_OF, person=person)]

    async def get(self, doubt: str) -> Doubt:
        """One of them. Raises `NotFound`."""
        rows = await self._database.read(tables.DOUBT, doubt=doubt)
        if not rows:
            raise NotFound("There is no such question.")
        return self._doubt(rows[0])

    async def answered(self) -> Doubt | None:
        """The oldest whose load's word is to come in force."""
        rows = await self._database.read(tables.DOUBTS_TAKING)
        return self._doubt(rows[0]) if rows else None

    async def unsettled(self, source: str, doubts: Sequence[Doubt]) -> list[Doubt]:
        """Those of a load that nobody has answered, as the load says it now."""
        answered = {
            (ident, bytes(mark))
            for ident, mark, state in await self._database.read(tables.DOUBT_STATES, source=source)
            if state != "open"
        }
        return [one for one in doubts if (one.id, one.mark) not in answered]

    async def found(self, source: str, doubts: Sequence[Doubt], at: Instant) -> None:
        """Write down what a whole load leaves open; what it does not ask any more is gone."""
        standing = {
            str(ident): (bytes(mark), str(state))
            for ident, mark, state in await self._database.read(tables.DOUBT_STATES, source=source)
        }
        tx = Transaction()
        for ident in standing.keys() - {one.id for one in doubts}:
            tx.add(tables.DOUBT_GONE, doubt=ident)
        for one in doubts:
            if standing.get(one.id, (b"", ""))[0] != one.mark:
                tx.add(
                    tables.DOUBTED,
                    doubt=one.id,
                    source=source,
                    student=one.student,
                    before=one.before,
                    after=one.after,
                    mark=one.mark,
                    body=self._vault.seal(
                        _TABLE, one.id, "body", _encode(_Body(one.coming, one.links, one.key))
                    ),
                    sealed_with=self._vault.current,
                    at=at,
                )
        if tx.parts:
            await self._database.submit(tx, priority=Priority.BULK)

    async def answer(self, verb: VerbId, doubt: str, answer: Answer, *, by: PersonId, at: Instant) -> None:
        """Write down what a person says; the desk then does it. Raises `NotFound`, `WrongState`."""
        known = await self.get(doubt)
        if known.state == answer:
            return
        if known.state != "open":
            raise WrongState("This was answered before, or the load asks it no more.")
        tx = Transaction()
        tx.add(tables.DOUBT_DECIDED, expect=1, doubt=doubt, state=answer.value, by=by, at=at)
        change = Change(
            id=verb,
            at=at,
            person=known.before,
            adult=known.after,
            what="reviewed",
            fields=(answer.value,),
            by=by,
            record=doubt,
        )
        self._hands.changed(tx, change)
        await self._database.submit(tx)

    def taken(self, tx: Transaction, doubt: Doubt) -> None:
        """The load's word is in force, with `tx`."""
        tx.add(tables.DOUBT_TAKEN, expect=1, doubt=doubt.id)

    async def busy_since(self) -> tuple[Instant, bool]:
        """When the load began that is not in force yet, and whether it is written whole; 0: there is none."""
        begun, ready = (await self._database.read(tables.UNFINISHED_SINCE))[0]
        return Instant(begun or 0), bool(ready)

    def _doubt(self, row: Sequence[Any]) -> Doubt:
        ident, source, student, before, after, mark, state, body, found_at, decided_by = row
        told = _body.decode(self._vault.open(_TABLE, ident, "body", bytes(body)))
        return Doubt(
            id=ident,
            source=source,
            student=PersonId(student),
            before=PersonId(before),
            after=PersonId(after),
            coming=told.coming,
            links=told.links,
            key=told.key,
            mark=bytes(mark),
            state=state,
            found_at=Instant(found_at),
            decided_by=PersonId(decided_by),
        )


def marks(vault: Vault, row: Row) -> Mapping[str, SQLValue]:
    """The mark of a row, made anew of what lies sealed in it."""
    body = _body.decode(vault.open(_TABLE, row["doubt"], "body", bytes(row["body"])))
    return {"mark": mark_of(vault, body.coming, body.links)}
