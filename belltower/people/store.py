"""The rosters kept: what is in force, read by everybody."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any

from msgspec import structs

from belltower.clock import Instant
from belltower.ids import PersonId
from belltower.people import hand_tables
from belltower.people.by_hand import HandField, Layer, by_hand, link_by_hand, pair
from belltower.people.doubt_store import DoubtStore
from belltower.people.hand_store import HandStore
from belltower.people.records import (
    Address,
    KnownHuman,
    KnownLink,
    address,
    addressed,
    addresses_by_hand,
    enrolment,
    known_human,
    known_link,
    normalised_mailbox,
    school,
    school_class,
    schools_of,
)
from belltower.people.roster import (
    ClassKey,
    Enrolment,
    Human,
    HumanKey,
    HumanKind,
    Roster,
    School,
    SchoolClass,
    SchoolKey,
)
from belltower.people.tables import (
    IN_FORCE,
    REVISIONS,
    STEPS,
    Kept,
    select,
)
from belltower.people.vault import Vault
from belltower.people.word_store import WordStore
from belltower.store import Database, SQLValue

_PAGE = 250


class RosterStore:
    """Reads the roster in force. All that names somebody is opened only for whoever asks for it."""

    def __init__(self, *, database: Database, vault: Vault) -> None:
        self.database = database
        self.vault = vault
        self.hands = HandStore(database=database, vault=vault)
        self.words = WordStore(database=database, vault=vault)
        self.doubts = DoubtStore(database=database, vault=vault, hands=self.hands)

    async def open(self) -> None:
        """Make the tables, if they are not there."""
        await self.database.migrate(STEPS)
        await self.database.migrate(hand_tables.STEPS)

    async def version(self) -> int:
        """Another number whenever what is in force is another, by a load or by hand."""
        return (await self.in_force() << 32) + await self.hands.version()

    async def in_force(self) -> int:
        """The revision in force; 0: no roster was ever taken."""
        return int((await self.database.read(IN_FORCE))[0][0])

    async def revisions(self) -> list[tuple[int, str, Instant, str]]:
        """Each revision there was: its number, source, when it was taken, and its counts as JSON."""
        rows = await self.database.read(REVISIONS)
        return [(int(row[0]), str(row[1]), Instant(row[2]), str(row[3])) for row in rows]

    # -- what is in force

    async def schools(self) -> list[School]:
        """Every school, and what is above them."""
        return await schools_in_force(self.database)

    async def classes(self, keys: Collection[str] | None = None) -> list[SchoolClass]:
        """These classes, as far as there are such; None: every class."""
        if keys is None:
            rows = await self._select(Kept.CLASS, "1 = 1")
        else:
            rows = await self._among(Kept.CLASS, "ident", sorted(keys), await self.in_force())
        return [school_class(row) for row in rows]

    async def humans(
        self, *kinds: HumanKind, revision: int | None = None, as_loaded: bool = False
    ) -> AsyncIterator[list[KnownHuman]]:
        """Everybody of these kinds, all if none is named, with their addresses, some at a time.

        All of one revision, whatever is taken meanwhile: of the one in force, or the one before it. `as_loaded` leaves
        out what was changed by hand.
        """
        if revision is None:
            revision = await self.in_force()
        layer = Layer() if as_loaded else await self.hands.layer()
        async for rows in self.rows(revision):
            found = await self._known([row for row in rows if not kinds or row[3] in kinds], revision, layer)
            if found:
                yield found

    async def rows(self, revision: int) -> AsyncIterator[list[tuple[Any, ...]]]:
        """The persons of a revision as they are kept, some at a time, in the order of source and id."""
        source, ident = "", ""
        where = "(source > :source OR (source = :source AND ident > :ident))"
        sql = select(Kept.PERSON, where, limit=True)
        while rows := await self.database.read(
            sql, revision=revision, source=source, ident=ident, limit=_PAGE
        ):
            source, ident = str(rows[-1][0]), str(rows[-1][1])
            yield rows

    async def addresses_of(
        self, persons: Sequence[PersonId], revision: int, layer: Layer
    ) -> dict[PersonId, list[Address]]:
        """The telephone numbers and mailboxes of each of these, the first one first, as `layer` has them."""
        found: dict[PersonId, list[Address]] = {}
        for row in await self._among(Kept.ADDRESS, "person", persons, revision):
            found.setdefault(PersonId(row[3]), []).append(address(self.vault, row))
        for person in persons:
            if fields := layer.of(person):
                found[person] = addresses_by_hand(person, found.get(person, []), fields)
        return found

    async def human(self, person: PersonId, *, as_loaded: bool = False) -> KnownHuman | None:
        """One human; None: not in the roster in force. `as_loaded` leaves out what was changed by hand."""
        found = await self.known([person], as_loaded=as_loaded)
        return found[0] if found else None

    async def rows_of(self, persons: Sequence[PersonId]) -> list[tuple[Any, ...]]:
        """The rows, as they are kept, of those of these that are in force."""
        return await self._among(Kept.PERSON, "ident", persons, await self.in_force())

    async def links_to(self, students: Sequence[PersonId]) -> dict[PersonId, list[KnownLink]]:
        """Every link of each of these students."""
        found: dict[PersonId, list[KnownLink]] = {}
        layer = await self.hands.layer()
        for row in await self._among(Kept.LINK, "student", students, await self.in_force()):
            found.setdefault(PersonId(row[3]), []).append(_under(layer, known_link(self.vault, row)))
        return found

    async def enrolments_among(self, persons: Sequence[PersonId]) -> dict[PersonId, list[Enrolment]]:
        """The classes of each of these, with their part in them."""
        found: dict[PersonId, list[Enrolment]] = {}
        for row in await self._among(Kept.ENROLMENT, "person", persons, await self.in_force()):
            person, one = enrolment(row)
            found.setdefault(person, []).append(one)
        return found

    async def known(self, persons: Sequence[PersonId], *, as_loaded: bool = False) -> list[KnownHuman]:
        """Those of these that are in the roster in force."""
        revision = await self.in_force()
        rows = await self._among(Kept.PERSON, "ident", persons, revision)
        return await self._known(rows, revision, Layer() if as_loaded else await self.hands.layer())

    async def links_of(self, person: PersonId, *, as_loaded: bool = False) -> list[KnownLink]:
        """Every link that names this person, as the student or as the adult, on anybody's word."""
        rows = await self._select(Kept.LINK, "(student = :person OR adult = :person)", person=person)
        layer = Layer() if as_loaded else await self.hands.layer()
        return [_under(layer, known_link(self.vault, row)) for row in rows]

    async def enrolments_of(self, person: PersonId) -> list[Enrolment]:
        """The classes of one human."""
        rows = await self._select(Kept.ENROLMENT, "person = :person", person=person)
        return [enrolment(row)[1] for row in rows]

    async def class_list(self, school_class: ClassKey) -> list[tuple[PersonId, Enrolment]]:
        """Who is in a class, in which role."""
        return [
            enrolment(row)
            for row in await self._select(Kept.ENROLMENT, "class = :school_class", school_class=school_class)
        ]

    async def children_of(
        self, persons: Sequence[PersonId], revision: int
    ) -> dict[PersonId, frozenset[PersonId]]:
        """The students to whom each of these adults is linked."""
        found: dict[PersonId, set[PersonId]] = {}
        for row in await self._among(Kept.LINK, "adult", persons, revision):
            found.setdefault(PersonId(row[4]), set()).add(PersonId(row[3]))
        return {person: frozenset(children) for person, children in found.items()}

    async def classes_of(self, persons: Sequence[PersonId], revision: int) -> dict[PersonId, frozenset[str]]:
        """The classes in which each of these is."""
        found: dict[PersonId, set[str]] = {}
        for row in await self._among(Kept.ENROLMENT, "person", persons, revision):
            found.setdefault(PersonId(row[4]), set()).add(str(row[3]))
        return {person: frozenset(classes) for person, classes in found.items()}

    async def schools_of(
        self, persons: Sequence[PersonId], revision: int
    ) -> dict[PersonId, tuple[SchoolKey, ...]]:
        """The schools at which each of these is."""
        rows = await self._among(Kept.PERSON, "ident", persons, revision)
        return {PersonId(row[1]): schools_of(row) for row in rows}

    async def names_of(self, persons: Sequence[PersonId]) -> dict[PersonId, str]:
        """What each of these is called, by the roster in force; who left with it, by the one before, while it is kept."""
        revision = await self.in_force()
        rows = await self._among(Kept.PERSON, "ident", persons, revision)
        if left := sorted(set(persons) - {PersonId(row[1]) for row in rows}):
            rows += await self._among(Kept.PERSON, "ident", left, revision - 1)
        layer = await self.hands.layer()
        return {PersonId(row[1]): addressed(self.vault, row, layer.of(row[1]))[0] for row in rows}

    async def whole(self, source: str) -> Roster:
        """All of one source, as a load would say it; for a delta to be read against. Held in memory whole."""
        revision = await self.in_force()
        humans: list[Human] = []
        keys: dict[PersonId, HumanKey] = {}
        async for page in self.humans(revision=revision, as_loaded=True):
            for known in page:
                if known.source == source:
                    humans.append(known.human)
                    keys[known.id] = known.human.key
        found: dict[Kept, list[tuple[Any, ...]]] = {}
        for kept in (Kept.SCHOOL, Kept.CLASS, Kept.LINK, Kept.ENROLMENT):
            found[kept] = await self._select(kept, "source = :source", revision, source=source)
        enrolments = [enrolment(row) for row in found[Kept.ENROLMENT]]
        return Roster(
            format="kept",
            schools=tuple(school(row) for row in found[Kept.SCHOOL]),
            classes=tuple(school_class(row) for row in found[Kept.CLASS]),
            humans=tuple(humans),
            links=tuple(known_link(self.vault, row).link for row in found[Kept.LINK]),
            enrolments=tuple(
                structs.replace(one, human=keys[person]) for person, one in enrolments if person in keys
            ),
        )

    async def reached_by(self, kind: str, written: str) -> list[PersonId]:
        """Whom an address reaches: `kind` "phone" (in E.164) or "email". Found by its mark; nothing is opened."""
        normalised = normalised_mailbox(written) if kind == "email" else written
        marks = {f"mark{n}": mark for n, mark in enumerate(self.vault.marks(kind, normalised))}
        where = f"found_by IN ({', '.join(':' + name for name in marks)}) AND kind = :kind"
        rows = await self._select(Kept.ADDRESS, where, kind=kind, **marks)
        name = HandField.EMAILS if kind == "email" else HandField.PHONES
        layer = await self.hands.layer()
        found = [PersonId(row[3]) for row in rows if name not in layer.of(row[3])]
        for subject, fields in layer.fields.items():
            value = fields.get(name)
            if value is not None and normalised in (value.e164 or map(normalised_mailbox, value.value)):
                found.append(PersonId(subject))
        return list(dict.fromkeys(found))

    async def _known(self, rows: list[tuple[Any, ...]], revision: int, layer: Layer) -> list[KnownHuman]:
        found = await self.addresses_of([PersonId(row[1]) for row in rows], revision, layer)
        known = [known_human(self.vault, row, found.get(PersonId(row[1]), ())) for row in rows]
        return [
            structs.replace(one, human=by_hand(one.human, fields), by_hand=fields)
            if (fields := layer.of(one.id))
            else one
            for one in known
        ]

    async def _among(
        self, kept: Kept, column: str, persons: Sequence[str], revision: int
    ) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = []
        for start in range(0, len(persons), _PAGE):
            names = {f"p{count}": one for count, one in enumerate(persons[start : start + _PAGE])}
            marks = ", ".join(f":{name}" for name in names)
            found += await self._select(kept, f"{column} IN ({marks})", revision, **names)
        return found

    async def _select(
        self, kept: Kept, where: str, revision: int | None = None, /, **params: SQLValue
    ) -> list[tuple[Any, ...]]:
        at = await self.in_force() if revision is None else revision
        return await self.database.read(select(kept, where), revision=at, **params)


async def schools_in_force(database: Database) -> list[School]:
    """As `RosterStore.schools`, which no key is needed for. Raises `StoreError`, where there are no tables too."""
    at = int((await database.read(IN_FORCE))[0][0])
    return [school(row) for row in await database.read(select(Kept.SCHOOL, "1 = 1"), revision=at)]


def _under(layer: Layer, known: KnownLink) -> KnownLink:
    """The link with what was changed by hand."""
    fields = layer.of(pair(known.student, known.adult))
    if not fields:
        return known
    return structs.replace(known, link=link_by_hand(known.link, fields), by_hand=fields)
