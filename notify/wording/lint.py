"""What is wrong with a text before anything stands in its slots; each fault with its mend. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from msgspec.structs import fields

from notify.wording import grade
from notify.wording.language import Wording
from notify.wording.matrix import (
    ABOUT_CHILD,
    FAMILY_FALLBACK,
    NO_HAZARD,
    exercise_only,
    for_families,
    moves_site,
    names_site,
)
from notify.wording.phrases import phrases, plain, protected
from notify.wording.texts import SLOT, WordingSet
from notify.wording.values import Slots

LISTS = ("never", "families", "codes", "child", "drill", "what", "where", "do")
"""The lists of patterns that a language has in its table `[lint]`."""

FULL = frozenset({"sms", "voice", "body", "push"})
"""The forms that have room for all five contents; the others are headlines for people who are there."""

SHORTENERS = frozenset(
    {
        *(
            "bit.ly",
            "tinyurl.com",
            "t.co",
            "goo.gl",
            "ow.ly",
            "is.gd",
            "buff.ly",
            "rebrand.ly",
            "cutt.ly",
            "tiny.cc",
        ),
        *(
            "lnkd.in",
            "shorturl.at",
            "rb.gy",
            "t.ly",
            "v.gd",
            "s.id",
            "bl.ink",
            "short.io",
            "dub.sh",
            "tiny.one",
        ),
    }
)
"""Hosts that hide where a link leads, and that carriers filter."""

_NAMES = frozenset(field.name for field in fields(Slots))
# Any name with an ending: phones make a link of "noon.Wait" too.
_ADDRESS = re.compile(r"https?:|www\.|[\w}-]\.[^\W\d_]{2,}|\b\d+(?:\.\d+){3}\b", re.IGNORECASE)
_OPTIONAL = re.compile(r"\[[^\[\]]*\]")
_SENDER_STANDS_BY = frozenset({"subject", "paging", "sign"})


def lint(text: str, *, wording: Wording, template: str, form: str) -> Iterator[str]:
    """The faults of one form of one template."""
    yield from _slots(text, form)
    if not text.lstrip().startswith("{school}") and (
        form not in _SENDER_STANDS_BY or (form == "subject" and for_families(template))
    ):
        yield "does not say first who speaks; begin with {school}"
    yield from _address(text)
    yield from phrase_faults(text, lists=wording.lists, template=template)
    yield from _site(text, template, form)
    if form in FULL:
        yield from _contents(text, wording.lists, template)
        yield from _reading(text, wording.language)


def phrase_faults(text: str, *, lists: Mapping[str, tuple[str, ...]], template: str) -> Iterator[str]:
    """What a text says that it must not; a filled one can be asked about too."""
    words = plain(text)
    if not exercise_only(template) and (found := phrases(lists.get("drill", ())).first(words)):
        yield f"says {found!r}, which only the mark of an exercise may say; remove it"
    if found := phrases(lists.get("never", ())).first(words):
        yield f"says {found!r}, which no automatic text may promise; remove it"
    if for_families(template) and (found := phrases(lists.get("families", ())).first(words)):
        yield f"says {found!r}, which no automatic text may tell families; tell it in person, and remove it"
    if found := phrases(lists.get("codes", ())).first(words):
        yield f"says {found!r}, a code that not everybody knows; say in plain words what people do"
    if template.startswith(ABOUT_CHILD) and (found := phrases(lists.get("child", ())).first(words)):
        yield f"says {found!r} of one child; tell it in person, and remove it"
    if "licence" not in lists and (found := protected(words)):
        yield (
            f"says {found!r}, words that belong to a school protocol's owner; use your own, or name your licence with"
            " [lint] licence"
        )


def value_faults(text: str, *, lists: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """What a value that stands in slots says that no text may; families read it too."""
    yield from _address(text)
    yield from phrase_faults(text, lists=lists, template=FAMILY_FALLBACK)


def promises(name: str, texts: WordingSet) -> Iterator[str]:
    """What a name promises wherever it stands in a text, in any of the languages."""
    words = plain(name)
    for wording in texts.languages.values():
        if found := phrases(wording.lists.get("never", ())).first(words):
            yield f"says {found!r}, which no automatic text may promise; give it another name"


def address_fault(url: str, domains: tuple[str, ...]) -> str:
    """What is wrong with an address that notices name: "" when nothing. Only the school's own domains will do."""
    host = (
        re.sub(r"^[a-z]+://", "", url.strip(), flags=re.IGNORECASE)
        .partition("/")[0]
        .partition(":")[0]
        .casefold()
    )
    if host.removeprefix("www.") in SHORTENERS:
        return f"{host} hides where a link leads, and carriers filter it; name an address of your own domain"
    if domains and not any(host == own or host.endswith(f".{own}") for own in domains):
        return f"{host} is none of your domains ({', '.join(domains)}); name an address of your own"
    return ""


