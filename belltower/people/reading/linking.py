"""Who may be called for whom: links between one student and one parent, guardian or relative, and no others.

Files point from student to adult, from adult to student, and at times at somebody else altogether. A statement is
therefore taken without its direction; what it means is decided by who the two are. Everything doubtful goes to review.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from belltower.people.reading.faults import Findings
from belltower.people.roster import Human, HumanKey, HumanKind, Link, MayCollect, Relation, Side

RELATIONS = {
    "parent": Relation.PARENT,
    "guardian": Relation.GUARDIAN,
    "relative": Relation.RELATIVE,
}
"""The words of OneRoster and SDS."""

_WRITTEN = {
    Relation.PARENT: "mother father mom mum dad parent stepmother stepfather stepparent adoptiveparent biologicalmother "
    "biologicalfather fosterparent fostermother fosterfather madre padre",
    Relation.GUARDIAN: "guardian legalguardian tutor custodian guardianadlitem",
    Relation.RELATIVE: "relative grandmother grandfather grandparent aunt uncle auntuncle sister brother sibling cousin "
    "stepsister stepbrother greatgrandparent niece nephew family abuela abuelo tia tio",
}
_BY_WORD = {word: relation for relation, words in _WRITTEN.items() for word in words.split()}


# Shared by all links.
_SIDES = {side: frozenset({side}) for side in Side}
_BOTH = frozenset(Side)


class Statement(Struct, frozen=True, kw_only=True, gc=False):
    """One cell says that two people belong together."""

    # Whose record says it.
    one: HumanKey
    other: HumanKey
    file: str
    row: int
    column: str
    # None: it follows from what the adult is.
    relation: Relation | None = None
    written: str = ""


def relation_of(written: str) -> Relation | None:
    """What "Mother", "grandparent" or "legal guardian" means; None for "neighbor", "doctor" and the like."""
    word = "".join(letter for letter in written.casefold() if letter.isalpha())
    return RELATIONS.get(word) or _BY_WORD.get(word)


def link_all(
    statements: Iterable[Statement],
    humans: Mapping[HumanKey, Human],
    links: dict[tuple[HumanKey, HumanKey], Link],
    may_collect: Mapping[Relation, MayCollect],
    findings: Findings,
) -> None:
    """Turn statements into `links`; what does not join one student and one such adult goes to review."""
    for said in statements:
        one, other = humans.get(said.one), humans.get(said.other)
        if one is None or other is None:
            _doubt(findings, said, "the other id is not in the load", "add the person or correct the id")
            continue
        by_student = one.kind is HumanKind.STUDENT
        if by_student is (other.kind is HumanKind.STUDENT):
            what = "joins two students" if by_student else "joins two people of whom none is a student"
            _doubt(findings, said, what, "join one student and one parent, guardian or relative")
            continue
        student, adult = (one, other) if by_student else (other, one)
        relation = said.relation or _relation_by_role(adult.roles)
        if relation is None:
            _doubt(
                findings,
                said,
                "joins a student and somebody who is no parent, guardian or relative",
                "give the adult such a role, or leave the link out",
            )
            continue
        side = Side.STUDENT if by_student else Side.ADULT
        key = (student.key, adult.key)
        known = links.get(key)
        if known is None:
            links[key] = Link(
                student=student.key,
                adult=adult.key,
                relation=relation,
                written=said.written,
                may_collect=may_collect.get(relation),
                stated_by=_SIDES[side],
                file=said.file,
            )
        elif side not in known.stated_by:
            links[key] = replace(known, stated_by=_BOTH)


def speak_at_home(
    links: Iterable[Link], known: Mapping[HumanKey, Human], humans: dict[HumanKey, Human]
) -> None:
    """Adults of whom no language is said read the one that their students speak at home, where that is one."""
    spoken: dict[HumanKey, set[str]] = {}
    for link in links:
        adult, student = humans.get(link.adult), known.get(link.student)
        if adult is not None and not adult.language and student is not None and student.language:
            spoken.setdefault(link.adult, set()).add(student.language)
    for key, languages in spoken.items():
        if len(languages) == 1:
            humans[key] = replace(humans[key], language=languages.pop())


@lru_cache(maxsize=4096)
def _relation_by_role(roles: frozenset[str]) -> Relation | None:
    return next((relation for word, relation in RELATIONS.items() if word in roles), None)


def _doubt(findings: Findings, said: Statement, what: str, mend: str) -> None:
    findings.review("link", said.file, said.row, said.column, f"{what}; the link is left out", mend)
