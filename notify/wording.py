"""What people read: texts are data, held in TOML files; no sentence for the public stands in code.

A file holds one language:

    language = "en"
    mark = "EXERCISE EXERCISE EXERCISE"     # opens and closes every text of an exercise, and no other
    unknown_place = "a place not yet known"
    campus = "the whole campus"             # {place} of an action for everybody
    [actions]
    lockdown = "LOCK DOWN"                  # what {action} becomes
    [templates.staff-alarm]
    sms = "{school}: ALARM at {place}, {time}. {url}"
    console = "..."
    subject = "..."                         # of the e-mail
    body = "..."
    [templates.staff-action.lockdown]       # one set of texts per action
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict, fields

from belltower.errors import SettingsError
from belltower.incident.facts import Action, Mode
from notify.segments import segments

MOST_PARTS = 2
"""A short message longer than this is refused before it is sent."""

FALLBACK = "staff-notice"
"""The template that stands in for one that a newer version ordered and this one does not know."""

REQUIRED = ("staff-alarm", "staff-action", "staff-closed", "staff-acknowledged", "test", FALLBACK)
"""The templates a complete wording set has; `staff-action` once for each action."""

CAMPUS = "*"
"""The raw value of the slot {place} that means everywhere."""

_TEXTS = ("sms", "console", "subject", "body")
_SLOT = re.compile(r"\{([^{}]*)\}")
_NEVER = {
    "en": (
        "all clear",
        "all students are safe",
        "no one was hurt",
        "everyone is accounted for",
        "in custody",
    ),
    "es": ("todo despejado", "todos los estudiantes están a salvo", "nadie resultó herido", "bajo custodia"),
}
_DRILL_WORDS = ("exercise", "drill", "simulacro", "ejercicio")
_SAMPLE_SCHOOL = "Jefferson Elementary School"


class Slots(Struct, frozen=True, kw_only=True):
    """The values that a text may name, each from a list or a clock, never free text."""

    school: str
    place: str
    time: str
    action: str = ""
    incident: str = ""
    url: str = ""


class Template(Struct, frozen=True, kw_only=True):
    """One thing to say, in the form each kind of channel takes."""

    sms: str
    console: str
    subject: str
    body: str


class Text(Struct, frozen=True, kw_only=True):
    """A filled text. `subject` is for mail only."""

    body: str
    subject: str = ""


class Wording(Struct, frozen=True, kw_only=True):
    """The texts of one language; `templates` by name, `staff-action.lockdown` for those of one action."""

    language: str
    mark: str
    unknown_place: str
    campus: str
    actions: dict[str, str]
    templates: dict[str, Template]


class WordingSet(Struct, frozen=True, kw_only=True):
    """All languages. The first one is what people get who have no other."""

    languages: dict[str, Wording]

    def of(self, language: str) -> Wording:
        """That language's texts, or those of the first language."""
        return self.languages.get(language) or next(iter(self.languages.values()))

    def knows(self, template: str) -> bool:
        """Whether every language has this template."""
        return all(
            template in wording.templates
            or all(f"{template}.{action}" in wording.templates for action in Action)
            for wording in self.languages.values()
        )

    def render(self, *, template: str, channel: str, language: str, mode: Mode, slots: Slots) -> Text:
        """The filled text for one kind of channel (sms, email, console).

        `slots.action` and `slots.place` are given raw: an action's name; "" for an unknown place and `CAMPUS` for
        everywhere. An unknown template is said as `FALLBACK`: people are told something rather than nothing.
        """
        wording = self.of(language)
        texts = _pick(wording, template, slots.action)
        values = asdict(slots)
        values["place"] = wording.campus if slots.place == CAMPUS else slots.place or wording.unknown_place
        values["action"] = wording.actions.get(slots.action, slots.action)
        if channel == "email":
            subject, body = _fill(texts.subject, values), _fill(texts.body, values)
            if mode is Mode.EXERCISE:
                return Text(
                    subject=f"{wording.mark}: {subject} {wording.mark}",
                    body=f"{wording.mark}\n\n{body.strip()}\n\n{wording.mark}\n",
                )
            return Text(subject=subject, body=body)
        body = _fill(texts.sms if channel == "sms" else texts.console, values)
        if mode is Mode.EXERCISE:
            body = f"{wording.mark}: {body} {wording.mark}"
        return Text(body=body)

    def faults(self, *, school: str, places: tuple[str, ...] = (), url: str = "") -> list[str]:
        """What is wrong once the texts are filled with this school's own name, places and address."""
        return [
            f"wording [{language}] {name}: {fault}"
            for language, wording in self.languages.items()
            for name in wording.templates
            for fault in self._too_long(wording, name, school, max(places, key=_cost, default=""), url)
        ]

    def _too_long(self, wording: Wording, name: str, school: str, place: str, url: str) -> Iterator[str]:
        template, _, action = name.partition(".")
        slots = Slots(school=school, place=place, time="23:59", action=action, incident="99999", url=url)
        for mode in Mode:
            text = self.render(
                template=template, channel="sms", language=wording.language, mode=mode, slots=slots
            ).body
            measured = segments(text)
            if measured.parts > MOST_PARTS:
                yield (
                    f"sms takes {measured.parts} parts when filled ({mode}: {measured.units} units of"
                    f" {measured.alphabet}); shorten it to {MOST_PARTS} parts"
                )


