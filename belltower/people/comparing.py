"""A roster beside the one in force: what is read for it, and what it comes to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import nsmallest
from itertools import islice
from operator import attrgetter
from typing import Any, TypeVar

from msgspec import Struct, structs

from belltower.people.by_hand import Layer, overruled
from belltower.people.delta import Pair, restate
from belltower.people.diff import LINES, Comparing, Diff, Difference, Line
from belltower.people.doubt import Doubt
from belltower.people.doubting import Doubting
from belltower.people.records import KnownHuman, known_human, known_link
from belltower.people.roster import Human, HumanKey, HumanKind, Link, Roster, Table
from belltower.people.rows import Item, Records
from belltower.people.store import RosterStore
from belltower.people.tables import Kept, contents, select

T = TypeVar("T")

SLICE = 512
"""Records that are looked at before the loop's other work has its turn: a few milliseconds."""
_AT_ONCE = 250

Progress = Callable[[int, int], None]
"""Called with (records done, of how many)."""


class Comparison(Struct, frozen=True, kw_only=True):
    """What a roster would change in the revision in force."""

    before: int
    records: Records
    # As it came; a delta's links as they are to be written.
    roster: Roster
    differences: dict[Kept, Difference]
    # What is to be written of each table, in its order.
    changes: dict[Kept, list[Item]]
    diff: Diff
    # What waits for a person to say who it is, and stays as it stands; of a whole load all there is.
    doubts: tuple[Doubt, ...] = ()


def slices(items: Iterable[T], size: int = SLICE) -> Iterator[list[T]]:
    """A few at a time."""
    iterator = iter(items)
    while piece := list(islice(iterator, size)):
        yield piece


async def compare(
    store: RosterStore, roster: Roster, *, source: str, progress: Progress | None = None
) -> Comparison:
    """Compare with what is in force of the same source, and write nothing."""
    work = _Work(store, roster, source, await store.in_force(), progress)
    await work.look()
    await work.doubt()
    return Comparison(
        before=work.before,
        records=work.records,
        roster=work.roster,
        differences=work.differences,
        changes=work.changes,
        diff=await work.diff(),
        doubts=tuple(work.doubts),
    )


