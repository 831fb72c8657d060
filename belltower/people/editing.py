"""What people do by hand to what is known of people: set a field, take it back, write a word on who may collect."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from msgspec import Struct

from belltower.clock import Clock, aware
from belltower.errors import Conflict, NotFound, Refused, WrongState
from belltower.ids import Ids, PersonId, VerbId
from belltower.people.by_hand import LONGEST, HandField, HandValue, checked, pair, said
from belltower.people.hand_store import Change
from belltower.people.records import KnownHuman
from belltower.people.roster import Human, HumanKey, HumanKind, Link, LinkSource, MayCollect, Relation
from belltower.people.store import RosterStore
from belltower.people.word_store import KnownWord
from belltower.store import Transaction


class Paper(Struct, frozen=True, kw_only=True):
    """What somebody writes down of a paper that they have seen: an order, or a guardian's form."""

    source: LinkSource
    may_collect: MayCollect
    # Where the scanned paper lies; never its text.
    order_reference: str = ""
    # For a person to read; with anything in it the paper has to be read.
    restrictions: str = ""
    begins: date | None = None
    ends: date | None = None
    # Monday is 0; empty: every day.
    weekdays: frozenset[int] = frozenset()
    sealed: bool = False
    # A restraining order is so whatever stands here.
    restraining: bool = False

    @property
    def keeps_away(self) -> bool:
        """Whether it keeps the adult away from the student."""
        return self.restraining or self.source is LinkSource.RESTRAINING_ORDER