def parse(files: Mapping[str, str], *, base: WordingSet | None = None) -> WordingSet:
    """Read wording files (name → TOML text). What they leave out comes from `base`, language by language.

    Raises:
        SettingsError: lists every fault by file, table and key, each with its mend.
    """
    faults: list[str] = []
    languages = dict(base.languages) if base is not None else {}
    for name, text in files.items():
        try:
            data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            faults.append(f"{name}: is not TOML: {error}")
            continue
        reader = _Reader(name=name, data=data, base=languages)
        wording = reader.read()
        faults += reader.faults
        if wording is not None:
            languages[wording.language] = wording
    if not languages:
        faults.append("wording: there is no text at all; give at least one language file")
    if faults:
        raise SettingsError("\n".join(faults))
    found = WordingSet(languages=languages)
    faults = found.faults(
        school=_SAMPLE_SCHOOL, places=("Building B 204",), url="https://bell.example.org/i/99999"
    )
    if faults:
        raise SettingsError("\n".join(faults))
    return found


class _Reader:
    """One file on its way to a `Wording`; gathers every fault instead of stopping at the first."""

    def __init__(self, *, name: str, data: dict[str, Any], base: Mapping[str, Wording]) -> None:
        self._name = name
        self._data = data
        self._base = base
        self.faults: list[str] = []

    def read(self) -> Wording | None:
        for key in self._data.keys() - {
            "language",
            "mark",
            "unknown_place",
            "campus",
            "actions",
            "templates",
        }:
            self._fault(f"{key}: is not a key of a wording file; remove it")
        language = self._text(self._data, "language", "")
        known = self._base.get(language)
        mark = self._text(self._data, "mark", known.mark if known else "")
        unknown = self._text(self._data, "unknown_place", known.unknown_place if known else "")
        campus = self._text(self._data, "campus", known.campus if known else "")
        actions = self._actions(dict(known.actions) if known else {})
        templates = self._templates(dict(known.templates) if known else {}, language)
        if self.faults:
            return None
        return Wording(
            language=language,
            mark=mark,
            unknown_place=unknown,
            campus=campus,
            actions=actions,
            templates=templates,
        )

    def _fault(self, text: str) -> None:
        self.faults.append(f"{self._name}: {text}")

    def _text(self, table: dict[str, Any], key: str, default: str, where: str = "") -> str:
        value = table.get(key, default)
        if not isinstance(value, str) or not value.strip():
            self._fault(f"{where}{key}: is missing or empty; give a text in quotes")
            return default
        return value

    def _table(self, value: Any, where: str) -> dict[str, Any]:
        if isinstance(value, dict):
            return value
        self._fault(f"{where}: is not a table; write it as [{where}]")
        return {}

    def _actions(self, actions: dict[str, str]) -> dict[str, str]:
        table = self._table(self._data.get("actions", {}), "actions")
        for key in table:
            if key not in set(Action):
                self._fault(f"[actions] {key}: is not an action; use one of {', '.join(Action)}")
            else:
                actions[key] = self._text(table, key, "", "[actions] ")
        for action in Action:
            if action not in actions:
                self._fault(f"[actions] {action}: is missing; say what people are told to do")
        return actions

    def _templates(self, templates: dict[str, Template], language: str) -> dict[str, Template]:
        given = self._table(self._data.get("templates", {}), "templates")
        for name, value in given.items():
            table = self._table(value, f"templates.{name}")
            if name == "staff-action":
                for action, inner in table.items():
                    if action not in set(Action):
                        self._fault(
                            f"[templates.{name}.{action}]: is not an action; use one of {', '.join(Action)}"
                        )
                    else:
                        self._template(f"{name}.{action}", inner, templates, language)
            else:
                self._template(name, table, templates, language)
        for name in _names():
            if name not in templates:
                self._fault(f"[templates.{name}]: is missing; give {', '.join(_TEXTS)}")
        return templates

    def _template(self, name: str, value: Any, templates: dict[str, Template], language: str) -> None:
        where = f"[templates.{name}] "
        table = self._table(value, f"templates.{name}")
        known = templates.get(name)
        for key in table.keys() - set(_TEXTS):
            self._fault(f"{where}{key}: is not a form of text; use one of {', '.join(_TEXTS)}")
        texts = {
            field.name: self._text(table, field.name, getattr(known, field.name, ""), where)
            for field in fields(Template)
        }
        for key, text in texts.items():
            for fault in lint(text, language=language, first_is_school=key != "subject"):
                self._fault(f"{where}{key}: {fault}")
        templates[name] = Template(**texts)


