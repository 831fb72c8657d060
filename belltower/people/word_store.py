"""What people wrote of who may collect whom, each word on the strength of a paper: sealed, ended but never changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct, structs

from belltower.clock import Instant
from belltower.ids import PersonId
from belltower.people import hand_tables as tables
from belltower.people.roster import HumanKey, Link
from belltower.people.vault import Vault
from belltower.store import Database, Transaction

_TABLE = "people_word"


class _Body(Struct, frozen=True, array_like=True):
    link: Link
    adult_name: str


class KnownWord(Struct, frozen=True, kw_only=True):
    """One word on one student and one adult."""

    id: str
    student: PersonId
    adult: PersonId
    # What it says, by the ids in place of a source's keys.
    link: Link
    # Of an adult whom no roster knows: what they are called.
    adult_name: str = ""
    by: PersonId
    at: Instant
    ended_at: Instant | None = None


_encode = msgspec.msgpack.encode
_body = msgspec.msgpack.Decoder(_Body)


class WordStore:
    """Reads and writes them."""

    def __init__(self, *, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def of(self, person: PersonId) -> list[KnownWord]:
        """Those in force that name this person, as the student or as the adult. Raises `Unreadable`."""
        return [self._word(row) for row in await self._database.read(tables.WORDS_OF, person=person)]

    async def on(self, students: Sequence[PersonId]) -> dict[PersonId, list[KnownWord]]:
        """Those in force on each of these students, some hundreds at the most. Raises `Unreadable`."""
        names = {f"s{count}": student for count, student in enumerate(students)}
        if not names:
            return {}
        sql = tables.WORDS_ON.format(students=", ".join(f":{name}" for name in names))
        found: dict[PersonId, list[KnownWord]] = {}
        for row in await self._database.read(sql, **names):
            word = self._word(row)
            found.setdefault(word.student, []).append(word)
        return found

    async def get(self, word: str) -> KnownWord | None:
        """One of them, ended or not."""
        rows = await self._database.read(tables.WORD, word=word)
        return self._word(rows[0]) if rows else None

    def put(self, tx: Transaction, word: KnownWord) -> None:
        """Write one, with `tx`."""
        tx.add(
            tables.WRITTEN,
            word=word.id,
            student=word.student,
            adult=word.adult,
            body=self._sealed(word),
            sealed_with=self._vault.current,
            by=word.by,
            at=word.at,
        )

    def end(self, tx: Transaction, word: str, by: PersonId, at: Instant) -> None:
        """It counts no more, from `tx` on; it stays written down."""
        tx.add(tables.ENDED, expect=1, word=word, by=by, at=at)

    async def carry(self, tx: Transaction, before: PersonId, after: PersonId) -> None:
        """All that was said of one adult is from now on said of another id, who is the same person."""
        for row in await self._database.read(tables.WORDS_OF_ADULT, person=before):
            word = self._word(row)
            moved = structs.replace(word, adult=after, link=structs.replace(word.link, adult=HumanKey(after)))
            tx.add(
                tables.CARRIED,
                expect=1,
                word=word.id,
                adult=after,
                body=self._sealed(moved),
                sealed_with=self._vault.current,
            )

    def _sealed(self, word: KnownWord) -> bytes:
        return self._vault.seal(_TABLE, word.id, "body", _encode(_Body(word.link, word.adult_name)))

    def _word(self, row: tuple[Any, ...]) -> KnownWord:
        ident, student, adult, body, by, at, _ended_by, ended_at = row
        told = _body.decode(self._vault.open(_TABLE, ident, "body", bytes(body)))
        return KnownWord(
            id=ident,
            student=PersonId(student),
            adult=PersonId(adult),
            link=told.link,
            adult_name=told.adult_name,
            by=PersonId(by),
            at=Instant(at),
            ended_at=Instant(ended_at) if ended_at else None,
        )
