"""Wording files on their way to a `WordingSet`; every fault is gathered, none stops the reading."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Any

from msgspec.structs import asdict, fields

from belltower.errors import SettingsError
from belltower.incident.facts import Action
from notify.wording import approvals
from notify.wording.language import Template, Wording
from notify.wording.lengths import SAMPLE_SCHOOL, SAMPLE_URL, too_long
from notify.wording.lint import LISTS, lint, value_faults
from notify.wording.matrix import ABOUT_CHILD, FORMS, SITE, Phase, SitePhase, cells, for_families, forms_of
from notify.wording.texts import WordingSet
from notify.wording.values import Clock

_TEXTS = ("mark", "unknown_place", "campus")
_MAY_LACK = ("unknown_cause", "unknown_site", "unknown_next", "interpreter")
_TABLES = ("actions", "causes", "clock", "lint", "templates", "families", "child")
_TAG = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_LONGEST_TEXT = 4_000
_LONGEST_PATTERN = 600
_MOST_GAPS = 2
_NEEDED_LISTS = ("never", "drill", "what", "where", "do")


def parse(files: Mapping[str, str], *, base: WordingSet | None = None, linted: bool = True) -> WordingSet:
    """Read wording files (name → TOML text), and approvals from one that is called `approvals.toml`.

    What they leave out comes from `base`, language by language. `linted=False` is for texts whose tests lint them.

    Raises:
        SettingsError: lists every fault by file, table and key, each with its mend.
    """
    faults: list[str] = []
    languages = dict(base.languages) if base is not None else {}
    kept = list(base.approvals) if base is not None else []
    for name, text in files.items():
        if name.rpartition("/")[2] == approvals.FILE:
            found, wrong = approvals.read(name, text)
            kept += found
            faults += wrong
            continue
        try:
            data = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            faults.append(f"{name}: is not TOML: {error}")
            continue
        reader = _Reader(name=name, data=data, base=languages, linted=linted)
        wording = reader.read()
        faults += reader.faults
        if wording is not None:
            languages[wording.language] = wording
    if not languages:
        faults.append("wording: there is no text at all; give at least one language file")
    if faults:
        raise SettingsError("\n".join(faults))
    read = WordingSet(languages=languages, approvals=tuple(kept))
    if linted:
        faults = too_long(read, school=SAMPLE_SCHOOL, places=("Building B 204",), url=SAMPLE_URL)
    if faults:
        raise SettingsError("\n".join(faults))
    return read


def all_faults(texts: WordingSet) -> list[str]:
    """What is wrong with the texts of every language, whoever wrote them; the same as `parse` finds in files."""
    return [
        f"wording [{language}] {name} {form}: {fault}"
        for language, wording in texts.languages.items()
        for name, template in wording.templates.items()
        for form, text in asdict(template).items()
        if text
        for fault in lint(text, wording=wording, template=name, form=form)
    ]


class _Reader:
    """One file on its way to a `Wording`; gathers every fault instead of stopping at the first."""

    def __init__(self, *, name: str, data: dict[str, Any], base: Mapping[str, Wording], linted: bool) -> None:
        self._name = name
        self._data = data
        self._base = base
        self._linted = linted
        self._read: set[tuple[str, str]] = set()
        self.faults: list[str] = []

    def read(self) -> Wording | None:
        for key in self._data.keys() - {"language", "partial", *_TEXTS, *_MAY_LACK, *_TABLES}:
            self._fault(f"{key}: is not a key of a wording file; remove it")
        language = self._text(self._data, "language", "")
        if language and not _TAG.fullmatch(language):
            self._fault(
                f'language: {language[:20]!r} is no tag of a language; write one such as "es" or "zh-Hans"'
            )
        known = self._base.get(language)
        texts = {key: self._text(self._data, key, getattr(known, key, "")) for key in _TEXTS}
        for key in _MAY_LACK:
            before = getattr(known, key, "")
            texts[key] = self._text(self._data, key, before) if key in self._data else before
        partial = self._data.get("partial", False)
        if not isinstance(partial, bool):
            self._fault("partial: is neither true nor false")
        wording = Wording(
            language=language,
            actions=self._actions(dict(known.actions) if known else {}),
            causes=self._named_texts("causes", dict(known.causes) if known else {}),
            clock=self._clock(known.clock if known else Clock()),
            lists=self._lists(dict(known.lists) if known else {}, new=known is None),
            templates=dict(known.templates) if known else {},
            **texts,
        )
        self._templates(wording, complete=known is None and not partial)
        self._shared(wording)
        return None if self.faults else wording

    def _fault(self, text: str) -> None:
        # Whatever breaks a line in the file breaks none here: each fault is one line.
        self.faults.append(f"{self._name}: {' '.join(text.splitlines())}")

    def _text(self, table: dict[str, Any], key: str, default: str, where: str = "") -> str:
        value = table.get(key, default)
        if not isinstance(value, str) or not value.strip():
            self._fault(f"{where}{key}: is missing or empty; give a text in quotes")
            return default
        if len(value) > _LONGEST_TEXT:
            self._fault(f"{where}{key}: has {len(value)} characters; write {_LONGEST_TEXT} or fewer")
            return default
        return value

    def _table(self, value: Any, where: str) -> dict[str, Any]:
        if isinstance(value, dict):
            return value
        self._fault(f"{where}: is not a table; write it as [{where}]")
        return {}

    def _named_texts(self, name: str, known: dict[str, str]) -> dict[str, str]:
        table = self._table(self._data.get(name, {}), name)
        return {**known, **{key: self._text(table, key, "", f"[{name}] ") for key in table}}

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

    def _clock(self, known: Clock) -> Clock:
        table = self._table(self._data.get("clock", {}), "clock")
        given = asdict(known)
        for key, value in table.items():
            if key not in given:
                self._fault(f"[clock] {key}: is not a key of it; use one of {', '.join(given)}")
            elif key == "hours":
                if value not in {12, 24}:
                    self._fault("[clock] hours: is neither 12 nor 24")
                given[key] = value
            else:
                given[key] = self._text(table, key, "", "[clock] ")
        return Clock(**given)

    def _lists(self, known: dict[str, tuple[str, ...]], *, new: bool) -> dict[str, tuple[str, ...]]:
        """A district's patterns come on top of those that ship; none can be taken away."""
        table = self._table(self._data.get("lint", {}), "lint")
        for key, value in table.items():
            if key == "licence":
                known[key] = (self._text(table, key, "", "[lint] "),)
            elif key not in LISTS:
                self._fault(f"[lint] {key}: is not a list of it; use one of {', '.join((*LISTS, 'licence'))}")
            elif not isinstance(value, list) or not all(
                isinstance(one, str) and one.strip() for one in value
            ):
                self._fault(f"[lint] {key}: is not a list of texts in quotes")
            elif hard := [
                one for one in value if len(one) > _LONGEST_PATTERN or one.count("..") > _MOST_GAPS
            ]:
                self._fault(
                    f"[lint] {key}: {hard[0][:40]!r} is too long, or has more than {_MOST_GAPS} gaps (..); make two of it"
                )
            else:
                known[key] = tuple(dict.fromkeys((*known.get(key, ()), *value)))
        for key in _NEEDED_LISTS if new else ():
            if not known.get(key):
                self._fault(f"[lint] {key}: is missing; no text of a language is checked without it")
        return known

    def _templates(self, wording: Wording, *, complete: bool) -> None:
        given = self._table(self._data.get("templates", {}), "templates")
        for name, value in given.items():
            table = self._table(value, f"templates.{name}")
            if name != "staff-action":
                self._template(wording, name, table, "templates.")
                continue
            for action, inner in table.items():
                if self._is_action(action, f"templates.{name}"):
                    self._template(wording, f"{name}.{action}", inner, "templates.")
        for action, phases in self._table(self._data.get("families", {}), "families").items():
            if action != SITE and not self._is_action(action, "families"):
                continue
            known = list(SitePhase) if action == SITE else list(Phase)
            for phase, inner in self._table(phases, f"families.{action}").items():
                if phase not in known:
                    self._fault(f"[families.{action}.{phase}]: is not a phase; use one of {', '.join(known)}")
                else:
                    self._template(wording, f"families.{action}.{phase}", inner, "")
        for name, inner in self._table(self._data.get("child", {}), "child").items():
            self._template(wording, f"{ABOUT_CHILD}{name}", inner, "")
        if "lint" in self._data and self._linted:
            self._others(wording)
        # What lacks is said in the source's words: a package in force stays so under a program with more texts.
        for name in cells() if complete and self._linted else ():
            if name not in wording.templates:
                where = name if name.startswith("families.") else f"templates.{name}"
                self._fault(f"[{where}]: is missing; give {', '.join(forms_of(name))}")

    def _others(self, wording: Wording) -> None:
        """What a longer list finds in the texts that this file leaves as they are."""
        for name, template in wording.templates.items():
            for form, text in asdict(template).items():
                if text and (name, form) not in self._read:
                    for fault in lint(text, wording=wording, template=name, form=form):
                        self._fault(f"[lint] with {name} {form}, as it ships: {fault}")

    def _shared(self, wording: Wording) -> None:
        """What stands in the slots is read like any text, by families too, and promises no more."""
        tables = {"actions": wording.actions, "causes": wording.causes}
        values = {f"[{name}] {key}": text for name, table in tables.items() for key, text in table.items()}
        values |= {key: getattr(wording, key) for key in _MAY_LACK}
        for where, text in values.items() if self._linted else ():
            for fault in value_faults(text, lists=wording.lists):
                self._fault(f"{where}: {fault}")

    def _is_action(self, action: str, where: str) -> bool:
        if action in set(Action):
            return True
        self._fault(f"[{where}.{action}]: is not an action; use one of {', '.join(Action)}")
        return False

    def _template(self, wording: Wording, name: str, value: Any, table_of: str) -> None:
        where = f"[{table_of}{name}] "
        table = self._table(value, f"{table_of}{name}")
        known = wording.templates.get(name)
        for key in table.keys() - set(FORMS):
            self._fault(f"{where}{key}: is not a form of text; use one of {', '.join(FORMS)}")
        needed = forms_of(name)
        texts: dict[str, str] = {}
        for field in fields(Template):
            before = getattr(known, field.name, "")
            if field.name in needed or field.name in table:
                texts[field.name] = self._text(table, field.name, before, where)
            else:
                texts[field.name] = before
        if for_families(name) and not texts["console"]:
            texts["console"] = texts["push"]
        for key, text in texts.items():
            if self._linted and text and key in table:
                self._read.add((name, key))
                for fault in lint(text, wording=wording, template=name, form=key):
                    self._fault(f"{where}{key}: {fault}")
        wording.templates[name] = Template(**texts)
