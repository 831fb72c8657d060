"""What people wrote themselves beside the rosters, sealed: fields of the layer, and who changed what when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from belltower.clock import Instant
from belltower.ids import PersonId
from belltower.people import hand_tables as tables
from belltower.people.by_hand import Fields, HandField, HandValue, Layer
from belltower.people.vault import Vault
from belltower.store import Database, Transaction

_TABLE, _WORDS, _DOUBTS = "people_hand", "people_word", "people_doubt"
_AT_ONCE = 250


class _Body(Struct, frozen=True, array_like=True):
    value: tuple[str, ...]
    before: tuple[str, ...]
    e164: tuple[str, ...] = ()


class Change(Struct, frozen=True, kw_only=True):
    """One thing that somebody did by hand. Bears ids and names of fields, no values."""

    id: str
    at: Instant
    person: PersonId
    # "set", "unset", "collecting", "collecting ended", "reviewed".
    what: str
    by: PersonId
    # Of a link, or of a word on collecting.
    adult: PersonId | None = None
    fields: tuple[str, ...] = ()
    # The word on collecting, or what was reviewed.
    record: str = ""


_encode = msgspec.msgpack.encode
_body = msgspec.msgpack.Decoder(_Body)


class HandStore:
    """Reads and writes the layer."""

    def __init__(self, *, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault
        self._layer = Layer()
        self._read = False

    async def version(self) -> int:
        """Another number after every change."""
        return int((await self._database.read(tables.CHANGES))[0][0])

    async def layer(self) -> Layer:
        """All that was changed by hand; opened only where something changed since. Raises `Unreadable`."""
        version = await self.version()
        if not self._read or version != self._layer.version:
            found: dict[str, dict[HandField, HandValue]] = {}
            for subject, name, body, by, at in await self._database.read(tables.FIELDS):
                told = _body.decode(self._vault.open(_TABLE, _row(subject, name), "body", bytes(body)))
                found.setdefault(str(subject), {})[HandField(name)] = HandValue(
                    value=told.value, before=told.before, e164=told.e164, by=PersonId(by), at=Instant(at)
                )
            self._layer, self._read = Layer(version, found), True
        return self._layer

    def set(self, tx: Transaction, subject: str, name: HandField, value: HandValue) -> None:
        """Put a field into the layer, with `tx`."""
        body = _encode(_Body(value.value, value.before, value.e164))
        tx.add(
            tables.SET,
            subject=subject,
            field=name.value,
            body=self._vault.seal(_TABLE, _row(subject, name.value), "body", body),
            sealed_with=self._vault.current,
            by=value.by,
            at=value.at,
        )

    def unset(self, tx: Transaction, subject: str, name: HandField) -> None:
        """Take a field out of the layer, with `tx`."""
        tx.add(tables.UNSET, expect=1, subject=subject, field=name.value)

    def carry(self, tx: Transaction, before: str, after: str, fields: Fields) -> None:
        """What was changed of one person is from now on of another id, who is the same person."""
        for name, value in fields.items():
            self.unset(tx, before, name)
            self.set(tx, after, name, value)

    def changed(self, tx: Transaction, change: Change) -> None:
        """Write down what was done, with `tx`; every reader of the layer reads it anew."""
        tx.add(
            tables.CHANGED,
            change=change.id,
            at=change.at,
            person=change.person,
            adult=change.adult or "",
            what=change.what,
            fields=" ".join(change.fields),
            record=change.record,
            by=change.by,
        )
        self.counted(tx)

    def counted(self, tx: Transaction) -> None:
        """Every reader of the layer reads it anew, from `tx` on."""
        tx.add(tables.COUNTED)

    async def untold(self, limit: int = 100) -> list[Change]:
        """What was done and stands in no fact yet, in its order."""
        return [_change(row) for row in await self._database.read(tables.UNTOLD, limit=limit)]

    async def changes_of(self, person: PersonId, limit: int = 50) -> list[Change]:
        """What was done by hand to one person, the newest first."""
        return [
            _change(row) for row in await self._database.read(tables.CHANGES_OF, person=person, limit=limit)
        ]

    def told(self, tx: Transaction, changes: Sequence[Change]) -> None:
        """They stand in facts, which `tx` commits."""
        for change in changes:
            tx.add(tables.TOLD, expect=1, change=change.id)


def _row(subject: str, name: str) -> str:
    return f"{subject}|{name}"


def _change(row: tuple[Any, ...]) -> Change:
    ident, at, person, adult, what, fields, record, by = row
    return Change(
        id=ident,
        at=Instant(at),
        person=PersonId(person),
        adult=PersonId(adult) if adult else None,
        what=what,
        fields=tuple(fields.split()),
        record=record,
        by=PersonId(by),
    )
