"""The texts of all languages, and how one is filled for a reader."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping

from msgspec import Struct
from msgspec.structs import asdict, replace

from belltower.incident.facts import Action, Mode
from notify.wording.approvals import WORDS, Approval, holds
from notify.wording.language import Wording
from notify.wording.matrix import FALLBACK, FAMILY_FALLBACK, exercise_only, for_families, form_for
from notify.wording.values import CAMPUS, Clock, Slots, aloud, isolated, written

SLOT = re.compile(r"\{([^{}]*)\}")
_OPTIONAL = re.compile(r"([ \n]*)\[((?:[^\[\]{}]*\{[a-z]+\})+[^\[\]{}]*)\]")
_TO_ALL = frozenset({"paging", "sign", "console"})
_ONE_DIRECTION = frozenset({"sms", "voice", "paging"})


class Text(Struct, frozen=True, kw_only=True):
    """A filled text. `subject` is for mail only."""

    body: str
    subject: str = ""
    # The tag of its language; "en-x-es": in English, with the interpreter's number, for somebody who reads Spanish.
    language: str = ""


class WordingSet(Struct, frozen=True, kw_only=True):
    """All languages. The first one is the source of the others, and what people get who have no other."""

    languages: dict[str, Wording]
    approvals: tuple[Approval, ...] = ()
    # Nobody outside reads what is said: an example's approvals hold too.
    rehearsal: bool = False

    @property
    def source(self) -> Wording:
        """The language that the others are translations of."""
        return next(iter(self.languages.values()))

    def of(self, language: str) -> Wording:
        """That language's texts, or those of the source."""
        return self._own(language) or self.source

    def knows(self, template: str) -> bool:
        """Whether the source has this template; what a translation lacks is said in the source's words."""
        known = self.source.templates
        return template in known or all(f"{template}.{action}" in known for action in Action)

    def names(self, template: str) -> frozenset[str]:
        """The slots that its texts name in whatever language: a translation may say what its source leaves out."""
        texts = (own.templates[template] for own in self.languages.values() if template in own.templates)
        return frozenset(
            slot for text in texts for form in asdict(text).values() for slot in SLOT.findall(form)
        )

    def approved(self, language: str, template: str, form: str = "") -> bool:
        """Whether a person answers for this text as it stands. The source needs nobody."""
        wording = self.languages.get(language)
        return wording is self.source or (
            wording is not None and self.answered(language, WORDS) and self.answered(language, template, form)
        )

    def answered(self, language: str, template: str, form: str = "") -> bool:
        """Whether a person answers for this text as it stands, in the source's language too."""
        counting = (one for one in self.approvals if self.rehearsal or not one.example)
        return holds(counting, self.source, self.languages[language], template, form)

    def said(self, *, template: str, channel: str, language: str, mode: Mode, slots: Slots) -> Text:
        """The text for somebody who reads `language`: in that language if a person has approved it.

        Otherwise in the source's words with the number of the interpreter. What says that something is practised is
        never said of what is so: `FAMILY_FALLBACK` stands in for it.
        """
        if mode is Mode.ACTUAL and exercise_only(template):
            template = FAMILY_FALLBACK
        source = self.source
        wording = self._own(language)
        if wording is not None and wording is not source:
            name = _named(wording, template, slots.action)
            forms = ("subject", "body") if channel == "email" else (form_for(channel),)
            if name in wording.templates and all(
                self.approved(wording.language, name, form) for form in forms
            ):
                return self._render(wording, template, channel, mode, slots)
        if wording is source or not language:
            return self._render(source, template, channel, mode, slots)
        line = ""
        if slots.phone and channel not in _TO_ALL:
            own = wording is not None and self.answered(wording.language, WORDS) and wording.interpreter
            line = own or source.interpreter
        text = self._render(source, template, channel, mode, slots, line)
        return replace(text, language=f"{source.language}-x-{language.casefold()}") if line else text

    def render(self, *, template: str, channel: str, language: str, mode: Mode, slots: Slots) -> Text:
        """The filled text of that language, approved or not: for previews and checks. What is sent is `said`.

        `slots.action`, `slots.cause` and `slots.place` are given raw: names; "" for an unknown place and `CAMPUS` for
        everywhere. An unknown template is said as its fallback: people are told something rather than nothing.
        """
        return self._render(self.of(language), template, channel, mode, slots)

    def _own(self, language: str) -> Wording | None:
        while language and language not in self.languages:
            language = language.rpartition("-")[0]
        return self.languages.get(language)

    def _render(
        self, wording: Wording, template: str, channel: str, mode: Mode, slots: Slots, line: str = ""
    ) -> Text:
        name = _named(wording, template, slots.action)
        if name not in wording.templates:
            wording, name = self.source, _named(self.source, template, slots.action)
        texts = wording.templates.get(name) or wording.templates[FALLBACK]
        form = form_for(channel)
        values = _values(wording, slots, families=for_families(template), form=form)
        unknown = _unknown(wording, slots)
        body = fill(texts.form(form), values, unknown=unknown, isolate=form not in _ONE_DIRECTION)
        if for_families(template) or line:
            body = body.strip()
        if line:
            body += ("\n\n" if form == "body" else " ") + fill(line, values)
        marked = mode is Mode.EXERCISE
        if channel == "email":
            subject = fill(texts.subject, values, unknown=unknown)
            if marked:
                subject = f"{wording.mark}: {subject} {wording.mark}"
                body = f"{wording.mark}\n\n{body.strip()}\n\n{wording.mark}\n"
            return Text(subject=subject, body=body, language=wording.language)
        if marked:
            body = f"{wording.mark}: {body} {wording.mark}"
        return Text(body=body, language=wording.language)


