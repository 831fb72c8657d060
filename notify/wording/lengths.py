"""How long the filled texts are, on the encoding that carries them: parts of a short message, characters of the rest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from belltower.incident.facts import Mode
from notify.segments import segments
from notify.wording.matrix import exercise_only, for_families
from notify.wording.values import Slots

if TYPE_CHECKING:
    from notify.wording.language import Wording
    from notify.wording.texts import WordingSet

MOST_PARTS = 2
"""A short message longer than this is refused before it is sent."""

LIMITS = {"push": 360, "sign": 90}
"""Characters that a filled text of the form may have, the mark of an exercise counted."""

SAMPLE_SCHOOL = "Jefferson Elementary School"
SAMPLE_URL = "https://bell.example.org/i/99999"
_SAMPLE_PHONE = "+1 555 010 0100"
_SAMPLE_SITE = "Lakeside Church"


def too_long(
    texts: WordingSet, *, school: str, places: tuple[str, ...] = (), url: str = "", phone: str = ""
) -> list[str]:
    """Every filled text that is longer than its form may be, with these names."""
    return [
        f"wording [{language}] {name}: {fault}"
        for language, wording in texts.languages.items()
        for name in wording.templates
        for fault in _faults(
            texts,
            wording,
            name,
            _longest(
                wording, name, school=school, place=max(places, key=cost, default=""), url=url, phone=phone
            ),
        )
    ]


def cost(text: str) -> tuple[str, int]:
    """What a text costs on the air, to be compared with others."""
    measured = segments(text)
    return (measured.alphabet, measured.units)


def _longest(wording: Wording, name: str, *, school: str, place: str, url: str, phone: str) -> Slots:
    """The slots filled as long as they get."""
    action = name.split(".")[1] if "." in name else ""
    return Slots(
        school=school,
        place=place,
        time="23:59",
        action=action,
        incident="99999",
        url=url,
        cause=max(wording.causes, key=lambda cause: cost(wording.causes[cause]), default=""),
        next="23:59",
        phone=phone or _SAMPLE_PHONE,
        site=place or _SAMPLE_SITE,
        former=place or _SAMPLE_SITE,
        code="0000",
    )


def _faults(texts: WordingSet, wording: Wording, name: str, slots: Slots) -> Iterator[str]:
    # The line of the interpreter follows the source's texts, for whoever reads a language that has none.
    readers = (wording.language, "und") if wording is texts.source else (wording.language,)
    for mode in Mode:
        if mode is Mode.ACTUAL and exercise_only(name):
            continue
        for reader in readers:
            body = _filled(texts, name, "sms", reader, mode, slots)
            measured = segments(body)
            if measured.parts > MOST_PARTS:
                told = f"{mode}{'' if reader == wording.language else ', with the interpreter'}"
                yield (
                    f"sms takes {measured.parts} parts when filled ({told}: {measured.units} units of"
                    f" {measured.alphabet}); shorten it to {MOST_PARTS} parts"
                )
        if for_families(name):
            for form, most in LIMITS.items():
                found = len(_filled(texts, name, form, wording.language, mode, slots))
                if found > most:
                    yield f"{form} has {found} characters when filled ({mode}); shorten it to {most}"


def _filled(texts: WordingSet, name: str, channel: str, reader: str, mode: Mode, slots: Slots) -> str:
    if reader == "und":
        return texts.said(template=name, channel=channel, language=reader, mode=mode, slots=slots).body
    return texts.render(template=name, channel=channel, language=reader, mode=mode, slots=slots).body
