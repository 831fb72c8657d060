"""What the pages of people are given: pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, tzinfo

from msgspec import Struct

from belltower.clock import Instant
from belltower.ids import PersonId
from belltower.people.by_hand import LISTS, HandField, HandValue, said, standing
from belltower.people.collecting import Says, Word
from belltower.people.doubt import Doubt
from belltower.people.reach import BeyondReach
from belltower.people.record import Pair, PersonRecord, called
from belltower.people.records import KnownHuman
from belltower.people.roster import Human, HumanKind, Link, LinkSource, MayCollect
from gateway.web.desk import Names
from gateway.web.languages import language_name
from gateway.web.view import day

KINDS = {
    HumanKind.STUDENT: "student",
    HumanKind.STAFF: "staff",
    HumanKind.GUARDIAN: "guardian",
    HumanKind.CONTACT: "somebody to call",
}
FIELDS = {
    HandField.GIVEN: "Given name",
    HandField.MIDDLE: "Middle name",
    HandField.FAMILY: "Family name",
    HandField.PREFERRED_GIVEN: "Given name they use",
    HandField.PREFERRED_FAMILY: "Family name they use",
    HandField.BIRTH_DATE: "Born",
    HandField.GRADE: "Grade",
    HandField.LANGUAGE: "Language to write in",
    HandField.PHONES: "Telephone",
    HandField.EMAILS: "Mail",
    HandField.AWAY: "Away until",
}
PAPERS = {
    LinkSource.GUARDIAN_FORM: "Guardian's form",
    LinkSource.COURT_ORDER: "Court order",
    LinkSource.STATE_CUSTODY: "State custody",
    LinkSource.RESTRAINING_ORDER: "Restraining or no-contact order",
}
SOURCES = {LinkSource.SIS: "Student information system", **PAPERS}
MAY = {
    MayCollect.YES: "May collect",
    MayCollect.CONDITIONAL: "On conditions: read the paper",
    MayCollect.NO: "May not collect",
}
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
CHANGES = {
    "set": "changed",
    "unset": "took back",
    "collecting": "wrote down who may collect",
    "collecting ended": "ended a record on who may collect",
    "reviewed": "said who a contact is",
}
_VERDICTS = {
    Says.YES: ("human", "May collect today"),
    Says.READ: ("waiting", "Not without a person who reads the paper"),
    Says.NO: ("failed", "May not collect"),
    Says.NOTHING: ("unknown", "Nobody has said: counts as no"),
}
_ASK = "Do not release: ask the director"
_READ_BOTH = "Not without a person who reads both records"
_ONLY_STUDENTS = frozenset({HandField.GRADE})


class PersonLine(Struct, frozen=True, kw_only=True):
    """One person of an answer."""

    id: PersonId
    name: str
    formal: str
    kind: str
    # What tells them from a namesake.
    told_by: str
    schools: str
    close: bool
    active: bool


class FieldView(Struct, frozen=True, kw_only=True):
    """One field, with where it is from."""

    field: str
    label: str
    values: tuple[str, ...]
    # The same as people read it.
    shown: tuple[str, ...]
    # How each is marked: "cannot be reached" for an impossible telephone number.
    marks: tuple[str, ...]
    many: bool
    by_hand: str = ""
    # What the load says instead.
    load: str = ""


class PaperView(Struct, frozen=True, kw_only=True):
    """One record on who may collect."""

    source: str
    says: str
    when: str
    about: str
    origin: str
    # Of a word by hand, to end it.
    word: str = ""
    sealed: bool = False


class PairView(Struct, frozen=True, kw_only=True):
    """One student and one adult, today."""

    other: PersonId | None
    name: str
    relation: str
    stage: str
    verdict: str
    why: str
    papers: tuple[PaperView, ...]
    student: PersonId
    adult: PersonId
    # Both are linked by a roster: then the link's own word can be changed by hand.
    linked: bool
    may_by_hand: bool
    close: bool


class DoubtView(Struct, frozen=True, kw_only=True):
    """A contact who may be the same person."""

    id: str
    student: str
    before: str
    before_at: tuple[str, ...]
    after: str
    after_at: tuple[str, ...]
    source: str
    at: str


def person_line(known: KnownHuman, schools: Mapping[str, str], *, close: bool) -> PersonLine:
    """One person of an answer."""
    human = known.human
    return PersonLine(
        id=known.id,
        name=called(human),
        formal=_formal(human),
        kind=KINDS[human.kind],
        told_by=told_by(human),
        schools=", ".join(schools.get(one, one) for one in human.schools),
        close=close,
        active=human.active,
    )


class UnreachedLine(Struct, frozen=True, kw_only=True):
    """One adult whom no notice can reach."""

    id: str
    name: str
    why: str
    # Whose adult it is; "" for who has no child here.
    children: str


def unreached_line(one: BeyondReach, names: Mapping[PersonId, str]) -> UnreachedLine:
    """Who, and why."""
    several = (
        f"{one.impossible} numbers, none of which can be one"
        if one.impossible > 1
        else "a number that can be none"
    )
    return UnreachedLine(
        id=one.person.id,
        name=one.person.name,
        why=several if one.impossible else "no number and no mailbox",
        children=", ".join(sorted(names.get(child, child) for child in one.person.children)),
    )


def told_by(human: Human) -> str:
    """Birth date and grade, as far as they are known."""
    parts = []
    if human.birth_date is not None:
        parts.append(f"born {_day(human.birth_date)}")
    if human.kind is HumanKind.STUDENT and human.grade:
        parts.append(f"grade {human.grade}")
    return ", ".join(parts)


def _day(on: date) -> str:
    return f"{on:%-d %b %Y}"


def _shown(name: HandField, value: str, zone: tzinfo) -> str:
    if name is HandField.LANGUAGE:
        return language_name(value)
    if name is HandField.AWAY:
        return f"{datetime.fromisoformat(value).astimezone(zone):%-d %b %Y, %H:%M}"
    return _day(date.fromisoformat(value)) if name is HandField.BIRTH_DATE else value


def _formal(human: Human) -> str:
    """The name as it is kept, where they go by another."""
    kept = " ".join(part for part in (human.given, human.middle, human.family) if part)
    return "" if kept == called(human) else kept


def fields(found: PersonRecord, names: Names, zone: tzinfo) -> list[FieldView]:
    """All fields that can be changed by hand."""
    human = found.known.human
    views = []
    for name, label in FIELDS.items():
        if name in _ONLY_STUDENTS and human.kind is not HumanKind.STUDENT:
            continue
        hand = found.known.by_hand.get(name)
        values = standing(human, name, found.known.by_hand)
        marks = tuple(
            "impossible: nobody is reached there" if name is HandField.PHONES and not one.e164 else ""
            for one in human.phones
        )
        load = said(found.loaded, name)
        views.append(
            FieldView(
                field=name.value,
                label=label,
                values=values,
                shown=tuple(_shown(name, value, zone) for value in values),
                marks=marks if name is HandField.PHONES else ("",) * len(values),
                many=name in LISTS,
                by_hand=_by_hand(hand, names, zone),
                load=(", ".join(_shown(name, value, zone) for value in load) or "nothing")
                if hand is not None
                else "",
            )
        )
    return views


def _by_hand(hand: HandValue | None, names: Names, zone: tzinfo) -> str:
    return "" if hand is None else f"by hand: {names.person(hand.by)}, {day(hand.at, zone)}"


def origin(source: str, file: str, since: int, loads: Mapping[int, Instant], zone: tzinfo) -> str:
    """Where something is from: source, file, and the load since when it stands so."""
    taken = f", {day(loads[since], zone)}" if since in loads else ""
    return ", ".join(part for part in (source, file) if part) + f" (load {since}{taken})"


def pair_view(pair: Pair, found: PersonRecord, names: Names, zone: tzinfo, *, sealed_shown: bool) -> PairView:
    """One student and one adult; of what is sealed only the verdict, but for who may see that it exists."""
    hidden = pair.sealed and not sealed_shown
    stage, verdict = _VERDICTS[pair.word.says]
    if pair.read_both:
        verdict = _READ_BOTH
    if hidden:
        verdict = _ASK if pair.word.says is not Says.YES else verdict
    papers = [
        _paper(
            one.link,
            f"by hand: {names.person(one.by)}, {day(one.at, zone)}",
            word=one.id,
        )
        for one in pair.words
        if sealed_shown or not one.link.sealed
    ]
    link = pair.link
    if link is not None and (sealed_shown or not link.link.sealed):
        papers.append(_paper(link.link, origin(link.source, link.link.file, link.since, found.loads, zone)))
    student = found.known.human.kind is HumanKind.STUDENT
    return PairView(
        other=(pair.adult if student else pair.student) if pair.kind is not None else None,
        name=pair.name or "somebody who is no longer in the roster",
        relation=(link.link.written or link.link.relation.value)
        if link is not None
        else "not linked by a roster",
        stage=stage,
        verdict=verdict,
        why="" if hidden else _why(pair.word),
        # Beside a verdict without a reason, what says otherwise would tell of it.
        papers=() if hidden else tuple(papers),
        student=pair.student,
        adult=pair.adult,
        linked=link is not None,
        may_by_hand=link is not None and HandField.MAY_COLLECT in link.by_hand,
        close=pair.close,
    )


def _why(word: Word) -> str:
    if word.source is None or word.says is Says.NOTHING:
        return ""
    outside = (
        f", outside its dates ({word.outside:%-d %b %Y}): ask whether it still stands" if word.outside else ""
    )
    return f"{SOURCES[word.source]}{outside}"


def _paper(link: Link, where: str, *, word: str = "") -> PaperView:
    about = [f"lies at {link.order_reference}"] if link.order_reference else []
    about += [f"“{link.restrictions}”"] if link.restrictions else []
    about += ["restraining"] if link.restraining else []
    return PaperView(
        source=SOURCES[link.source],
        says=MAY[link.may_collect] if link.may_collect is not None else "Says nothing of collecting",
        when=_when(link),
        about=", ".join(about),
        origin=where,
        word=word,
        sealed=link.sealed,
    )


def _when(link: Link) -> str:
    parts = []
    if link.begins is not None:
        parts.append(f"from {link.begins:%-d %b %Y}")
    if link.ends is not None:
        parts.append(f"to {link.ends:%-d %b %Y}")
    if link.weekdays:
        parts.append("on " + ", ".join(DAYS[one] for one in sorted(link.weekdays)))
    return " ".join(parts)


def doubt_view(doubt: Doubt, known: KnownHuman | None, student: str, zone: tzinfo) -> DoubtView:
    """A question for a person."""
    return DoubtView(
        id=doubt.id,
        student=student or "a student",
        before=called(known.human) if known else "nobody any more",
        before_at=_reached(known.human) if known else (),
        after=called(doubt.coming),
        after_at=_reached(doubt.coming),
        source=", ".join(part for part in (doubt.source, doubt.coming.file) if part),
        at=day(doubt.found_at, zone),
    )


def _reached(human: Human) -> tuple[str, ...]:
    return (*(one.written for one in human.phones), *human.emails)


def iso_day(text: str) -> date | None:
    """A day of a form; None for an empty field. Raises `ValueError`."""
    return date.fromisoformat(text) if text else None
