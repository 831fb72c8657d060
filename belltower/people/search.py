"""Finding people by their names: in memory, for nothing of a name may stand in clear on a disk.

The names of the roster in force are opened once and held folded, without case and marks, as long as they stand so;
what is changed by hand is read anew alone. A name is found by the beginnings of its words, one written without blanks
by any part of it. "Nunez" finds "Núñez"; what is shown is spelt as it is kept.
"""

from __future__ import annotations

import asyncio
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from msgspec import Struct

from belltower.errors import Refused
from belltower.ids import PersonId
from belltower.people.by_hand import Layer
from belltower.people.reading.namesakes import folded, is_close
from belltower.people.records import named, schools_of
from belltower.people.roster import ClassKey, HumanKind, SchoolKey
from belltower.people.store import RosterStore

SHOWN = 50
"""People of one answer."""
LONGEST = 80
"""Letters of the longest question that is read."""

_SLICE = 2_000
_LOOK = 30.0
"""Seconds between looks whether anybody is another."""
_ORDER = {kind: at for at, kind in enumerate(HumanKind)}
# Letters that Unicode does not take apart into a letter and a mark, and signs inside of words.
_BARE = str.maketrans(
    {
        "ł": "l",
        "ø": "o",
        "đ": "d",
        "ħ": "h",
        "ŧ": "t",
        "ı": "i",
        "æ": "ae",
        "œ": "oe",
        "þ": "th",
        "ð": "d",
        "ـ": None,
    }
    | dict.fromkeys("'’ʼ‘`´", None)
    | dict.fromkeys("-‐‑‒–.,", " ")
)


def searched(text: str) -> str:
    """A name or a question as they are compared: "Núñez-O’Malley" becomes "nunez omalley"."""
    return " ".join(folded(folded(text).translate(_BARE)).split())


class Entry(Struct, frozen=True, gc=False):
    """One person, as they are searched."""

    id: PersonId
    # Every word of every name, each behind a blank.
    text: str
    # Given and family name alone.
    name: str
    kind: HumanKind
    schools: tuple[SchoolKey, ...]


class Found(Struct, frozen=True, kw_only=True):
    """What a question finds."""

    people: tuple[PersonId, ...]
    # There are more than these.
    more: bool = False


