"""What is known of one person, put together for whoever may see it: where each thing is from, and who may collect today."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
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
    both = [(one.student, one.adult) for one in links] + [(one.student, one.adult) for one in words]
    others = {adult if student else child for child, adult in both}
    names = {one.id: one for one in await store.known(sorted(others))}
    schools = {str(one.key): one.name for one in await store.schools()}
    own = {str(key) for key in known.human.schools}
    for one in names.values() if not student else ():
        own |= {str(key) for key in one.human.schools}
    parts = {one.school_class: one.role for one in await store.enrolments_of(person)}
    return PersonRecord(
        known=known,
        loaded=loaded.human,
        schools=tuple(sorted((key, schools.get(key, key)) for key in own)),
        classes=tuple((one, parts[one.key]) for one in await store.classes() if one.key in parts),
        pairs=tuple(_pairs(links, words, names, on=on, student=student)),
        doubts=tuple(await store.doubts.of(person)),
        changes=tuple(await store.hands.changes_of(person)),
        loads={number: taken for number, _, taken, _ in await store.revisions()},
    )


def called(human: Human) -> str:
    """The name they go by."""
    given = human.preferred_given or human.given
    return f"{given} {human.preferred_family or human.family}".strip()


def _pairs(
    links: Iterable[KnownLink],
    words: Iterable[KnownWord],
    names: dict[PersonId, KnownHuman],
    *,
    on: date,
    student: bool,
) -> list[Pair]:
    linked = {(one.student, one.adult): one for one in links}
    written: dict[tuple[PersonId, PersonId], list[KnownWord]] = defaultdict(list)
    for one in words:
        written[one.student, one.adult].append(one)
    found = []
    for both in dict.fromkeys((*linked, *written)):
        link, own = linked.get(both), written[both]
        records = [_between(both, one.link) for one in own]
        if link is not None:
            records.append(_between(both, link.link))
        other = names.get(both[1] if student else both[0])
        strongest = max(map(strength, records))
        name = called(other.human) if other else next((one.adult_name for one in own if one.adult_name), "")
        found.append(
            Pair(
                student=both[0],
                adult=both[1],
                name=name,
                kind=other.human.kind if other else None,
                word=collecting(records, on=on),
                sealed=any(one.sealed and strength(one) == strongest for one in records),
                link=link,
                words=tuple(own),
            )
        )
    if student:
        names_of = [folded(one.name) for one in found]
        found = [
            structs.replace(
                one,
                close=bool(one.name)
                and any(is_close(name, names_of[at]) for name in names_of[:at] + names_of[at + 1 :]),
            )
            for at, one in enumerate(found)
        ]
    order = {Says.YES: 0, Says.READ: 1, Says.NO: 2, Says.NOTHING: 3}
    return sorted(
        found,
        key=lambda one: (one.link.link.priority or 99 if one.link else 100, order[one.word.says], one.name),
    )


def _between(both: tuple[PersonId, PersonId], link: Link) -> Link:
    return structs.replace(link, student=HumanKey(both[0]), adult=HumanKey(both[1]))