class Editing:
    """The verbs. Each bears an id, so that asking twice does once; what is refused says why."""

    def __init__(self, *, store: RosterStore, clock: Clock, ids: Ids, region: str = "US") -> None:
        self.store = store
        self._clock = clock
        self._ids = ids
        self._region = region

    async def set(
        self,
        verb: VerbId,
        person: PersonId,
        name: HandField,
        values: Sequence[str],
        *,
        by: PersonId,
        adult: PersonId | None = None,
    ) -> None:
        """Change one field of a person, or of the link of a student and an adult. No value: there is none.

        Raises `NotFound`, and `Refused` for a value that cannot be.
        """
        given, e164 = checked(name, values, now=aware(self._clock.now()), region=self._region)
        loaded = await self._loaded(person, name, adult)
        subject = _subject(person, adult)
        value = HandValue(
            value=tuple(given),
            before=said(loaded, name),
            by=by,
            at=self._clock.now(),
            e164=tuple(e164),
        )
        tx = Transaction()
        self.store.hands.set(tx, subject, name, value)
        await self._done(tx, verb, "set", person, by, adult=adult, fields=(name.value,))

    async def unset(
        self,
        verb: VerbId,
        person: PersonId,
        name: HandField,
        *,
        by: PersonId,
        adult: PersonId | None = None,
    ) -> None:
        """Take a change back: what the load says stands again. Raises `NotFound`."""
        subject = _subject(person, adult)
        if await self._again(person, verb):
            return
        layer = await self.store.hands.layer()
        if name not in layer.of(subject):
            raise NotFound(f"{name.value} of this person was not changed by hand.")
        tx = Transaction()
        self.store.hands.unset(tx, subject, name)
        await self._done(tx, verb, "unset", person, by, adult=adult, fields=(name.value,))

    async def put_word(
        self,
        verb: VerbId,
        student: PersonId,
        paper: Paper,
        *,
        by: PersonId,
        adult: PersonId | None = None,
        adult_name: str = "",
    ) -> str:
        """Write down what a paper says of a student and an adult, who may be somebody that no roster knows; its id.

        Raises `NotFound`, and `Refused` for what cannot be.
        """
        known = await self._human(student)
        if known.human.kind is not HumanKind.STUDENT:
            raise WrongState("Who may collect is written down of students.")
        _possible(paper)
        name = " ".join(adult_name.split())
        if adult is not None:
            if (await self._human(adult)).human.kind is HumanKind.STUDENT:
                raise WrongState("The other person is a student.")
            name = ""
        elif not name or len(name) > LONGEST or not name.isprintable():
            raise Refused("Choose the adult, or write the name of one whom no roster knows.")
        whom = adult or self._ids.person()
        word = KnownWord(
            id=verb,
            student=student,
            adult=whom,
            link=_link(student, whom, paper),
            adult_name=name,
            by=by,
            at=self._clock.now(),
        )
        tx = Transaction()
        self.store.words.put(tx, word)
        await self._done(tx, verb, "collecting", student, by, adult=word.adult, record=word.id)
        return word.id

    async def end_word(self, verb: VerbId, word: str, *, by: PersonId) -> None:
        """What a paper said counts no more. Raises `NotFound`."""
        known = await self.store.words.get(word)
        if known is None:
            raise NotFound("There is no such record.")
        if known.ended_at is not None:
            return
        tx = Transaction()
        self.store.words.end(tx, word, by, self._clock.now())
        await self._done(tx, verb, "collecting ended", known.student, by, adult=known.adult, record=word)

    async def _done(
        self,
        tx: Transaction,
        verb: VerbId,
        what: str,
        person: PersonId,
        by: PersonId,
        *,
        adult: PersonId | None,
        fields: tuple[str, ...] = (),
        record: str = "",
    ) -> None:
        change = Change(
            id=verb,
            at=self._clock.now(),
            person=person,
            what=what,
            by=by,
            adult=adult,
            fields=fields,
            record=record,
        )
        self.store.hands.changed(tx, change)
        try:
            await self.store.database.submit(tx)
        except Conflict:
            if not await self._again(person, verb):
                raise

    async def _again(self, person: PersonId, verb: VerbId) -> bool:
        """Whether this was asked, and done, before."""
        return any(one.id == verb for one in await self.store.hands.changes_of(person))

    async def _human(self, person: PersonId) -> KnownHuman:
        known = await self.store.human(person, as_loaded=True)
        if known is None:
            raise NotFound("The roster in force knows no such person.")
        return known

    async def _loaded(self, person: PersonId, name: HandField, adult: PersonId | None) -> Human | Link:
        if (name is HandField.MAY_COLLECT) is (adult is None):
            raise Refused("may_collect is said of a student and an adult; all else of one person.")
        if adult is None:
            return (await self._human(person)).human
        for known in await self.store.links_of(person, as_loaded=True):
            if (known.student, known.adult) == (person, adult):
                return known.link
        raise NotFound("The roster in force links no such student and adult.")


def _subject(person: PersonId, adult: PersonId | None) -> str:
    return person if adult is None else pair(person, adult)


def _link(student: PersonId, adult: PersonId, paper: Paper) -> Link:
    return Link(
        student=HumanKey(student),
        adult=HumanKey(adult),
        relation=Relation.CONTACT,
        may_collect=paper.may_collect,
        source=paper.source,
        order_reference=paper.order_reference,
        restrictions=paper.restrictions,
        begins=paper.begins,
        ends=paper.ends,
        weekdays=paper.weekdays,
        sealed=paper.sealed,
        restraining=paper.keeps_away,
    )


def _possible(paper: Paper) -> None:
    if paper.source is LinkSource.SIS:
        raise Refused(
            "Say which paper it stands on; what the student information system says comes with its loads."
        )
    if paper.begins is not None and paper.ends is not None and paper.ends < paper.begins:
        raise Refused("It ends before it begins: look at the two dates.")
    if paper.keeps_away and paper.may_collect is MayCollect.YES:
        raise Refused("A restraining order never lets the same adult collect: choose no, or conditional.")
    if any(
        len(one) > LONGEST or not one.isprintable() for one in (paper.order_reference, paper.restrictions)
    ):
        raise Refused(f"Write at most {LONGEST} letters, without control characters.")
    if not paper.weekdays <= frozenset(range(7)):
        raise Refused("Days are Monday to Sunday.")
