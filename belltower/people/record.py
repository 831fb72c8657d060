"""What is known of one person, put together for whoever may see it: where each thing is from, and who may collect today."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from msgspec import Struct, structs

from belltower.clock import Instant
from belltower.errors import NotFound
from belltower.ids import PersonId
from belltower.people.collecting import Says, Word, collecting, strength
from belltower.people.doubt import Doubt
from belltower.people.hand_store import Change
from belltower.people.reading.namesakes import folded, is_close
from belltower.people.records import KnownHuman, KnownLink
from belltower.people.roster import Human, HumanKey, HumanKind, Link, SchoolClass
from belltower.people.store import RosterStore
from belltower.people.word_store import KnownWord

_Both = tuple[PersonId, PersonId]
_PAGE = 100


class Pair(Struct, frozen=True, kw_only=True):
    """One student and one adult: all that is written of the two, and what comes of it on one day."""

    student: PersonId
    adult: PersonId
    # What the other one is called, seen from whose record it is; "": somebody who is no longer in the roster.
    name: str
    kind: HumanKind | None
    word: Word
    # What decides is sealed: only few may see that it exists.
    sealed: bool
    link: KnownLink | None = None
    words: tuple[KnownWord, ...] = ()
    # Another adult of the same student has nearly this name, and may be the same person: nobody guesses.
    close: bool = False
    # And were they the same, it would be no yes: a person reads the records of both.
    read_both: bool = False


class PersonRecord(Struct, frozen=True, kw_only=True):
    """One person."""

    known: KnownHuman
    # Without what was changed by hand.
    loaded: Human
    schools: tuple[tuple[str, str], ...]
    # With their part in them.
    classes: tuple[tuple[SchoolClass, str], ...]
    pairs: tuple[Pair, ...]
    doubts: tuple[Doubt, ...]
    changes: tuple[Change, ...]
    # When each load that is named was taken, by its number.
    loads: dict[int, Instant]

    @property
    def places(self) -> set[str]:
        """The keys of the schools concerned: one's own, or those of one's children."""
        return {key for key, _ in self.schools}


async def record(store: RosterStore, person: PersonId, *, on: date) -> PersonRecord:
    """All of one person in force. Raises `NotFound`, `StoreError`."""
    known, loaded = await store.human(person), await store.human(person, as_loaded=True)
    if known is None or loaded is None:
        raise NotFound("The roster in force knows no such person.")
    links, words = await store.links_of(person), await store.words.of(person)
    student = known.human.kind is HumanKind.STUDENT
    if not student:
        # Other adults of the same students: one of nearly the same name may be the same person.
        students = sorted({one.student for one in links} | {one.student for one in words})
        links, words = await _of_students(store, students)
    both = [(one.student, one.adult) for one in links] + [(one.student, one.adult) for one in words]
    names = {one.id: one for one in await store.known(sorted({one for pair in both for one in pair}))}
    schools = {str(one.key): one.name for one in await store.schools()}
    own = {str(key) for key in known.human.schools}
    for child in {child for child, _ in both} if not student else ():
        own |= {str(key) for key in names[child].human.schools} if child in names else set()
    parts = {one.school_class: one.role for one in await store.enrolments_of(person)}
    return PersonRecord(
        known=known,
        loaded=loaded.human,
        schools=tuple(sorted((key, schools.get(key, key)) for key in own)),
        classes=tuple((one, parts[one.key]) for one in await store.classes() if one.key in parts),
        pairs=tuple(_pairs(links, words, names, on=on, person=person, student=student)),
        doubts=tuple(await store.doubts.of(person)),
        changes=tuple(await store.hands.changes_of(person)),
        loads={number: taken for number, _, taken, _ in await store.revisions()},
    )


async def _of_students(
    store: RosterStore, students: Sequence[PersonId]
) -> tuple[list[KnownLink], list[KnownWord]]:
    links = [one for each in (await store.links_to(students)).values() for one in each]
    words: list[KnownWord] = []
    for start in range(0, len(students), _PAGE):
        found = await store.words.on(students[start : start + _PAGE])
        words += [one for each in found.values() for one in each]
    return links, words


def called(human: Human) -> str:
    """The name they go by."""
    given = human.preferred_given or human.given
    return f"{given} {human.preferred_family or human.family}".strip()


def _pairs(
    links: Iterable[KnownLink],
    words: Iterable[KnownWord],
    names: Mapping[PersonId, KnownHuman],
    *,
    on: date,
    person: PersonId,
    student: bool,
) -> list[Pair]:
    linked = {(one.student, one.adult): one for one in links}
    written: dict[_Both, list[KnownWord]] = defaultdict(list)
    for one in words:
        written[one.student, one.adult].append(one)
    records: dict[_Both, list[Link]] = {}
    adults: dict[PersonId, list[tuple[_Both, str]]] = defaultdict(list)
    for both in dict.fromkeys((*linked, *written)):
        records[both] = [one.link for one in written[both]] + ([linked[both].link] if both in linked else [])
        adults[both[0]].append((both, folded(_adult(both[1], names, written[both]))))
    found = []
    for both, said in records.items():
        if person not in both:
            continue
        own = [_between(both, one) for one in said]
        named = dict(adults[both[0]])[both]
        near = [two for two, name in adults[both[0]] if two != both and named and is_close(name, named)]
        word = collecting(own, on=on)
        together = collecting(
            [*own, *(_between(both, one) for two in near for one in records[two])], on=on
        ).says
        read_both = word.says is Says.YES and together in (Says.NO, Says.READ)
        strongest = max(map(strength, own))
        other = names.get(both[1] if student else both[0])
        found.append(
            Pair(
                student=both[0],
                adult=both[1],
                name=_name(both, names, written[both], student=student),
                kind=other.human.kind if other else None,
                word=structs.replace(word, says=Says.READ) if read_both else word,
                sealed=any(one.sealed and strength(one) == strongest for one in own),
                link=linked.get(both),
                words=tuple(written[both]),
                close=bool(near),
                read_both=read_both,
            )
        )
    order = {Says.YES: 0, Says.READ: 1, Says.NO: 2, Says.NOTHING: 3}
    return sorted(
        found,
        key=lambda one: (one.link.link.priority or 99 if one.link else 100, order[one.word.says], one.name),
    )


def _name(
    both: _Both, names: Mapping[PersonId, KnownHuman], words: Iterable[KnownWord], *, student: bool
) -> str:
    """What the other one of the two is called, seen from the student or from the adult."""
    if student:
        return _adult(both[1], names, words)
    return called(names[both[0]].human) if both[0] in names else ""


def _adult(adult: PersonId, names: Mapping[PersonId, KnownHuman], words: Iterable[KnownWord]) -> str:
    """What an adult is called, whom no roster may know."""
    if adult in names:
        return called(names[adult].human)
    return next((one.adult_name for one in words if one.adult_name), "")


def _between(both: tuple[PersonId, PersonId], link: Link) -> Link:
    return structs.replace(link, student=HumanKey(both[0]), adult=HumanKey(both[1]))