def _address(text: str) -> Iterator[str]:
    if _ADDRESS.search(text):
        yield "holds an address of its own; use {url}, and leave a blank after a full stop"


def _slots(text: str, form: str) -> Iterator[str]:
    for slot in SLOT.findall(text):
        if slot not in _NAMES:
            yield f"names the slot {{{slot}}}; use one of {', '.join('{' + n + '}' for n in sorted(_NAMES))}"
    if re.search(r"[{}]", SLOT.sub("", text)):
        yield "has a brace that belongs to no slot; remove it"
    if form == "voice" and "{url}" in text:
        yield "reads an address aloud; give {phone} instead of {url}"


def _site(text: str, template: str, form: str) -> Iterator[str]:
    """Where families go is said at once, everywhere; and what is no longer so, where there is room."""
    certain = _OPTIONAL.sub(" ", text)
    if names_site(template) and form not in ("sign", "console") and "{site}" not in certain:
        yield "does not say where families go; name {site}, outside of brackets"
    if moves_site(template) and form in FULL and "{former}" not in certain:
        yield "does not say where they no longer go; name {former}, outside of brackets"
    if "{former}" in text and not moves_site(template):
        yield "names {former}, which is known only where the place has changed; remove it"


def _contents(text: str, lists: Mapping[str, tuple[str, ...]], template: str) -> Iterator[str]:
    """The five contents: who speaks, what happens, where, what to do, since when; and when there is more.

    Staff's texts are directives, and short: their readers stand where it happens, and may look at a screen.
    """
    if not for_families(template):
        return
    words = plain(text)
    of_child = template.startswith(ABOUT_CHILD)
    if not (of_child or template in NO_HAZARD) and not _says(
        text, words, lists, "what", "{cause}", "{action}"
    ):
        yield "does not say what happens; name {cause}, {action} or a word of [lint] what"
    if not of_child and not _says(text, words, lists, "where", "{place}", "{site}"):
        yield "does not say where; name {place}, {site} or a word of [lint] where"
    if not _says(text, words, lists, "do"):
        yield "does not say what to do; use a word of [lint] do"
    if "{time}" not in text:
        yield "does not say since when; name {time}"
    if "{next}" not in text:
        yield "does not say when there is more; name {next}"


def _says(text: str, words: str, lists: Mapping[str, tuple[str, ...]], what: str, *slots: str) -> bool:
    return any(slot in text for slot in slots) or bool(phrases(lists.get(what, ())).first(words))


def _reading(text: str, language: str) -> Iterator[str]:
    found = grade.reading(text, language=language)
    if found.sentence > grade.LONGEST_SENTENCE:
        yield (
            f"has {found.sentence:.0f} words a sentence; make sentences of {grade.LONGEST_SENTENCE:.0f} words or fewer"
        )
    if found.words < grade.FEWEST_WORDS:
        return
    for name, value in found.grades.items():
        if value > grade.HIGHEST_GRADE:
            yield (
                f"asks for {value:.1f} years of school ({name}); use shorter words and sentences, to come to"
                f" {grade.HIGHEST_GRADE:.0f}"
            )