def lint(text: str, *, language: str, first_is_school: bool = True) -> Iterator[str]:
    """What is wrong with one unfilled text, each fault with its mend."""
    names = {field.name for field in fields(Slots)}
    for slot in _SLOT.findall(text):
        if slot not in names:
            yield f"names the slot {{{slot}}}; use one of {', '.join('{' + n + '}' for n in sorted(names))}"
    if re.search(r"[{}]", _SLOT.sub("", text)):
        yield "has a brace that belongs to no slot; remove it"
    if first_is_school and not text.lstrip().startswith("{school}"):
        yield "does not say first who speaks; begin with {school}"
    if re.search(r"https?:|www\.", text, re.IGNORECASE):
        yield "holds an address of its own; use {url}"
    plain = text.casefold()
    for word in _DRILL_WORDS:
        if re.search(rf"\b{word}", plain):
            yield f"says {word!r}, which only the mark of an exercise may say; remove it"
    for phrase in _NEVER.get(language, ()):
        if phrase in plain:
            yield f"says {phrase!r}, which no automatic text may promise; remove it"


def _names() -> Iterator[str]:
    for name in REQUIRED:
        if name == "staff-action":
            yield from (f"{name}.{action}" for action in Action)
        else:
            yield name


def _pick(wording: Wording, template: str, action: str) -> Template:
    found = wording.templates.get(f"{template}.{action}") or wording.templates.get(template)
    return found or wording.templates[FALLBACK]


def _fill(text: str, values: Mapping[str, str]) -> str:
    return _SLOT.sub(lambda match: values.get(match[1], ""), text)


def _cost(text: str) -> tuple[str, int]:
    measured = segments(text)
    return (measured.alphabet, measured.units)
