"""Rosters of nobody, for tests, demos and benches: all drawn from one seed, clean or with every trap of real exports.

families.py   generate(seed, students) -> Roster; names.toml and areas.toml are what it draws from
sheets.py     a CSV file before it is written; writing as folder or ZIP
oneroster.py  a roster as OneRoster 1.2
tables.py     a roster as Clever's files, and as one plain table
traps.py      what real exports have in them, set on purpose and told

roster = generate(seed=7, students=1_000)
traps = write(roster, Path("district.zip"), form=Form.ONEROSTER, traps=7)
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from belltower.people.generator.families import generate
from belltower.people.generator.oneroster import oneroster
from belltower.people.generator.sheets import Sheet, Sheets, pack
from belltower.people.generator.tables import clever, plain
from belltower.people.generator.traps import SENTINEL, Trap, spoil
from belltower.people.roster import Roster


class Form(StrEnum):
    """What the files look like."""

    ONEROSTER = "oneroster"
    CLEVER = "clever"
    PLAIN = "plain"


_FORMS: dict[Form, Callable[[Roster], Sheets]] = {
    Form.ONEROSTER: oneroster,
    Form.CLEVER: clever,
    Form.PLAIN: plain,
}


def write(roster: Roster, path: Path, *, form: Form, traps: int | None = None) -> tuple[Trap, ...]:
    """Write `roster` as a ZIP, if `path` ends so, or a folder; `traps` is the seed that spoils it, None: clean.

    The same roster, form and seed make the same octets. Answers which traps were set, and where.
    """
    files = _FORMS[form](roster)
    found = () if traps is None else spoil(files, traps)
    pack(files, path)
    return found


__all__ = ["SENTINEL", "Form", "Sheet", "Sheets", "Trap", "generate", "write"]