def fill(text: str, values: Mapping[str, str], *, unknown: Container[str] = (), isolate: bool = False) -> str:
    """The text with its slots filled. What stands in brackets goes when a slot in it has no value, or is `unknown`.

    A value is never read as a slot itself.
    """

    def known(slot: str) -> bool:
        return bool(values.get(slot)) and slot not in unknown

    kept = _OPTIONAL.sub(
        lambda found: found[1] + found[2] if all(map(known, SLOT.findall(found[2]))) else "", text
    )
    return SLOT.sub(
        lambda found: isolated(kept, values.get(found[1], "")) if isolate else values.get(found[1], ""), kept
    )


def _named(wording: Wording, template: str, action: str) -> str:
    """The name of the texts that the template has for the action."""
    own = f"{template}.{action}"
    if own in wording.templates:
        return own
    if template in wording.templates or not for_families(template):
        return template
    return FAMILY_FALLBACK


def _unknown(wording: Wording, slots: Slots) -> frozenset[str]:
    """The slots whose value only says that it is not known."""
    given = {
        "place": slots.place,
        "site": slots.site,
        "cause": wording.causes.get(slots.cause),
        "next": slots.next,
    }
    return frozenset(name for name, value in given.items() if not value)


def _values(wording: Wording, slots: Slots, *, families: bool, form: str) -> dict[str, str]:
    values: dict[str, str] = asdict(slots)
    spoken = form == "voice"
    clock = wording.clock if families else Clock()
    values["place"] = wording.campus if slots.place == CAMPUS else slots.place or wording.unknown_place
    values["action"] = wording.actions.get(slots.action, slots.action)
    values["cause"] = wording.causes.get(slots.cause, wording.unknown_cause)
    values["site"] = slots.site or wording.unknown_site
    values["former"] = slots.former or wording.unknown_site
    values["time"] = written(clock, slots.time, aloud=spoken)
    promised = written(clock, slots.next, aloud=spoken)
    values["next"] = clock.next.replace("{time}", promised) if promised else wording.unknown_next
    return aloud(values) if spoken else values