class _Work:
    def __init__(
        self, store: RosterStore, roster: Roster, source: str, before: int, progress: Progress | None
    ) -> None:
        self._store = store
        self._source = source
        self._progress = progress
        self.roster = roster
        self.before = before
        self.records = Records(vault=store.vault.pinned(), source=source)
        self.differences: dict[Kept, Difference] = {}
        self.changes: dict[Kept, list[Item]] = {}
        self._standing_students: set[str] = set()
        self._coming_students: set[str] = set()
        self._coming_persons: set[str] = set()
        self._counts: dict[Kept, int] = {}
        self._gone = self._named(Table.HUMAN)
        self.doubts: list[Doubt] = []
        self._layer = Layer()
        # Of whom something was changed by hand: how the load has them.
        self._hands: dict[str, Human | Link] = {}

    def _named(self, what: Table) -> set[str]:
        keys = (one.key for one in self.roster.removed if one.table is what)
        if what is Table.HUMAN:
            return {self.records.person(HumanKey(key)) for key in keys}
        return set(keys)

    async def look(self) -> None:
        """Each table, persons before what hangs on them."""
        roster = self.roster
        self._layer = await self._store.hands.layer()
        total = len(roster.humans) * 2 + len(roster.links) + len(roster.enrolments) + len(roster.classes)
        done = 0
        for kept in Kept:
            rows = await self._store.database.read(contents(kept), source=self._source, revision=self.before)
            standing = {row[0]: bytes(row[1]) for row in rows}
            comparing = Comparing(standing)
            self._counts[kept] = len(rows)
            if kept is Kept.PERSON:
                self._standing_students = {row[0] for row in rows if row[2] == HumanKind.STUDENT and row[3]}
            dropped = await self._dropped(kept, rows) if roster.delta else None
            changes: list[Item] = []
            for piece in self.records.items(kept, self.roster, SLICE):
                if self._store.vault.turning:
                    self.records.recognise(kept, piece, standing)
                changes += comparing.meet(piece)
                if kept is Kept.PERSON:
                    self._meet(piece)
                if kept in _BY_HAND and self._layer.fields:
                    self._hands |= {
                        item.ident: item.record for item in piece if item.ident in self._layer.fields
                    }
                await asyncio.sleep(0)
                done += len(piece)
                if self._progress is not None:
                    self._progress(min(done, total), total)
            # In the order of the table's key, so that neighbours are written together.
            self.changes[kept] = sorted(changes, key=attrgetter("ident"))
            self.differences[kept] = comparing.whole() if dropped is None else comparing.part(dropped)

    async def doubt(self) -> None:
        """Take out what a person must look at first."""
        if self.roster.delta or not self._counts[Kept.PERSON]:
            return
        self.doubts = await Doubting(
            store=self._store,
            source=self._source,
            roster=self.roster,
            records=self.records,
            differences=self.differences,
            changes=self.changes,
        ).find()

    def _meet(self, piece: Sequence[Item]) -> None:
        for item in piece:
            one: Human = item.record
            self._coming_persons.add(item.ident)
            if one.kind is HumanKind.STUDENT and one.active:
                self._coming_students.add(item.ident)

    async def _dropped(self, kept: Kept, rows: Sequence[tuple[Any, ...]]) -> set[str]:
        """The standing idents that a delta takes away."""
        match kept:
            case Kept.SCHOOL:
                return self._named(Table.SCHOOL)
            case Kept.CLASS:
                return self._named(Table.CLASS)
            case Kept.PERSON:
                return self._gone
            case Kept.ADDRESS:
                anew = self._gone | self._coming_persons
                return {row[0] for row in rows if row[0].partition("/")[0] in anew}
            case Kept.LINK:
                return await self._links(rows)
            case Kept.ENROLMENT:
                classes, named = self._named(Table.CLASS), self._named(Table.ENROLMENT)
                return {
                    row[0] for row in rows if row[0] in named or row[2] in classes or row[3] in self._gone
                }

    async def _links(self, rows: Sequence[tuple[Any, ...]]) -> set[str]:
        roster, person = self.roster, self.records.person
        told = {person(key) for key in roster.restated}
        coming: dict[Pair, Link] = {(one.student, one.adult): one for one in roster.links}
        pairs = {f"{person(student)}/{person(adult)}" for student, adult in coming}
        touched = [row[0] for row in rows if row[0] in pairs or not told.isdisjoint(row[0].split("/"))]
        standing: dict[Pair, Link] = {}
        for piece in slices(touched, _AT_ONCE):
            for row in await self._rows(Kept.LINK, piece):
                link = known_link(self._store.vault, row).link
                standing[link.student, link.adult] = link
        written, removed = restate(standing, coming, roster.restated)
        self.roster = structs.replace(roster, links=written)
        gone = {row[0] for row in rows if not self._gone.isdisjoint(row[0].split("/"))}
        return gone | {f"{person(student)}/{person(adult)}" for student, adult in removed}

    async def _rows(self, kept: Kept, idents: Sequence[str]) -> list[tuple[Any, ...]]:
        names = {f"i{count}": ident for count, ident in enumerate(idents)}
        where = f"source = :source AND ident IN ({', '.join(':' + name for name in names)})"
        return await self._store.database.read(
            select(kept, where), source=self._source, revision=self.before, **names
        )

    async def diff(self) -> Diff:
        """What it comes to, for people."""
        students = self._standing_students
        if self.roster.delta:
            away = students & (self._gone | (self._coming_persons - self._coming_students))
        else:
            away = students - self._coming_students
        lines = await self._kept_by_hand()
        kept_by_hand = len(lines)
        waiting = await self._store.doubts.unsettled(self._source, self.doubts)
        lines += [Line(table=Kept.PERSON, record=one.before, what="to review") for one in waiting]
        del lines[LINES:]
        for what in ("removed", "changed", "added"):
            for kept, difference in self.differences.items():
                idents = nsmallest(LINES - len(lines), getattr(difference, what))
                fields = (
                    await self._fields(idents) if what == "changed" and kept is Kept.PERSON and idents else {}
                )
                lines += [
                    Line(table=kept, record=ident, what=what, fields=fields.get(ident, ()))
                    for ident in idents
                ]
        enrolments = self.differences[Kept.ENROLMENT]
        total = sum(one.fingerprint << place for place, one in enumerate(self.differences.values()))
        return Diff(
            counts={
                kept.value: (len(one.added), len(one.changed), len(one.removed))
                for kept, one in self.differences.items()
            },
            students=len(students),
            students_removed=len(away),
            students_left=len((students - away) | self._coming_students),
            links=self._counts[Kept.LINK],
            links_removed=len(self.differences[Kept.LINK].removed),
            addresses=self._counts[Kept.ADDRESS],
            addresses_removed=len(self.differences[Kept.ADDRESS].removed),
            enrolments=self._counts[Kept.ENROLMENT],
            enrolments_lost=max(len(enrolments.removed) - len(enrolments.added), 0),
            onto_nothing=self.roster.delta and not any(self._counts.values()),
            repeated=sum(one.repeated for one in self.differences.values()),
            kept_by_hand=kept_by_hand,
            to_review=len(waiting),
            lines=tuple(lines),
            fingerprint=f"{(total * 1_000_003 + self.before) & ((1 << 96) - 1):024x}",
        )

    async def _kept_by_hand(self) -> list[Line]:
        """Where the load brings another value for what was changed by hand, which stays."""
        lines = []
        for piece in slices(sorted(self._hands), _AT_ONCE):
            before: dict[str, Human | Link] = {
                row[1]: known_link(self._store.vault, row).link for row in await self._rows(Kept.LINK, piece)
            }
            persons = await self._rows(Kept.PERSON, piece)
            stated = await self._store.addresses_of([row[1] for row in persons], self.before, Layer())
            for row in persons:
                before[row[1]] = known_human(self._store.vault, row, stated.get(row[1], ())).human
            for ident, record in before.items():
                fields = overruled(record, self._hands[ident], self._layer.of(ident))
                if fields:
                    table = Kept.LINK if isinstance(record, Link) else Kept.PERSON
                    lines.append(Line(table=table, record=ident, what="kept by hand", fields=fields))
        return lines

    async def _fields(self, idents: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """The names of the fields in which persons differ."""
        wanted = set(idents)
        coming = {
            ident: one for one in self.roster.humans if (ident := self.records.person(one.key)) in wanted
        }
        found = {}
        for piece in slices(idents, _AT_ONCE):
            for row in await self._rows(Kept.PERSON, piece):
                known: KnownHuman = known_human(self._store.vault, row)
                found[known.id] = _differing(known.human, coming[known.id])
            await asyncio.sleep(0)
        return {str(ident): fields for ident, fields in found.items()}


_BY_HAND = frozenset({Kept.PERSON, Kept.LINK})
_ASIDE = frozenset({"phones", "emails", "file"})


def _differing(before: Human, after: Human) -> tuple[str, ...]:
    return tuple(
        one.name
        for one in structs.fields(Human)
        if one.name not in _ASIDE and getattr(before, one.name) != getattr(after, one.name)
    )
