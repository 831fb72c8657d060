"""Approving the texts of a set as they stand, and what nobody has approved, or not any more. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from msgspec.structs import replace

from notify.wording.approvals import WORDS, Approval, digest
from notify.wording.texts import WordingSet

_INSTEAD = "who reads it gets the source and the interpreter's number"


def approve(
    texts: WordingSet,
    *,
    language: str,
    templates: Iterable[str],
    name: str,
    date: dt.date,
    example: bool = False,
) -> WordingSet:
    """The same texts with these approved as they stand; earlier approvals of the same give way."""
    wording = texts.languages[language]
    fresh = [
        Approval(language=language, template=template, name=name, date=date, sha256=sha256, example=example)
        for template in templates
        if (sha256 := digest(texts.source, wording, template))
    ]
    named = {one.template for one in fresh}
    kept = [one for one in texts.approvals if one.language != language or one.template not in named]
    return replace(texts, approvals=(*kept, *fresh))


def everything(texts: WordingSet, *, name: str, date: dt.date) -> WordingSet:
    """The same texts with all of every language approved as they stand."""
    for language, wording in texts.languages.items():
        texts = approve(texts, language=language, templates=(WORDS, *wording.templates), name=name, date=date)
    return texts


def approved(texts: WordingSet, language: str) -> list[str]:
    """The templates of that language for which somebody answers, all forms of them; none without `WORDS`."""
    if not texts.answered(language, WORDS):
        return []
    return [name for name in texts.languages[language].templates if texts.answered(language, name)]


def unread(texts: WordingSet) -> dict[str, str]:
    """By language other than the source's: what of its texts no named person answers for, in words; "" leaves it out."""
    return {
        language: why
        for language, own in texts.languages.items()
        if own is not texts.source and (why := _unread(texts, language))
    }


def _unread(texts: WordingSet, language: str) -> str:
    of, count = len(texts.languages[language].templates), len(approved(texts, language))
    example = any(one.example for one in texts.approvals if one.language == language)
    if example and (texts.rehearsal or not count):
        said = "it is said to simulated far ends only" if texts.rehearsal else _INSTEAD
        return f"approved only as an example, by an invented person: {said}"
    if not count:
        return f"nobody has approved these texts: {_INSTEAD}"
    rest = of - count
    return f"nobody has approved {rest} of {of} texts: of those people read the source" if rest else ""


def unapproved_source(texts: WordingSet) -> list[str]:
    """The templates of the source language for which nobody answers."""
    source = texts.source
    return [name for name in (WORDS, *source.templates) if not texts.answered(source.language, name)]


def void(texts: WordingSet) -> list[Approval]:
    """The approvals that hold no more: source or translation has changed, or is not there."""
    return [
        one
        for one in texts.approvals
        if (wording := texts.languages.get(one.language)) is None
        or one.sha256 != digest(texts.source, wording, one.template, one.form)
    ]
