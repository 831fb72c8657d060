"""Who has approved a translation: a name, a date, and the hash of source and translation. Pure.

A change of one character on either side makes another hash, and the approval does not hold any more.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from notify.wording.language import Wording
from notify.wording.matrix import FORMS

WORDS = "words"
"""Stands for what all texts of a language share: the mark, the actions, the causes, and what is said of the unknown."""

FILE = "approvals.toml"
"""The file of a site package's wording folder that holds them."""


class Approval(Struct, frozen=True, kw_only=True):
    """Somebody answers for the texts of a template in one language."""

    language: str
    # A template, or `WORDS`.
    template: str
    # One form of it; "": all of them.
    form: str = ""
    name: str
    date: dt.date
    # SHA-256 of the source and the translation, in hexadecimal.
    sha256: str
    # Nobody of that name has read anything: it holds in a rehearsal only, where every far end is simulated.
    example: bool = False


def digest(source: Wording, translation: Wording, template: str, form: str = "") -> str:
    """What an approval of these texts bears; "" where one of the two has no such template."""
    parts: list[str] = [translation.language, template, form]
    for wording in (source, translation):
        if template == WORDS:
            parts += _shared(wording)
            continue
        texts = wording.templates.get(template)
        if texts is None:
            return ""
        given = asdict(texts)
        parts += [given[name] for name in FORMS if form in {"", name}]
    sha = hashlib.sha256()
    for part in parts:
        octets = part.encode()
        sha.update(f"{len(octets)}:".encode() + octets)
    return sha.hexdigest()


def holds(
    approvals: Iterable[Approval], source: Wording, translation: Wording, template: str, form: str = ""
) -> bool:
    """Whether one of these is for this text as it stands."""
    return any(
        one.sha256 == digest(source, translation, template, one.form)
        for one in approvals
        if one.language == translation.language and one.template == template and one.form in {"", form}
    )


def read(file: str, text: str) -> tuple[list[Approval], list[str]]:
    """The approvals in a file, and what is wrong with it."""
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        return [], [f"{file}: is not TOML: {error}"]
    faults = [f"{file}: {key}: is not a key of this file; remove it" for key in data.keys() - {"approval"}]
    rows = data.get("approval", [])
    if not isinstance(rows, list):
        return [], [*faults, f"{file}: approval: write each as [[approval]]"]
    found = []
    for number, row in enumerate(rows, start=1):
        one = _approval(row, f"{file}: approval[{number}]", faults)
        if one is not None:
            found.append(one)
    return found, faults


def written(approvals: Iterable[Approval]) -> str:
    """The file that holds these; `read` gives them back."""
    lines = ["# Who answers for which translation. Write it with: belltower wording approve"]
    for one in sorted(approvals, key=lambda each: (each.language, each.template, each.form)):
        lines += [
            "",
            "[[approval]]",
            f"language = {_quoted(one.language)}",
            f"template = {_quoted(one.template)}",
            *([f"form = {_quoted(one.form)}"] if one.form else []),
            f"name = {_quoted(one.name)}",
            f"date = {one.date.isoformat()}",
            f"sha256 = {_quoted(one.sha256)}",
            *(["example = true"] if one.example else []),
        ]
    return "\n".join(lines) + "\n"


def _approval(row: Any, where: str, faults: list[str]) -> Approval | None:
    if not isinstance(row, dict):
        faults.append(f"{where}: is not a table; write it as [[approval]]")
        return None
    before = len(faults)
    texts = ("language", "template", "name", "sha256")
    faults += [
        f"{where}.{key}: is not a key of an approval; remove it"
        for key in row.keys() - {*texts, "form", "date", "example"}
    ]
    faults += [
        f"{where}.{key}: is missing or empty; give a text in quotes"
        for key in texts
        if not (isinstance(row.get(key), str) and row[key].strip())
    ]
    if row.get("form", "") not in {"", *FORMS}:
        faults.append(f"{where}.form: is not a form of text; use one of {', '.join(FORMS)}")
    if type(row.get("date")) is not dt.date:
        faults.append(f"{where}.date: is not a date; write it as 2026-01-31, without quotes")
    if not isinstance(row.get("example", False), bool):
        faults.append(f"{where}.example: write true where nobody has read the texts, or leave it out")
    if len(faults) > before:
        return None
    return Approval(**row)


def _shared(wording: Wording) -> list[str]:
    tables: tuple[Mapping[str, str], ...] = (wording.actions, wording.causes)
    texts = [
        wording.mark,
        wording.unknown_place,
        wording.campus,
        wording.unknown_cause,
        wording.unknown_site,
        wording.unknown_next,
        wording.interpreter,
        *(str(value) for value in asdict(wording.clock).values()),
    ]
    return [*texts, *(f"{key}={table[key]}" for table in tables for key in sorted(table))]


def _quoted(text: str) -> str:
    plain = "".join(letter if letter >= " " and letter != "\x7f" else " " for letter in text)
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'