class NameIndex:
    """The names of everybody in force."""

    def __init__(self, *, store: RosterStore) -> None:
        self._store = store
        self._revision = -1
        self._layer = Layer(-1)
        self._entries: dict[PersonId, Entry] = {}
        self._schools: dict[SchoolKey, dict[PersonId, str]] = {}
        self._reading = asyncio.Lock()

    async def run(self) -> None:
        """For ever: have the names ready before somebody asks."""
        while True:
            await self.fresh()
            await asyncio.sleep(_LOOK)

    async def fresh(self) -> None:
        """Read what has changed since. Raises `StoreError`."""
        async with self._reading:
            revision, layer = await self._store.in_force(), await self._store.hands.layer()
            if revision != self._revision:
                await self._read(revision, layer)
            elif layer.version != self._layer.version:
                touched = {one for one in (*self._layer.fields, *layer.fields) if "/" not in one}
                for row in await self._store.rows_of([PersonId(one) for one in touched]):
                    self._keep(self._entry(row, layer))
            self._revision, self._layer = revision, layer

    async def _read(self, revision: int, layer: Layer) -> None:
        entries: dict[PersonId, Entry] = {}
        schools: dict[SchoolKey, dict[PersonId, str]] = defaultdict(dict)
        self._entries, self._schools = entries, schools
        async for rows in self._store.rows(revision):
            for row in rows:
                self._keep(self._entry(row, layer))
            await asyncio.sleep(0)

    def _entry(self, row: tuple[object, ...], layer: Layer) -> Entry:
        person = PersonId(str(row[1]))
        name = named(self._store.vault, row, layer.of(person))
        words = searched(" ".join(name))
        return Entry(
            id=person,
            text=f" {words}",
            name=folded(f"{name[0]} {name[1]}"),
            kind=HumanKind(str(row[3])),
            schools=schools_of(row),
        )

    def _keep(self, entry: Entry) -> None:
        self._entries[entry.id] = entry
        if entry.kind is HumanKind.STUDENT:
            for school in entry.schools:
                self._schools.setdefault(school, {})[entry.id] = entry.name

    async def search(
        self,
        question: str,
        *,
        school: SchoolKey | None = None,
        school_class: ClassKey | None = None,
        within: Collection[str] | None = None,
    ) -> Found:
        """The people whom a question means, at a school or in a class where one is named; at most `SHOWN`.

        `within` are the schools that whoever asks may see, with those whose children are there; None: all. Raises
        `Refused`: the question is too short.
        """
        words = _words(question)
        await self.fresh()
        listed = None
        if school_class is not None:
            listed = {person for person, _ in await self._store.class_list(school_class)}
        whole = [f"{word} " for word in words]

        def order(entry: Entry) -> tuple[int, int, str, PersonId]:
            text = f"{entry.text} "
            return sum(word not in text for word in whole), _ORDER[entry.kind], entry.name, entry.id

        found: list[tuple[int, int, str, PersonId]] = []
        every = [self._entries[one] for one in listed if one in self._entries] if listed else []
        for piece in _slices(list(self._entries.values()) if listed is None else every):
            found += [order(entry) for entry in piece if all(word in entry.text for word in words)]
            await asyncio.sleep(0)
        found.sort()
        meant = [self._entries[one] for _, _, _, one in found if one in self._entries]
        shown: list[PersonId] = []
        for piece in _slices(meant, SHOWN):
            for entry, schools in zip(piece, await self._at(piece, school, within), strict=True):
                inside = within is None or not schools.isdisjoint(within)
                if inside and (school is None or school in schools):
                    shown.append(entry.id)
            if len(shown) > SHOWN:
                break
        return Found(people=tuple(shown[:SHOWN]), more=len(shown) > SHOWN)

    async def _at(
        self, entries: Sequence[Entry], school: SchoolKey | None, within: Collection[str] | None
    ) -> list[set[str]]:
        """The schools of each, which for an adult without one are those of their children."""
        if school is None and within is None:
            return [set() for _ in entries]
        adults = [entry.id for entry in entries if not entry.schools]
        children = await self._store.children_of(adults, self._revision) if adults else {}
        at: list[set[str]] = []
        for entry in entries:
            own: set[str] = set(entry.schools)
            for child in children.get(entry.id, ()):
                known = self._entries.get(child)
                own.update(known.schools if known is not None else ())
            at.append(own)
        return at

    def close_to(self, person: PersonId) -> list[PersonId]:
        """Other students of the same school whose name is the same as this student's, or one letter apart."""
        entry = self._entries.get(person)
        if entry is None or entry.kind is not HumanKind.STUDENT:
            return []
        found = {
            other: None
            for school in entry.schools
            for other, name in self._schools.get(school, {}).items()
            if other != person and is_close(entry.name, name)
        }
        return list(found)


def _words(question: str) -> list[str]:
    words = searched(question[:LONGEST]).split()
    letters = sum(map(len, words))
    if letters < 2 and not any(map(_dense, words)):
        raise Refused("Write at least two letters of the name.")
    return [word if _dense(word) else f" {word}" for word in words]


def _dense(word: str) -> bool:
    """Whether it is of a script that puts no blanks between words: Chinese, Japanese, Thai, Korean names."""
    return any(one >= "\u0e00" and unicodedata.category(one) == "Lo" for one in word)


def _slices(entries: Sequence[Entry], size: int = _SLICE) -> Iterable[Sequence[Entry]]:
    return (entries[start : start + size] for start in range(0, len(entries), size))
