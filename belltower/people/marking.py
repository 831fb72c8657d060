"""How the marks of sealed rows are made anew when keys are turned: each of what lies sealed in its own row."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from belltower.people import disclosure_tables, doubt_store
from belltower.people.records import address, known_human, known_link
from belltower.people.resealing import Row, SealedTable
from belltower.people.rows import Records
from belltower.people.tables import COLUMNS, SEALED, Kept, table
from belltower.people.vault import Vault
from belltower.store import SQLValue

_given = msgspec.json.Decoder(dict[str, object])


def _person(vault: Vault, row: Row) -> Mapping[str, SQLValue]:
    human = known_human(vault, _columns(Kept.PERSON, row)).human
    return {"content": Records(vault=vault, source=row["source"]).content(Kept.PERSON, human)}


def _address(vault: Vault, row: Row) -> Mapping[str, SQLValue]:
    one = address(vault, _columns(Kept.ADDRESS, row))
    count = int(row["ident"].rpartition("/")[2])
    record = (count, (one.person, one.kind, one.normalised, one.written, one.sms, one.file))
    return {
        "content": Records(vault=vault, source=row["source"]).content(Kept.ADDRESS, record),
        "found_by": vault.mark(one.kind, one.normalised) if one.normalised else b"",
    }


def _link(vault: Vault, row: Row) -> Mapping[str, SQLValue]:
    return {
        "content": Records(vault=vault, source=row["source"]).content(
            Kept.LINK, known_link(vault, _columns(Kept.LINK, row)).link
        )
    }


def _disclosed(vault: Vault, row: Row) -> Mapping[str, SQLValue]:
    at = f"{row['batch']}|{row['number']}"
    told = _given.decode(vault.open(disclosure_tables.GIVEN, at, "body", bytes(row["body"])))
    return {"found_by": vault.mark("disclosed", str(told["student"]))}


def _columns(kept: Kept, row: Row) -> tuple[object, ...]:
    return tuple(row.get(name) for name in (*_KEY, *COLUMNS[kept]))


_KEY = ("source", "ident", "since")
_MARKS = {
    Kept.PERSON: (_person, ("content",)),
    Kept.ADDRESS: (_address, ("content", "found_by")),
    Kept.LINK: (_link, ("content",)),
}

TABLES: tuple[SealedTable, ...] = (
    *(
        SealedTable(
            name=table(kept),
            key=_KEY,
            fields=fields,
            beside=tuple(name for name in COLUMNS[kept] if name not in (*fields, *_MARKS[kept][1])),
            marks=_MARKS[kept][0],
            marked=_MARKS[kept][1],
        )
        for kept, fields in SEALED.items()
    ),
    SealedTable(name="people_hand", key=("subject", "field"), fields=("body",)),
    SealedTable(name="people_word", key=("word",), fields=("body",)),
    SealedTable(
        name="people_doubt", key=("doubt",), fields=("body",), marks=doubt_store.marks, marked=("mark",)
    ),
    SealedTable(name=disclosure_tables.OPENED, key=("id",), fields=("body", "meant")),
    SealedTable(
        name=disclosure_tables.GIVEN,
        key=("batch", "number"),
        fields=("body",),
        marks=_disclosed,
        marked=("found_by",),
    ),
)
"""Everything of people that lies sealed."""
