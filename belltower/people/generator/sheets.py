"""A CSV file before it is written, so that `traps` can spoil it; and what the forms share."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from msgspec import Struct

from belltower.people.roster import Human, HumanKey, Roster


class Sheet(Struct):
    """One CSV file, still to be written."""

    header: list[str]
    rows: list[list[str]]
    # Written in front of the first header.
    bom: bool = False
    line_end: str = "\n"

    def column(self, name: str) -> int:
        """Where the column stands."""
        return self.header.index(name)

    def octets(self) -> bytes:
        """The file."""
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator=self.line_end)
        writer.writerow(self.header)
        writer.writerows(self.rows)
        return text.getvalue().encode("utf-8-sig" if self.bom else "utf-8")


Sheets = dict[str, Sheet]


def pack(files: Mapping[str, Sheet], path: Path) -> None:
    """Write into a ZIP if `path` ends so, else into a folder. The same files make the same octets."""
    if path.suffix.lower() != ".zip":
        path.mkdir(parents=True, exist_ok=True)
        for name, sheet in files.items():
            (path / name).write_bytes(sheet.octets())
        return
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, sheet in files.items():
            archive.writestr(zipfile.ZipInfo(name), sheet.octets(), zipfile.ZIP_DEFLATED)


def id_of(key: HumanKey | None) -> str:
    """The source's id within `key`."""
    return (key or "").partition("/")[2]


def mailbox(human: Human) -> str:
    """The first mailbox, or nothing."""
    return human.emails[0] if human.emails else ""


def day(when: date | None) -> str:
    """As OneRoster writes it."""
    return when.isoformat() if when else ""


def american(when: date | None) -> str:
    """As American offices write it."""
    return f"{when:%m/%d/%Y}" if when else ""


def term(begins: date | None, ends: date | None) -> str:
    """The id of the school year."""
    return f"{begins.year}-{ends.year}" if begins and ends else ""


def terms(roster: Roster) -> list[tuple[date, date]]:
    """All school years, in order."""
    return sorted({(one.begins, one.ends) for one in roster.classes if one.begins and one.ends})


def enrolments(roster: Roster) -> list[list[str]]:
    """Rows as OneRoster has them."""
    school = {one.key: one.school for one in roster.classes}
    return [
        [
            *(one.key, "", "", one.school_class, school[one.school_class], id_of(one.human), one.role),
            *("true" if one.primary else "false", day(one.begins), day(one.ends)),
        ]
        for one in roster.enrolments
    ]
